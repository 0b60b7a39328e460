/** Requests to the server, and small pieces that all pages share. */

import { el, format } from "./living/kit.js";

const GONE = "The server does not answer. Start it again with `rivalry open`; runs and files are not affected.";
const PASSING = [401, 408, 429]; // refusals below 500 that do not last

/** Ask the server; an answer that refuses becomes an `Error` of one line. @param {string} path @param {any} [body] */
export async function ask(path, body) {
  const options = body === undefined ? {} : {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
  };
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error(GONE);
  }
  const found = await answer.json().catch(() => ({ error: `status ${answer.status}` }));
  if (!answer.ok) throw Object.assign(new Error(found.error ?? `status ${answer.status}`), { status: answer.status });
  return found;
}

/** The part of an address that names something. @param {Record<string, any>} values */
export function query(values) {
  const given = Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return given.length ? `?${new URLSearchParams(given.map(([key, value]) => [key, String(value)]))}` : "";
}

/** @param {string} text @param {() => any} press @param {Record<string, any>} [more] */
export function button(text, press, more = {}) {
  return el("button", { type: "button", ...more, onclick: press }, text);
}

/** A message in the place of something. @param {string} text @param {string} [kind] */
export function notice(text, kind = "") {
  return el("p", { class: `notice ${kind}`, role: kind === "bad" ? "alert" : "status" }, text);
}

/** A module of a page or a figure. @param {string} path @returns {Promise<any>} */
export async function load(path) {
  try {
    return (await import(path)).default;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    await ask("/api/choices"); // which says why, where the server has ended or another one has started
    throw new Error(GONE);
  }
}

/**
 * What stands where an answer did not come: why, and a button that asks again where that can help.
 * @param {any} error @param {() => any} again
 */
export function failed(error, again) {
  const box = notice(String(error?.message ?? error), "bad");
  const retry = button("Try again", () => {
    retry.disabled = true; // the answer takes the place of all this
    again();
  }, { class: "quiet" });
  if (!(error?.status < 500) || PASSING.includes(error.status)) box.append(retry);
  return box;
}

/** The latest work on the contents of a place. @type {WeakMap<HTMLElement, () => Promise<any>>} */
const latest = new WeakMap();

/**
 * Put what comes of some work into a place: until then what it waits for, and after a failure why.
 * @param {HTMLElement} box @param {string} words @param {() => Promise<any>} work
 */
export async function fill(box, words, work) {
  latest.set(box, work);
  box.replaceChildren(el("div", { class: "skeleton" }, words));
  /** @type {any} */
  let content;
  try {
    content = await work();
  } catch (error) {
    content = failed(error, () => fill(box, words, work));
  }
  if (latest.get(box) === work) box.replaceChildren(...[content].flat().filter(Boolean));
}

/** Numbers of cells by the digits of their states. @param {string} states */
export function countsOf(states) {
  const count = (/** @type {string} */ digit) => states.split(digit).length - 1;
  const counts = { total: states.length, done: count("2"), failed: count("3"), left: 0 };
  return { ...counts, left: counts.total - counts.done - counts.failed };
}

/** Seconds in words. @param {number | null | undefined} seconds */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "unknown";
  if (seconds < 1) return "under a second";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/** How long ago, in words. @param {number} when seconds since 1970 */
export function ago(when) {
  const seconds = Date.now() / 1000 - when;
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.round(seconds / 3600)} h ago`;
  if (seconds < 86400 * 30) return `${Math.round(seconds / 86400)} days ago`;
  return new Date(when * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
}

export const STATUS = { running: "running", done: "done", partial: "not finished", failed: "failed cells",
  starting: "starting", refused: "not started", damaged: "damaged" };

/** @param {string} status */
export function pill(status) {
  return el("span", { class: "pill", "data-status": status }, /** @type {any} */ (STATUS)[status] ?? status);
}

/** A claim or a verdict, coloured by what it supports. @param {string | null} words */
export function claim(words) {
  const text = words || "no certificate";
  const kind = /^(equilibrium|agrees|no .*, proved)/.test(text) ? "good" : /^(not an|differs)/.test(text) ? "bad" : "fair";
  return el("span", { class: "claim", "data-claim": words && words !== "not compared" && words !== "no certificate" ? kind : "none" }, text);
}

/**
 * A table that scrolls sideways in itself; a row of one entry is the heading of those below it. @param {string[]} head @param {any[][]} rows @param {string} name
 * @param {string} [caption]
 */
export function table(head, rows, name, caption) {
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": name },
    el("table", { class: "data" },
      caption ? el("caption", {}, caption) : null,
      el("thead", {}, el("tr", {}, head.map((word) => el("th", { scope: "col" }, word)))),
      el("tbody", {}, rows.map((row) => el("tr", {}, row.length === 1 && head.length > 1 ? el("th", { scope: "rowgroup", colspan: head.length }, row[0]) : row.map((entry) => el("td", { class: (entry?.textContent ?? entry ?? "").length > 44 ? "wrap" : null }, entry ?? "–")))))));
}

/** @param {string} title @param {...any} content */
export function section(title, ...content) {
  return el("section", { class: "section" }, el("h2", {}, title), ...content);
}

/** Ask for one line of text or a number in a dialog; null where it is cancelled. What `accept` refuses is shown in it.
 * @param {string} title @param {string} label @param {string} value @param {string} [note]
 * @param {(text: string) => Promise<void>} [accept] */
export function prompt(title, label, value, note = "", accept = async () => {}) {
  return new Promise((resolve) => {
    const input = el("input", { type: "text", value, "aria-label": label });
    const close = (/** @type {string | null} */ found) => {
      box.close();
      box.remove();
      resolve(found);
    };
    const refused = el("div", { role: "alert" });
    const form = el("form", { method: "dialog", onsubmit: async (/** @type {Event} */ event) => {
      event.preventDefault();
      try {
        await accept(input.value.trim());
      } catch (error) {
        refused.replaceChildren(notice(String(/** @type {any} */ (error).message), "bad"));
        input.select();
        return;
      }
      close(input.value.trim());
    } },
    el("h2", {}, title), el("label", {}, label, input), note ? el("p", { class: "soft" }, note) : null, refused,
    el("div", { class: "row end" }, button("Cancel", () => close(null), { class: "quiet" }),
      el("button", { type: "submit" }, "Continue")));
    const box = el("dialog", { class: "rv", oncancel: () => close(null) }, form);
    document.body.append(box);
    box.showModal();
    input.select();
  });
}

/**
 * What a figure's model calls when a person has changed its state: its data, and at rest its certificate, are asked for,
 * one question at a time; why there are none is written into `box`.
 * @param {(state: any) => Promise<any>} compute @param {HTMLElement} box
 */
export function follower(compute, box) {
  let asking = false;
  let changed = false;
  return async function follow(/** @type {any} */ model) {
    changed = true;
    if (asking) return;
    asking = true;
    while (changed) {
      changed = false;
      const { settled = true, parameters = {}, profile } = { profile: model.get("figure").data.profile, ...model.get("state") };
      if (!profile) break;
      try {
        const found = await compute({ profile, parameters, settled, view: model.get("figure").view });
        box.replaceChildren(...(found.fault ? [notice(found.fault, "fair")] : []));
        if (found.current) model.set("current", found.current);
        if (found.answer) model.set("answer", found.answer);
      } catch (error) {
        box.replaceChildren(failed(error, () => follow(model)));
        model.set("answer", { profile, parameters, claim: null, word: "No certificate", sentence: "" });
      }
    }
    asking = false;
  };
}

/** Trust given in this tab: digests of files by path. @type {Record<string, string>} */
export const trusted = {};

/** A box that names the files a study runs; each needs a click. @param {string} address @param {() => void} done */
export async function trustBox(address, done) {
  const { files } = await ask(address);
  return el("div", { class: "notice fair" },
    el("p", {}, el("strong", {}, "This study runs code of its own. "), "Look at it before you trust it: it can do whatever you can do on this computer."),
    files.map((/** @type {any} */ file) => el("details", {}, el("summary", {}, file.path), el("pre", { class: "code", tabindex: "0" }, file.text))),
    button("I trust this code", () => {
      for (const file of files) trusted[file.path] = file.digest;
      done();
    }));
}

/** The range of a number around its usual value, by its schema; null for what is no number. @param {any} row @param {any} usual */
export function rangeOf({ schema }, usual) {
  const shape = (schema.anyOf ?? [schema]).find((/** @type {any} */ one) => one.type === "number" || one.type === "integer");
  if (!shape || typeof usual !== "number" || Number.isNaN(usual)) return null;
  const whole = shape.type === "integer", low = shape.minimum ?? shape.exclusiveMinimum ?? (usual < 0 ? 3 * usual : 0);
  const far = whole ? Math.max(low + 4, 2 * usual) : Math.max(low + 1e-9, 4 * Math.abs(usual) || 1);
  const high = Math.min(shape.maximum ?? shape.exclusiveMaximum ?? Infinity, far);
  const room = (high - low) / 200; // beside an end that is excluded
  return { whole, low: shape.exclusiveMinimum === undefined ? low : low + room, high: shape.exclusiveMaximum === undefined ? high : high - room };
}

/** A slider of a number; `set` shows a value, or other words for it. @param {any} row @param {(value: number) => void} change */
export function slider({ words, low, high, whole }, change) {
  const output = el("output", { class: "soft" });
  const input = el("input", { type: "range", class: "range", min: low, max: high, step: whole ? 1 : "any", "aria-label": words,
    oninput: () => { output.textContent = format(Number(input.value), 4); },
    onchange: () => change(whole ? Math.round(Number(input.value)) : Number(Number(input.value).toPrecision(4))) });
  const node = el("label", { class: "slide" }, el("span", { class: "row between" }, words, output), input);
  return { node,
    set(/** @type {number} */ value, text = format(value, 4)) {
      input.value = String(value);
      output.textContent = text;
    } };
}

const GREEK = "alpha α beta β gamma γ delta δ epsilon ε eta η theta θ kappa κ lambda λ mu μ nu ν xi ξ pi π rho ρ sigma σ tau τ phi φ chi χ psi ψ omega ω".split(" ");

/** A symbol of a formula with Greek letters for their names. @param {string} words */
export function symbol(words) {
  return words.replace(/[a-z]+/g, (word) => {
    const k = GREEK.indexOf(word);
    return k >= 0 && k % 2 === 0 ? GREEK[k + 1] : word;
  });
}
