/** Results: the table first, then figures, reference values and certificates; files to take away. */

import { el, format } from "../living/kit.js";
import { Model, mount } from "../living/host.js";
import { ask, button, claim, notice, pill, query, section, table } from "../api.js";

/** The figures of a run. @param {string} name @param {string} part */
export async function figures(name, part) {
  const drawn = await ask(`/api/runs/${encodeURIComponent(name)}/figures${query({ part })}`);
  const shown = drawn.figures.filter((/** @type {any} */ one) => !one.why);
  const missing = drawn.figures.filter((/** @type {any} */ one) => one.why);
  const one = (/** @type {any} */ figure) => {
    const address = `/api/figures/${drawn.set}/${figure.file}`;
    return el("figure", {}, el("img", { src: address, alt: figure.caption || figure.kind, loading: "lazy" }),
      el("figcaption", {}, el("span", {}, figure.caption || figure.kind.replaceAll("_", " ")), el("a", { href: address, download: figure.file }, "SVG")));
  };
  return el("div", {}, el("div", { class: "figures" }, shown.map(one)),
    missing.length ? el("details", {}, el("summary", {}, `${missing.length} not drawn`), el("ul", {}, missing.map((/** @type {any} */ figure) => el("li", {}, `${figure.kind}: ${figure.why}`)))) : null);
}

/**
 * Mount living figures of a run; returns what removes them.
 * @param {HTMLElement} root @param {string} name @param {string} part @param {(figure: any) => boolean} [wanted]
 */
export async function living(root, name, part, wanted = () => true) {
  const { figures: found } = await ask(`/api/runs/${encodeURIComponent(name)}/living${query({ part })}`);
  /** @type {(() => void)[]} */
  const ends = [];
  for (const { figure, state } of found.filter((/** @type {any} */ one) => wanted(one.figure))) {
    const view = (await import(`../living/views/${figure.view}.js`)).default;
    const box = el("div", { class: "living" });
    root.append(box);
    ends.push(mount(box, view, new Model({ figure, state: state ?? {}, host: "frozen" })));
  }
  return () => ends.forEach((end) => end());
}

/** @param {any} place */
export default async function results({ root, query: given, title, go }) {
  const name = given.get("name") ?? "";
  const path = `/api/runs/${encodeURIComponent(name)}`;
  const about = await ask(path);
  const several = (about.parts?.length ?? 0) > 1;
  const part = given.get("part") ?? (several ? about.parts[0].name : "");
  title(about.title ?? name);
  const body = el("div", { class: "skeleton" }, "reading the results …");
  const download = (/** @type {string} */ to, /** @type {string} */ words) => el("a", { class: "button quiet", href: `${path}/download${query({ to })}`, download: "" }, words);
  root.append(el("div", { class: "row between" },
    el("div", {}, el("p", { class: "crumb" }, el("a", { href: "/" }, "Runs"), " / ", el("a", { href: `/run${query({ name })}` }, name)), el("h1", {}, about.title ?? name)),
    el("div", { class: "row" }, download("csv", "CSV"), download("netcdf", "NetCDF"), download("svg", "SVG"), download("page", "Frozen page"),
      button("Compare", () => go(`/compare${query({ runs: part ? `${name}:${part}` : name })}`)))));
  if (about.question) root.append(el("p", { class: "soft" }, about.question));
  root.append(el("div", { class: "row" }, pill(about.status), about.counts ? el("span", { class: "soft" }, `${about.counts.done} of ${about.counts.total} cells`) : null,
    about.reduced ? el("span", { class: "soft" }, "reduced run: only values marked as valid for reduced runs are compared with the reference") : null));
  if (several) {
    root.append(el("div", { class: "chips", role: "group", "aria-label": "Study" }, about.parts.map((/** @type {any} */ one) =>
      button(one.name, () => go(`/results${query({ name, part: one.name })}`), { class: "chip", "aria-pressed": String(one.name === part) }))));
  }
  root.append(body);
  ask(`${path}/results${query({ part })}`).then((found) => body.replaceWith(...content(found, name, part)), (error) => body.replaceWith(notice(error.message, "bad")));
}

/** @param {any} found @param {string} name @param {string} part */
function content(found, name, part) {
  const parts = [];
  for (const line of [found.edited, ...found.damaged].filter(Boolean)) parts.push(notice(line, "fair"));
  if (found.headline) parts.push(el("p", { class: "headline" }, found.headline));
  if (found.table) {
    const { columns, rows, left_out } = found.table;
    const at = columns.indexOf("claim");
    parts.push(section("Results", table(columns, rows.map((/** @type {string[]} */ row) => row.map((text, k) => (k === at ? claim(text) : text || "–"))), "results"),
      left_out ? el("p", { class: "soft" }, `${left_out} further points are in the CSV.`) : null,
      found.sentences.length ? el("details", {}, el("summary", {}, "In words"), el("ul", {}, found.sentences.map((/** @type {any} */ one) => el("li", {}, String(one))))) : null));
  } else parts.push(notice("No cell is finished yet."));
  const room = el("div", { class: "skeleton" }, "drawing the figures …");
  const drawn = section("Figures", room);
  parts.push(drawn);
  figures(name, part).then((those) => room.replaceWith(those), (error) => room.replaceWith(notice(error.message, "bad")));
  const lives = el("div", { class: "lives" });
  const play = section("Figures to play with", lives);
  play.hidden = true;
  parts.push(play);
  living(lives, name, part, (figure) => figure.view !== "reference").then(() => { play.hidden = !lives.childElementCount; }, () => {});
  if (found.references.length) parts.push(references(found));
  if (found.groups.length) parts.push(certificates(found));
  if (found.warnings.length || found.failures.length) {
    parts.push(section("Warnings", el("ul", {}, found.failures.map((/** @type {any} */ one) => el("li", { class: "bad" }, `cell ${one.cell}: ${one.why}`)), found.warnings.map((/** @type {string} */ line) => el("li", {}, line)))));
  }
  parts.push(section("Run it again", el("pre", { class: "code" }, found.commands.map((/** @type {string[]} */ [command, words]) => `${command}    # ${words}`).join("\n")),
    el("details", {}, el("summary", {}, "The study"), el("pre", { class: "code" }, found.toml))));
  return parts;
}

/** @param {any} found */
function references(found) {
  const value = (/** @type {any} */ one) => (typeof one === "number" ? format(one) : one === null ? "–" : String(one));
  const distance = (/** @type {any} */ row) => {
    const wanted = row.published ?? row.expected;
    return typeof row.ours === "number" && typeof wanted === "number" ? Math.abs(row.ours - wanted) : -1;
  };
  const rows = [...found.references].sort((one, other) => distance(other) - distance(one)).map((row) => [
    `${row.reduce ? `${row.reduce} ` : ""}${row.quantity.replaceAll("_", " ")}`,
    Object.entries(row.at).map(([key, entry]) => `${key} = ${entry}`).join(", ") || "–", value(row.ours),
    value(row.published), row.published_verdict ? claim(row.published_verdict) : "–",
    row.within ? `${row.within[0]} to ${row.within[1]}` : value(row.expected), row.expected_verdict ? claim(row.expected_verdict) : "–",
    row.why || row.reason || row.note || ""]);
  return section("Reference values", el("p", { class: "soft" }, found.tally), table(["quantity", "at", "ours", "published", "verdict", "independent", "verdict", "note"], rows, "reference values"));
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
