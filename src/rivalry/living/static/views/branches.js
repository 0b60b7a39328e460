/** A bifurcation diagram: players sit on a branch, and leave it where it loses stability. */

import { band, button, clip, el, format, frame, handle, hue, legend, line, play, press, svg } from "../kit.js";
import { choice, claimCard, layout, point, stateOf } from "../panel.js";

/** @typedef {import("../kit.js").Model} Model */
/** @typedef {{branch: number, row: number, profile: number[][], stable: boolean, certified: boolean, claim: string, regret: number | null, changes: boolean}} Place */

const SYMBOLS = /** @type {Record<string, string>} */ ({ symmetric_loss: "circle", split: "square", fold: "triangle", hopf: "star" });

/** Where a branch crosses a value of the parameter, between its rows. @param {any} one @param {number} branch @param {number} value */
function crossings(one, branch, value) {
  /** @type {Place[]} */
  const found = [];
  const x = one.parameter;
  for (let k = 0; k + 1 < x.length; k++) {
    if ((x[k] - value) * (x[k + 1] - value) > 0) continue;
    const part = x[k + 1] === x[k] ? 0 : (value - x[k]) / (x[k + 1] - x[k]);
    const near = part < 0.5 ? k : k + 1;
    const regrets = [one.regret[k] ?? null, one.regret[k + 1] ?? null];
    found.push({ branch, row: near, stable: one.stable[k] && one.stable[k + 1], certified: one.certified[k] && one.certified[k + 1],
      claim: one.claim[one.certified[k] ? k + 1 : k],
      changes: one.stable[k] !== one.stable[k + 1],
      regret: regrets.includes(null) ? null : Math.max(.../** @type {number[]} */ (regrets)),
      profile: one.position[k].map((/** @type {number[]} */ own, /** @type {number} */ i) =>
        own.map((from, a) => from + part * (one.position[k + 1][i][a] - from))) });
  }
  return found;
}

/** A profile with its players in the order of another one, where players are exchangeable.
 * @param {number[][]} profile @param {number[][] | null} like */
function arranged(profile, like) {
  if (!like) return profile;
  const ranks = like.map((_, k) => k).sort((a, b) => like[a][0] - like[b][0]);
  const sorted = [...profile].sort((a, b) => a[0] - b[0]);
  const found = like.map(() => /** @type {number[]} */ ([]));
  ranks.forEach((player, k) => (found[player] = sorted[k]));
  return found;
}

/** @param {number[][]} a @param {number[][]} b */
function distance(a, b) {
  return Math.max(...a.map((row, k) => Math.max(...row.map((one, j) => Math.abs(one - b[k][j])))));
}

/** The cycle at a value of the parameter, between two computed ones; null where none is known. @param {any} data @param {number} at */
function orbitAt(data, at) {
  for (let k = 0; k + 1 < data.orbits.length; k++) {
    const [a, b] = [data.orbits[k], data.orbits[k + 1]];
    if (a.hopf === b.hopf && (a.parameter - at) * (b.parameter - at) <= 0) {
      const part = (at - a.parameter) / (b.parameter - a.parameter || 1);
      const mix = (/** @type {string} */ end) => a[end].map((/** @type {number[]} */ own, /** @type {number} */ i) =>
        own.map((from, j) => from + part * (b[end][i][j] - from)));
      return { low: mix("low"), high: mix("high"), period: a.period + part * (b.period - a.period) };
    }
  }
  return null;
}

/** Where the players go from a place: they stay on their branch while it is stable, else to the nearest stable one.
 * @param {any} data @param {number} at @param {Place | null} known */
function settle(data, at, known) {
  /** @type {Place[]} */
  const every = data.branches.flatMap((/** @type {any} */ one, /** @type {number} */ k) => crossings(one, k, at))
    .map((/** @type {Place} */ one) => (data.exchangeable ? { ...one, profile: arranged(one.profile, known && known.profile) } : one));
  if (!every.length) return null;
  const from = known ?? every.find((one) => one.stable) ?? every[0];
  const near = (/** @type {Place[]} */ list) => list.reduce((best, one) =>
    (distance(one.profile, from.profile) < distance(best.profile, from.profile) ? one : best));
  const own = every.filter((one) => one.branch === from.branch);
  const stay = own.length ? near(own) : null;
  // a cycle around the own branch keeps the players there
  if (stay && (stay.stable || orbitAt(data, at))) return stay;
  const stable = every.filter((one) => one.stable);
  return stable.length ? near(stable) : stay ?? near(every);
}

/** The branches as lines, the cycles as bands, the events as marks. @param {any} plane @param {any} data @param {() => number} axis */
function drawDiagram(plane, data, axis) {
  const words = [...new Set(data.branches.map((/** @type {any} */ one) => one.structure))];
  const shade = (/** @type {any} */ one) => hue(words.indexOf(one.structure) + data.players.length);
  /** @type {any[]} */
  const marks = [];
  const orbits = new Map();
  for (const one of data.orbits) orbits.set(one.hopf, [...(orbits.get(one.hopf) ?? []), one]);
  for (const group of orbits.values()) {
    data.players.forEach((/** @type {string} */ _, /** @type {number} */ k) => {
      const area = band(plane, { colour: "var(--rv-6)" });
      marks.push(() => area.set(group.map((/** @type {any} */ one) => one.parameter),
        group.map((/** @type {any} */ one) => one.low[k][axis()]), group.map((/** @type {any} */ one) => one.high[k][axis()])));
    });
  }
  for (const one of data.branches) {
    const looks = one.stable.map((/** @type {boolean} */ stable, /** @type {number} */ k) => `${stable}${one.certified[k]}`);
    let from = 0;
    for (let k = 1; k <= looks.length; k++) {
      if (k < looks.length && looks[k] === looks[from]) continue;
      const [first, last] = [from, Math.min(k, looks.length - 1)];
      data.players.forEach((/** @type {string} */ _, /** @type {number} */ player) => {
        const curve = line(plane, { colour: shade(one), dash: !one.stable[first], thin: !one.certified[first] });
        marks.push(() => curve.set(one.parameter.slice(first, last + 1),
          one.position.slice(first, last + 1).map((/** @type {any} */ row) => row[player][axis()])));
      });
      from = k;
    }
  }
  const symbols = svg("g", {});
  plane.over.append(symbols);
  plane.add(() => {
    symbols.replaceChildren(...data.events.flatMap((/** @type {any} */ event) => {
      const ys = [...new Set(event.position.map((/** @type {number[]} */ own) => plane.y(own[axis()]).toFixed(1)))];
      return ys.map((y) => eventMark(event, plane.x(event.parameter), Number(y)));
    }));
  });
  return { words, shade, draw: () => marks.forEach((mark) => mark()) };
}

/** @param {any} event @param {number} x @param {number} y */
function eventMark(event, x, y) {
  const star = Array.from({ length: 10 }, (_, k) => {
    const [r, turn] = [k % 2 ? 3 : 7.5, (Math.PI * k) / 5 - Math.PI / 2];
    return `${x + r * Math.cos(turn)} ${y + r * Math.sin(turn)}`;
  }).join("L");
  const d = { circle: `M${x - 5} ${y}a5 5 0 1 0 10 0a5 5 0 1 0 -10 0`, square: `M${x - 4.5} ${y - 4.5}h9v9h-9Z`,
    triangle: `M${x - 4.5} ${y - 5.5}L${x + 6} ${y}L${x - 4.5} ${y + 5.5}Z`, star: `M${star}Z` }[SYMBOLS[event.kind] ?? "circle"];
  return svg("path", { class: "rv-point rv-hollow", d, "--c": "var(--rv-ink)" },
    svg("title", {}, `${event.words} at ${format(event.parameter)}`));
}

/** @param {{model: Model, el: HTMLElement}} given */
function render({ model, el: root }) {
  const { data } = model.get("figure");
  const { parameter, players } = data;
  const claim = claimCard(model);
  const { main, side, begin } = layout(model, root, { claim: claim.node,
    lead: `Move the cursor along ${parameter.name}: drag it, press the arrow keys, or type a number after Enter. `
      + "Players follow their branch while it is stable, and leave it where it is not." });
  const axis = () => Math.min(stateOf(model).cursor?.axis ?? 0, data.axes.length - 1);
  const value = () => clip(stateOf(model).cursor?.parameter ?? middle, parameter.low, parameter.high);
  const middle = Number((parameter.low + 0.8 * (parameter.high - parameter.low)).toPrecision(4));
  const all = data.branches.flatMap((/** @type {any} */ one) => one.position.flat(2));
  const ends = [Math.min(...all), Math.max(...all)];
  const room = 0.06 * (ends[1] - ends[0] || 1);
  const plane = frame(main, { height: (width) => clip(width * 0.62, 300, 520), label: "Branches of equilibria and the players on them",
    margin: { left: 58, bottom: 44, top: 16 }, x: { low: parameter.low, high: parameter.high, label: parameter.name },
    y: { low: ends[0] - room, high: ends[1] + room, label: data.axes[0].label } });
  const diagram = drawDiagram(plane, data, axis);
  const cursor = line(plane, { colour: "var(--rv-ink)", thin: true });
  const ranges = players.map((/** @type {string} */ _, /** @type {number} */ k) => line(plane, { colour: "var(--rv-soft)", kind: "rv-range" }));
  const discs = svg("g", {});
  plane.over.append(discs);
  main.append(legend([...diagram.words.map((/** @type {any} */ one) => ({ label: one || "branch",
    colour: diagram.shade({ structure: one }) })), { label: "stable" }, { label: "unstable", mark: "dash" },
  ...(data.branches.some((/** @type {any} */ one) => !one.certified.every(Boolean)) ? [{ label: "thin: not certified" }] : []),
  ...(data.orbits.length ? [{ label: "range of the limit cycle", colour: "var(--rv-6)", mark: "area" }] : [])]));
  /** @type {Place | null} */
  let here = null;
  /** @type {number[][]} */
  let shown = [];
  let stop = () => {};

  const draw = () => {
    const ys = shown.map((own) => plane.y(own[axis()]));
    discs.replaceChildren(...shown.map((_, k) => {
      // players at one place stand side by side
      const together = ys.map((y, j) => j).filter((j) => Math.abs(ys[j] - ys[k]) < 6);
      const aside = 15 * (together.indexOf(k) - (together.length - 1) / 2);
      const group = svg("g", { class: "rv-disc", "--c": hue(k), transform: `translate(${plane.x(value()) + aside} ${ys[k]})` },
        svg("circle", { r: 9, class: here?.stable ? "rv-knob" : "rv-knob rv-hollow" }));
      if (players.length < 10) group.append(svg("text", { class: "rv-handle-name", "text-anchor": "middle", y: 3.5 }, String(k)));
      return group;
    }));
  };
  plane.add(draw);
  const fall = (/** @type {number[][]} */ from, /** @type {number[][]} */ to) => {
    const runner = play((seconds) => {
      const part = clip(seconds / 0.5, 0, 1);
      const eased = part * part * (3 - 2 * part);
      shown = to.map((own, k) => own.map((end, a) => from[k][a] + eased * (end - from[k][a])));
      draw();
      return part < 1;
    });
    stop = () => runner.stop();
  };
  let last = NaN;
  const update = () => {
    const at = value();
    plane.domain({}, { label: data.axes[axis()].label });
    diagram.draw();
    cursor.set([at, at], [plane.yAxis.low, plane.yAxis.high]);
    if (at !== last) {
      stop();
      const before = here;
      here = settle(data, at, here);
      shown = here?.profile ?? [];
      const orbit = here && !here.stable ? orbitAt(data, at) : null;
      ranges.forEach((/** @type {any} */ range, /** @type {number} */ k) => range.set(orbit ? [at, at] : [],
        orbit ? [orbit.low[k][axis()], orbit.high[k][axis()]] : []));
      const left = before && here && before.branch !== here.branch;
      if (left && shown.length) fall(before.profile, shown);
      say(orbit);
      last = at;
    }
    draw();
    knob.draw();
  };
  /** @param {any} orbit */
  const say = (orbit) => {
    const texts = ["No branch here", "", ""];
    let tone = "";
    if (here) {
      const one = data.branches[here.branch];
      texts[0] = orbit ? "Limit cycle" : here.changes ? "Changes stability here" : here.stable ? "Stable branch" : "Unstable branch";
      texts[1] = `${parameter.name} = ${format(value(), 5)}: ${one.structure || "players"} at `
        + `${[...here.profile].map((own) => own.map((v) => format(v, 4)).join(", ")).join("; ")}.`
        + (orbit ? ` Bars are the ranges of a cycle with period ${format(orbit.period, 4)}.` : "");
      texts[2] = here.regret === null ? "No certificate." : `Largest gain at the nearest computed points ${format(here.regret, 3)}`
        + ` (${data.coverage || "search"}): ${here.claim}.`;
      tone = here.certified ? "fair" : here.regret === null ? "" : "bad";
    }
    claim.say(tone, texts);
  };
  const go = (/** @type {number} */ to, /** @type {boolean} */ settled) => {
    const at = Number(clip(to, parameter.low, parameter.high).toPrecision(6));
    point(model, { parameter: at }, settled);
  };
  const knob = handle({ frame: plane, colour: "var(--rv-ink)", label: parameter.name, at: () => [value(), plane.yAxis.low],
    move: ([to], settled) => go(to, settled) });
  press(plane, ([to]) => go(to, true));
  const events = data.events.length ? el("section", { class: "rv-card", tabindex: "0" }, el("p", { class: "rv-heading" }, "Bifurcations"),
    el("div", { class: "rv-list" }, data.events.map((/** @type {any} */ event) =>
      button(`${event.words} at ${format(event.parameter)}`, () => go(event.parameter, true), true)))) : null;
  const choose = data.axes.length > 1 ? choice("Axis shown", data.axes.map((/** @type {any} */ one) => one.name), (chosen) => {
    last = NaN;
    point(model, { axis: chosen });
  }).node : null;
  side.append(...(choose ? [choose] : []), ...(events ? [events] : []));
  return begin(update, () => stop());
}

export default { initialize() {}, render };
