/** Results: the table first, then figures, reference values and certificates; files to take away. */

import { el, format } from "../living/kit.js";
import { control, markLabels, Model, mount, showSeries } from "../living/host.js";
import reference from "../living/views/reference.js";
import { ask, button, certifier, claim, countsOf, fill, load, notice, pill, query, section, table } from "../api.js";

/** Names of formats that are no abbreviations. @type {Record<string, string>} */
const FILES = { xlsx: "Excel", latex: "LaTeX", markdown: "Markdown", parquet: "Parquet", netcdf: "NetCDF", page: "Frozen page" };

/**
 * The figures of a run, with the number of their cells and the run's state; of the first, a control of its second
 * key, if it has one, shows the lines of a value.
 * @param {string} name @param {string} part @param {(key: string, text: string) => void} [marked]
 */
export async function figures(name, part, marked = () => {}) {
  const drawn = await ask(`/api/runs/${encodeURIComponent(name)}/figures${query({ part })}`);
  const shown = drawn.figures.filter((/** @type {any} */ one) => !one.why);
  const missing = drawn.figures.filter((/** @type {any} */ one) => one.why);
  const one = (/** @type {any} */ figure) => {
    const address = `/api/figures/${drawn.set}/${figure.file}`;
    return el("figure", {}, figure.series ? byValue(figure, marked) : el("img", { src: address, alt: figure.caption || figure.kind, loading: "lazy" }),
      el("figcaption", {}, el("span", {}, figure.caption || figure.kind.replaceAll("_", " ")), el("a", { href: address, download: figure.file }, "SVG")));
  };
  const node = el("div", {}, el("div", { class: "figures" }, shown.map(one)),
    missing.length ? el("details", {}, el("summary", {}, `${missing.length} not drawn`), el("ul", {}, missing.map((/** @type {any} */ figure) => el("li", {}, `${figure.kind}: ${figure.why}`)))) : null);
  return { ...drawn, node };
}

/** A figure in the page, below a control of its second key. @param {any} figure @param {(key: string, text: string) => void} marked */
function byValue({ svg, series, caption, kind }, marked) {
  const picture = document.importNode(new DOMParser().parseFromString(svg, "image/svg+xml").documentElement, true);
  const drawn = el("div", { class: "drawn", role: "img", "aria-label": caption || kind }, picture);
  const choice = control(series.name, series.values, (text) => {
    showSeries(drawn, series.values.indexOf(text));
    marked(series.name, text);
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
    const saved = figure.view === "sweep" ? opens : certifier((given) => ask(`${path}/answer`, { part, title: figure.title, state: given }), fault);
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
  const download = (/** @type {string} */ to) => el("a", { href: `${path}/download${query({ to })}`, download: "" }, FILES[to] ?? to.toUpperCase());
  const downloads = el("details", { class: "menu" }, el("summary", { class: "button quiet" }, "Download"));
  root.append(el("div", { class: "row between" },
    el("div", {}, el("p", { class: "crumb" }, el("a", { href: "/" }, "Runs"), " / ", el("a", { href: `/run${query({ name })}` }, name)), el("h1", {}, about.title ?? name)),
    el("div", { class: "row" }, downloads, button("Compare", () => go(`/compare${query({ runs: part ? `${name}:${part}` : name })}`)))));
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
    downloads.append(el("div", {}, found.formats.map(download)));
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
  if (found.question) parts.push(el("p", { class: "question" }, found.question));
  for (const one of found.sentences) parts.push(el("p", { class: "headline" }, one.text, " ", el("small", { class: "soft" }, one.basis)));
  const shown = found.tables.length ? resultTables(found) : null;
  if (shown) {
    parts.push(section("Results", shown));
    if (found.caveats.length) parts.push(section("Caveats", el("ul", {}, found.caveats.map((/** @type {string} */ one) => el("li", {}, one)))));
  } else parts.push(notice("No cell is finished yet."));
  if (found.results.length) parts.push(section("Results of each point", el("div", {}, found.results.map(pointTables))));
  if (found.summary) {
    parts.push(section(found.summary.heading, el("div", {}, found.summary.tables.map((/** @type {any} */ one) => table(one.columns, one.rows, one.columns[0])),
      el("p", { class: "soft" }, found.summary.reading))));
  }
  const room = el("div", {});
  parts.push(section("Figures", room));
  const marked = (/** @type {string} */ key, /** @type {string} */ text) => {
    const two = /** @type {HTMLTableElement | null} */ (shown?.querySelector("table.two-way"));
    if (two) markLabels(two, [two.dataset.down === key ? text : "", two.dataset.across === key ? text : ""]);
  };
  fill(room, "drawing the figures …", async () => (await figures(about.name, part, marked)).node);
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
  const warned = warnings(found);
  if (warned) parts.push(warned);
  parts.push(section("Run it again", el("pre", { class: "code", tabindex: "0" }, found.commands.map((/** @type {string[]} */ [command, words]) => `${command}    # ${words}`).join("\n")),
    el("details", {}, el("summary", {}, "The study"), el("pre", { class: "code", tabindex: "0" }, found.toml))));
  return parts;
}

/** The tables of results, one or one per method, and what is not in them. @param {any} found */
export function resultTables(found) {
  return el("div", {}, found.tables.map((/** @type {any} */ one) => resultTable(one, found)));
}

/** @param {any} shown @param {any} found */
function resultTable({ heading, columns, rows, notes, rows_left_out, noun, mark }, found) {
  const at = columns.indexOf("claim");
  return el("div", {}, heading ? el("h3", {}, heading) : null, found.two_way ? twoWay(found.two_way) : table(columns, rows.map((/** @type {string[]} */ row) => row.map((text, k) => (k === at ? claim(text) : text || "–"))), heading ? `results of ${heading}` : "results"),
    mark ? el("p", { class: "soft" }, `${mark}.`) : null,
    notes.length ? el("p", { class: "soft" }, `In every row: ${notes.join("; ")}.`) : null,
    rows_left_out ? el("p", { class: "soft" }, `${rows_left_out} further ${noun} are in the CSV.`) : null);
}

/** A table by two keys, a block per quantity. @param {any} two */
function twoWay({ down, across, labels, columns, blocks }) {
  const wide = columns.length;
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "results" },
    el("table", { class: "data two-way", "data-down": down, "data-across": across },
      el("thead", {}, el("tr", {}, el("th", { rowspan: 2, scope: "col" }, down), el("th", { colspan: wide, scope: "colgroup" }, across)),
        el("tr", {}, columns.map((/** @type {string} */ word) => el("th", { scope: "col" }, word)))),
      blocks.map((/** @type {any} */ block) => el("tbody", {}, el("tr", {}, el("th", { colspan: wide + 1, scope: "rowgroup" }, block.heading)),
        block.rows.map((/** @type {string[]} */ row, /** @type {number} */ k) => el("tr", {}, el("th", { scope: "row" }, labels[k]), row.map((text) => el("td", {}, text || "–"))))))));
}

/** What a method declares of its result at one point. @param {any} point */
function pointTables({ where, summary, tables }) {
  return el("div", {}, el("p", {}, [where, summary].filter(Boolean).join(": ")),
    tables.map((/** @type {any} */ one) => table(one.columns, one.rows, one.title, one.title)));
}

/** Failed cells and warnings, if there are any. @param {any} found */
export function warnings(found) {
  if (!found.warnings.length && !found.failures.length) return null;
  return section("Warnings", el("ul", {}, found.failures.map((/** @type {any} */ one) => el("li", { class: "bad" }, `cell ${one.cell}: ${one.why}`)), found.warnings.map((/** @type {string} */ line) => el("li", {}, line))));
}

/** @param {any} found */
function certificates(found) {
  const rows = found.groups.map((/** @type {any} */ one) => [one.method, claim(one.claim), one.words || "–", one.status, String(one.size), one.coverage, format(one.regret), format(one.bound), one.rounding || "–", one.where || "–"]);
  const each = found.certificates.map((/** @type {any} */ row) => [row.cell, row.algorithm, Object.entries(row.at).map(([key, value]) => `${key} = ${typeof value === "number" ? format(value) : value}`).join(", ") || "–",
    claim(row.claim), row.coverage ?? "–", format(row.regret), format(row.bound)]);
  return section("Certificates", table(["method", "claim", "detail", "status", "cells", "coverage", "largest regret", "bound", "rounding", "where"], rows, "certificates"),
    el("details", {}, el("summary", {}, `Each of ${found.certificates.length} cells${found.more_certificates ? `; ${found.more_certificates} further ones are in the CSV` : ""}`),
      table(["cell", "method", "at", "claim", "coverage", "largest regret", "bound"], each, "certificate of each cell")));
}
