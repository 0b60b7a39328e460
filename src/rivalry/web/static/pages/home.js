/** Home: recent runs, and the questions of all studies with search and a filter by family. */

import { el } from "../living/kit.js";
import { ago, ask, button, failed, notice, pill, prompt, query, table } from "../api.js";

const OTHERS = "other games"; // of files and classes, which are no families

/** The chip of a study or a run. @param {any} row */
const group = (row) => (row.family?.includes(":") ? OTHERS : row.family);

/** @param {any} place */
export default async function home({ root, query: given }) {
  const [{ studies }, { runs }] = await Promise.all([ask("/api/studies"), ask("/api/runs")]);
  const groups = [...new Set(studies.map(group).filter(Boolean))].sort();
  const families = [...groups.filter((name) => name !== OTHERS), ...groups.filter((name) => name === OTHERS)];
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
    grid.replaceChildren(...found.map(card));
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

/** @param {any} study */
function card(study) {
  return el("a", { class: "card", href: `/study${query({ name: study.name })}` },
    el("div", { class: "card-text" },
      el("h3", {}, study.question || study.title || study.name),
      study.question ? el("p", { class: "soft" }, study.title) : null,
      study.fault ? el("p", { class: "bad" }, study.fault) : null),
    el("div", { class: "tags" },
      el("span", { class: "tag" }, group(study) ?? (study.parts ? `${study.parts} studies` : "study")),
      el("span", { class: "tag", "data-cost": study.cost }, study.time),
      study.own ? el("span", { class: "tag own" }, "yours") : null));
}
