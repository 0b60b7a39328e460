/** What every view says beside its picture: the claim, the players, sliders, and the state that a person changes. */

import { button, el, format, hue, slider } from "./kit.js";

/** @typedef {import("./kit.js").Model} Model */
/** @typedef {{profile: number[][], parameters: Record<string, any>, cursor?: any, settled: boolean}} State */

const REST = 400; // milliseconds without a change, after which it is spoken of
const TONES = /** @type {Record<string, string>} */ ({
  equilibrium: "good", "approximate equilibrium": "fair", "no deviation found": "fair", "small estimated gain": "fair",
  "local equilibrium": "fair", "not an equilibrium": "bad", "none exists": "good",
});

/** Whether two values of JSON are equal, numbers to within rounding. @param {any} a @param {any} b @returns {boolean} */
export function same(a, b) {
  if (typeof a === "number" && typeof b === "number") return Math.abs(a - b) <= 1e-12 * Math.max(1, Math.abs(a));
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((one, k) => same(one, b[k]));
  if (a && b && typeof a === "object" && typeof b === "object") {
    const keys = Object.keys(a);
    return keys.length === Object.keys(b).length && keys.every((key) => same(a[key], b[key]));
  }
  return a === b;
}

/** The state of a figure, with what its data begin with. @param {Model} model @returns {State} */
export function stateOf(model) {
  const { data } = model.get("figure");
  const known = model.get("state") ?? {};
  const profile = known.profile ?? data.profile ?? [];
  return { ...known, profile, parameters: known.parameters ?? {}, settled: known.settled ?? true };
}

/** Change the state: a new object each time, with a profile only where the figure has one.
 * @param {Model} model @param {Partial<State>} patch @param {boolean} settled */
export function change(model, patch, settled) {
  const { profile, ...rest } = stateOf(model);
  model.set("state", { ...(profile.length ? { profile } : {}), ...rest, ...patch, settled });
  model.save_changes();
}

/** Change parts of the state's cursor. @param {Model} model @param {Record<string, any>} patch @param {boolean} [settled] */
export function point(model, patch, settled = true) {
  change(model, { cursor: { ...(stateOf(model).cursor ?? {}), ...patch } }, settled);
}

/** What Python says of the state's profile: its latest answer, or one stored with the figure. @param {Model} model */
export function answerFor(model, state = stateOf(model)) {
  const stored = model.get("figure").data.answers ?? [];
  return [model.get("answer"), ...stored].find((one) =>
    one && same(one.profile, state.profile) && same(one.parameters ?? {}, state.parameters)) ?? null;
}

/** The data with which the figure began, or what Python sent last; `known` unless they are of another state than this
 * one and nothing is on its way. @param {Model} model */
export function dataAt(model) {
  const { data } = model.get("figure");
  const state = stateOf(model);
  const { profile, parameters, data: sent } = model.get("current") ?? { profile: data.profile, parameters: {}, data };
  const fresh = same(profile, state.profile) && same(parameters, state.parameters);
  return { data: sent, known: fresh || !(isFixed(model) || answerFor(model)) };
}

/** Whether nobody computes what a person sets: the figure keeps to its stored profiles. @param {Model} model */
export function isFixed(model) {
  return model.get("host") === "frozen";
}

/**
 * A card of what is claimed. `say(claim, texts)` gives its word, a sentence and a note, and the claim, or a tone,
 * that colours it.
 * @param {Model} model @param {string} [label]
 */
export function claimCard(model, label = "Claim") {
  const { opening = "", profile = [] } = model.get("figure").data;
  const lines = [el("p", { class: "rv-claim-word" }), el("p", {}), el("p", { class: "rv-note" }), el("p", { class: "rv-note" })];
  const node = el("section", { class: "rv-card rv-claim", tabindex: "0", "aria-live": "polite",
    "aria-label": `${label}: ${model.get("figure").title}` }, lines);
  return {
    node,
    /** @param {string} claim @param {string[]} texts */
    say(claim, texts) {
      node.dataset.claim = TONES[claim] ?? claim;
      const begins = same(stateOf(model).profile, profile); // where the figure opened
      lines.forEach((line, k) => {
        const text = (k === 3 ? begins && opening : texts[k]) || "";
        if (line.textContent !== text) line.textContent = text;
        line.hidden = !text;
      });
    },
  };
}

/** The claim of the state's profile; `show(gain, points)` gets the largest gain on a grid, null where none is known.
 * @param {Model} model */
export function profileClaim(model) {
  const { node, say } = claimCard(model);
  return {
    node,
    /** @param {number | null} gain @param {string} [points] */
    show(gain, points = "") {
      const answer = answerFor(model);
      if (answer) return say(answer.claim ?? "", [answer.word, answer.left_open, answer.sentence]);
      if (gain === null) return say("", ["No certificate"]);
      say("", [`Largest gain ${format(gain, 3)}`, `Largest gain on a grid of ${points}, not a certificate`]);
    },
  };
}

/** A swatch of the k-th player's colour. @param {number} k */
export function swatch(k) {
  return el("span", { class: "rv-swatch", "--c": hue(k), "aria-hidden": "true" });
}

/** A card with a table, whose rows go into `body`. @param {string} caption @param {string[]} columns @param {string} [kind] */
export function tableCard(caption, columns, kind = "") {
  const body = el("tbody", {});
  const head = el("thead", {}, el("tr", {}, columns.map((one) => el("th", { scope: "col" }, one))));
  const node = el("section", { class: "rv-card", tabindex: "0" }, el("table", { class: `rv-table ${kind}` },
    el("caption", {}, caption), head, body));
  return { node, body };
}

/** The table of players: `set(rows)` with a text per column, and the bar of each player's gain.
 * @param {string[]} names @param {string[]} columns */
export function playersTable(names, columns, kind = columns.length > 2 ? "rv-many" : "") {
  const { node, body } = tableCard("Players, and what each could gain by changing its own choice", ["player", ...columns, "gain"], kind);
  const rows = names.map((name, k) => {
    const cells = columns.map(() => el("td", {}));
    const bar = el("span", { class: "rv-bar", "--c": hue(k), "aria-hidden": "true" });
    const gain = el("span", {});
    body.append(el("tr", {}, el("td", {}, swatch(k), name), cells, el("td", {}, bar, gain)));
    return { cells, bar, gain };
  });
  const spoken = el("p", { class: "rv-hidden", "aria-live": "polite" });
  node.append(spoken);
  let waiting = 0;
  return {
    node,
    /** @param {{texts: string[], gain: number | null, part: number}[]} found */
    set(found) {
      clearTimeout(waiting); // said once the hand rests
      waiting = setTimeout(() => {
        const each = found.map((one, k) => `${names[k]}: ${columns.map((name, j) => `${name} ${one.texts[j]}`).join(", ")}`
          + (one.gain === null ? "" : `, gain ${format(one.gain, 3)}`));
        spoken.textContent = `${each.join("; ")}.`;
      }, REST);
      found.forEach((one, k) => {
        one.texts.forEach((text, j) => (rows[k].cells[j].textContent = text));
        // smaller parts of what own choice changes are rounding errors
        rows[k].gain.textContent = format(one.gain !== null && Math.abs(one.part) < 1e-12 ? 0 : one.gain, 3);
        rows[k].bar.style.setProperty("--part", `${Math.round(100 * Math.min(one.part, 1))}%`);
      });
    },
  };
}

/** Sliders of the figure's parameters, one per player where they differ by player. @param {Model} model */
export function parameterSliders(model) {
  const { data } = model.get("figure");
  const rows = el("div", { class: "rv-sliders" });
  const node = el("section", { class: "rv-card", tabindex: "0" }, el("p", { class: "rv-heading" }, "Parameters"), rows);
  /** @type {(() => void)[]} */
  const updates = [];
  for (const one of isFixed(model) ? [] : data.parameters ?? []) {
    const now = () => stateOf(model).parameters[one.key] ?? one.value;
    const each = Array.isArray(one.value) ? one.value : [one.value];
    each.forEach((/** @type {number} */ _, /** @type {number} */ k) => {
      const many = Array.isArray(one.value);
      const value = () => (many ? now()[k] : now());
      const control = slider({ label: many ? `${one.label}, ${data.players[k]}` : one.label, low: one.low, high: one.high,
        value: value(), step: "any", colour: many ? hue(k) : undefined,
        change(found, settled) {
          const rounded = Number(found.toPrecision(4));
          const next = many ? now().map((/** @type {number} */ old, /** @type {number} */ j) => (j === k ? rounded : old)) : rounded;
          change(model, { parameters: { ...stateOf(model).parameters, [one.key]: next } }, settled);
        } });
      rows.append(control.node);
      updates.push(() => control.set(value()));
    });
  }
  node.hidden = !updates.length;
  return { node, show: () => updates.forEach((update) => update()) };
}

/** A button back to the profile and the parameters with which the figure began; none where these stay. @param {Model} model @param {() => void} [halt] */
export function resetButton(model, halt = () => {}) {
  return isFixed(model) ? null : button("Reset", () => {
    halt();
    change(model, { profile: model.get("figure").data.profile, parameters: {} }, true);
  }, true);
}

/**
 * The parts of a view in their places: title, what a person may do or else what is to be seen, claim, picture
 * and panel. The figure's text is its description for readers of screens.
 * @param {Model} model @param {HTMLElement} root @param {{lead?: string, claim?: HTMLElement, wide?: boolean}} [options]
 */
export function layout(model, root, options = {}) {
  const { lead = "", claim, wide = false } = options;
  const [title, words, note] = [el("h2", { class: "rv-title" }), el("p", { class: "rv-lead" }, lead), el("p", { class: "rv-hidden" })];
  const [main, side] = [el("div", { class: "rv-main" }), el("div", { class: "rv-side" })];
  const view = el("div", { class: wide ? "rv-view rv-view-wide" : "rv-view" }, el("div", { class: "rv-head" }, title, words),
    lead ? note : null, claim, main, side);
  const text = lead ? note : words;
  text.id = `rv-text-${(layout.count += 1)}`;
  root.classList.add("rv");
  root.setAttribute("role", "figure");
  root.setAttribute("aria-describedby", text.id);
  root.append(view);
  const name = () => {
    const figure = model.get("figure");
    root.setAttribute("aria-label", figure.title);
    title.textContent = figure.title;
    if (text.textContent !== figure.text) text.textContent = figure.text;
  };
  name();
  return {
    main, side, name,
    /**
     * Draw, and again at every change of the keys; returns what ends the view, which calls `halt`.
     * @param {() => void} draw @param {() => void} [halt] @param {string[]} [keys]
     */
    begin(draw, halt = () => {}, keys = ["state", "current", "answer"]) {
      let closed = false;
      const figure = model.get("figure");
      // while another figure takes its place, a model still tells this view of the other one's state
      const own = () => (keys.includes("figure") ? model.get("figure").view === figure.view : model.get("figure") === figure);
      const redraw = () => void (!closed && own() && draw());
      for (const key of keys) model.on(`change:${key}`, redraw);
      const dark = globalThis.matchMedia?.("(prefers-color-scheme: dark)");
      dark?.addEventListener("change", redraw); // canvases hold colours
      draw();
      root.dataset.ready = "true";
      return () => {
        closed = true;
        halt();
        for (const key of keys) model.off(`change:${key}`, redraw);
        dark?.removeEventListener("change", redraw);
        delete root.dataset.ready;
        view.remove();
      };
    },
  };
}
layout.count = 0;

/** A labelled list of which one is chosen; `choose` gets its number.
 * @param {string} label @param {string[]} options @param {(chosen: number) => void} choose @param {number} [first] */
export function choice(label, options, choose, first = 0) {
  const select = el("select", { "aria-label": label, change: () => choose(select.selectedIndex) }, options.map((one) => el("option", {}, one)));
  select.selectedIndex = first;
  return { node: el("label", { class: "rv-row" }, label, select), select };
}
