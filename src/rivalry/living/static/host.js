/**
 * Hosts of living figures: the model of a page, frozen or of the workbench, and the choice among figures.
 *
 * A view asks its model for `figure`, `state`, `current`, `answer` and `host`, as it asks that of a notebook.
 */

import { el, slider } from "./kit.js";

/** @typedef {{view: string, title: string, text: string, data: any, state?: any}} FigureContent */
/** @typedef {{initialize?: (context: any) => any, render: (context: any) => any}} View */

/** The values of a figure, with listeners; `saved` is called with the model after each save. */
export class Model {
  /** @param {Record<string, any>} values @param {(model: Model) => void} [saved] */
  constructor(values, saved = () => {}) {
    /** @type {Record<string, any>} */
    this.values = { state: {}, current: null, answer: null, host: "frozen", ...values };
    this.saved = saved;
    /** @type {Map<string, Set<() => void>>} */
    this.listeners = new Map();
  }

  /** @param {string} key */
  get(key) {
    return this.values[key];
  }

  /** @param {string} key @param {any} value */
  set(key, value) {
    if (this.values[key] === value) return;
    this.values[key] = value;
    for (const call of [...(this.listeners.get(`change:${key}`) ?? [])]) call();
  }

  save_changes() {
    this.saved(this);
  }

  /** @param {string} event @param {() => void} call */
  on(event, call) {
    const known = this.listeners.get(event) ?? new Set();
    this.listeners.set(event, known.add(call));
  }

  /** @param {string} event @param {() => void} call */
  off(event, call) {
    this.listeners.get(event)?.delete(call);
  }
}

/**
 * Draw a figure into an element; returns what removes it. An error is written in its place.
 * @param {HTMLElement} root @param {View} view @param {any} model
 */
export function mount(root, view, model) {
  root.classList.add("rv");
  try {
    if (!view) throw new Error(`no view of the name ${model.get("figure").view}`);
    const end = view.initialize?.({ model });
    const clean = view.render({ model, el: root });
    return () => {
      if (typeof clean === "function") clean();
      if (typeof end === "function") end();
      root.replaceChildren();
    };
  } catch (error) {
    console.error(error);
    root.replaceChildren(el("p", { class: "rv-note", role: "alert" }, `This figure could not be drawn: ${error}`));
    return () => root.replaceChildren();
  }
}

/**
 * Draw the figures of a page that its data block holds, each where the page has room for it.
 * @param {Record<string, View>} views
 */
export function startPage(views) {
  const block = document.getElementById("rv-data");
  if (!block) return;
  /** @type {FigureContent[]} */
  const figures = JSON.parse(block.textContent ?? "[]");
  document.querySelectorAll("[data-living]").forEach((section) => section.removeAttribute("hidden"));
  const show = (/** @type {HTMLElement} */ room, k = Number(room.dataset.figure), cell = "") => {
    const { state, ...figure } = figures[k];
    room.replaceChildren();
    return mount(room, views[figure.view], new Model({ figure, state: cell ? { ...state, cursor: { cell } } : state ?? {} }));
  };
  /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-figure]")).forEach((room) => {
    const draw = () => {
      const chooser = /** @type {HTMLElement | null} */ (room.closest("[data-chooser]"));
      if (chooser) choosePoints(chooser, room, show);
      else show(room);
    };
    const fold = room.closest("details:not([open])"); // what nobody has opened costs nothing
    if (fold) fold.addEventListener("toggle", draw, { once: true });
    else draw();
  });
}

/** @typedef {{at: string[], nodes: HTMLElement[], point: number, cell: string}} TablePoint */

/** The keys of the points of tables and the points, each with the rows or entries that are of it.
 * @param {HTMLTableElement[]} tables @returns {{names: string[], points: TablePoint[]}} */
function pointsOf(tables) {
  /** @type {Map<string, TablePoint>} */
  const points = new Map();
  for (const node of tables.flatMap((one) => /** @type {HTMLElement[]} */ (Array.from(one.querySelectorAll("[data-point]"))))) {
    const { at = "[]", point, cell = "" } = node.dataset;
    /** @type {TablePoint} */
    const known = points.get(at) ?? { at: JSON.parse(at), nodes: [], point: Number(point), cell };
    known.nodes.push(node);
    points.set(at, known);
  }
  return { names: JSON.parse(tables[0].dataset.names ?? "[]"), points: [...points.values()] };
}

/**
 * Let a drawn figure show one value of its second key: the lines of others are pale, the row of a map has an outline.
 * @param {Element} drawn @param {number} k the value's number; below 0 all are alike
 */
export function showSeries(drawn, k) {
  for (const node of Array.from(drawn.querySelectorAll("g[id]"))) {
    const found = /-?(series|row)-(\d+)/.exec(node.id);
    if (!found) continue;
    const chosen = Number(found[2]) === k;
    if (found[1] === "series") /** @type {SVGElement} */ (node).style.opacity = k < 0 || chosen ? "" : "0.18";
    else for (const line of /** @type {SVGElement[]} */ (Array.from(node.querySelectorAll("[stroke-opacity]")))) line.style.strokeOpacity = chosen ? "1" : "";
  }
}

/**
 * Let the points of a table choose what a figure shows, and a control per key that names them.
 * @param {HTMLElement} chooser @param {HTMLElement} room
 * @param {(room: HTMLElement, k: number, cell: string) => () => void} show
 */
function choosePoints(chooser, room, show) {
  const article = /** @type {HTMLElement} */ (chooser.closest("article"));
  const tables = /** @type {HTMLTableElement[]} */ (Array.from(article.querySelectorAll("table[data-names]")));
  const { names, points } = pointsOf(tables);
  const values = names.map((_, k) => [...new Set(points.map((one) => one.at[k]))]);
  const buttons = (points.length > 1 ? points : []).map((one) => one.nodes.map((node) => {
    const full = node instanceof HTMLTableRowElement ? Array.from(node.cells).find((one) => one.textContent) : null;
    const place = full ?? node;
    const made = el("button", { type: "button", class: "point" }, ...Array.from(place.childNodes));
    place.append(made);
    node.addEventListener("click", () => choose(one));
    return made;
  }));
  const drawn = /** @type {HTMLElement | null} */ (article.querySelector(".drawn[data-series]"));
  const [key, texts] = JSON.parse(drawn?.dataset.series ?? "[null, []]");
  let end = () => {};
  let now = points[0];
  const controls = names.map((label, k) => control(label, values[k], (text) => {
    const likeness = (/** @type {TablePoint} */ one) => names.filter((_, j) => one.at[j] === (j === k ? text : now.at[j])).length;
    const fitting = points.filter((one) => one.at[k] === text);
    choose(fitting.reduce((best, one) => (likeness(one) > likeness(best) ? one : best)));
  }));
  const bar = el("div", { class: "rv" }, el("div", { class: "rv-sliders chooser-controls" },
    controls.filter((_, k) => values[k].length > 1).map((one) => one.node)));
  const picture = names.includes(key) ? drawn?.closest("figure") : null;
  if (picture) {
    bar.classList.add("chooser-bar"); // in sight of all that it moves
    picture.before(bar);
  } else chooser.prepend(bar);
  /** @param {TablePoint} chosen */
  function choose(chosen, begun = true) {
    now = chosen;
    buttons.forEach((all, k) => all.forEach((each) => each.setAttribute("aria-pressed", String(points[k] === chosen))));
    controls.forEach((one, k) => one.set(chosen.at[k]));
    if (drawn && begun) showSeries(drawn, names.includes(key) ? texts.indexOf(chosen.at[names.indexOf(key)]) : -1);
    end();
    end = show(room, chosen.point, chosen.cell);
  }
  choose(now, false); // the figure begins with all lines alike
}

/** A control of texts in their order: a slider through numbers, else a list.
 * @param {string} label @param {string[]} values @param {(text: string) => void} change */
export function control(label, values, change) {
  const number = (/** @type {string} */ text) => Number(text.replace("−", "-"));
  if (values.every((text) => Number.isFinite(number(text)))) {
    const order = [...values].sort((one, other) => number(one) - number(other));
    const { node, set } = slider({ label, low: 0, high: order.length - 1, step: 1, value: 0, text: (k) => order[k],
      change: (k) => change(order[k]) });
    return { node, set: (/** @type {string} */ text) => set(order.indexOf(text)) };
  }
  const list = el("select", { "aria-label": label, onchange: () => change(list.value) }, values.map((one) => el("option", {}, one)));
  return { node: el("label", { class: "rv-row" }, label, list), set: (/** @type {string} */ text) => void (list.value = text) };
}

/**
 * The view of a notebook's widget: one figure, and a choice where there are several.
 * @param {Record<string, View>} views
 */
export function notebook(views) {
  return {
    /** @param {{model: any, el: HTMLElement}} context */
    render({ model, el: root }) {
      // JupyterLab takes arrow keys, in the capturing phase, except below an element that says so; others take them later
      root.setAttribute("data-lm-suppress-shortcuts", "true");
      root.addEventListener("keydown", (/** @type {Event} */ event) => event.stopPropagation());
      const room = el("div", {});
      let clean = () => {};
      const draw = () => {
        clean();
        const figure = model.get("figure");
        clean = mount(room, views[figure.view], model);
      };
      const titles = /** @type {string[]} */ (model.get("titles"));
      if (titles.length > 1) {
        const choice = el("select", { "aria-label": "figure" },
          titles.map((title, k) => el("option", { value: k }, title)));
        choice.value = String(model.get("chosen"));
        choice.addEventListener("change", () => {
          model.set("chosen", Number(choice.value));
          model.save_changes();
        });
        root.append(el("div", { class: "rv" }, el("label", { class: "rv-row" }, "Figure", choice)));
      }
      root.append(room);
      model.on("change:figure", draw);
      draw();
      return () => {
        model.off("change:figure", draw);
        clean();
      };
    },
  };
}
