/** Compare: runs over each other, paired differences with 95 % intervals, and how their studies differ. */

import { band, el, format, frame, hue, legend, line } from "../living/kit.js";
import { ago, ask, button, notice, query, section, table } from "../api.js";

/** @param {any} place */
export default async function compare({ root, query: given, go, title }) {
  title("Compare");
  const wanted = (given.get("runs") ?? "").split(",").filter(Boolean);
  root.append(el("h1", {}, "Compare runs"));
  const choice = el("div", { class: "pick" });
  if (wanted.length < 2) {
    const { runs } = await ask("/api/runs");
    const names = runs.filter((/** @type {any} */ run) => run.counts?.done).flatMap((/** @type {any} */ run) => (run.parts?.length ? run.parts.map((/** @type {string} */ part) => ({ ...run, name: `${run.name}:${part}` })) : [run]));
    const boxes = names.map((/** @type {any} */ run) => {
      const box = el("input", { type: "checkbox", value: run.name, onchange: count });
      box.checked = wanted.includes(run.name);
      return { box, row: el("label", {}, box, el("span", {}, run.title, el("span", { class: "soft" }, ` · ${run.name} · ${ago(run.changed)}`))) };
    });
    const start = button("Compare", () => go(`/compare${query({ runs: chosen().join(",") })}`));
    function chosen() {
      return boxes.filter((/** @type {any} */ one) => one.box.checked).map((/** @type {any} */ one) => one.box.value);
    }
    function count() {
      start.disabled = chosen().length < 2 || chosen().length > 6;
    }
    count();
    choice.append(...boxes.map((/** @type {any} */ one) => one.row));
    root.append(el("p", { class: "soft" }, names.length < 2 ? "Two runs with finished cells are needed. Run a study, change it, and run it again." : "Choose two to six runs. Differences are taken from the first."), choice, el("div", { class: "row" }, start));
    return;
  }
  const waiting = el("div", { class: "skeleton" }, "reading the runs …");
  root.append(waiting);
  const some = given.get("quantities") ?? "";
  const found = await ask(`/api/compare${query({ runs: wanted.join(","), quantities: some })}`);
  waiting.remove();
  const shown = found.quantities.map((/** @type {any} */ one) => one.name);
  const boxes = el("div", { class: "chips", role: "group", "aria-label": "Quantities" }, found.names.map((/** @type {string[]} */ [name, label]) => {
    const on = shown.includes(name);
    const rest = on ? shown.filter((/** @type {string} */ one) => one !== name) : [...shown, name];
    const chip = button(label, () => go(`/compare${query({ runs: wanted.join(","), quantities: rest.join(",") })}`), { class: "chip", "aria-pressed": String(on) });
    chip.disabled = !rest.length;
    return chip;
  }));
  root.append(legend(found.runs.map((/** @type {string} */ run, /** @type {number} */ k) => ({ label: `${run}${k ? "" : " (first)"}`, colour: hue(k), kind: "line" }))),
    el("div", { class: "row" }, button("Choose other runs", () => go("/compare"), { class: "quiet" })), boxes);
  const plots = el("div", { class: "plots" });
  for (const one of found.quantities) overlay(plots, one);
  if (plots.children.length) root.append(section("Over each other", plots));
  root.append(section("Differences from the first run",
    el("p", { class: "soft" }, "Mean of the differences at the same point and replication, with its 95 % interval (Student's t). One replication has no interval."), ...differences(found)));
  found.studies.forEach((/** @type {any[]} */ rows, /** @type {number} */ k) => {
    const lines = rows.map((row) => el("div", { "data-mark": row.mark }, row.text.startsWith("@@") ? "…" : `${row.mark || " "} ${row.text}`));
    root.append(section(`Study of ${found.runs[k + 1]}, against the first`, rows.length ? el("pre", { class: "code diff", tabindex: "0" }, ...lines) : el("p", { class: "soft" }, "The studies are the same.")));
  });
}

/** @param {any} found */
function differences(found) {
  const places = found.quantities.flatMap((/** @type {any} */ one) => one.differences.flat());
  const several = new Set(places.map((/** @type {any} */ row) => row.at.algorithm)).size > 1;
  const blocks = found.runs.slice(1).map((/** @type {string} */ run, /** @type {number} */ k) => {
    const rows = found.quantities.flatMap((/** @type {any} */ one) => one.differences[k].map((/** @type {any} */ row) => [
      one.label, Object.entries(row.at).filter(([key]) => several || key !== "algorithm").map(([key, value]) => `${key} = ${typeof value === "number" ? format(value) : value}`).join(", ") || "–", row.entry || "–", row.words, String(row.n),
      row.half === null ? "–" : Math.abs(row.mean) > row.half ? "yes" : "no"]));
    return rows.length
      ? table(["quantity", "at", "entry", "difference", "n", "interval excludes 0"], rows.slice(0, 400), `differences of ${run}`, `${run}${rows.length > 400 ? ` (first 400 of ${rows.length})` : ""}`)
      : notice(`${run} shares no point of a quantity with the first run.`);
  });
  return blocks;
}

/** Draw a quantity of all runs along the first swept number. @param {HTMLElement} root @param {any} one */
function overlay(root, one) {
  const every = one.series.flat();
  const key = Object.keys(every[0]?.at ?? {}).find((name) => name !== "algorithm" && typeof every[0].at[name] === "number" && new Set(every.map((/** @type {any} */ row) => row.at[name])).size > 1);
  if (!key) return;
  const all = every.filter((/** @type {any} */ row) => row.at[key] !== undefined); // runs over another key have no place here
  const ends = (/** @type {number[]} */ values) => {
    const low = Math.min(...values), high = Math.max(...values);
    // a range that four digits do not show is rounding, which no axis magnifies
    const span = high - low, seen = 1e-3 * Math.max(Math.abs(low), Math.abs(high)), room = span > seen ? 0.06 * span : seen || 1;
    return { low: low - room, high: high + room };
  };
  const x = all.map((/** @type {any} */ row) => row.at[key]);
  const box = el("figure", { class: "panel" }, el("h3", {}, one.label));
  root.append(box);
  const range = ends(all.flatMap((/** @type {any} */ row) => [row.mean - (row.half ?? 0), row.mean + (row.half ?? 0)]));
  const axes = frame(box, { height: 260, x: { low: Math.min(...x), high: Math.max(...x), label: key.replaceAll("_", " ") }, y: { ...range, label: one.label }, margin: { left: 70 }, label: `${one.label} by ${key}` });
  one.series.forEach((/** @type {any[]} */ rows, /** @type {number} */ k) => {
    const groups = new Map();
    for (const row of rows) {
      const id = JSON.stringify([row.entry, { ...row.at, [key]: 0 }]);
      groups.set(id, [...(groups.get(id) ?? []), row]);
    }
    for (const group of [...groups.values()].slice(0, 8)) {
      const own = group.filter((/** @type {any} */ row) => row.at[key] !== undefined).sort((/** @type {any} */ a, /** @type {any} */ b) => a.at[key] - b.at[key]);
      const xs = own.map((/** @type {any} */ row) => row.at[key]);
      if (own.some((/** @type {any} */ row) => row.half)) band(axes, { colour: hue(k) }).set(xs, own.map((/** @type {any} */ row) => row.mean - (row.half ?? 0)), own.map((/** @type {any} */ row) => row.mean + (row.half ?? 0)));
      line(axes, { colour: hue(k), dash: k > 0 }).set(xs, own.map((/** @type {any} */ row) => row.mean));
    }
  });
}
