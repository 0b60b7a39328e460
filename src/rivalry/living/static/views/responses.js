/** The plane of two choices: best-response curves, responses in turn, proved equilibria. */

import { button, clip, el, format, frame, handle, hue, legend, line, points } from "../kit.js";
import { change, choice, dataAt, isFixed, layout, parameterSliders, playersTable, point, profileClaim, resetButton, same, stateOf } from "../panel.js";

const ROUNDS = 12; // of iterated best responses

/** @typedef {import("../kit.js").Model} Model */

/** A strategy with one choice changed; of two actions, a probability. @param {any} data @param {number[]} own @param {number} which @param {number} to */
function withChoice(data, own, which, to) {
  if (data.mixture) return [to, 1 - to];
  return own.map((old, k) => (k === which ? to : old));
}

/** A player's best response to a choice of the rival, on the curve that was computed.
 * @param {{rival: number[], found: number[]}} curve @param {number} other */
function respond({ rival, found }, other) {
  const after = rival.findIndex((one) => one >= other);
  if (after <= 0) return found[after === 0 ? 0 : found.length - 1];
  const part = (other - rival[after - 1]) / (rival[after] - rival[after - 1] || 1);
  return found[after - 1] + part * (found[after] - found[after - 1]);
}

/** Responses in turn from two choices: the first player moves, then the second, and so on.
 * @param {{rival: number[], found: number[]}[]} curves @param {number[]} place */
function staircase(curves, place) {
  const path = [place];
  for (let k = 0; k < 2 * ROUNDS; k++) {
    const player = k % 2;
    const to = respond(curves[player], place[1 - player]);
    place = place.map((old, j) => (j === player ? to : old));
    path.push(place);
  }
  return path;
}

/** @param {{model: Model, el: HTMLElement}} given */
function render({ model, el: root }) {
  const { data } = model.get("figure");
  const { players } = data;
  const claim = profileClaim(model);
  const { main, side, begin } = layout(model, root, { claim: claim.node,
    lead: (isFixed(model) ? "" : "Drag the point, or select it and press the arrow keys; Enter types both numbers. ")
      + "The staircase shows the players respond in turn." });
  const which = () => Math.min(stateOf(model).cursor?.choice ?? 0, data.axes.length - 1);
  const labels = () => /** @type {string[]} */ (data.axes[which()].names);
  const span = () => ({ low: data.axes[which()].low, high: data.axes[which()].high });

  const holder = el("div", { class: "rv-square" });
  main.append(holder);
  const plane = frame(holder, { label: "Choices of the two players, with both best-response curves", height: (width) => Math.min(width, 600),
    margin: { left: 62, bottom: 44, right: 16 }, x: { ...span(), label: labels()[0] }, y: { ...span(), label: labels()[1] } });
  const curves = [0, 1].map((k) => line(plane, { colour: hue(k) }));
  const web = line(plane, { colour: "var(--rv-ink)", thin: true, kind: "rv-web" });
  const marks = points(plane, { radius: 6.5, shape: "diamond" });
  main.append(legend([...players.map((/** @type {string} */ name, /** @type {number} */ k) =>
    ({ label: `best response of ${name}`, colour: hue(k) })),
  { label: "responses in turn", colour: "var(--rv-soft)" },
  ...(data.equilibria.length ? [{ label: "equilibrium, proved", mark: "diamond" }] : [])]));

  const table = playersTable(players, [...data.axes.map((/** @type {any} */ one) => one.short), "payoff"]);
  const controls = parameterSliders(model);
  const at = () => stateOf(model).profile.map((row) => row[which()]);
  const move = (/** @type {number[]} */ to, /** @type {boolean} */ settled) => {
    const x = stateOf(model).profile;
    change(model, { profile: x.map((row, k) => withChoice(data, row, which(),
      Number(clip(to[k], data.low[k][which()], data.high[k][which()]).toPrecision(6)))) }, settled);
  };
  const knob = handle({ frame: plane, axes: "xy", colour: "var(--rv-ink)", label: "choices of both players", at,
    fixed: isFixed(model), move,
    text: (place) => players.map((/** @type {string} */ name, /** @type {number} */ k) => `${name} ${format(place[k], 4)}`).join(", ") });

  /** @param {{rival: number[], found: number[]}[]} responses */
  const drawPlane = (responses) => {
    plane.domain({ ...span(), label: labels()[0] }, { ...span(), label: labels()[1] });
    const jump = 0.15 * (span().high - span().low);
    curves.forEach((curve, player) => {
      const { rival, found } = responses[player];
      const [xs, ys] = [/** @type {number[]} */ ([]), /** @type {number[]} */ ([])];
      found.forEach((/** @type {number} */ own, /** @type {number} */ k) => {
        // a jump is no part of the curve, except where every mixture is a best response
        if (k && !data.mixture && Math.abs(own - found[k - 1]) > jump) [xs, ys].forEach((row) => row.push(NaN));
        xs.push(player ? rival[k] : own);
        ys.push(player ? own : rival[k]);
      });
      curve.set(xs, ys);
    });
  };
  const update = () => {
    const state = stateOf(model);
    const { data: now, known } = dataAt(model);
    const responses = now.curves[which()];
    drawPlane(responses);
    const path = staircase(responses, at());
    web.set(path.map((row) => row[0]), path.map((row) => row[1]));
    const proved = Object.keys(state.parameters).length ? [] : data.equilibria;
    marks.set(proved.map((/** @type {any} */ one) => ({ x: one.profile[0][which()], y: one.profile[1][which()],
      hollow: one.claim !== "equilibrium", title: one.sentence })));
    for (const each of Array.from(list.children)) /** @type {HTMLButtonElement} */ (each).disabled = !proved.length;
    const chosen = proved.find((/** @type {any} */ one) => same(one.profile, state.profile));
    const stake = Math.max(...now.own.map((/** @type {any} */ one) => one.stake), 1e-300);
    table.set(state.profile.map((row, k) => ({ gain: known ? now.own[k].gain : null, part: known ? now.own[k].gain / stake : 0,
      texts: [...row.map((own) => format(own, 4)).slice(0, data.axes.length),
        format(known ? now.own[k].here : chosen?.payoffs[k], 4)] })));
    claim.show(known ? Math.max(...now.own.map((/** @type {any} */ one) => one.gain)) : null, now.points);
    knob.draw();
    controls.show();
  };
  const list = el("div", { class: "rv-list" }, data.equilibria.map((/** @type {any} */ one) => button(one.sentence,
    () => change(model, { profile: one.profile }, true), true)));
  const card = data.equilibria.length ? el("section", { class: "rv-card", tabindex: "0" },
    el("p", { class: "rv-heading" }, data.complete ? "All equilibria, proved" : "Equilibria"), list,
    data.reason ? el("p", { class: "rv-note" }, data.reason) : null) : null;
  const choose = data.axes.length > 1 ? choice("Choice shown", data.axes.map((/** @type {any} */ one) => one.short),
    (chosen) => point(model, { choice: chosen }), which()).node : null;
  side.append(table.node, ...(choose ? [choose] : []),
    el("div", { class: "rv-row" }, resetButton(model)), ...(card ? [card] : []), controls.node);
  return begin(update);
}

export default { initialize() {}, render };
