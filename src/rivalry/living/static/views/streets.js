/** The lanes of a city with demand, queues and bids over time, and the routes of example agents; see `streets.py`. */

import { button, clip, el, format, hue, play, shade, slider, svg } from "../kit.js";
import { choice, layout, point, stateOf, tableCard } from "../panel.js";

const METRICS = /** @type {Record<string, string>} */ ({
  lane_wanted: "demand (agents per step)", lane_queue: "queue (agents refused per step)", lane_bid: "mean bid (karma)",
});
const SPEEDS = [1, 2, 4, 8, 16];
// of the length of a short street: a lane's width, its distance from the middle and from nodes, and its head
const [WIDE, ASIDE, GAP, TIP] = [0.15, 0.1, 0.17, 0.13];

/** @param {number[][][]} ends */
function unitOf(ends) {
  const lengths = ends.map(([a, b]) => Math.hypot(b[0] - a[0], b[1] - a[1])).sort((x, y) => x - y);
  return Math.max(lengths[0], 0.4 * lengths[Math.floor(lengths.length / 2)]);
}

/** A lane's middle line, on the right of its street. @param {number[][]} lane @param {number} unit */
function middle([a, b], unit) {
  const length = Math.hypot(b[0] - a[0], b[1] - a[1]) || 1;
  const way = [(b[0] - a[0]) / length, (b[1] - a[1]) / length];
  const right = [way[1], -way[0]];
  const place = (/** @type {number[]} */ from, /** @type {number} */ along) =>
    [from[0] + unit * (along * way[0] + ASIDE * right[0]), from[1] + unit * (along * way[1] + ASIDE * right[1])];
  return { start: place(a, GAP), end: place(b, -GAP), way, right };
}

/** @param {number[][]} lane @param {number} unit */
function arrow(lane, unit) {
  const { start, end, way, right } = middle(lane, unit);
  const half = (WIDE * unit) / 2;
  const neck = [end[0] - unit * TIP * way[0], end[1] - unit * TIP * way[1]];
  const corner = (/** @type {number[]} */ from, /** @type {number} */ side) => `${from[0] + side * half * right[0]} ${-(from[1] + side * half * right[1])}`;
  return `M${corner(start, -1)}L${corner(neck, -1)}L${end[0]} ${-end[1]}L${corner(neck, 1)}L${corner(start, 1)}Z`;
}

export default {
  /** @param {{model: any, el: HTMLElement}} context */
  render({ model, el: root }) {
    const { data } = model.get("figure");
    const { ends, lanes, nodes, frames, means, agents, capacity } = data;
    const count = frames ? frames.lane_wanted.length : 0;
    const known = stateOf(model).cursor ?? {};
    let metric = known.metric ?? "lane_wanted";
    let agent = known.agent ?? -1;
    let step = clip(known.step ?? 0, 0, Math.max(count - 1, 0));
    let lane = known.lane ?? -1;
    /** @type {{stop: () => void} | null} */
    let running = null;
    const { main, side, begin } = layout(model, root);
    const unit = unitOf(ends);
    const xs = nodes.map((/** @type {number[]} */ one) => one[0]);
    const ys = nodes.map((/** @type {number[]} */ one) => -one[1]);
    const [left, top] = [Math.min(...xs) - 0.4 * unit, Math.min(...ys) - 0.4 * unit];
    const [wide, high] = [Math.max(...xs) - left + 0.4 * unit, Math.max(...ys) - top + 0.4 * unit];
    const map = svg("svg", { class: "rv-streets", viewBox: `${left} ${top} ${wide} ${high}`, role: "group", "aria-label": "map of the lanes" });
    const bars = ends.map((/** @type {number[][]} */ one, /** @type {number} */ k) => svg("path", { class: "rv-street", d: arrow(one, unit),
      onclick: () => { lane = lane === k ? -1 : k; save(true); } }, svg("title", {}, String(lanes[k]))));
    const dots = nodes.map((/** @type {number[]} */ one) => svg("circle", { class: "rv-node", cx: one[0], cy: -one[1], r: 0.045 * unit }));
    const route = svg("path", { class: "rv-route" });
    const walker = svg("circle", { class: "rv-walker", r: 0.13 * unit });
    map.append(...bars, ...dots, route, walker);

    const names = Object.keys(METRICS);
    const colour = choice("Colour", Object.values(METRICS), (k) => { metric = names[k]; save(true); }, names.indexOf(metric)).node;
    const key = el("p", { class: "rv-note rv-row" });
    const start = button("Play", () => (running ? stop() : run()));
    let pace = 4;
    const speed = choice("Speed", SPEEDS.map((one) => `${one} ${count ? "step" : "lane"}${one > 1 ? "s" : ""} per second`), (k) => { pace = SPEEDS[k]; }, SPEEDS.indexOf(pace)).node;
    const steps = () => (count ? count : agent >= 0 ? routeOf().length : 0);
    const time = slider({ label: count ? "Step" : "Position on the route", low: 0, high: Math.max(count - 1, 1), step: 1, value: step,
      change: (value, settled) => { stop(); step = value; save(settled); } });
    const number = time.node.querySelector("output");
    if (number && !count) number.hidden = true; // what is said of the agent has the position on its path
    const controls = el("div", { class: "rv-row" }, start, speed);
    main.append(colour, key, map, el("p", { class: "rv-note" }, count ? `${count} simulated steps: Play shows them one by one.`
      : "The run stores means over its steps, not the steps. Choose an agent: Play follows its route lane by lane, while the colours stay."),
    controls, time.node);

    const picks = el("div", { class: "rv-row" }, agents.map((/** @type {any} */ one, /** @type {number} */ k) => button(`${one.name} (agent ${one.number})`, () => {
      stop();
      agent = agent === k ? -1 : k;
      step = count ? step : 0;
      save(true);
    }, true)));
    const about = el("div", { "aria-live": "polite" });
    const card = el("section", { class: "rv-card", tabindex: "0" }, el("p", { class: "rv-heading" }, "Follow an agent"), picks, about);
    const lane_word = el("p", { class: "rv-heading" });
    const rows = el("tbody", {});
    const lane_table = el("div", { "aria-live": "polite" }, lane_word, el("table", { class: "rv-table" }, rows));
    const lane_choice = choice("Lane", ["none", ...lanes.map(String)], (k) => { lane = k - 1; save(true); });
    const lane_card = el("section", { class: "rv-card", tabindex: "0" }, lane_choice.node, lane_table);
    const { node: order, body: longest } = tableCard("Longest queues, mean over time", ["lane", "demand", "queue", "bid"]);
    side.append(card, lane_card, order);
    card.hidden = !agents.length;
    const busiest = lanes.map((/** @type {string} */ _, /** @type {number} */ k) => k)
      .sort((/** @type {number} */ a, /** @type {number} */ b) => (means.lane_queue[b] ?? 0) - (means.lane_queue[a] ?? 0)).slice(0, 6);
    longest.append(...busiest.map((/** @type {number} */ k) => el("tr", {},
      el("td", {}, el("button", { type: "button", class: "rv-link", onclick: () => { lane = k; save(true); } }, String(lanes[k]))),
      ["lane_wanted", "lane_queue", "lane_bid"].map((name) => el("td", {}, format(means[name][k], 3))))));

    /** The lanes of all paths of the followed agent, one path after the other. */
    const routeOf = () => agents[agent].routes.flatMap((/** @type {number[]} */ path, /** @type {number} */ p) =>
      path.map((on, k) => ({ on, bid: agents[agent].bids[p]?.[k] ?? null, path: p, position: k, length: path.length })));
    const save = (/** @type {boolean} */ settled) => point(model, { metric, agent, step, lane }, settled);
    const stop = () => {
      running?.stop();
      running = null;
      start.textContent = "Play";
    };
    const run = () => {
      if (!steps()) return;
      if (step >= steps() - 1) step = 0;
      const from = step;
      start.textContent = "Pause";
      let last = -1;
      let moved = 0;
      let before = 0;
      running = play((seconds) => {
        moved += (seconds - before) * pace;
        before = seconds;
        step = Math.min(from + Math.floor(moved), steps() - 1);
        if (step !== last) draw();
        last = step;
        return step < steps() - 1;
      }, () => { running = null; start.textContent = "Play"; save(true); });
    };

    const draw = () => {
      const values = frames ? frames[metric][step] : means[metric];
      const every = frames ? frames[metric].flat() : means[metric];
      const most = Math.max(...every.filter((/** @type {any} */ one) => one !== null), 1e-12);
      bars.forEach((/** @type {SVGPathElement} */ bar, /** @type {number} */ k) => {
        bar.style.setProperty("--c", values[k] === null ? "var(--rv-pale)" : shade(values[k] / most));
        bar.classList.toggle("rv-chosen", k === lane);
      });
      key.replaceChildren(`${METRICS[metric]}: 0`, el("span", { class: "rv-scale", "aria-hidden": "true" }), `${format(most, 3)}; grey: none. Arrows show the direction of travel.`);
      const last = Math.max(steps() - 1, 1);
      time.input.max = String(last);
      time.set(Math.min(step, last));
      time.node.hidden = controls.hidden = !steps();
      picks.querySelectorAll("button").forEach((one, k) => one.setAttribute("aria-pressed", String(k === agent)));
      drawAgent();
      lane_choice.select.selectedIndex = lane + 1;
      lane_table.hidden = lane < 0;
      if (lane >= 0) {
        lane_word.textContent = `Lane ${lanes[lane]}`;
        const table = [["capacity (agents per step)", capacity[lane], null], ...Object.entries(METRICS).map(([name, words]) => [words, means[name][lane], frames ? frames[name][step][lane] : null])];
        rows.replaceChildren(el("tr", {}, ["", "mean", ...(frames ? [`step ${step}`] : [])].map((one) => el("th", { scope: "col" }, one))),
          ...table.map(([words, mean, now]) => el("tr", {}, el("th", { scope: "row" }, String(words)), el("td", {}, format(/** @type {number} */ (mean), 4)), frames ? el("td", {}, format(/** @type {number} */ (now), 4)) : null)));
      }
    };

    const drawAgent = () => {
      const followed = agents[agent];
      route.setAttribute("d", "");
      walker.setAttribute("visibility", "hidden");
      about.replaceChildren();
      if (!followed) return;
      route.setAttribute("d", followed.routes.map((/** @type {number[]} */ path) => path.map((k, j) => {
        const { start: from, end: to } = middle(ends[k], unit);
        return `${j ? "L" : "M"}${from[0]} ${-from[1]}L${to[0]} ${-to[1]}`;
      }).join("")).join(""));
      route.style.setProperty("--c", hue(1));
      const route_now = routeOf();
      const on = route_now[Math.min(step, route_now.length - 1)];
      const here = frames ? followed.lane[step] : on?.on;
      if (here !== null && here !== undefined && here >= 0) {
        const { start: from, end: to } = middle(ends[here], unit);
        walker.setAttribute("cx", String((from[0] + to[0]) / 2));
        walker.setAttribute("cy", String(-(from[1] + to[1]) / 2));
        walker.setAttribute("visibility", "visible");
      }
      const where = here === null || here === undefined ? "is not travelling" : `asks for lane ${lanes[here]}`;
      const many = followed.routes.length > 1;
      const lines = frames || !on
        ? [`Step ${step}: ${where}${frames && followed.bid[step] !== null ? ` and bids ${followed.bid[step]} of ${followed.karma[step]} karma` : ""}.`]
        : [`${many ? `Path ${on.path + 1} of ${followed.routes.length}, position` : "Position"} ${on.position + 1} of ${on.length}: lane ${lanes[on.on]}${on.bid === null ? "" : `, mean bid ${format(on.bid, 3)}`}.`,
          `Mean demand ${format(means.lane_wanted[on.on], 3)} and queue ${format(means.lane_queue[on.on], 3)} agents per step.`];
      if (frames) lines.push(`${followed.routes.length} path${many ? "s" : ""}, ${route_now.length} lanes in all.`);
      time.input.setAttribute("aria-valuetext", lines[0]);
      about.append(...lines.map((line) => el("p", {}, line)));
    };
    return begin(() => {
      ({ metric, agent, step, lane } = { metric, agent, step, lane, ...(running ? {} : stateOf(model).cursor) });
      draw();
    }, stop);
  },
};
