/** Results in one column: the answer first, then figures, tables, certificates and files to take away. */

import { el, format } from "../living/kit.js";
import { control, Model, mount, showSeries } from "../living/host.js";
import reference from "../living/views/reference.js";
import { ask, button, claim, countsOf, fill, follower, load, notice, pill, query, section, table } from "../api.js";

/** Names of formats that are no abbreviations. @type {Record<string, string>} */
const FILES = { xlsx: "Excel", latex: "LaTeX", markdown: "Markdown", parquet: "Parquet", netcdf: "NetCDF", page: "Frozen page" };

/**
 * The figures of a run, with the number of their cells and the run's state; of the first, a control of its second
 * key, if it has one, shows the lines of a value.
 * @param {string} name @param {string} part
 */
export async function figures(name, part) {
  const drawn = await ask(`/api/runs/${encodeURIComponent(name)}/figures${query({ part })}`);
  const shown = drawn.figures.filter((/** @type {any} */ one) => !one.why);
  const missing = drawn.figures.filter((/** @type {any} */ one) => one.why);
  const one = (/** @type {any} */ figure) => {
    const address = `/api/figures/${drawn.set}/${figure.file}`;
    return el("figure", {}, figure.series ? byValue(figure) : el("img", { src: address, alt: figure.caption || figure.kind, loading: "lazy" }),
      el("figcaption", {}, el("span", {}, figure.caption || figure.kind.replaceAll("_", " ")), el("a", { href: address, download: figure.file }, "SVG")));
  };
  const node = el("div", {}, el("div", { class: "figures" }, shown.map(one)),
    missing.length ? el("details", {}, el("summary", {}, `${missing.length} not drawn`), el("ul", {}, missing.map((/** @type {any} */ figure) => el("li", {}, `${figure.kind}: ${figure.why}`)))) : null);
  return { ...drawn, node };
}

/** A figure in the page, below a control of its second key. @param {any} figure */
function byValue({ svg, series, caption, kind }) {
  const picture = document.importNode(new DOMParser().parseFromString(svg, "image/svg+xml").documentElement, true);
  const drawn = el("div", { class: "drawn", role: "img", "aria-label": caption || kind }, picture);
  const choice = control(series.name, series.values, (text) => {
    showSeries(drawn, series.values.indexOf(text));
    choice.set(text);
  });
  return el("div", {}, el("div", { class: "rv" }, el("div", { class: "rv-sliders" }, choice.node)), drawn);
}

/**
 * Mount the living figures of a run. Those of games of the package are certified by the server; others hold the
 * certificates of the run. `end` receives what removes a figure.
 * @param {HTMLElement} root @param {any} about @param {string} part @param {any} place @param {(call: () => void) => void} end
 */
async function living(root, about, part, { go }, end) {
  const path = `/api/runs/${encodeURIComponent(about.name)}`;
  const { figures: found } = await ask(`${path}/living${query({ part })}`);
  let stored = 0;
  for (const { figure, state, live } of found.filter((/** @type {any} */ one) => one.figure.view !== "reference")) {
    const view = await load(`./living/views/${figure.view}.js`);
    const box = el("div", { class: "living" }), fault = el("div", {});
    root.append(el("div", {}, fault, box));
    const opens = (/** @type {any} */ model) => {
      const { cursor } = model.get("state");
      if (cursor?.opened) go(`/run${query({ name: about.name, part, cell: cursor.cell })}`);
    };
    const saved = figure.view === "sweep" ? opens : follower((given) => ask(`${path}/answer`, { part, title: figure.title, state: given }), fault);
    const host = live || figure.view === "sweep" ? "workbench" : "frozen";
    end(mount(box, view, new Model({ figure, state: state ?? {}, host }, host === "frozen" ? undefined : saved)));
    if (!live && figure.data.answers?.length) stored++;
  }
  const own = about.files?.length && !found.some((/** @type {any} */ one) => one.live);
  const why = own ? `The study runs code of its own (${about.files.join(", ")}). No figure runs it, so figures` : "Figures whose game is not built again here";
  if (own || stored) root.prepend(notice(`${why} hold the certificates of the run only. \`rivalry certify ${about.argument}\` computes these again.`, "fair"));
}

/** @param {any} place */
export default async function results(place) {
  const { root, query: given, title, go } = place;
  const name = given.get("name") ?? "";
  const path = `/api/runs/${encodeURIComponent(name)}`;
  const about = await ask(path);
  const several = (about.parts?.length ?? 0) > 1;
  const part = given.get("part") ?? (several ? about.parts[0].name : "");
  title(about.title ?? name);
  const body = el("div", { class: "section" }), progress = el("div", { class: "row" });
  root.append(heading(about, el("a", { href: `/run${query({ name })}` }, name)));
  /** Show how far the run is. @param {any} state */
  function showState({ status, states = "" }) {
    const counts = countsOf(states);
    progress.replaceChildren(pill(status), counts.total ? el("span", { class: "soft" }, `${counts.done} of ${counts.total} cells`) : "",
      about.reduced ? el("span", { class: "soft" }, "reduced run: only values marked as valid for reduced runs are compared with the reference") : "");
  }
  showState(about);
  root.append(progress);
  if (several) {
    root.append(el("div", { class: "chips", role: "group", "aria-label": "Study" }, about.parts.map((/** @type {any} */ one) =>
      button(one.name, () => go(`/results${query({ name, part: one.name })}`), { class: "chip", "aria-pressed": String(one.name === part) }))));
  }
  root.append(body);
  /** @type {(() => void)[]} */
  const ends = [];
  let closed = false;
  const end = (/** @type {() => void} */ call) => (closed ? call() : void ends.push(call));
  fill(body, "reading the results …", async () => {
    const found = await ask(`${path}/results${query({ part })}`);
    showState(found.state); // later than the rows: it counts their cells
    return content(found, about, part, place, end);
  });
  return () => {
    closed = true;
    for (const call of ends) call();
  };
}

/** @param {any} found @param {any} about @param {string} part @param {any} place @param {(call: () => void) => void} end */
function content(found, about, part, place, end) {
  const parts = [];
  for (const line of [found.edited, ...found.damaged].filter(Boolean)) parts.push(notice(line, "fair"));
  const room = el("div", {});
  for (const line of found.question) if (line !== about.question) parts.push(el("p", { class: "question" }, line));
  parts.push(...answerOf(found));
  parts.push(section("Figures", room));
  if (found.tables.length) {
    parts.push(section("Results", resultTables(found.tables)));
    if (found.caveats.length) parts.push(section("Caveats", el("ul", {}, found.caveats.map((/** @type {string} */ one) => el("li", {}, one)))));
  } else parts.push(notice("No cell is finished yet."));
  if (found.results.length) parts.push(section("Results of each point", el("div", {}, found.results.map((/** @type {any} */ one) => el("div", {}, el("p", {}, one.head), resultTables(one.tables))))));
  if (found.summary) {
    parts.push(section(found.summary.heading, resultTables(found.summary.tables), el("p", { class: "soft" }, found.summary.reading)));
  }
  fill(room, "drawing the figures …", async () => (await figures(about.name, part)).node);
  const lives = el("div", { class: "lives" }), building = el("div", {});
  const play = section("Figures to play with", building, lives);
  parts.push(play);
  fill(building, "building the games …", async () => {
    lives.replaceChildren();
    await living(lives, about, part, place, end);
    play.hidden = !lives.childElementCount;
  });
  if (found.reference) {
    const box = el("div", { class: "living" });
    end(mount(box, reference, new Model({ figure: found.reference, host: "workbench" })));
    parts.push(box);
  }
  if (found.groups.length) parts.push(certificates(found));
  parts.push(section("Export", el("div", { class: "row" }, found.formats.map((/** @type {string} */ to) => el("a", { class: "button quiet", href: `/api/runs/${encodeURIComponent(about.name)}/download${query({ to })}`, download: "" }, FILES[to] ?? to.toUpperCase())),
    button("Compare with other runs", () => place.go(`/compare${query({ runs: part ? `${about.name}:${part}` : about.name })}`), { class: "quiet" }))));
  const warned = warnings(found);
  if (warned) parts.push(warned);
  parts.push(section("Run it again", el("pre", { class: "code", tabindex: "0" }, found.commands.map((/** @type {string[]} */ [command, words]) => `${command}    # ${words}`).join("\n")),
    el("details", {}, el("summary", {}, "The study"), el("pre", { class: "code", tabindex: "0" }, found.toml))));
  return parts;
}

/** The question of a run below its address, and its title. @param {any} about @param {any} address */
export function heading(about, address) {
  const first = about.question || about.title || about.name;
  return el("div", {}, el("p", { class: "crumb" }, el("a", { href: "/" }, "Runs"), " / ", address), el("h1", {}, first), first === about.title ? null : el("p", { class: "soft" }, about.title));
}

/** The number and the sentences of an answer. @param {any} found */
export function answerOf({ number, lead }) {
  const parts = number ? [el("p", { class: "number" }, el("strong", {}, number.words), number.label)] : [];
  return [...parts, ...lead.map((/** @type {string} */ line) => el("p", { class: "headline" }, line))];
}

/** Tables, each below its heading and above its notes. @param {any[]} tables */
export function resultTables(tables) {
  return el("div", {}, tables.map(({ heading, columns, rows, below }) => {
    const at = columns.indexOf("claim");
    const texts = rows.map((/** @type {string[]} */ row) => row.map((text, k) => (k === at && text ? claim(text) : text)));
    return el("div", { class: "results" }, heading ? el("h3", {}, heading) : null, table(columns, texts, heading ? `results of ${heading}` : "results"),
      below.map((/** @type {string} */ line) => el("p", { class: "soft" }, line)));
  }));
}

/** Failed cells and warnings, if there are any. @param {any} found */
export function warnings(found) {
  if (!found.warnings.length && !found.failures.length) return null;
  return section("Warnings", el("ul", {}, found.failures.map((/** @type {any} */ one) => el("li", { class: "bad" }, `cell ${one.cell}: ${one.why}`)), found.warnings.map((/** @type {string} */ line) => el("li", {}, line))));
}

/** @param {any} found */
function certificates(found) {
  const rows = found.groups.map((/** @type {any} */ one) => [one.method, claim(one.claim), one.words || "–", one.status, String(one.size), one.coverage, format(one.gain), one.bound, one.rounding || "–", one.where || "–"]);
  const each = found.certificates.map((/** @type {any} */ row) => [row.cell, row.algorithm, Object.entries(row.at).map(([key, value]) => `${key} = ${typeof value === "number" ? format(value) : value}`).join(", ") || "–",
    claim(row.claim), row.coverage ?? "–", format(row.regret), row.bound]);
  return section("Certificates", table(["method", "claim", "detail", "status", "cells", "coverage", "largest gain", "bound", "rounding", "where"], rows, "certificates"),
    el("details", {}, el("summary", {}, `Each of ${found.certificates.length} cells${found.more_certificates ? `; ${found.more_certificates} further ones are in the CSV` : ""}`),
      table(["cell", "method", "at", "claim", "coverage", "largest gain", "bound"], each, "certificate of each cell")));
}
