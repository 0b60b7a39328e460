/** Players on one axis: resource, influence, own payoffs, best responses and recorded paths. */

import { band, clip, el, format, frame, handle, hue, legend, line, linspace, points, widthOf } from "../kit.js";
import { change, dataAt, isFixed, layout, parameterSliders, playersTable, profileClaim, resetButton, stateOf } from "../panel.js";

/** @typedef {import("../kit.js").Model} Model */

/** Own payoffs at the state, with what each player could gain; null where they are of another profile.
 * @param {any} data @param {boolean} known */
function ownPayoffs(data, known) {
  return data.curves.map((/** @type {any} */ one) => {
    const [most, least] = [Math.max(...one.payoff), Math.min(...one.payoff)];
    return { ...one, stake: most - least, gain: known ? Math.max(one.best.value - one.here, 0) : null };
  });
}

/** The drawing of the resource, who gets it, and influence. @param {HTMLElement} main @param {any} data */
function resourcePicture(main, data) {
  const { axis, resource, players } = data;
  const top = frame(main, { height: 250, label: "Resource and influence along the axis", margin: { bottom: 34, left: 58 },
    x: { low: axis.low, high: axis.high, gap: 7 }, y: { low: 0, high: 1.08, hidden: true } });
  const order = resource.points.map((/** @type {number} */ _, /** @type {number} */ k) => k)
    .sort((/** @type {number} */ a, /** @type {number} */ b) => resource.points[a] - resource.points[b]);
  const xs = order.map((/** @type {number} */ k) => resource.points[k]);
  const largest = Math.max(...resource.weights, 1e-300);
  const whole = band(top, { colour: "var(--rv-resource)", kind: "rv-solid" });
  whole.set(xs, xs.map(() => 0), order.map((/** @type {number} */ k) => resource.weights[k] / largest));
  const parts = players.map((/** @type {string} */ _, /** @type {number} */ k) => band(top, { colour: hue(k), kind: "rv-share" }));
  const curves = players.map((/** @type {string} */ _, /** @type {number} */ k) =>
    line(top, { colour: hue(k), width: widthOf(k, players.length) }));
  return {
    top,
    /** @param {{shares: number[][], influence: number[][], weights: number[]}} now */
    draw({ shares, influence, weights }) {
      let low = xs.map(() => 0);
      parts.forEach((/** @type {any} */ part, /** @type {number} */ player) => {
        const high = low.map((/** @type {number} */ from, /** @type {number} */ j) =>
          from + (shares[player][order[j]] * weights[order[j]]) / largest);
        part.set(xs, low, high);
        low = high;
      });
      curves.forEach((/** @type {any} */ curve, /** @type {number} */ player) =>
        curve.set(xs, order.map((/** @type {number} */ k) => influence[player][k])));
    },
  };
}

/** The picture of a path over time. @param {HTMLElement} main @param {any} data */
function pathPicture(main, data) {
  const { axis, players } = data;
  const holder = el("div", { class: "rv-main", hidden: true });
  main.append(holder);
  const caption = el("p", { class: "rv-heading" });
  holder.append(caption);
  const time = frame(holder, { height: 190, label: "Path of the players", margin: { left: 58, top: 8 },
    x: { low: axis.low, high: axis.high, label: axis.label }, y: { low: 1, high: 0, label: "steps" } });
  const lines = players.map((/** @type {string} */ _, /** @type {number} */ k) => line(time, { colour: hue(k) }));
  const ends = points(time, { radius: 5 });
  return {
    hide() {
      holder.hidden = true;
    },
    /** @param {number[][][]} path @param {string} title */
    show(path, title) {
      holder.hidden = false;
      if (!time.width || time.root.clientWidth !== time.width) time.redraw();
      caption.textContent = title;
      time.domain({}, { low: Math.max(path.length - 1, 1) });
      const steps = path.map((_, k) => k);
      lines.forEach((/** @type {any} */ one, /** @type {number} */ k) => one.set(path.map((x) => x[k][0]), steps));
      ends.set(path[path.length - 1].map((row, k) => ({ x: row[0], y: path.length - 1, colour: hue(k) })));
    },
  };
}

/** The drawing of own payoffs, with best responses in it and as ghosts beside the players.
 * @param {HTMLElement} main @param {any} data @param {any} resource @param {Float64Array[]} grids */
function payoffPicture(main, data, resource, grids) {
  const { axis, players } = data;
  const lower = frame(main, { height: resource ? 210 : 330, label: "Own payoff of each player against its own choice",
    margin: { left: 58, bottom: 42 }, x: { low: axis.low, high: axis.high, label: axis.label },
    y: { low: 0, high: 1, label: "own payoff" } });
  const each = (/** @type {(k: number) => any} */ make) => players.map((/** @type {string} */ _, /** @type {number} */ k) => make(k));
  const curves = each((k) => line(lower, { colour: hue(k), width: widthOf(k, players.length) }));
  const gaps = each((k) => line(lower, { colour: hue(k), thin: true, dash: true }));
  const best = points(lower, { shape: "ring", radius: 5 });
  const place = points(lower, { radius: 4.5 });
  const ghosts = resource ? points(resource.top, { shape: "ring", radius: 7, over: true }) : null;
  const stems = resource ? each((k) => line(resource.top, { colour: hue(k), thin: true, dash: true, kind: "rv-faint" })) : [];
  main.append(legend([
    ...(resource ? [{ label: "resource, coloured by who gets it", colour: "var(--rv-resource)", mark: "area" },
      { label: "influence" }] : []),
    { label: "best response", mark: "hollow" }, { label: "own payoff, rivals fixed" }]));
  return {
    lower,
    /** @param {any[]} found @param {number[][]} x */
    draw(found, x) {
      let [low, high] = [Infinity, -Infinity];
      for (const own of found) for (const value of own.payoff) [low, high] = [Math.min(low, value), Math.max(high, value)];
      const room = 0.06 * (high - low || 1);
      lower.domain({}, stretch(lower.yAxis, low - room, high + room));
      found.forEach((own, k) => {
        const at = x[k][0];
        curves[k].set(grids[k], own.payoff);
        gaps[k].set([at, own.best.at, own.best.at], [own.here, own.here, own.best.value]);
        if (resource) stems[k].set([at, at], [0, 1.08]);
      });
      const ring = (/** @type {any} */ own, /** @type {number} */ k) =>
        ({ x: own.best.at, y: own.best.value, colour: hue(k), title: `best response of ${players[k]}` });
      best.set(found.map(ring));
      place.set(resource ? found.map((own, k) => ({ x: x[k][0], y: own.here, colour: hue(k) })) : []);
      if (ghosts) ghosts.set(found.map((own, k) => ({ ...ring(own, k), y: 0 })));
    },
  };
}

/** @param {{model: Model, el: HTMLElement}} given */
function render({ model, el: root }) {
  const { data } = model.get("figure");
  const { axis, players } = data;
  const box = { low: /** @type {number[]} */ (data.low), high: /** @type {number[]} */ (data.high) };
  const grids = box.low.map((low, k) => linspace(low, box.high[k], data.curves[k].payoff.length));
  const claim = profileClaim(model);
  const { main, side, begin } = layout(model, root, { claim: claim.node,
    lead: isFixed(model) ? "" : "Drag a player, or select one and press the arrow keys; Enter types a number." });
  const table = playersTable(players, [axis.name, "payoff"]);
  const controls = parameterSliders(model);
  const resource = data.resource ? resourcePicture(main, data) : null;
  const picture = payoffPicture(main, data, resource, grids);
  const upper = resource ? resource.top : picture.lower;
  const track = pathPicture(main, data);
  /** @type {any[]} */
  let found = ownPayoffs(data, true);
  const halt = () => track.hide();
  const setPlayer = (/** @type {number} */ k, /** @type {number} */ to, /** @type {boolean} */ settled) => {
    const own = [Number(clip(to, box.low[k], box.high[k]).toPrecision(6))];
    change(model, { profile: stateOf(model).profile.map((row, j) => (j === k ? own : row)) }, settled);
  };
  const handles = players.map((/** @type {string} */ name, /** @type {number} */ k) => handle({ frame: upper, colour: hue(k), fixed: isFixed(model),
    label: `${name}, ${axis.name}`, name: players.length > 9 ? "" : String(k), radius: 10,
    at: () => {
      const x = stateOf(model).profile;
      // players at one place stand above one another
      const below = x.slice(0, k).filter((row) => Math.abs(row[0] - x[k][0]) < 0.012 * (axis.high - axis.low)).length;
      const { low, high } = upper.yAxis;
      return [x[k][0], (resource ? 0 : found[k].here) + 0.08 * below * (high - low)];
    },
    move: ([to], settled) => {
      halt();
      setPlayer(k, to, settled);
    } }));
  const update = () => {
    const state = stateOf(model);
    const { data: now, known } = dataAt(model);
    found = ownPayoffs(now, known);
    if (resource) resource.draw(now.resource);
    picture.draw(found, state.profile);
    const stake = Math.max(...found.map((own) => own.stake), 1e-300);
    table.set(found.map((own, k) => ({ gain: own.gain, part: (own.gain ?? 0) / stake,
      texts: [format(state.profile[k][0], 4), format(own.gain === null ? null : own.here, 4)] })));
    for (const one of handles) one.draw();
    const gains = found.map((own) => own.gain);
    claim.show(gains.includes(null) ? null : Math.max(...gains), `${found[0].payoff.length} points`);
    controls.show();
  };
  side.append(table.node, el("div", { class: "rv-row" }, resetButton(model, halt)), controls.node);
  for (const known of data.paths) track.show(known.profiles, known.label);
  return begin(update, halt);
}

/** Axis ends that change only when values leave them or fill little of them: the axis stays still in a drag.
 * @param {{low: number, high: number}} old @param {number} low @param {number} high */
function stretch(old, low, high) {
  const wide = high - low;
  const fits = low >= old.low && high <= old.high && wide > 0.6 * (old.high - old.low);
  return fits ? {} : { low: low - 0.08 * wide, high: high + 0.08 * wide };
}

export default { initialize() {}, render };
