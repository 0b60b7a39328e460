/** Run: cells that fill in, results and figures of those that are finished; pause, resume and add replications. */

import { el } from "../living/kit.js";
import { Model, mount } from "../living/host.js";
import sweep from "../living/views/sweep.js";
import { ask, button, duration, notice, pill, prompt, query, section, table, trusted, trustBox } from "../api.js";
import { figures, resultTables, warnings } from "./results.js";

const PAINT = 250; // milliseconds between drawings of the cells
const SOONEST = 3000, SHARE = 8; // milliseconds between drawings of results, and as a multiple of what one takes
const STATES = ["left", "begun", "computed", "failed"]; // of a cell whose results are not read, by the server's digits

/** @param {any} place */
export default async function run({ root, query: given, title }) {
  const name = given.get("name") ?? "";
  const path = `/api/runs/${encodeURIComponent(name)}`;
  let about = await ask(path);
  let now = about;
  let part = given.get("part") ?? "", chosen = given.get("cell") ?? "";
  let closed = false, lost = false;
  /** @type {EventSource | null} */
  let source = null;
  /** @type {ReturnType<typeof cellsOf> | null} */
  let cells = null;
  let drawn = "", drawing = false, next = 0, timer = 0, turn = 0;

  const heading = el("h1", {}), lead = el("p", { class: "soft" }), badge = el("span");
  const bar = el("span", { class: "bar tall", role: "progressbar", "aria-label": "finished cells", "aria-valuemin": "0", "aria-valuemax": "100" });
  const words = el("span", { role: "status" }), left = el("div", { class: "left" }), note = el("p", { class: "soft small" });
  const message = el("div"), detail = el("div", { class: "panel", hidden: true });
  const pause = button("Pause", () => act("stop"), { class: "quiet" });
  const resume = button("Resume", () => act("resume"));
  const more = button("Add replications …", add, { class: "quiet" });
  const link = el("a", { class: "button", href: `/results${query({ name })}` }, "Results");
  const chips = el("div", { class: "chips", role: "group", "aria-label": "Study" });
  const room = el("div", { class: "living" }, el("div", { class: "skeleton" }, "reading the cells …"));
  const found = el("div", { class: "section" });
  root.append(
    el("div", { class: "row between" }, el("div", {}, el("p", { class: "crumb" }, el("a", { href: "/" }, "Runs"), " / ", name), heading),
      el("div", { class: "row" }, more, pause, resume, link)),
    lead, el("div", { class: "panel progress" }, el("div", { class: "row" }, badge, words), bar, left, note), message, chips, room, detail, found);

  const running = () => now.status === "running" || now.status === "starting";
  const several = () => (about.parts?.length ?? 0) > 1;
  /** The digits of the chosen part's cells. */
  const states = () => {
    let first = 0;
    for (const one of about.parts ?? []) {
      if (!several() || one.name === part) return (now.states ?? "").slice(first, first + one.cells);
      first += one.cells;
    }
    return "";
  };

  /** @param {string} what @param {any} [body] */
  async function act(what, body = {}) {
    pause.disabled = resume.disabled = true;
    try {
      await ask(`${path}/${what}`, { trusted, ...body });
      message.replaceChildren();
      watch();
    } catch (error) {
      message.replaceChildren(notice(String(/** @type {any} */ (error).message), "bad"));
      const files = what === "resume" ? `${path}/files` : `/api/files/${encodeURIComponent(about.study)}`;
      if (/** @type {any} */ (error).status === 403) message.append(await trustBox(files, () => act(what, body)).catch(() => ""));
    }
    pause.disabled = resume.disabled = false;
  }

  async function add() {
    const count = await prompt("Add replications", "Replications per point, in all", String(2 * (about.replications ?? 1)), "Finished cells are kept; only new ones are computed.");
    if (count && /^\d+$/.test(count)) await act("replications", { count: Number(count) });
    else if (count) message.replaceChildren(notice(`${count}: must be a whole number`, "bad"));
  }

  /** Show what the latest state says. */
  function showState() {
    title(about.title ?? name);
    heading.textContent = about.title ?? name;
    lead.textContent = about.question ?? "";
    badge.replaceChildren(pill(now.status));
    const counts = now.counts ?? { total: 0, done: 0, failed: 0 };
    const share = counts.total ? counts.done / counts.total : 0;
    bar.style.setProperty("--part", `${100 * share}%`);
    bar.setAttribute("aria-valuenow", String(Math.round(100 * share)));
    words.textContent = counts.total
      ? `${counts.done} of ${counts.total} cells finished${counts.failed ? `, ${counts.failed} failed` : ""}`
      : running() ? "checking the study and making its folder" : "";
    const estimates = Object.entries(now.left ?? {});
    left.replaceChildren(...estimates.map(([method, seconds]) => el("span", {}, `${method}: ${seconds === null ? "time left unknown until a cell is done" : `about ${duration(/** @type {number} */ (seconds))} left`}`)));
    left.hidden = !estimates.length;
    const rest = counts.total - counts.done;
    pause.hidden = !running();
    resume.hidden = running() || !rest;
    more.hidden = running() || !counts.total || several();
    link.hidden = !counts.done;
    note.replaceChildren(...pauseWords(running(), counts, about.argument));
    note.hidden = !note.childNodes.length;
    if (now.fault) message.replaceChildren(notice(now.fault, "bad"));
    room.hidden = !about.parts && !running();
    chips.hidden = !several();
    let first = 0;
    (several() ? about.parts : []).forEach((/** @type {any} */ one, /** @type {number} */ k) => {
      const own = (now.states ?? "").slice(first, first += one.cells);
      if (!chips.children[k]) chips.append(button("", () => choose(one.name), { class: "chip" }));
      chips.children[k].textContent = `${one.name} ${own.split("2").length - 1}/${one.cells}`;
      chips.children[k].setAttribute("aria-pressed", String(one.name === part));
    });
    cells?.mark(states());
  }

  /** @param {string} wanted */
  function choose(wanted) {
    part = wanted;
    history.replaceState(null, "", `/run${query({ name, part })}`);
    found.replaceChildren();
    drawn = "";
    next = 0;
    begin();
  }

  /** Read the study again, draw its cells, and watch them. */
  async function begin() {
    const mine = ++turn;
    source?.close();
    try {
      about = await ask(path);
      if (mine !== turn || closed) return;
      now = about;
      if (several() && !about.parts.some((/** @type {any} */ one) => one.name === part)) part = about.parts[0].name;
      if (!several()) part = "";
      showState();
      if (about.parts) {
        const { figure } = await ask(`${path}/cells${query({ part })}`);
        if (mine !== turn || closed) return;
        cells?.end();
        const box = el("div");
        room.replaceChildren(box);
        detail.hidden = true;
        cells = cellsOf(box, figure, open);
        cells.mark(states());
        draw();
        if (chosen) open(chosen);
        chosen = "";
      }
      watch();
    } catch (error) {
      if (mine === turn && !closed) message.replaceChildren(notice(String(/** @type {any} */ (error).message), "bad"));
    }
  }

  function watch() {
    source?.close();
    if (closed || document.hidden) return;
    source = new EventSource(`${path}/events${query({ part, known: cells?.known() })}`);
    source.addEventListener("cells", (event) => cells?.add(JSON.parse(event.data)));
    source.addEventListener("state", (event) => {
      const state = JSON.parse(event.data);
      if (lost) message.replaceChildren();
      lost = false;
      if (state.head && state.head !== about.head) {
        begin();
        return;
      }
      now = { ...state, states: state.states ?? now.states, counts: state.counts ?? now.counts };
      showState();
      draw();
    });
    source.addEventListener("error", () => {
      lost = true;
      message.replaceChildren(notice("The server does not answer; a run that is being computed goes on without it. Start it again with `rivalry open`.", "fair"));
    });
  }

  /** Draw results and figures of the finished cells, in the time that they leave: rarely where it takes long. */
  async function draw() {
    const which = `${part} ${now.counts?.done ?? 0} ${now.status}`;
    clearTimeout(timer);
    if (closed || drawing || !now.counts?.done || which === drawn) return;
    const wait = running() ? next - performance.now() : 0;
    if (wait > 0) {
      timer = setTimeout(draw, wait);
      return;
    }
    const began = performance.now();
    const own = states();
    const count = own.split("2").length - 1;
    drawing = true;
    if (!found.childElementCount && count) found.append(el("div", { class: "skeleton" }, "drawing the results …"));
    const [read, pictures] = count ? await Promise.all([ask(`${path}/results${query({ part })}`).catch(() => null), figures(name, part).catch(() => null)]) : [null, null];
    if (pictures) await loaded(pictures);
    drawing = false;
    drawn = which;
    next = performance.now() + Math.max(SOONEST, SHARE * (performance.now() - began));
    if (closed) return;
    const of = count < own.length ? `, from ${count} of ${own.length} cells` : "";
    if (which.startsWith(`${part} `)) {
      found.replaceChildren(...[read?.tables.length ? section(`Results${of}`, resultTables(read)) : null, pictures ? section(`Figures${of}`, pictures) : null, read ? warnings(read) : null]
        .filter((one) => one !== null));
    }
    draw();
  }

  /** Show what is stored of a cell. @param {string} id */
  async function open(id) {
    detail.hidden = false;
    try {
      const one = await ask(`${path}/cells/${encodeURIComponent(id)}${query({ part })}`);
      const facts = [["Point", one.where], ["Certificate", one.certificate || "none"], ["Stored in", one.file], ["Compute again", `remove this file, then: rivalry resume ${about.argument}`]];
      detail.replaceChildren(el("div", { class: "row between" }, el("h2", {}, `Cell ${id}`), button("Close", () => { detail.hidden = true; }, { class: "quiet" })),
        el("dl", { class: "facts" }, facts.filter(([, text]) => text).flatMap(([term, text]) => [el("dt", {}, term), el("dd", {}, text)])),
        table(["variable", "value", "meaning"], one.variables, "variables of the cell"));
    } catch (error) {
      detail.replaceChildren(notice(String(/** @type {any} */ (error).message), "fair"));
    }
    detail.scrollIntoView({ block: "nearest" });
  }

  document.addEventListener("visibilitychange", watch);
  showState();
  begin();
  return () => {
    closed = true;
    clearTimeout(timer);
    source?.close();
    cells?.end();
    document.removeEventListener("visibilitychange", watch);
  };
}

/** What pausing means. @param {boolean} running @param {any} counts @param {string} run @returns {any[]} */
function pauseWords(running, counts, run) {
  const left = counts.total - counts.done - counts.failed;
  if (running) return ["Pause ends the process, as Ctrl-C does, and keeps its state: it is also how to stop for good."];
  const command = el("code", {}, `rivalry resume ${run}`);
  if (left) return ["Stopped with its state kept: finished cells, and long ones from their last checkpoint. Resume goes on to the same bits, and so does ", command, "."];
  return counts.failed ? ["Resume computes the failed cells again, and so does ", command, "."] : [];
}

/** Wait until the pictures in an element can be shown, so that the page does not jump. @param {HTMLElement} box */
function loaded(box) {
  return Promise.all([...box.querySelectorAll("img")].map((one) => {
    one.loading = "eager";
    return one.decode().catch(() => {});
  }));
}

/**
 * The cells of a run in the view `sweep`. Results are filled in as they arrive, and drawn a few times per second.
 * @param {HTMLElement} root @param {any} figure @param {(id: string) => void} open
 */
function cellsOf(root, figure, open) {
  const { cells, values } = figure.data;
  const place = new Map(cells.id.map((/** @type {string} */ id, /** @type {number} */ k) => [id, k]));
  const read = new Uint8Array(cells.id.length);
  let digits = "", timer = 0;
  const model = new Model({ figure, host: "workbench" }, (one) => {
    const { cursor } = one.get("state");
    if (cursor?.opened) open(cursor.cell);
  });
  const end = mount(root, sweep, model);
  const draw = () => {
    timer = 0;
    const claims = new Map();
    for (let k = 0; k < read.length; k++) if (read[k]) claims.set(cells.claim[k] ?? "no certificate", (claims.get(cells.claim[k] ?? "no certificate") ?? 0) + 1);
    const counts = { total: read.length, done: digits.split("2").length - 1, failed: digits.split("3").length - 1, left: 0 };
    counts.left = counts.total - counts.done - counts.failed;
    const words = [...claims].sort((a, b) => b[1] - a[1]).map(([claim, count]) => `${count} ${claim}`).join(", ");
    model.set("figure", { ...figure, text: `${counts.done} of ${counts.total} cells are computed${words ? `: ${words}` : ""}.`, data: { ...figure.data, values: [...values], counts } });
  };
  const later = () => { timer ||= setTimeout(draw, PAINT); };
  return {
    /** Fill in the results of finished cells. @param {any} given */
    add(given) {
      const at = given.cells.id.map((/** @type {string} */ id) => place.get(id));
      at.forEach((/** @type {number | undefined} */ k, /** @type {number} */ j) => {
        if (k === undefined) return;
        read[k] = given.cells.state[j] === "done" ? 1 : 0;
        for (const name in given.cells) cells[name][k] = given.cells[name][j];
      });
      for (const one of given.values) {
        let own = values.find((/** @type {any} */ known) => known.name === one.name);
        if (!own) values.push(own = { ...one, data: new Array(read.length).fill(null) });
        at.forEach((/** @type {number | undefined} */ k, /** @type {number} */ j) => { if (k !== undefined) own.data[k] = one.data[j]; });
      }
      later();
    },
    /** Mark the other cells by the server's digits. @param {string} text */
    mark(text) {
      if (text === digits) return;
      digits = text;
      for (let k = 0; k < read.length; k++) if (!read[k] && cells.state[k] !== "damaged") cells.state[k] = STATES[Number(text[k] ?? 0)];
      later();
    },
    /** The bits of the cells whose results are here, as a hexadecimal number. */
    known() {
      const found = [];
      for (let k = 0; k < read.length; k += 4) found.push((read[k] | (read[k + 1] << 1) | (read[k + 2] << 2) | (read[k + 3] << 3)).toString(16));
      return found.length < 50_000 ? found.reverse().join("").replace(/^0+/, "") : "";
    },
    end() {
      clearTimeout(timer);
      end();
    },
  };
}
