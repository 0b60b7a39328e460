/** Explore: a family of games, its parameters, and a living figure which follows while one drags and is certified at rest. */

import { el, svg } from "../living/kit.js";
import { Model, mount } from "../living/host.js";
import { ask, button, failed, fill, follower, load, notice, query, rangeOf, slider, symbol } from "../api.js";

const PREFERRED = ["players", "reach", "kernel", "resource", "intercept", "slope", "unit_cost", "substitution", "form", "disaster_cost", "performance_productivity", "safety_productivity", "name", "mean_karma", "discount"];

/** Where an exploration begins, with more to see than at the defaults. @type {Record<string, any>} */
const START = { influencer: { players: 3, reach: 0.2, resource: "bimodal" }, matrix: { name: "stag_hunt" } };

/** @type {Record<string, string>} */
const VIEWS = { line: "On a line", responses: "Best responses", triangle: "In a triangle", branches: "Branches", impulse: "A forced deviation", policy: "Policy", streets: "Streets" };

const BUILDING = () => el("div", { class: "skeleton" }, "building the game and looking for an equilibrium …");

/** A value of an address; null for what is not JSON. @param {string | null} text */
function read(text) {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return null;
  }
}

/** @param {any} place */
export default async function explore({ root, query: given, go, title }) {
  const name = given.get("family");
  if (!name) {
    title("Explore");
    const { families } = await ask("/api/choices");
    root.append(el("h1", {}, "Explore a game"), el("p", { class: "soft" }, "Choose a family. Drag its players and parameters; payoffs follow while you move, and the claim is checked where you stop."),
      el("div", { class: "cards" }, Object.entries(families).map(([family, words]) => el("a", { class: "card", href: `/explore${query({ family })}` },
        el("div", { class: "thumb" }, glyph(family)), el("div", { class: "card-text" }, el("h2", { class: "small" }, family), el("p", { class: "soft" }, String(words)))))));
    return;
  }
  title(`Explore ${name}`);
  const path = `/api/games/${encodeURIComponent(name)}`;
  const side = el("div", { class: "panel" });
  const room = el("div", { class: "living" });
  const wrong = el("div"), unproved = el("div");
  const choice = el("div", { class: "chips", role: "group", "aria-label": "Figure", hidden: true });
  let chosen = "";
  const make = button("Make a study of this", study);
  root.append(el("div", { class: "row between" }, el("div", {}, el("p", { class: "crumb" }, el("a", { href: "/explore" }, "Explore"), " / ", name), el("h1", {}, name)), make),
    wrong, unproved, el("div", { class: "explore" }, side, el("div", { class: "section" }, choice, room)));
  /** @type {Record<string, any>} */
  const parameters = { ...(given.has("set") ? read(given.get("set")) : START[name]) };
  /** @type {any} */
  let model = null;
  let clean = () => {};
  let closed = false;
  let turn = 0;
  /** Where a person has left the players. @type {number[][] | null} */
  let profile = read(given.get("at"));

  /** Hide what the figure has a slider for, one per player: a parameter stands once. */
  function once() {
    const own = new Set((model?.get("figure").data.parameters ?? []).map((/** @type {any} */ one) => one.key));
    for (const one of /** @type {NodeListOf<HTMLElement>} */ (side.querySelectorAll("[data-key]"))) one.hidden = own.has(one.dataset.key);
  }

  /** Draw the game anew after a parameter has changed; what the figure's sliders say stays, unless players changed.
   * @param {string} key */
  function changed(key) {
    profile = null; // the game's own equilibrium
    if (key !== "players") Object.assign(parameters, model?.get("state").parameters);
    else for (const name of Object.keys(parameters)) if (Array.isArray(parameters[name])) delete parameters[name];
    draw();
  }

  /** Keep in the address what a person has set. @param {Record<string, any>} set */
  function keep(set) {
    const values = { family: name, set: Object.keys(set).length ? JSON.stringify(set) : "", at: profile ? JSON.stringify(profile) : "" };
    history.replaceState(null, "", `/explore${query(values)}`);
  }

  async function draw() {
    const mine = ++turn;
    keep(parameters);
    if (!model) room.replaceChildren(BUILDING());
    try {
      const found = await ask(`${path}/figures`, { parameters, profile });
      if (mine !== turn || closed) return;
      wrong.replaceChildren();
      if (!found.figures.length) {
        wrong.replaceChildren(notice(found.fault, "fair"));
        if (!model) room.replaceChildren(el("div", { class: "empty" }, "no living figure for these parameters"));
        return;
      }
      const views = found.figures.map((/** @type {any} */ one) => one.figure.view);
      if (!views.includes(chosen)) chosen = views[0];
      choice.replaceChildren(...views.map((/** @type {string} */ view) => button(VIEWS[view] ?? view, () => { chosen = view; present(found); }, { class: "chip", "data-view": view })));
      choice.hidden = views.length < 2;
      await present(found);
    } catch (error) {
      if (mine !== turn || closed) return;
      (model ? wrong : room).replaceChildren(failed(error, draw));
    }
  }

  /** Mount the chosen figure. @param {any} found */
  async function present(found) {
    const { figure, state } = found.figures.find((/** @type {any} */ one) => one.figure.view === chosen);
    const view = await load(`./living/views/${figure.view}.js`);
    if (closed) return;
    for (const chip of choice.children) chip.setAttribute("aria-pressed", String(/** @type {HTMLElement} */ (chip).dataset.view === chosen));
    clean();
    const box = el("div");
    room.replaceChildren(box);
    const follow = follower((rest) => ask(`${path}/answer`, { parameters, state: rest }), unproved);
    model = new Model({ figure, state: { ...state, ...(profile && state?.profile ? { profile } : {}) }, host: "workbench" }, (one) => {
      const now = one.get("state");
      if (now.settled !== false) {
        profile = now.profile ?? null;
        keep({ ...parameters, ...now.parameters });
      }
      follow(one);
    });
    clean = mount(box, view, model);
    once();
    follow(model);
  }

  async function study() {
    const state = model?.get("state") ?? {};
    try {
      const { text } = await ask(`${path}/study`, { parameters: { ...parameters, ...(state.parameters ?? {}) }, profile: state.profile ?? null });
      sessionStorage.setItem("draft", text);
      go("/study?draft=1");
    } catch (error) {
      wrong.replaceChildren(failed(error, study));
    }
  }

  draw();
  fill(side, "reading the family …", async () => {
    const family = await ask(path);
    return [el("p", { class: "soft" }, family.title), el("div", { class: "sliders" }, controls(family.keys, parameters, changed))];
  }).then(once);
  return () => {
    closed = true;
    clean();
  };
}

/** Sliders and choices for the parameters that one number or word sets. @param {any[]} keys @param {any} values @param {(key: string) => void} changed */
function controls(keys, values, changed) {
  const rank = (/** @type {any} */ row) => (PREFERRED.includes(row.name) ? PREFERRED.indexOf(row.name) : 99);
  const rows = keys.filter((row) => !row.name.includes(".")).sort((one, other) => rank(one) - rank(other)).map((row) => [row, control(row, values, changed)]).filter(([, made]) => made);
  const first = rows.filter(([row], k) => k < 8 && (rank(row) < 99 || values[row.name] !== undefined || typeof row.default === "number"));
  const rest = rows.filter((row) => !first.includes(row));
  return [...first.map(([, made]) => made), rest.length ? el("details", {}, el("summary", {}, `${rest.length} more`), el("div", { class: "sliders" }, rest.map(([, made]) => made))) : null];
}

/** @param {any} row @param {any} values @param {(key: string) => void} changed */
function control(row, values, changed) {
  const shapes = row.schema.anyOf ?? [row.schema];
  const words = shapes.find((/** @type {any} */ one) => one.enum)?.enum ?? (row.schema.type === "boolean" ? [false, true] : null);
  const label = row.symbol ? `${row.words} (${symbol(row.symbol)})` : row.words;
  if (words) {
    const choice = el("select", { "aria-label": label, onchange: () => { values[row.name] = words[Number(choice.value)]; changed(row.name); } }, words.map((/** @type {any} */ word, /** @type {number} */ j) => el("option", { value: j }, String(word).replaceAll("_", " "))));
    choice.value = String(Math.max(0, words.indexOf(values[row.name] ?? row.default)));
    return el("label", { title: row.meaning, "data-key": row.name }, label, choice);
  }
  const usual = values[row.name] ?? row.default ?? Number(/(?:default|else) ([\d.]+)/.exec(row.meaning)?.[1] ?? NaN);
  const range = rangeOf(row, usual);
  if (!range) return null;
  const { node, set } = slider({ ...range, words: label }, (value) => {
    values[row.name] = value;
    changed(row.name);
  });
  if (typeof (values[row.name] ?? row.default) === "number") set(usual);
  else set(usual, "default"); // other parameters decide
  node.dataset.key = row.name;
  node.title = row.meaning;
  return node;
}

/** A small drawing of what is played in a family. @param {string | null} family */
function glyph(family) {
  const path = (/** @type {string} */ d, /** @type {number} */ k, /** @type {any} */ more = {}) => svg("path", { d, class: "rv-line", "--c": `var(--rv-${k})`, ...more });
  const dot = (/** @type {number} */ x, /** @type {number} */ y, /** @type {number} */ k, r = 4) => svg("circle", { cx: x, cy: y, r, class: "rv-point", "--c": `var(--rv-${k})` });
  const bell = (/** @type {number} */ m, /** @type {number} */ s, /** @type {number} */ h) => {
    let d = "";
    for (let x = 6; x <= 154; x += 2) d += `${d ? "L" : "M"}${x} ${(80 - h * Math.exp(-((x - m) ** 2) / (2 * s * s))).toFixed(1)}`;
    return d;
  };
  /** @type {Record<string, () => any[]>} */
  const drawings = {
    influencer: () => [svg("path", { d: `${bell(52, 15, 40)}L154 80L6 80Z`, class: "ground" }), path(bell(45, 17, 58), 1), path(bell(82, 17, 58), 2), path(bell(120, 17, 58), 3), dot(45, 80, 1), dot(82, 80, 2), dot(120, 80, 3)],
    market: () => [path("M14 20C60 26 110 52 146 78", 1), path("M30 84C46 52 74 24 96 10", 2), dot(64.5, 33.5, 7, 4.5)],
    race: () => [svg("path", { d: "M132 10V84", class: "rv-line rv-dash", "--c": "var(--rv-soft)" }), path("M12 78C60 76 92 56 132 22", 1), path("M12 78C70 78 104 68 132 46", 2), dot(132, 22, 1), dot(132, 46, 2)],
    precipice: () => [svg("path", { d: "M6 42H92L104 84H6Z", class: "ground" }), path("M6 42H92L104 84", 7), dot(54, 34, 1, 6), dot(84, 34, 2, 6)],
    matrix: () => [0, 1, 2, 3].map((k) => svg("rect", { x: 42 + 40 * (k % 2), y: 9 + 38 * (k >> 1), width: 36, height: 34, rx: 5, class: k === 3 ? "tile chosen" : "tile" })).concat(/** @type {any} */ ([dot(100, 64, 1, 6)])),
    karma: () => [38, 62, 70, 60, 46, 32, 20, 12].map((h, k) => svg("rect", { x: 18 + 16 * k, y: 84 - h, width: 11, height: h, rx: 2.5, class: k === 2 ? "tile chosen" : "tile" })),
    city: () => [path("M20 24H140M20 66H140M48 8V84M110 8V84", 7, { class: "rv-line rv-faint" }), dot(48, 40, 1), dot(82, 24, 2), dot(110, 66, 3), dot(70, 66, 1), dot(124, 24, 5)],
  };
  const several = () => [0, 1, 2].map((k) => svg("rect", { x: 34 + 16 * k, y: 14 + 12 * k, width: 62, height: 42, rx: 6, class: k === 2 ? "tile chosen" : "tile" }));
  return svg("svg", { viewBox: "0 0 160 92", class: "glyph", "aria-hidden": "true" }, ...(drawings[family ?? ""] ?? several)());
}
