/** Run: cells that fill in, results and figures of those that are finished; pause, resume and add replications. */

import { el } from "../living/kit.js";
import { Model, mount } from "../living/host.js";
import sweep from "../living/views/sweep.js";
import { ask, button, countsOf, duration, failed, fill, notice, pill, prompt, query, section, table, trusted, trustBox } from "../api.js";
import { answerOf, figures, heading, resultTables, warnings } from "./results.js";

const PAINT = 250; // milliseconds between drawings of the cells
const SOONEST = 3000, SHARE = 8; // milliseconds between drawings of results, and as a multiple of what one takes
const STATES = ["left", "begun", "computed", "failed"]; // of a cell whose results are not read, by the server's digits

/** A run; `inside` the page of its study without its question. @param {any} place */
export default async function run({ root, query: given, title, inside = false }) {
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

  const head = el("div", {}), badge = el("span");
  const bar = el("span", { class: "bar tall", role: "progressbar", "aria-label": "finished cells", "aria-valuemin": "0", "aria-valuemax": "100" });
  const words = el("span", { role: "status" }), left = el("div", { class: "left" }), note = el("p", { class: "soft small" });
  const message = el("div"), detail = el("div", { class: "panel", hidden: true });
  const pause = button("Pause", () => act("stop"), { class: "quiet" });
  const resume = button("Resume", () => act("resume"));
  const more = button("Add replications …", add, { class: "quiet" });
  const link = el("a", { class: "button", href: `/results${query({ name })}` }, "Results");
  const chips = el("div", { class: "chips", role: "group", "aria-label": "Study" });
  const room = el("div", { class: "living" });
  const lacking = el("div", {}), found = el("div", { class: "section" });
  root.replaceChildren(head, el("div", { class: "panel progress" }, el("div", { class: "row" }, badge, words), bar, left, el("div", { class: "row" }, pause, resume, link, more), note),
    message, chips, lacking, found, room, detail);

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

  /** Take a state of the run, whose parts all show the latest one. @param {any} state */
  function learn(state) {
    if (state.at < now.at) return;
    now = { ...state, states: state.states ?? now.states };
    showState();
  }

  /** @param {string} what @param {any} [body] */
  async function act(what, body = {}) {
    pause.disabled = resume.disabled = true;
    try {
      await ask(`${path}/${what}`, { trusted, ...body });
      message.replaceChildren();
      watch();
    } catch (error) {
      message.replaceChildren(failed(error, () => act(what, body)));
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
    if (!inside) head.replaceChildren(heading(about, name));
    badge.replaceChildren(pill(now.status));
    const counts = countsOf(now.states ?? "");
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
      chips.children[k].textContent = `${one.name} ${countsOf(own).done}/${one.cells}`;
      chips.children[k].setAttribute("aria-pressed", String(one.name === part));
    });
    cells?.draw();
  }

  /** @param {string} wanted */
  function choose(wanted) {
    part = wanted;
    if (!inside) history.replaceState(null, "", `/run${query({ name, part })}`);
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
    } catch (error) {
      if (mine === turn && !closed) message.replaceChildren(failed(error, begin));
      return;
    }
    if (mine !== turn || closed) return;
    message.replaceChildren();
    now = about;
    if (several() && !about.parts.some((/** @type {any} */ one) => one.name === part)) part = about.parts[0].name;
    if (!several()) part = "";
    showState();
    if (about.parts) fill(room, "reading the cells …", () => drawCells(mine));
    else watch();
  }

  /** @param {number} mine the turn in which they are drawn */
  async function drawCells(mine) {
    const { figure } = await ask(`${path}/cells${query({ part })}`).catch((error) => {
      if (mine === turn) watch();
      throw error;
    });
    if (mine !== turn || closed) return;
    cells?.end();
    const box = el("div");
    room.replaceChildren(box);
    detail.hidden = true;
    cells = cellsOf(box, figure, open, states);
    draw();
    if (chosen) open(chosen);
    chosen = "";
    watch(); // from the cells that are in the figure
    return box;
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
      learn(state);
      draw();
    });
    source.addEventListener("error", () => {
      lost = true;
      now = { ...now, at: 0 }; // another server may go on
      const over = source?.readyState === EventSource.CLOSED; // a refusal, after which the browser does not ask again
      if (over) ask(path).then(() => setTimeout(watch, SOONEST), (error) => message.replaceChildren(failed(error, begin)));
      else message.replaceChildren(notice("The server does not answer; a run that is being computed goes on without it. Start it again with `rivalry open`.", "fair"));
    });
  }

  /** Draw results and figures of the finished cells, in the time that they leave: rarely where it takes long. */
  async function draw() {
    const { done } = countsOf(states());
    const which = `${part} ${done} ${now.status}`;
    clearTimeout(timer);
    if (closed || drawing || !done || which === drawn) return;
    const wait = running() ? next - performance.now() : 0;
    if (wait > 0) {
      timer = setTimeout(draw, wait);
      return;
    }
    const began = performance.now();
    drawing = true;
    if (!found.childElementCount) found.append(el("div", { class: "skeleton" }, "drawing the results …"));
    const [results, pictures] = await Promise.allSettled([ask(`${path}/results${query({ part })}`), figures(name, part)]);
    const read = "value" in results ? results.value : null, shown = "value" in pictures ? pictures.value : null;
    if (shown) await loaded(shown.node);
    drawing = false;
    drawn = which;
    next = performance.now() + Math.max(SOONEST, SHARE * (performance.now() - began));
    if (closed) return;
    if (which.startsWith(`${part} `)) {
      for (const one of [read, shown]) if (one) learn(one.state); // read later than the cells that the rows are of
      const { total } = countsOf(states());
      const of = (/** @type {any} */ one) => (one.cells < total ? `, from ${one.cells} of ${total} cells` : "");
      const fault = [results, pictures].find((one) => one.status === "rejected");
      lacking.replaceChildren(...(fault ? [failed(/** @type {PromiseRejectedResult} */ (fault).reason, redraw)] : []));
      found.replaceChildren(...[read ? answerOf(read) : null, shown ? section(`Figures${of(shown)}`, shown.node) : null, read?.tables.length ? section(`Results${of(read)}`, resultTables(read.tables)) : null, read ? warnings(read) : null]
        .flat().filter((one) => one !== null));
    }
    draw();
  }

  function redraw() {
    drawn = "";
    next = 0;
    draw();
  }

  /** Show what is stored of a cell. @param {string} id */
  async function open(id) {
    detail.hidden = false;
    await fill(detail, "reading the cell …", async () => {
      const one = await ask(`${path}/cells/${encodeURIComponent(id)}${query({ part })}`);
      const facts = [["Point", one.where], ["Certificate", one.certificate || "none"], ["Stored in", one.file], ["Compute again", `remove this file, then: rivalry resume ${about.argument}`]];
      return [el("div", { class: "row between" }, el("h2", {}, `Cell ${id}`), button("Close", () => { detail.hidden = true; }, { class: "quiet" })),
        el("dl", { class: "facts" }, facts.filter(([, text]) => text).flatMap(([term, text]) => [el("dt", {}, term), el("dd", {}, text)])),
        table(["variable", "value", "meaning"], one.variables, "variables of the cell")];
    });
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
  if (running) return ["Pause ends the process and keeps its state: it is also how to stop for good."];
  const command = el("code", {}, `rivalry resume ${run}`);
  if (left) return ["Stopped with its state kept. Resume goes on to the same bits, and so does ", command, "."];
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
 * The cells of a run in the view `sweep`. Results are filled in as they arrive, and drawn with the next state or a
 * few times per second.
 * @param {HTMLElement} root @param {any} figure @param {(id: string) => void} open
 * @param {() => string} states the digits of the cells
 */
function cellsOf(root, figure, open, states) {
  const { cells, values } = figure.data;
  const place = new Map(cells.id.map((/** @type {string} */ id, /** @type {number} */ k) => [id, k]));
  const read = new Uint8Array(cells.id.length);
  let timer = 0;
  const present = () => {
    const digits = states(), counts = countsOf(digits);
    const claims = new Map();
    for (let k = 0; k < read.length; k++) {
      const is_damaged = cells.state[k] === "damaged";
      if (!read[k] && !is_damaged) cells.state[k] = STATES[Number(digits[k] ?? 0)];
      if (!read[k] && !is_damaged && digits[k] !== "2") continue;
      const word = read[k] ? cells.claim[k] ?? "no certificate" : is_damaged ? "damaged" : "not read yet";
      claims.set(word, (claims.get(word) ?? 0) + 1);
    }
    const words = [...claims].sort((a, b) => b[1] - a[1]).map(([claim, count]) => `${count} ${claim}`).join(", ");
    return { ...figure, text: `${counts.done} of ${counts.total} cells are computed${words ? `: ${words}` : ""}.`, data: { ...figure.data, values: [...values], counts } };
  };
  const model = new Model({ figure: present(), host: "workbench" }, (one) => {
    const { cursor } = one.get("state");
    if (cursor?.opened) open(cursor.cell);
  });
  const end = mount(root, sweep, model);
  const draw = () => {
    clearTimeout(timer);
    timer = 0;
    model.set("figure", present());
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
    draw,
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
