/** Strategies of three shares in a triangle, with best responses and recorded paths. */

import { el, format, handle, hue, legend, line, points, resolve } from "../kit.js";
import { change, layout, parameterSliders, playersTable, profileClaim, resetButton, same, stateOf } from "../panel.js";
import { fromPlane, toPlane, triangle } from "../simplex.js";
import { bestOnSimplex, lattice, project } from "../twins/shares.js";
import { twinOf } from "../twins/twin.js";

const REST = 40; // steps of the lattice of best responses per side, while nothing moves
const MOVING = 16;

/** @typedef {import("../kit.js").Model} Model */

/** A colour as three numbers from 0 to 255. @param {Element} node @param {string} name */
function rgb(node, name) {
  const hex = resolve(node, name).replace("#", "");
  return [0, 2, 4].map((k) => parseInt(hex.slice(k, k + 2), 16));
}

/** Resource points on the canvas: the area is the resource, the colour a mixture by shares. @param {any} plane @param {any} data */
function resourceDots(plane, data) {
  /** @type {Float64Array[]} */
  let shares = [];
  const { points: places, weights } = data.resource;
  const largest = Math.max(...weights, 1e-300);
  const draw = () => {
    const context = plane.paint();
    if (!shares.length) return;
    const inks = data.players.map((/** @type {string} */ _, /** @type {number} */ k) => rgb(plane.root, hue(k)));
    const pale = rgb(plane.root, "--rv-pale");
    const apart = plane.inner.width / Math.sqrt(2 * places.length);
    context.globalAlpha = 0.6;
    places.forEach((/** @type {number[]} */ place, /** @type {number} */ k) => {
      const [x, y] = toPlane(place);
      const mixed = [0, 1, 2].map((c) => {
        let [sum, whole] = [0, 0];
        inks.forEach((/** @type {number[]} */ ink, /** @type {number} */ i) => {
          sum += shares[i][k] * ink[c];
          whole += shares[i][k];
        });
        return Math.round(sum + Math.max(1 - whole, 0) * pale[c]);
      });
      context.fillStyle = `rgb(${mixed.join(" ")})`;
      context.beginPath();
      context.arc(plane.x(x), plane.y(y), Math.max(0.37 * apart * Math.sqrt(weights[k] / largest), 0.8), 0, 2 * Math.PI);
      context.fill();
    });
  };
  plane.add(draw);
  return {
    /** @param {Float64Array[]} found */
    set(found) {
      shares = found;
      draw();
    },
  };
}

/** @param {{model: Model, el: HTMLElement}} given */
function render({ model, el: root }) {
  const { data } = model.get("figure");
  const { players, least } = data;
  const claim = profileClaim(model);
  const { main, side, begin } = layout(model, root, { claim: claim.node,
    lead: "Drag a player, or select one and press the arrow keys; Enter types its three shares." });
  const plane = triangle(main, { corners: data.corners, label: "Strategies of the players in a triangle", largest: 620 });
  const dots = data.resource ? resourceDots(plane, data) : null;
  const trails = players.map((/** @type {string} */ _, /** @type {number} */ k) => line(plane, { colour: hue(k) }));
  const ghosts = points(plane, { shape: "ring", radius: 8, over: true });
  main.append(legend([{ label: "best response", mark: "hollow" }, { label: "path" },
    ...(dots ? [{ label: "resource, coloured by who gets it", mark: "point", colour: "var(--rv-pale)" }] : [])]));
  const table = playersTable(players, ["strategy", "payoff"], "rv-compact");
  const controls = parameterSliders(model);
  const grids = { rest: lattice(REST, least), moving: lattice(MOVING, least) };
  let twin = /** @type {import("../twins/twin.js").Twin} */ (twinOf(data.game, stateOf(model).parameters));
  let parameters = stateOf(model).parameters;

  const update = () => {
    const state = stateOf(model);
    if (!same(parameters, state.parameters)) {
      parameters = state.parameters;
      twin = /** @type {import("../twins/twin.js").Twin} */ (twinOf(data.game, parameters));
    }
    const x = state.profile;
    const here = twin.payoffs(x);
    const [grid, step] = state.settled ? [grids.rest, 1 / REST] : [grids.moving, 1 / MOVING];
    const found = x.map((_, player) => {
      const payoff = twin.deviation(x, player);
      const best = bestOnSimplex(/** @type {any} */ (payoff), grid, least, step);
      return { at: best.at, gain: Math.max(best.value - here[player], 0), stake: best.value - best.low };
    });
    if (dots && twin.shares) dots.set(twin.shares(x));
    ghosts.set(found.map((one, k) => {
      const [px, py] = toPlane(one.at);
      return { x: px, y: py, colour: hue(k), title: `best response of ${players[k]}` };
    }));
    const stake = Math.max(...found.map((one) => one.stake), 1e-300);
    table.set(found.map((one, k) => ({ gain: one.gain, part: one.gain / stake,
      texts: [x[k].map((share) => format(share, 2)).join(" · "), format(here[k], 4)] })));
    claim.show(Math.max(...found.map((one) => one.gain)), `${grid.length} strategies per player`);
    for (const one of handles) one.draw();
    controls.show();
  };
  const tidy = (/** @type {number[]} */ own) => {
    const first = own.slice(0, 2).map((share) => Number(share.toPrecision(6)));
    return project([...first, 1 - first[0] - first[1]], least);
  };
  const halt = () => {
    trails.forEach((/** @type {any} */ trail) => trail.set([], []));
  };
  const handles = players.map((/** @type {string} */ name, /** @type {number} */ k) => handle({ frame: plane, axes: "xy", colour: hue(k),
    label: `strategy of ${name}`, name: players.length > 9 ? "" : String(k), radius: 10,
    at: () => toPlane(stateOf(model).profile[k]),
    move: (place, settled) => {
      halt();
      change(model, { profile: stateOf(model).profile.map((row, j) => (j === k ? tidy(fromPlane(place)) : row)) }, settled);
    },
    text: () => data.corners.map((/** @type {string} */ corner, /** @type {number} */ c) =>
      `${corner} ${format(stateOf(model).profile[k][c], 3)}`).join(", "),
    typed: {
      value: () => stateOf(model).profile[k].map((share) => Number(share.toPrecision(5))).join(", "),
      read: (text) => {
        const shares = text.split(/[,;\s]+/).filter(Boolean).map(Number);
        const sum = shares.reduce((a, b) => a + b, 0);
        const right = shares.length === 3 && shares.every((one) => one >= 0) && sum > 0;
        return right ? toPlane(shares.map((one) => one / sum)) : null;
      },
    } }));
  const showTrail = (/** @type {number[][][]} */ path) => {
    trails.forEach((/** @type {any} */ trail, /** @type {number} */ k) => {
      const flat = path.map((x) => toPlane(x[k]));
      trail.set(flat.map((one) => one[0]), flat.map((one) => one[1]));
    });
  };
  side.append(table.node, el("div", { class: "rv-row" }, resetButton(model, halt)), controls.node);
  for (const known of data.paths) showTrail(known.profiles);
  return begin(update, halt);
}

export default { initialize() {}, render };
