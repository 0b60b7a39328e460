/** Run: cells that fill in, the time left, figures as data allow; pause, resume and add replications. */

import { el, format, resolve } from "../living/kit.js";
import { ask, button, duration, notice, pill, prompt, query, section, trusted, trustBox } from "../api.js";
import { figures, living } from "./results.js";

const STATES = [["waiting", "var(--rv-line)"], ["begun", "var(--rv-6)"], ["finished", "var(--rv-3)"], ["failed", "var(--rv-2)"]];

/** @param {any} place */
export default async function run({ root, query: given, title, go }) {
  const name = given.get("name") ?? "";
  const path = `/api/runs/${encodeURIComponent(name)}`;
  let about = await ask(path);
  let closed = false;
  /** @type {EventSource | null} */
  let source = null;
  /** @type {any} */
  let now = about;
  let drawnAt = -1;
  let drawing = false;

  const heading = el("h1", {}, about.title ?? name);
  const lead = el("p", { class: "soft" }, about.question ?? "");
  const badge = el("span");
  const bar = el("span", { class: "bar tall", role: "progressbar", "aria-label": "finished cells", "aria-valuemin": "0", "aria-valuemax": "100" });
  const words = el("span", { role: "status" });
  const left = el("div", { class: "left" });
  const message = el("div");
  const pause = button("Pause", () => act("stop"), { class: "quiet", title: "Stops now, as Ctrl-C does. Finished cells are kept." });
  const resume = button("Resume", () => act("resume"));
  const more = button("Add replications …", add, { class: "quiet" });
  const link = el("a", { class: "button", href: `/results${query({ name })}` }, "Results");
  const wall = el("div");
  const sweep = el("div");
  const detail = el("div", { class: "panel", hidden: true });
  const pictures = el("div");
  root.append(
    el("div", { class: "row between" }, el("div", {}, el("p", { class: "crumb" }, el("a", { href: "/" }, "Runs"), " / ", name), heading),
      el("div", { class: "row" }, more, pause, resume, link)),
    lead, el("div", { class: "panel progress" }, el("div", { class: "row" }, badge, words), bar, left), message, wall, detail, sweep, pictures);

  /** @param {string} what @param {any} [body] */
  async function act(what, body = {}) {
    pause.disabled = resume.disabled = true;
    try {
      await ask(`${path}/${what}`, { trusted, ...body });
      message.replaceChildren();
      watch();
    } catch (error) {
      message.replaceChildren(notice(String(/** @type {any} */ (error).message), "bad"));
      if (about.files?.length && about.study) message.append(await trustBox(about.study, () => act(what, body)).catch(() => ""));
    }
    pause.disabled = resume.disabled = false;
  }

  async function add() {
    const count = await prompt("Add replications", "Replications per point, in all", String(2 * (about.replications ?? 1)), "Finished cells are kept; only new ones are computed.");
    if (count && /^\d+$/.test(count)) await act("replications", { count: Number(count) });
    else if (count) message.replaceChildren(notice(`${count}: must be a whole number`, "bad"));
  }

  const tiles = makeTiles(wall, (cell) => show(cell));

  /** @param {any} cell */
  function show(cell) {
    detail.hidden = false;
    const at = Object.entries(cell.point).map(([key, value]) => `${key} = ${typeof value === "number" ? format(value) : JSON.stringify(value)}`);
    detail.replaceChildren(el("h2", {}, `Cell ${cell.id}`), el("dl", { class: "facts" },
      [["State", STATES[Number(cell.state)][0]], ["Method", cell.method], ["Point", at.join(", ") || "the only one"], ["Replication", String(cell.replication + 1)], cell.part ? ["Study", cell.part] : null,
        ["Stored in", `${about.folder}/${cell.part ? `${cell.part}/` : ""}cells/${cell.id}.npz`], ["Compute again", `remove this file, then: rivalry resume ${about.folder}`]]
        .filter(Boolean).map((/** @type {any} */ [term, text]) => [el("dt", {}, term), el("dd", {}, text)])));
    detail.scrollIntoView({ block: "nearest" });
  }

  /** @param {any} state */
  async function update(state) {
    if (closed) return;
    if (state.status !== "starting" && state.status !== "refused" && state.states === undefined && !state.counts) {
      message.replaceChildren(notice(state.fault ?? "", "bad"));
      return;
    }
    if (state.counts && (!about.parts || state.counts.total !== about.counts?.total)) {
      about = await ask(path);
      heading.textContent = about.title ?? name;
      lead.textContent = about.question ?? "";
    }
    now = state;
    title(about.title ?? name);
    const running = state.status === "running" || state.status === "starting";
    badge.replaceChildren(pill(state.status));
    const counts = state.counts ?? { total: 0, done: 0, failed: 0 };
    const part = counts.total ? counts.done / counts.total : 0;
    bar.style.setProperty("--part", `${100 * part}%`);
    bar.setAttribute("aria-valuenow", String(Math.round(100 * part)));
    words.textContent = counts.total
      ? `${counts.done} of ${counts.total} cells finished${counts.failed ? `, ${counts.failed} failed` : ""}`
      : running ? "checking the study and making its folder" : "";
    const estimates = Object.entries(state.left ?? {});
    left.replaceChildren(...estimates.map(([method, seconds]) => el("span", {}, `${method}: ${seconds === null ? "time left unknown until a cell is done" : `about ${duration(/** @type {number} */ (seconds))} left`}`)));
    left.hidden = !estimates.length;
    pause.hidden = !running;
    resume.hidden = running || !counts.total || counts.done === counts.total;
    more.hidden = running || !counts.total || (about.parts?.length ?? 0) > 1;
    link.hidden = !counts.done;
    const wrong = state.fault ? notice(state.fault, "bad") : null;
    if (wrong) message.replaceChildren(wrong);
    if (about.parts && state.states) tiles(about.parts, state.states);
    if (!running) source?.close();
    if (counts.done && counts.done !== drawnAt && !drawing && (!running || drawnAt < 0 || counts.done >= 1.5 * drawnAt)) {
      drawing = true;
      drawnAt = counts.done;
      const label = running ? `Figures of the first ${counts.done} cells` : "Figures";
      if (!pictures.childElementCount) pictures.append(section(label, el("div", { class: "skeleton" }, "drawing the figures …")));
      const drawn = await figures(name, about.parts?.length > 1 ? about.parts[0].name : "").catch(() => null);
      if (!closed) pictures.replaceChildren(...(drawn ? [section(label, drawn)] : []));
      if (!running && !closed) {
        const room = el("div", { class: "lives" });
        await living(room, name, about.parts?.length > 1 ? about.parts[0].name : "", (figure) => figure.view === "sweep").catch(() => {});
        if (room.childElementCount && (about.parts?.length ?? 0) < 2 && !closed && now.status !== "running") sweep.replaceChildren(room);
      } else sweep.replaceChildren();
      drawing = false;
      if (!closed && now.counts?.done !== drawnAt && now.status !== "running") update(now);
    }
  }

  function watch() {
    source?.close();
    source = new EventSource(`${path}/events`);
    source.addEventListener("state", (event) => update(JSON.parse(event.data)));
  }
  const visible = () => {
    if (document.hidden) source?.close();
    else if (now.status === "running" || now.status === "starting") watch();
  };
  document.addEventListener("visibilitychange", visible);
  await Promise.race([update(about), new Promise((done) => setTimeout(done, 100))]);
  if (about.status === "running" || about.status === "starting") watch();
  return () => {
    closed = true;
    source?.close();
    document.removeEventListener("visibilitychange", visible);
  };
}

/** A picture of all cells, one tile each, on one canvas. @param {HTMLElement} root @param {(cell: any) => void} choose */
function makeTiles(root, choose) {
  const canvas = el("canvas", { tabindex: "0", role: "img" });
  const box = el("div", { class: "tiles" }, canvas);
  const keys = el("div", { class: "legend" }, STATES.map(([word, colour]) => el("span", {}, el("i", { "--c": colour }), word)));
  const head = el("h2", {}, "Cells");
  root.classList.add("section");
  let size = 16, across = 1, chosen = 0;
  /** @type {any[]} */
  let cells = [];
  let parts = /** @type {any} */ (null);
  let states = "";
  const pick = (/** @type {number} */ k) => {
    if (k < 0 || k >= cells.length) return;
    chosen = k;
    draw();
    choose({ ...cells[k], state: states[k] });
  };
  canvas.addEventListener("click", (event) => pick(Math.floor(event.offsetY / size) * across + Math.floor(event.offsetX / size)));
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    pick(chosen + step);
  });
  const draw = () => {
    const width = Math.max(box.clientWidth - 26, 100);
    size = cells.length > 4000 ? 9 : cells.length > 400 ? 13 : cells.length > 60 ? 20 : 30;
    across = Math.max(1, Math.floor(width / size));
    const rows = Math.ceil(cells.length / across);
    const ratio = devicePixelRatio || 1;
    canvas.width = Math.min(across, cells.length) * size * ratio;
    canvas.height = rows * size * ratio;
    canvas.style.setProperty("width", `${Math.min(across, cells.length) * size}px`);
    canvas.style.setProperty("height", `${rows * size}px`);
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    context.scale(ratio, ratio);
    const colours = STATES.map(([, colour]) => resolve(canvas, colour));
    for (let k = 0; k < cells.length; k++) {
      context.fillStyle = colours[Number(states[k])];
      context.fillRect((k % across) * size, Math.floor(k / across) * size, size - 2, size - 2);
    }
    if (document.activeElement === canvas) {
      context.strokeStyle = resolve(canvas, "var(--rv-ink)");
      context.lineWidth = 2;
      context.strokeRect((chosen % across) * size, Math.floor(chosen / across) * size, size - 2, size - 2);
    }
  };
  new ResizeObserver(() => cells.length && draw()).observe(box);
  return (/** @type {any[]} */ given, /** @type {string} */ text) => {
    if (given !== parts) {
      parts = given;
      cells = given.flatMap((part) => part.cells.map((/** @type {any[]} */ [id, method, replication, point]) => ({ id, method, replication, point, part: given.length > 1 ? part.name : "" })));
      if (!box.isConnected) root.append(head, keys, box);
      canvas.setAttribute("aria-label", `${cells.length} cells; arrow keys choose one`);
    }
    if (text !== states) {
      states = text;
      draw();
    }
  };
}
