/**
 * Hosts of living figures: the model of a page, frozen or of the workbench, and the choice among figures.
 *
 * A view asks its model for `figure`, `state`, `answer` and `host`, as it asks that of a notebook.
 */

import { el } from "./kit.js";

/** @typedef {{view: string, title: string, text: string, data: any, state?: any}} FigureContent */
/** @typedef {{initialize?: (context: any) => any, render: (context: any) => any}} View */

/** The values of a figure, with listeners; `saved` is called with the model after each save. */
export class Model {
  /** @param {Record<string, any>} values @param {(model: Model) => void} [saved] */
  constructor(values, saved = () => {}) {
    /** @type {Record<string, any>} */
    this.values = { state: {}, answer: null, host: "frozen", ...values };
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
  /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-figure]")).forEach((room) => {
    const { state, ...figure } = figures[Number(room.dataset.figure)];
    const draw = () => {
      room.replaceChildren();
      mount(room, views[figure.view], new Model({ figure, state: state ?? {} }));
    };
    const fold = room.closest("details:not([open])"); // what nobody has opened costs nothing
    if (fold) fold.addEventListener("toggle", draw, { once: true });
    else draw();
  });
}

/**
 * The view of a notebook's widget: one figure, and a choice where there are several.
 * @param {Record<string, View>} views
 */
export function notebook(views) {
  return {
    /** @param {{model: any, el: HTMLElement}} context */
    render({ model, el: root }) {
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
