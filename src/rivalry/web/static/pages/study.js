/**
 * Study: its question, the number it is about, one control, and results; below, all settings as a form beside the TOML.
 * The text is the study; the control and the form write into it and show what it says.
 */

import { el, format } from "../living/kit.js";
import { ago, ask, button, failed, fill as fillBox, notice, prompt, query, rangeOf, slider, symbol, trusted, trustBox } from "../api.js";
import { answerOf, resultTables } from "./results.js";
import showRun from "./run.js";

const EMPTY = `title = ""
question = ""

[game]
family = "matrix"
name = "prisoners_dilemma"

[[method]]
kind = "mixed_equilibria"
`;
const TEXTS = ["title", "question", "source"];

/** @param {any} place */
export default async function study({ root, query: given, title }) {
  const draft = given.has("draft");
  let name = draft ? "" : given.get("name") ?? "";
  const [choices, loaded, { studies }] = await Promise.all([
    ask("/api/choices"),
    draft ? { text: EMPTY, own: false } : ask(`/api/studies/${encodeURIComponent(name)}`),
    ask("/api/studies"),
  ]);
  const listed = new Map(studies.map((/** @type {any} */ one) => [one.name, one]));
  let own = loaded.own;
  /** Where this tab keeps what is typed and not saved. */
  const shelf = () => (name ? `study ${name}` : "draft");
  /** Changes of the form that no answer has written into the text. @type {any[]} */
  let pending = [];
  /** @type {any} */
  let data = null;
  /** @type {any} */
  let schema = null;
  let schemaFor = "";
  let turn = 0;
  let timer = 0;
  let open = new Set();
  /** The check of the text as loaded, whose numbers the control ranges over. @type {any} */
  let original = null;
  /** Swept numbers of the latest check. @type {any[]} */
  let swept = [];
  /** The control of one number. @type {any} */
  let main = null;
  let leave = () => {}, closed = false;

  const heading = el("h1", {}, name || "New study");
  const lead = el("p", { class: "soft" });
  const state = el("p", { class: "soft", role: "status" });
  const answer = el("div", { class: "panel", hidden: draft }), knob = el("div", { class: "knob" }), column = el("div", { class: "section" });
  const faults = el("div", { role: "alert" });
  const unanswered = el("div");
  const trust = el("div");
  const apart = el("div");
  const form = el("div", { class: "form" });
  const area = el("textarea", { spellcheck: "false", "aria-label": "The study as TOML", wrap: "off" });
  area.value = sessionStorage.getItem(shelf()) ?? loaded.text;
  const unsaved = el("p", { class: "row soft" }, "Not saved; this tab keeps it.", button("Discard", () => {
    pending = [];
    area.value = loaded.text;
    check([], false);
  }, { class: "quiet" }));
  const quick = button("Run reduced", () => run(true), { class: "quiet", title: "The reduced form of the study, in seconds" });
  const full = button("Run", () => run(false));
  const settings = el("details", { class: "section", open: draft }, el("summary", {}, "All settings (TOML)"));
  const keep = button("Save as …", () => save(), { class: "quiet" });
  area.addEventListener("input", () => {
    store();
    clearTimeout(timer);
    timer = setTimeout(() => check([], false), 250);
  });

  settings.append(el("div", { class: "study" }, form, el("div", { class: "toml" }, el("div", { class: "row between" }, el("h2", {}, "TOML"), keep), area)));
  const time = listed.get(name)?.time;
  root.append(el("div", {}, el("p", { class: "crumb" }, el("a", { href: "/" }, "Studies"), " / ", name || "new"), heading, lead),
    answer, knob, el("div", { class: "row" }, full, quick, time ? el("span", { class: "soft" }, `expected time: ${time}`) : null, state),
    apart, unsaved, trust, unanswered, faults, column, settings);

  /** Errors of the latest check. @type {any[]} */
  let errors = [];
  /** Send the text, with changes of the form; show what came back. @param {any[]} changes @param {boolean} build */
  async function check(changes, build) {
    const mine = ++turn;
    clearTimeout(timer);
    state.textContent = build ? "checking the game and its methods …" : "";
    const sent = area.value;
    pending.push(...changes);
    store();
    let found;
    try {
      found = await ask("/api/check", { name: name || "study", text: sent, changes: pending, build, trusted });
    } catch (error) {
      if (mine !== turn) return;
      state.textContent = "";
      unanswered.replaceChildren(failed(error, () => check([], build))); // says nothing of the study: it can run
      return;
    }
    if (mine !== turn || area.value !== sent) return; // a later check has these changes too
    pending = [];
    unanswered.replaceChildren();
    if (found.text !== sent) area.value = found.text;
    store();
    await show(found);
    if (mine === turn && !build && !found.errors.length) timer = setTimeout(() => check([], true), 500);
  }

  /** Keep the text while it is not saved, also if the page is read again. */
  function store() {
    unsaved.hidden = area.value === loaded.text;
    if (unsaved.hidden) sessionStorage.removeItem(shelf());
    else sessionStorage.setItem(shelf(), area.value);
  }

  /** Read the keys of the family and the methods of the latest text. */
  async function readSchema() {
    const mine = schemaFor;
    try {
      const got = await ask(`/api/schema${mine}`);
      if (mine !== schemaFor) return;
      schema = got;
      fill(errors); // those of the latest check, which may have ended since
      drawKnob();
    } catch (error) {
      if (mine !== schemaFor) return;
      schemaFor = ""; // the next check asks again
      unanswered.replaceChildren(failed(error, () => check([], false)));
    }
  }

  /** @param {any} found */
  async function show(found) {
    data = found.data ?? data;
    area.toggleAttribute("data-wrong", !found.data);
    form.toggleAttribute("inert", !found.data);
    settings.open ||= found.errors.length > 0;
    if (found.data) {
      heading.textContent = data.question || data.title || name || "New study";
      title(data.title || name);
      lead.textContent = [data.question ? data.title : "", data.source].filter(Boolean).join(" · ");
      const kinds = (Array.isArray(data.method) ? data.method : []).map((/** @type {any} */ one) => String(one?.kind ?? ""));
      const wanted = query({ family: data.game?.family, kinds: kinds.join(",") });
      errors = found.errors;
      fill(errors);
      swept = found.swept ?? swept;
      drawKnob();
      if (wanted !== schemaFor && !data.include) {
        schemaFor = wanted;
        readSchema();
      }
    } else faults.replaceChildren(...found.errors.map((/** @type {any} */ error) => notice([error.key, error.message].filter(Boolean).join(": "), "bad")));
    apart.replaceChildren(...(found.notes ?? []).map((/** @type {string} */ one) => notice(`Changed from the study as written: ${one}`, "fair")));
    const cells = found.cells;
    state.textContent = found.errors.length ? "" : found.note ?? (cells ? `cells in full: ${cells.full}${found.reduced ? `, reduced: ${cells.quick}` : ""}` : "");
    quick.disabled = full.disabled = found.errors.length > 0;
    if (!found.errors.length) quick.hidden = !found.reduced;
    const files = Object.keys(found.files ?? {});
    const unseen = files.filter((path) => trusted[path] !== found.files[path]);
    trust.replaceChildren();
    if (unseen.length && name) trust.append(await trustBox(`/api/files/${encodeURIComponent(name)}`, () => check([], true)));
  }

  /** Draw the form again from the data, with errors at their fields. @param {any[]} errors */
  function fill(errors) {
    const focused = document.activeElement instanceof HTMLElement && form.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    const placed = new Set();
    /** @param {any} row @param {string} key @param {any} value @param {boolean} nested whether its keys have fields of their own */
    const field = (row, key, value, nested = false) => {
      const wrong = errors.filter((error) => error.key === key || error.key.startsWith(`${key}[`) || (!nested && (error.key.startsWith(`${key}.`) || alias(error.key).startsWith(`${key}.`))) || alias(error.key) === key);
      for (const one of wrong) placed.add(one);
      const input = control(row, value, (/** @type {any} */ given) => check([{ key, value: given }], false));
      input.dataset.key = key;
      input.setAttribute("aria-label", key);
      return el("div", { class: "field", "data-wrong": wrong.length ? "" : null },
        el("label", {}, row.name.replaceAll("_", " "), row.symbol ? el("span", { class: "symbol" }, ` ${symbol(row.symbol)}`) : null), input,
        row.meaning || row.bounds ? el("p", { class: "help" }, [row.meaning, row.bounds ? `must be ${row.bounds.replaceAll(">=", "≥").replaceAll("<=", "≤")}` : ""].filter(Boolean).join("; ")) : null,
        wrong.map((one) => el("p", { class: "fault" }, one.message)));
    };
    /** @param {string} key of an error by the name of a method, to one by its number */
    const alias = (key) => {
      const match = /^method\.([^.]+)(.*)$/.exec(key);
      const k = match ? (data.method ?? []).findIndex((/** @type {any} */ one) => (one.name ?? one.kind) === match[1]) : -1;
      return match && k >= 0 ? `method[${k}]${match[2].replace(/\[.*$/, "")}` : key;
    };
    /** @param {any[]} rows @param {any} values @param {string} prefix @param {string} id @returns {any[]} */
    const fields = (rows, values, prefix, id) => {
      const usual = rows.filter((row) => !row.name.includes("."));
      const set = usual.filter((row) => values?.[row.name] !== undefined || row.required);
      const rest = usual.filter((row) => !set.includes(row));
      const make = (/** @type {any} */ row) => {
        const key = `${prefix}.${row.name}`, value = values?.[row.name];
        const inner = rows.filter((one) => one.name.startsWith(`${row.name}.`)).map((one) => ({ ...one, name: one.name.slice(row.name.length + 1) }));
        if (!inner.length || (value !== undefined && (typeof value !== "object" || Array.isArray(value)))) return field(row, key, value);
        return el("div", { class: "nested" }, field(row, key, value, true), fields(inner, value, key, `${id}.${row.name}`));
      };
      const wrongInside = rest.some((row) => errors.some((error) => alias(error.key).startsWith(`${prefix}.${row.name}`)));
      return [...set.map(make), rest.length ? el("details", { open: open.has(id) || wrongInside, ontoggle: (/** @type {any} */ event) => {
        if (event.target.open) open.add(id); else open.delete(id);
      } }, el("summary", {}, `${rest.length} more settings at their defaults`), el("div", {}, rest.map(make))) : null];
    };
    /** @type {HTMLElement[]} */
    const parts = [el("fieldset", {}, el("legend", {}, "About"),
      TEXTS.map((key) => field({ name: key, type: "text", schema: { type: "string" }, meaning: "" }, key, data[key])),
      field({ name: "cost", schema: { enum: ["seconds", "minutes", "hours"] }, meaning: "how long the full study takes", default: "seconds" }, "cost", data.cost))];
    if (!data.include) {
      const game = data.game ?? {};
      parts.push(el("fieldset", {}, el("legend", {}, "Game"),
        field({ name: "family", schema: { enum: Object.keys(choices.families) }, required: true, meaning: choices.families[game.family] ?? "" }, "game.family", game.family),
        schema ? fields(schema.game, game, "game", "game") : el("p", { class: "soft" }, "reading the family's parameters …")));
      (Array.isArray(data.method) ? data.method : []).forEach((/** @type {any} */ method, /** @type {number} */ k) => {
        const known = schema?.methods?.[method.kind];
        // of a class in a user's file nothing is read before it runs: its keys are those of the table
        const written = Object.keys(method).filter((name) => !["name", "kind"].includes(name) && !schema?.run.some((/** @type {any} */ row) => row.name === name));
        const keys = known?.keys ?? written.map((name) => ({ name, schema: {}, meaning: "" }));
        const several = data.method.length > 1;
        parts.push(el("fieldset", {}, el("legend", {}, several ? `Method ${k + 1}: ${method.name ?? method.kind}` : "Method"),
          field({ name: "kind", schema: { enum: Object.keys(choices.kinds) }, required: true, meaning: known?.title ?? choices.kinds[method.kind] ?? "" }, `method[${k}].kind`, method.kind),
          schema ? fields([...keys, ...schema.run], method, `method[${k}]`, `method${k}`) : null,
          several ? el("div", { class: "row end" }, button("Remove this method", () => check([{ key: `method[${k}]` }], false), { class: "quiet" })) : null));
      });
      parts.push(el("div", { class: "row" }, button("Add a method", () => check([{ key: `method[${(data.method ?? []).length}]`, value: { kind: "evaluate", name: freeName(data.method ?? []) } }], false), { class: "quiet" })));
      const swept = Object.entries(data.sweep ?? {}).filter(([key]) => key !== "zip");
      parts.push(el("fieldset", {}, el("legend", {}, "Sweep"),
        el("p", { class: "title" }, "Each key takes several values: a list, or from, to and count."),
        swept.map(([key, value]) => field({ name: key, schema: {}, meaning: "" }, `sweep.${key}`, value)),
        el("div", { class: "row" }, button("Sweep a key", async () => {
          const key = await prompt("Sweep a key", "Key, such as game.reach or game.demand.\"a>b\"", "game.");
          if (key) check([{ key: `sweep.${key}`, value: { from: 0.1, to: 1, count: 5 } }], false);
        }, { class: "quiet" }))));
      if (schema) {
        parts.push(el("fieldset", {}, el("legend", {}, "Replications and certificates"),
          fields(schema.replications, data.replications, "replications", "replications"), fields(schema.certificate, data.certificate, "certificate", "certificate")));
      }
    }
    form.replaceChildren(...parts);
    const left = errors.filter((error) => !placed.has(error));
    faults.replaceChildren(...left.map((error) => {
      const row = /^expect\[\d+\]/.exec(error.key);
      const box = notice([error.key, error.message].filter(Boolean).join(": "), "bad");
      if (row && own) box.append(button("Leave this reference value out", () => check([{ key: row[0] }], false), { class: "quiet" }));
      return box;
    }));
    if (focused) /** @type {HTMLElement | null} */ (form.querySelector(`[data-key="${CSS.escape(focused)}"]`))?.focus();
  }

  async function save() {
    const usual = own ? name : `my_${name || data?.game?.family || "study"}`.slice(0, 60);
    const chosen = await prompt("Save the study", "Name of the file, without .toml", usual, "Saved in the folder where `rivalry open` was started.",
      async (text) => {
        const written = await ask(`/api/studies/${encodeURIComponent(text)}`, { text: area.value, replace: own && text === name, of: name });
        area.value = written.text;
      });
    if (!chosen) return false;
    sessionStorage.removeItem(shelf());
    loaded.text = area.value;
    name = chosen;
    own = true;
    history.replaceState(null, "", `/study${query({ name })}`);
    await check([], false);
    state.textContent = `saved as ${chosen}.toml`;
    return true;
  }

  /** @param {boolean} reduced */
  async function run(reduced) {
    if (pending.length) await check([], false);
    if (pending.length || ((area.value !== loaded.text || !name) && !(await save()))) return;
    quick.disabled = full.disabled = true;
    try {
      await watch((await ask("/api/runs", { study: name, quick: reduced, trusted })).run);
      column.scrollIntoView({ block: "nearest" });
    } catch (error) {
      unanswered.replaceChildren(failed(error, () => run(reduced)));
    }
    quick.disabled = full.disabled = false;
  }

  /** Show a run in the column of results. @param {string} run */
  async function watch(run) {
    leave();
    const end = await showRun({ root: column, query: new URLSearchParams({ name: run }), title, inside: true });
    if (closed) end();
    else leave = end;
  }

  /** The answer of the latest run in this folder, else that of the full run in the package. */
  async function readAnswer() {
    if (data?.include) return el("ul", {}, data.include.map((/** @type {string} */ one) => el("li", {}, el("a", { href: `/study${query({ name: one })}` }, listed.get(one)?.question || one))));
    const { runs } = await ask("/api/runs");
    const latest = runs.find((/** @type {any} */ one) => one.study === name && (one.status === "running" || one.counts?.done));
    if (latest?.status === "running") watch(latest.name);
    else if (latest) {
      const found = await ask(`/api/runs/${encodeURIComponent(latest.name)}/results`);
      return shown(found, `From your latest run, ${latest.name}${latest.reduced ? " (reduced)" : ""}, ${ago(latest.changed)}. `, el("a", { href: `/results${query({ name: latest.name })}` }, "All its results"));
    }
    if (loaded.stored) return shown(loaded.stored, `From the answer that comes with the package: ${loaded.stored.about}.`);
    return el("p", { class: "soft" }, "No answer is stored yet: run the study.");
  }

  /** Show the main number: the first that is swept, else the first of the game. */
  function drawKnob() {
    const [row] = [...(original?.swept ?? []), ...ranged(schema?.game ?? [], original?.data?.game ?? {})];
    if (!row) return;
    if (row.key !== main?.key) {
      main = { key: row.key, ...slider(row, (value) => check([{ key: row.key, value: row.values ? [value] : value }], false)) };
      knob.replaceChildren(main.node, el("div", { class: "row between soft" }, el("span", {}, format(row.low)), el("span", {}, format(row.high))), el("p", { class: "soft small" }, row.meaning ?? ""));
    }
    const now = row.values ? swept.find((one) => one.key === row.key)?.values ?? row.values : data.game?.[row.name] ?? row.default;
    const count = now.count ?? now.length;
    if (count > 1) main.set((row.low + row.high) / 2, `all ${count} values of the study`);
    else main.set(count ? now[0] : now);
  }

  if (!draft) original = await ask("/api/check", { name, text: loaded.text });
  await check([], false);
  if (!draft) fillBox(answer, "reading the answer …", readAnswer);
  return () => {
    closed = true;
    clearTimeout(timer);
    leave();
  };
}

/** An answer, where it is from, and its table. @param {any} found @param {...any} from */
function shown(found, ...from) {
  return [...answerOf(found), el("p", { class: "soft small" }, ...from),
    found.tables.length ? el("details", {}, el("summary", {}, "The table"), resultTables(found.tables)) : null];
}

/** The numbers of a game but zeros, with ranges around them, those that its study sets first. @param {any[]} rows @param {any} game */
function ranged(rows, game) {
  return rows.filter(({ name, default: usual }) => !name.includes(".") && (game[name] ?? usual))
    .map((row) => ({ ...row, key: `game.${row.name}`, ...rangeOf(row, game[row.name] ?? row.default) })).filter((row) => row.high > row.low)
    .sort((one, other) => Number(game[other.name] !== undefined) - Number(game[one.name] !== undefined));
}

/** @param {any[]} methods */
function freeName(methods) {
  const taken = new Set(methods.map((one) => one.name ?? one.kind));
  let k = methods.length + 1;
  while (taken.has(`method_${k}`)) k++;
  return `method_${k}`;
}

/** An input for one key, by its schema. @param {any} row @param {any} value @param {(value: any) => void} change */
function control(row, value, change) {
  const shape = row.schema ?? {};
  const options = (/** @type {any} */ one) => one?.enum ?? (one?.type === "boolean" ? [true, false] : null);
  const words = options(shape) ?? (shape.anyOf?.length && shape.anyOf.every((/** @type {any} */ one) => options(one) || one.type === "null") ? shape.anyOf.flatMap((/** @type {any} */ one) => options(one) ?? []) : null);
  const usual = row.default === null || row.default === undefined || row.default === "" ? "" : written(row.default);
  if (words && (value === undefined || words.includes(value))) {
    const choice = el("select", { onchange: () => change(choice.value === "" ? null : words[Number(choice.value)]) },
      row.required ? null : el("option", { value: "" }, usual ? `default: ${usual}` : "default"),
      words.map((/** @type {any} */ word, /** @type {number} */ k) => el("option", { value: k }, written(word))));
    choice.value = value === undefined ? "" : String(words.indexOf(value));
    return choice;
  }
  const text = value === undefined ? "" : written(value);
  const input = el("input", { type: "text", value: text, placeholder: usual ? `default: ${usual}` : "", autocomplete: "off", spellcheck: "false",
    onchange: () => { if (input.value !== text) change(read(input.value, shape)); } });
  return input;
}

/** @param {any} value */
function written(value) {
  if (value === true) return "true";
  if (value === false) return "false";
  return typeof value === "string" ? value : JSON.stringify(value).replaceAll(",", ", ").replaceAll("\":", "\": ");
}

/** What was typed, as a value: a number, a list, a table, else text. @param {string} text @param {any} shape */
function read(text, shape) {
  const words = text.trim();
  if (words === "") return null;
  if (shape.type === "string") return text;
  try {
    return JSON.parse(words.replace(/^([+]?)\./, "0."));
  } catch {
    return words;
  }
}
