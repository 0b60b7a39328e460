/** Strategies of three shares in a triangle, with best responses and recorded paths. */

import { el, format, handle, hue, legend, line, points, resolve } from "../kit.js";
import { change, dataAt, isFixed, layout, parameterSliders, playersTable, profileClaim, resetButton, stateOf } from "../panel.js";
import { fromPlane, project, toPlane, triangle } from "../simplex.js";

/** @typedef {import("../kit.js").Model} Model */

/** A colour as three numbers from 0 to 255. @param {Element} node @param {string} name */
function rgb(node, name) {
  const hex = resolve(node, name).replace("#", "");
  return [0, 2, 4].map((k) => parseInt(hex.slice(k, k + 2), 16));
}

/** Resource points on the canvas: the area is the resource, the colour a mixture by shares. @param {any} plane @param {any} data */
function resourceDots(plane, data) {
  /** @type {number[][]} */
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
    /** @param {number[][]} found */
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
    lead: isFixed(model) ? "" : "Drag a player, or select one and press the arrow keys; Enter types its three shares." });
  const plane = triangle(main, { corners: data.corners, label: "Strategies of the players in a triangle", largest: 620 });
  const dots = data.resource ? resourceDots(plane, data) : null;
  const trails = players.map((/** @type {string} */ _, /** @type {number} */ k) => line(plane, { colour: hue(k) }));
  const ghosts = points(plane, { shape: "ring", radius: 8, over: true });
  main.append(legend([{ label: "best response", mark: "hollow" }, { label: "path" },
    ...(dots ? [{ label: "resource, coloured by who gets it", mark: "point", colour: "var(--rv-pale)" }] : [])]));
  const table = playersTable(players, ["strategy", "payoff"], "rv-compact");
  const controls = parameterSliders(model);
  const update = () => {
    const x = stateOf(model).profile;
    const { data: now, known } = dataAt(model);
    /** @type {any[]} */
    const found = now.own;
    if (dots) dots.set(now.resource.shares);
    ghosts.set(found.map((one, k) => {
      const [px, py] = toPlane(one.best);
      return { x: px, y: py, colour: hue(k), title: `best response of ${players[k]}` };
    }));
    const stake = Math.max(...found.map((one) => one.stake), 1e-300);
    table.set(found.map((one, k) => ({ gain: known ? one.gain : null, part: known ? one.gain / stake : 0,
      texts: [x[k].map((share) => format(share, 2)).join(" · "), known ? format(one.here, 4) : "–"] })));
    claim.show(known ? Math.max(...found.map((one) => one.gain)) : null, `${now.points} strategies per player`);
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
  const handles = players.map((/** @type {string} */ name, /** @type {number} */ k) => handle({ frame: plane, axes: "xy", colour: hue(k), fixed: isFixed(model),
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
