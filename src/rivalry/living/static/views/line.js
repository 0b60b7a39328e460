/** Players on one axis: resource, influence, own payoffs, best responses, gradient ascent and its basins. */

import { band, button, clip, describe, el, format, frame, handle, hue, legend, line, linspace, play, points, svg } from "../kit.js";
import { change, claimCard, layout, parameterSliders, playersTable, same, stateOf } from "../panel.js";
import { ascend, bestOf, climb, twinOf } from "../twins/twin.js";

const GRID = 401;
const STARTS = 61;
const SHOWN = 400; // steps of gradient ascent that are drawn

/** @typedef {import("../kit.js").Model} Model */

/** Own payoffs on a grid, the best responses and the gains. @param {any} twin @param {number[][]} x @param {Float64Array[]} grids */
function ownPayoffs(twin, x, grids) {
  const here = twin.payoffs(x);
  return x.map((_, player) => {
    const payoff = twin.deviation(x, player);
    const f = (/** @type {number} */ s) => payoff([s]);
    const values = grids[player].map(f);
    const best = bestOf(f, grids[player], values);
    let least = Infinity;
    for (const value of values) if (value < least) least = value;
    return { values, best, here: here[player], gain: Math.max(best.value - here[player], 0), stake: best.value - least };
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
  const curves = players.map((/** @type {string} */ _, /** @type {number} */ k) => line(top, { colour: hue(k) }));
  const base = points(top, { colour: "var(--rv-soft)", radius: 0 });
  return {
    top, base,
    /** @param {any} twin @param {number[][]} x */
    draw(twin, x) {
      const shares = twin.shares(x);
      let low = xs.map(() => 0);
      parts.forEach((/** @type {any} */ part, /** @type {number} */ player) => {
        const high = low.map((/** @type {number} */ from, /** @type {number} */ j) =>
          from + (shares[player][order[j]] * resource.weights[order[j]]) / largest);
        part.set(xs, low, high);
        low = high;
      });
      const influence = x.map((position, player) => twin.influence(player, position));
      let strongest = 0;
      for (const row of influence) for (const value of row) if (value > strongest && value < Infinity) strongest = value;
      curves.forEach((/** @type {any} */ curve, /** @type {number} */ player) =>
        curve.set(xs, order.map((/** @type {number} */ k) => influence[player][k] / (strongest || 1))));
    },
  };
}

/** Where each start of one player ends, others as they are; computed while the page is idle.
 * @param {any} twin @param {number[][]} x @param {number} player @param {any} box
 * @param {(ends: {at: number, end: number[] | null}[], done: boolean) => void} tell */
function basins(twin, x, player, box, tell) {
  const starts = linspace(box.low[player], box.high[player], STARTS);
  /** @type {{at: number, end: number[] | null}[]} */
  const ends = [];
  /** @type {number[][]} */
  const known = [];
  let stopped = false;
  const later = (/** @type {() => void} */ work) => ("requestIdleCallback" in globalThis
    ? requestIdleCallback(work, { timeout: 200 }) : setTimeout(work, 10));
  const work = () => {
    const begin = performance.now();
    while (!stopped && ends.length < STARTS && performance.now() - begin < 12) {
      const at = starts[ends.length];
      let now = x.map((row, k) => (k === player ? [at] : row));
      /** @type {number[] | null} */
      let end = null;
      for (let k = 0; k < 1500 && !end; k++) {
        const { next, moved } = ascend(twin, now, box);
        now = next;
        const here = now.map((row) => row[0]);
        // so near to where an earlier start ended, and slow: it ends there too
        end = moved < 1e-5 ? here : moved < 1e-3 ? (known.find((one) => one.every((to, i) =>
          Math.abs(to - here[i]) < 0.005 * (box.high[i] - box.low[i]))) ?? null) : null;
      }
      if (end && !known.includes(end)) known.push(end);
      ends.push({ at, end });
    }
    if (stopped) return;
    tell(ends, ends.length === STARTS);
    if (ends.length < STARTS) later(work);
  };
  later(work);
  return () => void (stopped = true);
}

/** The picture of a path over time, and under it the basins of one player's start. @param {HTMLElement} main @param {any} data */
function pathPicture(main, data) {
  const { axis, players } = data;
  const holder = el("div", { class: "rv-main", hidden: true });
  main.append(holder);
  const caption = el("p", { class: "rv-heading" });
  holder.append(caption);
  const time = frame(holder, { height: 190, label: "Path of gradient ascent", margin: { left: 58, top: 8 },
    x: { low: axis.low, high: axis.high, label: axis.label }, y: { low: 1, high: 0, label: "steps" } });
  const lines = players.map((/** @type {string} */ _, /** @type {number} */ k) => line(time, { colour: hue(k) }));
  const ends = points(time, { radius: 5 });
  const words = el("div", {});
  const strip = svg("g", {});
  time.over.append(strip);
  /** @type {{at: number, end: number[] | null}[]} */
  let found = [];
  let player = 0;
  const kinds = () => {
    /** @type {(number[] | null)[]} */
    const known = [];
    const near = (/** @type {number[] | null} */ a, /** @type {number[] | null} */ b) => a === b || (a && b
      && a.every((one, k) => Math.abs(one - b[k]) < 0.01 * (axis.high - axis.low)));
    const labels = found.map(({ end }) => {
      let k = known.findIndex((one) => near(one, end));
      if (k < 0) k = known.push(end) - 1;
      return k;
    });
    return { known, labels };
  };
  const drawStrip = () => {
    const { labels } = kinds();
    const wide = (time.x.range[1] - time.x.range[0]) / STARTS;
    strip.replaceChildren(...labels.map((label, k) => svg("rect", { class: "rv-basin", "--c": hue(players.length + label),
      x: time.x.range[0] + k * wide, y: 0, width: wide + 0.5, height: 7 })));
  };
  time.add(drawStrip);
  holder.append(words);
  return {
    hide() {
      holder.hidden = true;
    },
    /** @param {number[][][]} path @param {string} title @param {boolean} ended */
    show(path, title, ended) {
      holder.hidden = false;
      if (!time.width || time.root.clientWidth !== time.width) time.redraw();
      caption.textContent = title;
      time.domain({}, { low: Math.max(path.length - 1, 1) });
      const steps = path.map((_, k) => k);
      lines.forEach((/** @type {any} */ one, /** @type {number} */ k) => one.set(path.map((x) => x[k][0]), steps));
      ends.set(ended ? path[path.length - 1].map((row, k) => ({ x: row[0], y: path.length - 1, colour: hue(k) })) : []);
    },
    /** @param {typeof found} ends @param {number} own */
    basins(ends, own) {
      [found, player] = [ends, own];
      drawStrip();
      const { known } = kinds();
      words.replaceChildren(...(found.length ? [el("p", { class: "rv-note" },
        `Strip: where starts of ${players[player]} lead, the others starting as above.`),
      legend(known.map((end, k) => ({ colour: hue(players.length + k), mark: "area",
        label: end ? `ends at ${end.map((one) => format(one, 3)).join(", ")}` : "still moves at the end" })))] : []));
    },
  };
}

/** @param {{model: Model, el: HTMLElement}} given */
function render({ model, el: root }) {
  const figure = model.get("figure");
  const { data } = figure;
  const { axis, players } = data;
  const box = { low: /** @type {number[]} */ (data.low), high: /** @type {number[]} */ (data.high) };
  const grids = box.low.map((low, k) => linspace(low, box.high[k], GRID));
  const parts = layout(model, root, data.game
    ? "Drag a player, or select one and press the arrow keys; Enter types a number. Click a free place to start the nearest player there."
    : "Drag a player, or select one and press the arrow keys; Enter types a number.");
  const { main, side } = parts;
  describe(root, figure.text);

  const claim = claimCard(model);
  const table = playersTable(players, [axis.name ?? "position", "payoff"]);
  const controls = parameterSliders(model);
  const resource = data.resource && data.game ? resourcePicture(main, data) : null;
  const lower = frame(main, { height: resource ? 210 : 330, label: "Own payoff of each player against its own choice",
    margin: { left: 58, bottom: 42 }, x: { low: axis.low, high: axis.high, label: axis.label }, y: { low: 0, high: 1, label: "own payoff" } });
  const curves = players.map((/** @type {string} */ _, /** @type {number} */ k) => line(lower, { colour: hue(k) }));
  const gaps = players.map((/** @type {string} */ _, /** @type {number} */ k) => line(lower, { colour: hue(k), thin: true, dash: true }));
  const best = points(lower, { shape: "ring", radius: 5 });
  const place = points(lower, { radius: 4.5 });
  const ghosts = resource ? points(resource.top, { shape: "ring", radius: 7, over: true }) : null;
  const stems = resource ? players.map((/** @type {string} */ _, /** @type {number} */ k) =>
    line(resource.top, { colour: hue(k), thin: true, dash: true, kind: "rv-faint" })) : [];
  main.append(legend([
    ...(resource ? [{ label: "resource, coloured by who gets it", colour: "var(--rv-resource)", mark: "area" },
      { label: "influence" }] : []),
    { label: "best response", mark: "hollow" }, { label: "own payoff, rivals fixed" }]));
  const track = pathPicture(main, data);
  let twin = twinOf(data.game, stateOf(model).parameters);
  let parameters = stateOf(model).parameters;
  /** @type {ReturnType<typeof ownPayoffs> | null} */
  let found = null;
  let payoffs = players.map(() => 0);
  let stopBasins = () => {};
  let stopClimb = () => {};

  const upper = resource ? resource.top : lower;
  const handles = players.map((/** @type {string} */ name, /** @type {number} */ k) => handle({ frame: upper, colour: hue(k),
    label: `${name}, ${axis.name ?? "position"}`, name: players.length > 9 ? "" : String(k), radius: 10,
    at: () => [stateOf(model).profile[k][0], resource ? 0 : payoffs[k]],
    move: ([to], settled) => {
      halt();
      setPlayer(k, to, settled);
    } }));
  const setPlayer = (/** @type {number} */ k, /** @type {number} */ to, /** @type {boolean} */ settled) => change(model, {
    profile: stateOf(model).profile.map((row, j) => (j === k ? [Number(clip(to, box.low[k], box.high[k]).toPrecision(6))] : row)) }, settled);

  const halt = () => {
    stopBasins();
    stopClimb();
    track.hide();
  };
  const drawCurves = () => {
    const state = stateOf(model);
    if (!same(parameters, state.parameters)) {
      parameters = state.parameters;
      twin = twinOf(data.game, parameters);
    }
    if (twin) {
      found = ownPayoffs(twin, state.profile, grids);
      if (resource) resource.draw(twin, state.profile);
    } else if (data.curves) {
      const stale = !same(state.profile, data.profile);
      found = data.curves.map((/** @type {any} */ one, /** @type {number} */ k) => {
        const top = one.payoff.indexOf(Math.max(...one.payoff));
        return { values: one.payoff, best: { at: one.position[top], value: one.payoff[top] }, here: one.here, stake: 1,
          gain: stale ? null : Math.max(one.payoff[top] - one.here, 0), k };
      });
      for (const curve of curves) curve.node.classList.toggle("rv-faint", stale);
    }
  };
  const update = () => {
    const begin = performance.now();
    const state = stateOf(model);
    drawCurves();
    if (found) {
      let [low, high] = [Infinity, -Infinity];
      for (const own of found) for (const value of own.values) [low, high] = [Math.min(low, value), Math.max(high, value)];
      const room = 0.06 * (high - low || 1);
      lower.domain({}, stretch(lower.yAxis, low - room, high + room));
      payoffs = found.map((own) => own.here);
      found.forEach((own, k) => {
        const at = state.profile[k][0];
        curves[k].set(data.game ? grids[k] : data.curves[k].position, own.values);
        gaps[k].set([at, own.best.at, own.best.at], [own.here, own.here, own.best.value]);
        if (resource) stems[k].set([at, at], [0, 1.08]);
      });
      best.set(found.map((own, k) => ({ x: own.best.at, y: own.best.value, colour: hue(k), title: `best response of ${players[k]}` })));
      place.set(resource ? found.map((own, k) => ({ x: state.profile[k][0], y: own.here, colour: hue(k) })) : []);
      if (ghosts) ghosts.set(found.map((own, k) => ({ x: own.best.at, y: 0, colour: hue(k), title: `best response of ${players[k]}` })));
      const stake = Math.max(...found.map((own) => own.stake), 1e-300);
      table.set(found.map((own, k) => ({ texts: [format(state.profile[k][0], 4), format(own.here, 4)], gain: own.gain,
        part: (own.gain ?? 0) / stake })));
    }
    for (const one of handles) one.draw();
    const gains = found?.map((own) => own.gain) ?? [];
    claim.show(gains.length && gains.every((gain) => gain !== null) ? Math.max(.../** @type {number[]} */ (gains)) : null, `${GRID} points`);
    controls.show();
    root.dataset.update = String(performance.now() - begin);
  };

  const start = (/** @type {number[][]} */ x, /** @type {number} */ player, /** @type {boolean} */ moving) => {
    halt();
    if (!twin) return;
    const path = climb(twin, x, box, SHOWN);
    const title = `Gradient ascent of all players from ${x.map((row) => format(row[0], 3)).join(", ")}`;
    const now = twin;
    let last = 0;
    const runner = moving ? play((seconds) => {
      last = Math.min(Math.floor(seconds * 120), path.length - 1);
      track.show(path.slice(0, last + 1), title, last === path.length - 1);
      change(model, { profile: path[last].map((row) => [Number(row[0].toPrecision(6))]) }, last === path.length - 1);
      return last < path.length - 1;
    }) : null;
    if (!moving) track.show(path, title, true);
    stopClimb = () => runner?.stop();
    stopBasins = basins(now, x, player, box, (ends) => track.basins(ends, player));
  };
  upper.svg.addEventListener("pointerdown", (event) => {
    if (!data.game || (event.button ?? 0) !== 0) return;
    const [at, level] = upper.at(event);
    if (!resource && level === upper.yAxis.low) return;
    const x = stateOf(model).profile;
    let nearest = 0;
    x.forEach((row, k) => {
      if (Math.abs(row[0] - at) < Math.abs(x[nearest][0] - at)) nearest = k;
    });
    setPlayer(nearest, at, true);
    start(stateOf(model).profile, nearest, false);
  });
  const begin = stateOf(model);
  const reset = button("Reset", () => {
    halt();
    change(model, { profile: data.profile, parameters: {} }, true);
  }, true);
  const up = button("Climb", () => start(stateOf(model).profile, 0, true));
  up.title = "Gradient ascent: each player follows the slope of its own payoff";
  side.append(claim.node, table.node, el("div", { class: "rv-row" }, data.game ? up : null, reset), controls.node);
  if (!data.game && !data.curves) lower.root.hidden = true;
  for (const known of data.paths ?? []) track.show(known.profiles, known.label, true);
  if (!begin.profile.length) change(model, { profile: data.profile }, true);
  const close = parts.listen(update);
  update();
  root.dataset.ready = "true";
  return () => {
    halt();
    close();
  };
}

/** Axis ends that change only when values leave them or fill little of them: the axis stays still in a drag.
 * @param {{low: number, high: number}} old @param {number} low @param {number} high */
function stretch(old, low, high) {
  const wide = high - low;
  const fits = low >= old.low && high <= old.high && wide > 0.6 * (old.high - old.low);
  return fits ? {} : { low: low - 0.08 * wide, high: high + 0.08 * wide };
}

export default { initialize() {}, render };
