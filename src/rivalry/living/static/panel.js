/** What every view says beside its picture: the claim, the players, sliders, and the state that a person changes. */

import { button, el, format, hue, slider } from "./kit.js";

/** @typedef {import("./kit.js").Model} Model */
/** @typedef {{profile: number[][], parameters: Record<string, any>, cursor?: any, settled: boolean}} State */

const TONES = /** @type {Record<string, string>} */ ({
  equilibrium: "good", "approximate equilibrium": "fair", "no deviation found": "fair",
  "local equilibrium": "fair", "not an equilibrium": "bad",
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

/** Change the state: a new object each time. @param {Model} model @param {Partial<State>} patch @param {boolean} settled */
export function change(model, patch, settled) {
  model.set("state", { ...stateOf(model), ...patch, settled });
  model.save_changes();
}

/** What Python says of the state's profile: its latest answer, or one stored with the figure. @param {Model} model */
export function answerFor(model, state = stateOf(model)) {
  const stored = model.get("figure").data.answers ?? [];
  return [model.get("answer"), ...stored].find((one) =>
    one && same(one.profile, state.profile) && same(one.parameters ?? {}, state.parameters)) ?? null;
}

/** The card with the claim. `show(gain, points)` gets the largest gain on a grid, where the figure has a twin.
 * @param {Model} model */
export function claimCard(model) {
  const word = el("p", { class: "rv-claim-word" });
  const sentence = el("p", {});
  const note = el("p", { class: "rv-note" });
  const stored = el("div", { class: "rv-row" });
  const node = el("section", { class: "rv-card rv-claim", "aria-live": "polite", "aria-label": "Claim" }, word, sentence, note, stored);
  const { data } = model.get("figure");
  (data.answers ?? []).slice(0, 6).forEach((/** @type {any} */ one, /** @type {number} */ k) => {
    stored.append(button((data.answers.length > 1 ? `Certified point ${k + 1}` : "Certified point"), () =>
      change(model, { profile: one.profile, parameters: one.parameters ?? {} }, true), true));
  });
  stored.hidden = !stored.childElementCount;
  return {
    node,
    /** @param {number | null} gain @param {string} [points] */
    show(gain, points = "") {
      const state = stateOf(model);
      const answer = answerFor(model, state);
      const frozen = model.get("host") === "frozen";
      const set = (/** @type {string} */ tone, /** @type {string[]} */ texts) => {
        node.dataset.claim = tone;
        [word, sentence, note].forEach((one, k) => {
          if (one.textContent !== texts[k]) one.textContent = texts[k];
          one.hidden = !texts[k];
        });
      };
      if (answer) {
        const how = [answer.coverage, answer.rounding].filter(Boolean).join(", ");
        const bounds = (answer.bound ?? []).filter((/** @type {any} */ one) => one !== null);
        const bound = bounds.length === (answer.regret ?? []).length && bounds.length
          ? `Largest gain ${format(Math.max(...answer.regret), 3)}, proven bound ${format(Math.max(...bounds), 3)}`
          : (answer.regret ?? []).length ? `Largest gain ${format(Math.max(...answer.regret), 3)}, no proven bound` : "";
        const text = answer.sentence === answer.claim ? "" : answer.sentence ?? "";
        set(TONES[answer.claim] ?? "", [answer.claim ?? "no certificate", text, [bound, how].filter(Boolean).join("; ")]);
      } else {
        const words = gain === null ? "" : `Largest gain on a grid of ${points}, not a certificate`;
        set("", [gain === null ? "No certificate" : `Largest gain ${format(gain, 3)}`, words,
          frozen ? "This file holds certificates of its stored points only." : ""]);
      }
    },
  };
}

/** The table of players: `set(rows)` with a text per column, and the bar of each player's gain.
 * @param {string[]} names @param {string[]} columns */
export function playersTable(names, columns, kind = columns.length > 2 ? "rv-many" : "") {
  const rows = names.map((name, k) => {
    const cells = columns.map(() => el("td", {}));
    const bar = el("span", { class: "rv-bar", "--c": hue(k), "aria-hidden": "true" });
    const gain = el("span", {});
    const head = el("td", {}, el("span", { class: "rv-swatch", "--c": hue(k), "aria-hidden": "true" }), name);
    return { cells, bar, gain, node: el("tr", {}, head, cells, el("td", {}, bar, gain)) };
  });
  const head = el("tr", {}, ["player", ...columns, "gain"].map((one) => el("th", { scope: "col" }, one)));
  const node = el("section", { class: "rv-card" }, el("table", { class: `rv-table ${kind}` },
    el("caption", {}, "Players, and what each could gain by changing its own choice"),
    el("thead", {}, head), el("tbody", {}, rows.map((row) => row.node))));
  return {
    node,
    /** @param {{texts: string[], gain: number | null, part: number}[]} found */
    set(found) {
      found.forEach((one, k) => {
        one.texts.forEach((text, j) => (rows[k].cells[j].textContent = text));
        rows[k].gain.textContent = format(one.gain, 2);
        rows[k].bar.style.setProperty("--part", `${Math.round(100 * Math.min(one.part, 1))}%`);
      });
    },
  };
}

/** Sliders of the figure's parameters, one per player where they differ by player. @param {Model} model */
export function parameterSliders(model) {
  const { data } = model.get("figure");
  const rows = el("div", { class: "rv-sliders" });
  const node = el("section", { class: "rv-card" }, el("p", { class: "rv-heading" }, "Parameters"), rows);
  /** @type {(() => void)[]} */
  const updates = [];
  for (const one of data.parameters ?? []) {
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

/**
 * The parts of a view in their places: title, picture and panel. `redraw` is called at every change.
 * @param {Model} model @param {HTMLElement} root @param {string} lead
 */
export function layout(model, root, lead) {
  const figure = model.get("figure");
  const main = el("div", { class: "rv-main" });
  const side = el("div", { class: "rv-side" });
  const view = el("div", { class: "rv-view" }, el("header", { class: "rv-head" },
    el("h2", { class: "rv-title" }, figure.title), el("p", { class: "rv-lead" }, lead)), main, side);
  root.classList.add("rv");
  root.setAttribute("role", "figure");
  root.setAttribute("aria-label", figure.title);
  root.append(view);
  return {
    main, side,
    /** @param {() => void} redraw */
    listen(redraw) {
      model.on("change:state", redraw);
      model.on("change:answer", redraw);
      return () => {
        model.off("change:state", redraw);
        model.off("change:answer", redraw);
        view.remove();
      };
    },
  };
}

/** A labelled list of which one is chosen; `choose` gets its number.
 * @param {string} label @param {string[]} options @param {(chosen: number) => void} choose @param {number} [first] */
export function choice(label, options, choose, first = 0) {
  const select = el("select", { change: () => choose(select.selectedIndex) }, options.map((one) => el("option", {}, one)));
  select.selectedIndex = first;
  return el("label", { class: "rv-row" }, label, select);
}
