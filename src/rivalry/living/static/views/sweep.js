/**
 * The cells of a run as tiles, coloured by claim or by a value; a chosen cell shows its certificate.
 *
 * Data, by column since there may be 10,000 cells: `axes` [{name, label, values, options}], `cells` {id, at (per axis),
 * state, claim, status, coverage, regret, bound}, `values` [{name, label, data}], `command`, `counts`.
 */

import { button, clip, el, format, resolve, shade } from "../kit.js";
import { choice, layout, point, stateOf } from "../panel.js";

const ABSENCE = "--rv-1"; // the colour of claims that something is proved not to exist

/** Claims from the strongest, with their colours. */
/** @type {Record<string, string>} */
const CLAIMS = {
  "equilibrium": "--rv-3", "approximate equilibrium": "--rv-6", "local equilibrium": "--rv-8",
  "no deviation found": "--rv-5", "none exists": ABSENCE, "small estimated gain": "--rv-7", "not an equilibrium": "--rv-2", "not decided": "--rv-4",
};
const STATES = { failed: "--rv-bad", damaged: "--rv-bad", left: "--rv-line", begun: "--rv-accent", computed: "--rv-pale", done: "--rv-pale" };
const SMALLEST = 5;

/** @param {any} data */
export function layoutOf(data, /** @type {number} */ width) {
  const count = data.cells.id.length;
  const long = data.axes.map((/** @type {any} */ axis, /** @type {number} */ k) => ({ ...axis, k }))
    .filter((/** @type {any} */ axis) => axis.values.length > 1);
  const across = [...long].sort((a, b) => (b.name === "replication" ? 1 : 0) - (a.name === "replication" ? 1 : 0)
    ? (a.name === "replication" ? 1 : -1) : b.values.length - a.values.length)[0];
  const label = long.length > 1 ? clip(width * 0.32, 60, 280) : 0;
  if (across && (width - label) / across.values.length >= SMALLEST && (long.length > 1 || across.values.length > 7)) {
    const others = long.filter((/** @type {any} */ axis) => axis.k !== across.k);
    /** @type {Map<string, number>} */
    const rows = new Map();
    const order = Array.from({ length: count }, (_, k) => k).sort((a, b) => {
      for (const axis of others) {
        const gap = data.cells.at[axis.k][a] - data.cells.at[axis.k][b];
        if (gap) return gap;
      }
      return 0;
    });
    const names = [];
    const place = new Array(count);
    for (const k of order) {
      const key = others.map((/** @type {any} */ axis) => data.cells.at[axis.k][k]).join();
      if (!rows.has(key)) {
        rows.set(key, names.length);
        names.push(others.map((/** @type {any} */ axis) => named({ name: "algorithm" }, axis.values[data.cells.at[axis.k][k]])).join(", "));
      }
      place[k] = [data.cells.at[across.k][k], rows.get(key)];
    }
    const tile = clip((width - label) / across.values.length, SMALLEST, 84);
    return { place, rows: names.length, columns: across.values.length, tile, high: clip(tile, 18, 30), label, names, across,
      side: others.map((/** @type {any} */ axis) => axis.label).join(", ") };
  }
  const tile = clip(Math.sqrt((width * 300) / Math.max(count, 1)), 14, 40);
  const columns = Math.max(Math.min(Math.floor(width / tile), count), 1);
  const place = Array.from({ length: count }, (_, k) => [k % columns, Math.floor(k / columns)]);
  return { place, rows: Math.ceil(count / columns), columns, tile, high: tile, label: 0, names: [], across: null, side: "" };
}

/** @param {any} axis @param {any} value */
function named(axis, value) {
  const text = typeof value === "number" ? format(value, 5) : String(value);
  return axis.name === "algorithm" ? text : `${axis.label} ${text}`;
}

export default {
  /** @param {{model: any, el: HTMLElement}} context */
  render({ model, el: root }) {
    let { data } = model.get("figure");
    const { node: colours, select: colour } = choice("Colour", [], () => paint());
    const key = el("ul", { class: "rv-legend" });
    const canvas = el("canvas", { class: "rv-cells-canvas", "aria-hidden": "true" });
    const room = el("div", { class: "rv-cells-room" }, canvas);
    const scroll = el("div", { class: "rv-cells", tabindex: 0, role: "application",
      "aria-label": "cells of the run: arrow keys move, Enter opens" }, room);
    const under = el("div", { class: "rv-cells-axis rv-note", "aria-hidden": "true" });
    const tally = el("p", { class: "rv-note" });
    const detail = el("div", { class: "rv-card", tabindex: "0", "aria-live": "polite" });
    const { main, side, name, begin } = layout(model, root);
    main.append(colours, key, scroll, under, tally);
    side.append(detail);
    /** @type {ReturnType<typeof layoutOf>} */
    let plan;
    /** @type {Map<string, number>} */
    let found = new Map();
    let chosen = 0, said = "";

    const fill = () => {
      const before = colour.value;
      const options = [["claim", "claim"], ["state", "state of the cell"], ["regret", "largest gain"],
        ...data.values.map((/** @type {any} */ one) => [`value ${one.name}`, one.label])];
      // an open list of choices closes where it is made again
      if (Array.from(colour.options, (one) => one.value).join() !== options.map(([value]) => value).join()) {
        colour.replaceChildren(...options.map(([value, label]) => el("option", { value }, label)));
      }
      const usual = data.cells.claim.some(Boolean) || !data.values.length ? "claim" : `value ${data.values[0].name}`;
      colour.value = Array.from(colour.options).some((one) => one.value === before) ? before : usual;
      const { total, done, failed, left } = data.counts;
      tally.textContent = `${done} of ${total} cells computed${failed ? `, ${failed} failed` : ""}${left ? `, ${left} left` : ""}.`;
    };

    /** How a cell is coloured, and the key that explains it. */
    const look = () => {
      const name = colour.value;
      const { claim, state, regret } = data.cells;
      if (name === "claim" || name === "state") {
        const colours = /** @type {Record<string, string>} */ (name === "claim" ? CLAIMS : STATES);
        const word = (/** @type {number} */ k) => (state[k] !== "done" ? state[k] : name === "claim" ? claim[k] ?? "no certificate" : "done");
        const shades = /** @type {Record<string, string>} */ ({ ...STATES, "no certificate": "--rv-pale", ...(name === "state" ? { done: "--rv-3" } : colours) });
        for (const own of claim) if (own?.endsWith(", proved")) shades[own] = ABSENCE;
        const counts = new Map();
        for (let k = 0; k < state.length; k++) counts.set(word(k), (counts.get(word(k)) ?? 0) + 1);
        key.replaceChildren(...[...counts].map(([label, n]) => el("li", {},
          el("span", { class: "rv-key rv-key-area", "--c": `var(${shades[label] ?? "--rv-pale"})` }), `${label} (${n})`)));
        const solid = Object.fromEntries(Object.entries(shades).map(([label, own]) => [label, resolve(root, own)]));
        return (/** @type {number} */ k) => solid[word(k)] ?? solid.done;
      }
      const numbers = name === "regret" ? regret : data.values.find((/** @type {any} */ one) => `value ${one.name}` === name).data;
      let low = Infinity, high = -Infinity;
      for (const one of numbers.filter((/** @type {any} */ one) => one !== null)) [low, high] = [Math.min(low, one), Math.max(high, one)];
      key.replaceChildren(el("li", {}, format(low, 4), el("span", { class: "rv-scale", "aria-hidden": "true" }), format(high, 4)));
      const blank = resolve(root, "--rv-line");
      return (/** @type {number} */ k) => (numbers[k] === null ? blank : shade((numbers[k] - low) / (high - low || 1)));
    };

    const paint = () => {
      const width = scroll.clientWidth - 2;
      if (width < 40) return;
      plan = layoutOf(data, width);
      found = new Map(plan.place.map((at, k) => [at.join(), k]));
      const whole = plan.rows * plan.high;
      scroll.style.setProperty("height", `${Math.min(whole, 420) + 4}px`);
      room.style.setProperty("height", `${whole}px`);
      tint = look();
      labels();
      draw();
    };
    /** @type {(k: number) => string} */
    let tint = () => "";

    const labels = () => {
      const { across, columns, tile, label, side: rows } = plan;
      under.replaceChildren();
      under.hidden = !across;
      if (!across) return;
      under.style.setProperty("padding-inline-start", `${label}px`);
      under.style.setProperty("max-width", `${label + columns * tile}px`);
      const ends = [0, columns - 1].map((k) => named({ ...across, name: "algorithm" }, across.values[k]));
      under.append(el("span", {}, ends[0]), el("span", {}, ends[1]), el("span", {}, `${across.label} →${rows ? `, rows: ${rows}` : ""}`));
    };

    /** Draw the visible rows; only they are ever drawn. */
    const draw = () => {
      const ratio = globalThis.devicePixelRatio || 1;
      const [wide, high] = [scroll.clientWidth, Math.min(scroll.clientHeight, plan.rows * plan.high + 4)];
      canvas.width = Math.round(wide * ratio);
      canvas.height = Math.round(high * ratio);
      canvas.style.setProperty("width", `${wide}px`);
      canvas.style.setProperty("height", `${high}px`);
      const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      const first = Math.floor(scroll.scrollTop / plan.high);
      const last = Math.min(Math.ceil((scroll.scrollTop + high) / plan.high), plan.rows);
      const gap = plan.tile > 9 ? 2 : plan.tile > 6 ? 1 : 0;
      context.font = "12px system-ui, sans-serif";
      context.textBaseline = "middle";
      const ink = resolve(root, "--rv-soft");
      for (let row = first; row < last; row++) {
        const top = row * plan.high - scroll.scrollTop;
        if (plan.label) {
          context.fillStyle = ink;
          context.fillText(fit(context, plan.names[row], plan.label - 8), 0, top + plan.high / 2);
        }
        for (let column = 0; column < plan.columns; column++) {
          const k = found.get(`${column},${row}`);
          if (k === undefined) continue;
          context.fillStyle = tint(k);
          context.fillRect(plan.label + column * plan.tile, top, plan.tile - gap, plan.high - (gap || 1));
        }
      }
      const at = plan.place[chosen];
      if (at) {
        context.strokeStyle = resolve(root, "--rv-ink");
        context.lineWidth = 2;
        context.strokeRect(plan.label + at[0] * plan.tile + 1, at[1] * plan.high - scroll.scrollTop + 1,
          Math.max(plan.tile - gap - 2, 3), plan.high - (gap || 1) - 2);
      }
    };

    const open = (/** @type {number} */ k, save = true) => {
      if (!(k >= 0) || k >= data.cells.id.length) return;
      chosen = k;
      const { id, state, claim, status, coverage, regret, bound, at } = data.cells;
      const places = data.axes.map((/** @type {any} */ axis, /** @type {number} */ j) => [axis, axis.values[at[j][k]]])
        .filter((/** @type {any} */ [axis, value]) => value !== undefined && (axis.values.length > 1 || axis.name === "algorithm"));
      const options = data.axes.map((/** @type {any} */ axis, /** @type {number} */ j) => axis.options?.[at[j][k]]).filter(Boolean);
      const rows = [["state", state[k]], ["status", status[k]], ["largest gain", format(regret[k], 4)],
        ["bound", bound[k]], ["coverage", coverage[k]],
        ...data.values.map((/** @type {any} */ one) => [one.label, format(one.data[k])])];
      /** @type {Record<string, string>} */
      const words = { done: "no certificate", left: "not computed" };
      const says = JSON.stringify([id[k], claim[k], rows]);
      if (said !== says) detail.replaceChildren( // it is read aloud, and holds a button that may be in use
        el("div", { class: "rv-heading" }, places.map((/** @type {any} */ [axis, value]) => named(axis, value)).join(", ") || "the only cell"),
        el("div", { class: "rv-claim-word" }, claim[k] ?? (words[state[k]] ?? `cell ${state[k]}`)),
        el("table", { class: "rv-table" }, el("tbody", {}, rows.filter(([, value]) => value && value !== "–")
          .map(([name, value]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, value))))),
        el("div", { class: "rv-note" }, "cell ", el("code", {}, id[k])),
        el("div", { class: "rv-heading" }, "Repeat it"),
        el("code", { class: "rv-command" }, [data.command, ...options].join(" ")));
      if (said !== says && model.get("host") === "workbench" && state[k] !== "left") detail.append(button("Open the cell", () => remember(k, true)));
      said = says;
      if (save) remember(k, false);
      if (plan) draw();
    };
    const remember = (/** @type {number} */ k, /** @type {boolean} */ opened) => {
      point(model, { cell: data.cells.id[k], opened });
    };

    const under_pointer = (/** @type {PointerEvent | MouseEvent} */ event) => {
      const box = scroll.getBoundingClientRect();
      const column = Math.floor((event.clientX - box.left - plan.label) / plan.tile);
      const row = Math.floor((event.clientY - box.top + scroll.scrollTop) / plan.high);
      return found.get(`${column},${row}`);
    };
    scroll.addEventListener("click", (event) => {
      const k = under_pointer(event);
      if (k !== undefined) open(k);
    });
    scroll.addEventListener("scroll", draw);
    scroll.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (event.key === "Enter") return remember(chosen, true);
      if (!way) return;
      event.preventDefault();
      const [x, y] = plan.place[chosen];
      const k = found.get(`${x + way[0]},${y + way[1]}`);
      if (k === undefined) return;
      const top = (y + way[1]) * plan.high;
      if (top < scroll.scrollTop) scroll.scrollTop = top;
      if (top + plan.high > scroll.scrollTop + scroll.clientHeight) scroll.scrollTop = top + plan.high - scroll.clientHeight;
      open(k);
    });

    const update = () => {
      const { cells } = data;
      ({ data } = model.get("figure"));
      name();
      fill();
      if (plan && data.cells === cells) { // cells of a run that goes on: they stay in their places
        tint = look();
        draw();
      } else paint();
      open(Math.min(chosen, data.cells.id.length - 1), false);
    };
    let width = 0;
    const observer = new ResizeObserver(() => {
      if (scroll.clientWidth !== width) paint();
      width = scroll.clientWidth;
    });
    observer.observe(scroll);
    chosen = Math.max(data.cells.id.indexOf(stateOf(model).cursor?.cell), 0);
    return begin(update, () => observer.disconnect(), ["figure"]);
  },
};

/** Text cut to a width. @param {CanvasRenderingContext2D} context @param {string} text @param {number} width */
function fit(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  let length = text.length;
  while (length > 1 && context.measureText(`${text.slice(0, length)}…`).width > width) length--;
  return `${text.slice(0, length)}…`;
}
