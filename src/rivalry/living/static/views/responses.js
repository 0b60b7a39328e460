/** The plane of two choices: best-response curves, iterated best responses, equal payoffs, proved equilibria. */

import { button, clip, contour, el, format, frame, handle, hue, legend, line, linspace, play, points } from "../kit.js";
import { answerFor, change, choice, layout, parameterSliders, playersTable, point, profileClaim, resetButton, same, stateOf } from "../panel.js";
import { bestOf, twinOf } from "../twins/twin.js";

const ROUNDS = 12; // of iterated best responses
const FINE = 161;
const COARSE = 61; // rival's choices while a slider moves
const SURFACE = 49; // payoffs per axis behind the lines of equal payoff
const OWN = 401; // own choices behind the gain that is shown once the point rests
const OWN_TWO = 61; // per choice, where a player has two
const MOVING = 0.25; // of these while the point moves

/** @typedef {import("../kit.js").Model} Model */

/** Numbers from which a best response is searched: even in the picture, then growing to the bound.
 * @param {number} low @param {number} shown @param {number} high @param {number} count */
function searchGrid(low, shown, high, count) {
  const inside = Array.from(linspace(low, Math.min(shown, high), count));
  const [far, tiny] = [Math.ceil(count / 3), Math.ceil(count / 6)];
  const more = high > shown ? Array.from({ length: far }, (_, k) => shown * (high / shown) ** ((k + 1) / far)) : [];
  const small = low === 0 && high > shown ? Array.from({ length: tiny }, (_, k) => inside[1] * 1e-6 ** ((tiny - k) / tiny)) : [];
  return Float64Array.from([...inside.slice(0, 1), ...small, ...inside.slice(1), ...more]);
}

/** A strategy with one choice changed; of two actions, a probability. @param {any} data @param {number[]} own @param {number} which @param {number} to */
function withChoice(data, own, which, to) {
  if (data.mixture) return [to, 1 - to];
  return own.map((old, k) => (k === which ? to : old));
}

/** The best value of one choice of a player. @param {any} data @param {any} twin @param {number[][]} x
 * @param {number} player @param {number} which @param {ArrayLike<number>} grid */
function respond(data, twin, x, player, which, grid) {
  const payoff = twin.deviation(x, player);
  return bestOf((s) => payoff(withChoice(data, x[player], which, s)), grid);
}

/** The largest gain of a player over a grid of all its choices, and that grid's points.
 * @param {any} data @param {any} twin @param {number[][]} x @param {number} player @param {boolean} settled */
function gainOf(data, twin, x, player, settled) {
  const payoff = twin.deviation(x, player);
  const here = payoff(x[player]);
  const axes = data.mixture ? 1 : x[player].length;
  const grid = (/** @type {number} */ which, /** @type {number} */ count) =>
    searchGrid(data.low[player][which], data.axes[which].high, data.high[player][which], settled ? count : Math.ceil(count * MOVING));
  let points = "";
  let best = here;
  let least = here;
  const see = (/** @type {number} */ value) => {
    if (value > best) best = value;
    if (value < least) least = value;
  };
  if (axes === 1) {
    const rows = grid(0, OWN);
    rows.forEach((s) => see(payoff(withChoice(data, x[player], 0, s))));
    see(respond(data, twin, x, player, 0, rows).value);
    points = `${rows.length} points`;
  } else {
    const [first, second] = [grid(0, OWN_TWO), grid(1, OWN_TWO)];
    for (const a of first) for (const b of second) see(payoff([a, b]));
    points = `${first.length} × ${second.length} points`;
  }
  return { here, points, gain: best - here, stake: best - least };
}

/** Best responses of a player against each choice of the rival, the other choices as in `x`.
 * @param {any} data @param {any} twin @param {number[][]} x @param {number} axis @param {number} player @param {number} count */
function curveOf(data, twin, x, axis, player, count) {
  const { low, high } = data.axes[axis];
  const against = (/** @type {number} */ other) => x.map((row, k) => (k === player ? row : withChoice(data, row, axis, other)));
  if (data.mixture) {
    // payoffs are linear in the rival's probability: responses switch where both actions pay the same
    const [first, last] = [0, 1].map((other) => {
      const payoff = twin.deviation(against(other), player);
      return payoff([1, 0]) - payoff([0, 1]);
    });
    const cut = first * last < 0 ? first / (first - last) : 1;
    const [from, to] = [first || last, last || first].map((one) => (one > 0 ? 1 : 0));
    return { rival: [0, cut, cut, 1], found: [from, from, to, to] };
  }
  const own = searchGrid(data.low[player][axis], high, data.high[player][axis], count);
  const rival = Array.from(linspace(low, high, count));
  return { rival, found: rival.map((other) => respond(data, twin, against(other), player, axis, own).at) };
}

/** Best responses that Python sent: those to the other choices of the first profile, none at others.
 * @param {any} data @param {number[][]} x @param {number} axis @param {number} player */
function storedCurve(data, x, axis, player) {
  const others = (/** @type {number[][]} */ at) => at.map((row) => row.filter((_, k) => k !== axis));
  return same(others(x), others(data.profile)) ? data.curves[axis][player] : { rival: [], found: [] };
}

/** Responses in turn from a profile: the first player moves, then the second, and so on.
 * @param {any} data @param {any} twin @param {number[][]} x @param {number} axis @param {number} count */
function staircase(data, twin, x, axis, count) {
  const path = [x.map((row) => row[axis])];
  for (let k = 0; twin && k < 2 * ROUNDS; k++) {
    const player = k % 2;
    const own = searchGrid(data.low[player][axis], data.axes[axis].high, data.high[player][axis], count);
    const to = respond(data, twin, x, player, axis, own).at;
    x = x.map((row, j) => (j === player ? withChoice(data, row, axis, to) : row));
    path.push(x.map((row) => row[axis]));
  }
  return path;
}

/** Both players' payoffs on a grid of the plane. @param {any} data @param {any} twin @param {number[][]} x @param {number} axis */
function surfacesOf(data, twin, x, axis) {
  const xs = linspace(data.axes[axis].low, data.axes[axis].high, SURFACE);
  const paid = Array.from(xs, (second) => Array.from(xs, (first) =>
    twin.payoffs([withChoice(data, x[0], axis, first), withChoice(data, x[1], axis, second)])));
  return [0, 1].map((player) => ({ xs, rows: paid.map((row) => Float64Array.from(row, (pay) => pay[player])) }));
}

/** @param {{model: Model, el: HTMLElement}} given */
function render({ model, el: root }) {
  const { data } = model.get("figure");
  const { players } = data;
  const claim = profileClaim(model);
  const { main, side, begin } = layout(model, root, { claim: claim.node,
    lead: "Drag the point, or select it and press the arrow keys; Enter types both numbers."
      + (data.game ? " The staircase shows the players respond in turn."
        : " Best responses are stored, and gains only at certified points.") });
  const which = () => Math.min(stateOf(model).cursor?.choice ?? 0, data.axes.length - 1);
  const labels = () => /** @type {string[]} */ (data.axes[which()].names);
  const span = () => ({ low: data.axes[which()].low, high: data.axes[which()].high });

  const holder = el("div", { class: "rv-square" });
  main.append(holder);
  const plane = frame(holder, { label: "Choices of the two players, with both best-response curves", height: (width) => Math.min(width, 600),
    margin: { left: 62, bottom: 44, right: 16 }, x: { ...span(), label: labels()[0] }, y: { ...span(), label: labels()[1] } });
  const equal = [0, 1].map((k) => contour(plane, { colour: hue(k), thin: true, kind: "rv-faint" }));
  const curves = [0, 1].map((k) => line(plane, { colour: hue(k) }));
  const web = line(plane, { colour: "var(--rv-ink)", thin: true, kind: "rv-web" });
  const marks = points(plane, { radius: 6.5, shape: "diamond" });
  main.append(legend([...players.map((/** @type {string} */ name, /** @type {number} */ k) =>
    ({ label: `best response of ${name}`, colour: hue(k) })),
  ...(data.game ? [{ label: "responses in turn", colour: "var(--rv-soft)" }] : []),
  ...(data.equilibria.length ? [{ label: "equilibrium, proved", mark: "diamond" }] : []),
  ...(data.game ? [{ label: "thin: equal payoff through the point" }] : [])]));

  const table = playersTable(players, [...data.axes.map((/** @type {any} */ one) => one.short), "payoff"]);
  const controls = parameterSliders(model);
  let twin = twinOf(data.game, stateOf(model).parameters);
  /** @type {any} */
  let drawn = null;
  /** @type {{xs: Float64Array, rows: Float64Array[]}[]} */
  let surfaces = [];

  const at = () => stateOf(model).profile.map((row) => row[which()]);
  const move = (/** @type {number[]} */ to, /** @type {boolean} */ settled) => {
    const x = stateOf(model).profile;
    change(model, { profile: x.map((row, k) => withChoice(data, row, which(),
      Number(clip(to[k], data.low[k][which()], data.high[k][which()]).toPrecision(6)))) }, settled);
  };
  const knob = handle({ frame: plane, axes: "xy", colour: "var(--rv-ink)", label: "choices of both players", at,
    move: (to, settled) => {
      stop();
      move(to, settled);
    },
    text: (place) => players.map((/** @type {string} */ name, /** @type {number} */ k) => `${name} ${format(place[k], 4)}`).join(", ") });

  /** Curves and payoffs of the whole plane, which a drag of the point does not change. @param {number} count */
  const drawPlane = (count) => {
    const axis = which();
    plane.domain({ ...span(), label: labels()[0] }, { ...span(), label: labels()[1] });
    const jump = 0.15 * (span().high - span().low);
    curves.forEach((curve, player) => {
      const { rival, found } = twin ? curveOf(data, twin, stateOf(model).profile, axis, player, count) : storedCurve(data, stateOf(model).profile, axis, player);
      const [xs, ys] = [/** @type {number[]} */ ([]), /** @type {number[]} */ ([])];
      found.forEach((/** @type {number} */ own, /** @type {number} */ k) => {
        // a jump is no part of the curve, except where every mixture is a best response
        if (k && !data.mixture && Math.abs(own - found[k - 1]) > jump) [xs, ys].forEach((row) => row.push(NaN));
        xs.push(player ? rival[k] : own);
        ys.push(player ? own : rival[k]);
      });
      curve.set(xs, ys);
    });
    if (twin) surfaces = surfacesOf(data, twin, stateOf(model).profile, axis);
  };
  let path = [[0, 0]];
  const update = () => {
    const state = stateOf(model);
    const key = { parameters: state.parameters, axis: which(), others: state.profile.map((row) => (data.mixture ? 0
      : row.filter((_, k) => k !== which()))) };
    if (!drawn || !same(drawn.key, key) || (state.settled && drawn.count < FINE)) {
      if (!drawn || !same(drawn.key.parameters, key.parameters)) twin = twinOf(data.game, state.parameters);
      drawn = { key, count: state.settled ? FINE : COARSE };
      drawPlane(drawn.count);
    }
    path = staircase(data, twin, state.profile, which(), state.settled ? FINE : COARSE);
    web.set(path.map((row) => row[0]), path.map((row) => row[1]));
    const proved = Object.keys(state.parameters).length ? [] : data.equilibria;
    marks.set(proved.map((/** @type {any} */ one) => ({ x: one.profile[0][which()], y: one.profile[1][which()],
      hollow: one.claim !== "equilibrium", title: one.sentence })));
    for (const each of Array.from(list.children)) /** @type {HTMLButtonElement} */ (each).disabled = !proved.length;
    if (twin) {
      const found = [0, 1].map((player) => gainOf(data, twin, state.profile, player, state.settled));
      const stake = Math.max(...found.map((one) => one.stake), 1e-300);
      table.set(found.map((one, k) => ({ gain: one.gain, part: one.gain / stake,
        texts: [...data.axes.map((/** @type {any} */ _, /** @type {number} */ a) => format(state.profile[k][a], 4)), format(one.here, 4)] })));
      equal.forEach((curve, k) => curve.set(surfaces[k].xs, surfaces[k].xs, surfaces[k].rows, [found[k].here]));
      claim.show(Math.max(...found.map((one) => one.gain)), found[0].points);
    } else {
      // payoffs and gains are known where Python computed them
      const payoffs = same(state.profile, data.profile) ? data.payoffs : null;
      const scale = Math.max(...(payoffs ?? [1]).map(Math.abs), 1e-300);
      const regret = answerFor(model)?.regret ?? [];
      table.set(state.profile.map((row, k) => ({ gain: regret[k] ?? null, part: (regret[k] ?? 0) / scale,
        texts: [...data.axes.map((/** @type {any} */ _, /** @type {number} */ a) => format(row[a], 4)),
          payoffs ? format(payoffs[k], 4) : "–"] })));
      claim.show(null);
    }
    knob.draw();
    controls.show();
  };
  let stop = () => {};
  const iterate = button("Respond in turn", () => {
    const steps = path;
    stop();
    const runner = play((seconds) => {
      const k = Math.min(Math.floor(seconds * 4), steps.length - 1);
      move(steps[k], k === steps.length - 1);
      return k < steps.length - 1;
    });
    stop = () => runner.stop();
  });
  const list = el("div", { class: "rv-list" }, data.equilibria.map((/** @type {any} */ one) => button(one.sentence, () => {
    stop();
    change(model, { profile: one.profile }, true);
  }, true)));
  const card = data.equilibria.length ? el("section", { class: "rv-card", tabindex: "0" },
    el("p", { class: "rv-heading" }, data.complete ? "All equilibria, proved" : "Equilibria"), list,
    data.reason ? el("p", { class: "rv-note" }, data.reason) : null) : null;
  const choose = data.axes.length > 1 ? choice("Choice shown", data.axes.map((/** @type {any} */ one) => one.short),
    (chosen) => point(model, { choice: chosen }), which()).node : null;
  side.append(table.node, ...(choose ? [choose] : []),
    el("div", { class: "rv-row" }, data.game ? iterate : null, resetButton(model, () => stop())), ...(card ? [card] : []), controls.node);
  return begin(update, () => stop());
}

export default { initialize() {}, render };
