/** Home: recent runs, and the questions of all studies with search and a filter by family. */

import { el, svg } from "../living/kit.js";
import { ago, ask, button, failed, notice, pill, prompt, query, table } from "../api.js";

const OTHERS = "other games"; // of files and classes, which are no families

/** The chip of a study or a run. @param {any} row */
const group = (row) => (row.family?.includes(":") ? OTHERS : row.family);

/** @param {any} place */
export default async function home({ root, query: given }) {
  const [{ studies }, { runs }] = await Promise.all([ask("/api/studies"), ask("/api/runs")]);
  const groups = [...new Set(studies.map(group).filter(Boolean))].sort();
  const families = [...groups.filter((name) => name !== OTHERS), ...groups.filter((name) => name === OTHERS)];
  const pictured = new Map(runs.filter((/** @type {any} */ run) => run.figure).map((/** @type {any} */ run) => [run.study, run.name]));
  let family = given.get("family") ?? "";
  const search = el("input", { type: "search", placeholder: "Search questions and runs", "aria-label": "Search questions and runs", oninput: draw });
  search.value = given.get("search") ?? "";
  const chips = el("div", { class: "chips", role: "group", "aria-label": "Family of games" });
  const recent = el("div", {});
  const grid = el("div", { class: "cards" });
  const count = el("p", { class: "soft", role: "status" });
  const runHead = el("h2", {}, "Recent runs");
  let all = false;
  const list = runList(runs);
  const more = button("", () => { all = !all; draw(); }, { class: "quiet" });

  function draw() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (/** @type {any} */ row) => (!family || group(row) === family) &&
      words.every((word) => `${row.question ?? ""} ${row.name} ${row.title} ${row.source ?? ""} ${row.study ?? ""} ${row.note ?? ""} ${(row.tags ?? []).join(" ")}`.toLowerCase().includes(word));
    chips.replaceChildren(...["", ...families].map((name) => button(name || "All", () => { family = name; draw(); },
      { class: "chip", "aria-pressed": String(name === family) })));
    const those = runs.filter(fits);
    runHead.hidden = !runs.length;
    recent.replaceChildren(all ? list.show(those) : el("div", { class: "runs" }, those.slice(0, 6).map(runRow)));
    runHead.textContent = all ? "Runs" : "Recent runs";
    more.hidden = !runs.length;
    more.textContent = all ? "Show the latest only" : `List all ${those.length} with quantities and notes`;
    const found = studies.filter(fits);
    count.textContent = `${found.length} ${found.length === 1 ? "study" : "studies"}`;
    grid.replaceChildren(...found.map((/** @type {any} */ one) => card(one, pictured.get(one.name))));
    history.replaceState(null, "", `/${query({ search: search.value, family })}`);
  }

  root.append(
    el("div", { class: "hero" }, el("h1", {}, "Games of competition"),
      el("p", { class: "soft" }, "Pick a question, run its study, and see what is proved of every result. Or drag the players of a game and watch the claim change."),
      el("div", { class: "row" }, el("a", { class: "button", href: "/explore" }, "Explore a game"),
        el("a", { class: "button quiet", href: "/study?draft=1" }, "New study"))),
    el("div", { class: "filter" }, search, chips), runHead, recent, more,
    el("div", { class: "row between" }, el("h2", {}, "Studies"), count), grid);
  draw();
  if (!studies.length) root.append(notice("No studies were found."));
}

/**
 * All runs as a table that any column sorts, one quantity of their answers among them, with notes and tags.
 * @param {any[]} runs
 */
function runList(runs) {
  /** @type {Map<string, Record<string, {words: string, value: number}>>} */
  const known = new Map();
  let quantity = "", column = "changed", down = true, asked = false;
  /** @type {any[]} */
  let those = [];
  const box = el("div", { class: "section" }), body = el("div", {}), lacking = el("div", {});
  const choice = el("select", { "aria-label": "Quantity", onchange: () => { quantity = choice.value; column = "quantity"; down = true; draw(); } });
  box.append(el("label", { class: "row narrow" }, "Quantity", choice), lacking, body);
  const valueOf = (/** @type {any} */ run) => known.get(run.name)?.[quantity];
  /** @type {Record<string, (run: any) => any>} */
  const order = { run: (run) => run.title, state: (run) => run.status, changed: (run) => run.changed,
    quantity: (run) => valueOf(run)?.value ?? -Infinity, tags: (run) => (run.tags ?? []).join(), note: (run) => run.note ?? "" };

  async function read() {
    asked = true;
    lacking.replaceChildren();
    for (const run of runs.filter((one) => one.counts?.done && !known.has(one.name))) {
      try {
        known.set(run.name, await ask(`/api/runs/${encodeURIComponent(run.name)}/quantities`));
      } catch (error) {
        lacking.append(failed(error, read));
        if (!(/** @type {any} */ (error).status < 500)) return; // the next one would wait for the same
        known.set(run.name, {});
      }
      const names = [...new Set([...known.values()].flatMap((one) => Object.keys(one)))];
      if (names.length === choice.options.length) continue;
      choice.replaceChildren(...names.map((one) => el("option", {}, one)));
      quantity = choice.value = quantity || names[0];
      draw();
    }
    draw();
  }

  function draw() {
    const by = order[column];
    const sorted = [...those].sort((one, other) => (by(one) < by(other) ? -1 : by(one) > by(other) ? 1 : 0) * (down ? -1 : 1));
    const heads = Object.keys(order).map((name) => button(`${name === "quantity" ? quantity || name : name}${name === column ? (down ? " ↓" : " ↑") : ""}`,
      () => { down = name === column ? !down : name === "changed" || name === "quantity"; column = name; draw(); }, { class: "sort", "aria-pressed": String(name === column) }));
    body.replaceChildren(table(/** @type {any} */ (heads), sorted.map((run) => [
      el("a", { href: `/${run.status === "done" ? "results" : "run"}${query({ name: run.name })}` }, run.title, el("span", { class: "soft" }, ` ${run.name}${run.reduced ? ", quick form" : ""}`)),
      pill(run.status), ago(run.changed), valueOf(run)?.words ?? (run.counts?.done && !known.has(run.name) ? "…" : "–"), notes(run, "tags", (run.tags ?? []).join(", ")), notes(run, "note", run.note ?? "")]), "runs"));
  }

  /** A text that a click changes. @param {any} run @param {"tags" | "note"} what @param {string} text */
  function notes(run, what, text) {
    return button(text || `add ${what === "note" ? "a note" : "tags"}`, async () => {
      await prompt(run.name, what === "note" ? "Note" : "Tags, separated by commas", text, "", async (found) => {
        const tags = what === "tags" ? found.split(",").map((/** @type {string} */ one) => one.trim()).filter(Boolean) : run.tags ?? [];
        Object.assign(run, await ask(`/api/runs/${encodeURIComponent(run.name)}/notes`, { note: what === "note" ? found : run.note ?? "", tags }));
      });
      draw();
    }, { class: "edit", "aria-label": `${what} of ${run.name}${text ? `: ${text}` : ""}` });
  }

  return {
    /** @param {any[]} wanted */
    show(wanted) {
      those = wanted;
      draw();
      if (!asked) read();
      return box;
    },
  };
}

/** @param {any} run */
function runRow(run) {
  const counts = run.counts;
  const part = counts && counts.total ? counts.done / counts.total : 0;
  return el("a", { class: "run", href: `/${run.status === "done" ? "results" : "run"}${query({ name: run.name })}` },
    el("span", { class: "run-name" }, el("strong", {}, run.title), el("span", { class: "soft" }, [run.name, run.reduced ? "quick form" : "", ago(run.changed)].filter(Boolean).join(" · "))),
    el("span", { class: "run-state" }, pill(run.status),
      counts ? el("span", { class: "soft" }, `${counts.done} of ${counts.total} cells`) : el("span", { class: "soft" }, run.fault ?? ""),
      el("span", { class: "bar", "aria-hidden": "true", "--part": `${100 * part}%` })));
}

/** @param {any} study @param {string | undefined} run */
function card(study, run) {
  const picture = run
    ? el("img", { src: `/api/runs/${encodeURIComponent(run)}/thumbnail`, alt: "", loading: "lazy" })
    : glyph(study.family);
  return el("a", { class: "card", href: `/study${query({ name: study.name })}` },
    el("div", { class: run ? "thumb drawn" : "thumb" }, picture),
    el("div", { class: "card-text" },
      el("h3", {}, study.question || study.title || study.name),
      study.question ? el("p", { class: "soft" }, study.title) : null,
      study.fault ? el("p", { class: "bad" }, study.fault) : null),
    el("div", { class: "tags" },
      el("span", { class: "tag" }, group(study) ?? (study.parts ? `${study.parts} studies` : "study")),
      el("span", { class: "tag", "data-cost": study.cost }, study.time),
      study.own ? el("span", { class: "tag own" }, "yours") : null));
}

/** A small drawing of what is played in a family. @param {string | null} family */
export function glyph(family) {
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
