/** Explore: a family of games, its parameters, and a living figure which follows while one drags and is certified at rest. */

import { el } from "../living/kit.js";
import { Model, mount } from "../living/host.js";
import { ask, button, failed, fill, follower, load, notice, query, rangeOf, slider, symbol } from "../api.js";
import { glyph } from "./home.js";

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
