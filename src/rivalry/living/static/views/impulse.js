/**
 * A player is forced to deviate from learned policies: what the others do, when play returns, and what it gained.
 *
 * Play is replayed from tables, which is exact: it is finite and without chance. See `impulse.py` for the data.
 */

import { clip, el, format, frame, handle, hue, legend, line, points } from "../kit.js";
import { choice, claimCard, layout, point, stateOf, swatch, tableCard } from "../panel.js";

const BEFORE = 3;
const AFTER = 18;
const MOST = 20000;

/** @typedef {{recent: number[][], round: number}} Place */

/** Play by fixed policies, one round at a time. @param {any} data @param {any} session */
export function player(data, session) {
  const { sizes, order, slots, signal, payoff } = data;
  const count = sizes.length;
  const widths = [...sizes, 1, signal ? Math.max(...signal) + 1 : 1];
  const joint = (/** @type {number[]} */ acts) => acts.reduce((total, action, k) => total * sizes[k] + action, 0);
  return {
    joint,
    /** One round: the actions, and the place after it. @param {Place} place @param {number} who @param {number} action */
    step(place, who = -1, action = -1) {
      const acts = [...place.recent[0]];
      let moved = false;
      for (const mover of order[place.round]) {
        let state = 0;
        for (const [of, ago] of slots[mover]) {
          const seen = of > count ? signal[joint(place.recent[ago - 1])] : ago === 0 ? acts[of] : place.recent[ago - 1][of];
          state = state * widths[of] + seen;
        }
        acts[mover] = session.policy[mover][state];
        if (mover === who) {
          acts[mover] = action;
          moved = true;
        }
      }
      const after = { recent: [acts, ...place.recent.slice(0, -1)], round: (place.round + 1) % order.length };
      return { acts, pays: payoff.map((/** @type {number[]} */ row) => row[joint(acts)]), after, moved };
    },
  };
}

/** The discounted value of play for each player from a place on: exact, since play repeats itself.
 * @param {any} data @param {ReturnType<typeof player>} game @param {Place} place */
export function valueOf(data, game, place) {
  const known = new Map();
  /** @type {number[][]} */
  const pays = [];
  let at = place;
  for (let now = 0; now < MOST; now++) {
    const key = `${at.round}:${at.recent.join(";")}`;
    if (known.has(key)) {
      const first = known.get(key);
      return data.discount.map((/** @type {number} */ rate, /** @type {number} */ k) => {
        let loop = 0;
        for (let j = pays.length - 1; j >= first; j--) loop = pays[j][k] + rate * loop;
        let total = loop / (1 - rate ** (pays.length - first));
        for (let j = first - 1; j >= 0; j--) total = pays[j][k] + rate * total;
        return total;
      });
    }
    known.set(key, now);
    const { pays: paid, after } = game.step(at);
    pays.push(paid);
    at = after;
  }
  return data.discount.map(() => NaN);
}

/** The first place on the cycle at which a player moves. @param {any} data @param {any} session @param {number} who */
export function startOf(data, session, who) {
  const game = player(data, session);
  let place = { recent: session.recent, round: session.round };
  while (!data.order[place.round].includes(who)) place = game.step(place).after;
  return place;
}

/** What follows a deviation. @param {any} data @param {any} session @param {number} who @param {number} action */
export function deviation(data, session, who, action) {
  const game = player(data, session);
  const start = startOf(data, session, who);
  const cycle = new Set();
  const before = [];
  let at = start;
  for (let k = 0; k < session.cycle * data.order.length * BEFORE; k++) {
    cycle.add(`${at.round}:${at.recent.join(";")}`);
    const next = game.step(at);
    before.push(next.acts);
    at = next.after;
  }
  const forced = game.step(start, who, action);
  const own = valueOf(data, game, start);
  const later = valueOf(data, game, forced.after);
  const gains = forced.pays.map((/** @type {number} */ paid, /** @type {number} */ k) => paid + data.discount[k] * later[k] - own[k]);
  let back = null;
  at = forced.after;
  for (let now = 1; now < 2000 && back === null; now++) {
    if (cycle.has(`${at.round}:${at.recent.join(";")}`)) back = now;
    at = game.step(at).after;
  }
  const path = [forced.acts];
  const base = [];
  at = forced.after;
  for (let now = 1; now <= AFTER; now++) {
    const next = game.step(at);
    path.push(next.acts);
    at = next.after;
  }
  at = start;
  for (let now = 0; now <= AFTER; now++) {
    const next = game.step(at);
    base.push(next.acts);
    at = next.after;
  }
  return { gain: gains[who], gains, own: own[who], back, path, base, before: before.slice(-BEFORE) };
}

export default {
  /** @param {{model: any, el: HTMLElement}} context */
  render({ model, el: root }) {
    const { data, title } = model.get("figure");
    const { players, levels, sessions, label } = data;
    const known = stateOf(model).cursor ?? {};
    let which = clip(known.session ?? 0, 0, sessions.length - 1);
    let who = clip(known.player ?? 0, 0, players.length - 1);
    const usual = () => startOf(data, sessions[which], who).recent[0][who];
    /** The other action that pays most in its own period: where a figure begins. */
    const tempting = () => {
      const game = player(data, sessions[which]);
      const start = startOf(data, sessions[which], who);
      const now = levels[who].map((/** @type {number} */ _, /** @type {number} */ k) => game.step(start, who, k).pays[who]);
      const own = usual();
      return now.reduce((/** @type {number} */ best, /** @type {number} */ pays, /** @type {number} */ k) =>
        (k !== own && (best === own || pays > now[best]) ? k : best), own);
    };
    const gainsOf = () => levels[who].map((/** @type {number} */ _, /** @type {number} */ k) => deviation(data, sessions[which], who, k).gain);
    let action = known.action ?? tempting();

    const claim = claimCard(model, "Gain of the deviation");
    const { main, side, begin } = layout(model, root, { claim: claim.node });
    main.append(el("div", { class: "rv-row" },
      choice("Player forced to deviate", players, (k) => { who = k; action = tempting(); save(true); }, who).node,
      sessions.length > 1 ? choice("Session", sessions.map((/** @type {any} */ one) => `session ${one.number}`),
        (k) => { which = k; action = tempting(); save(true); }, which).node : null));
    main.append(el("p", { class: "rv-note" }, `Drag the point at period 0, or use the arrow keys: the ${label} of that one period. Afterwards all follow their learned policies.`));

    const every = levels.flat();
    const [low, high] = [Math.min(...every), Math.max(...every)];
    const room = 0.06 * (high - low || 1);
    const chart = frame(main, { height: (width) => clip(width * 0.5, 240, 360), label: title,
      x: { low: -BEFORE, high: AFTER, label: "period after the deviation" }, y: { low: low - room, high: high + room, label } });
    const bases = players.map((/** @type {string} */ _, /** @type {number} */ k) => line(chart, { colour: hue(k), dash: true, thin: true }));
    const lines = players.map((/** @type {string} */ _, /** @type {number} */ k) => line(chart, { colour: hue(k) }));
    const dots = players.map((/** @type {string} */ _, /** @type {number} */ k) => points(chart, { colour: hue(k), radius: 3 }));
    main.append(legend([...players.map((/** @type {string} */ name, /** @type {number} */ k) => ({ label: name, colour: hue(k) })),
      { label: "without the deviation", mark: "dash" }]));

    const { node: table, body: rows } = tableCard("Discounted payoffs of these policies", ["player", "gain", "in % of value"]);
    const bars = el("section", { class: "rv-card", tabindex: "0" }, el("p", { class: "rv-heading" }, "Gain of every deviation"));
    const proof = el("section", { class: "rv-card", tabindex: "0" }, el("p", { class: "rv-heading" }, "Any deviation, however long"));
    const about = el("p", {});
    proof.append(about);
    side.append(table, bars, proof);
    const small = frame(bars, { height: 170, label: "gain of every deviation", margin: { left: 58 },
      x: { low: low - room, high: high + room, label }, y: { low: -1, high: 1, label: "gain", ticks: 3 } });
    const zero = line(small, { colour: "var(--rv-soft)", thin: true, dash: true });
    const curve = line(small, {});
    const marks = points(small, { radius: 2.6 });
    const now = points(small, { radius: 5, colour: "var(--rv-accent)" });

    const nearest = (/** @type {number} */ value) => levels[who].reduce((/** @type {number} */ best, /** @type {number} */ level, /** @type {number} */ k, /** @type {number[]} */ all) =>
      (Math.abs(level - value) < Math.abs(all[best] - value) ? k : best), 0);
    /** @type {any} */
    let grip = null;
    const save = (/** @type {boolean} */ settled) => {
      point(model, { session: which, player: who, action }, settled);
    };
    let shown = "";
    /** @type {number[]} */
    let gains = [];
    const draw = () => {
      const session = sessions[which];
      const found = deviation(data, session, who, action);
      const xs = [...found.before.map((_, k) => k - found.before.length), ...found.path.map((_, k) => k)];
      players.forEach((/** @type {string} */ name, /** @type {number} */ k) => {
        const ys = [...found.before, ...found.path].map((acts) => levels[k][acts[k]]);
        lines[k].set(xs, ys);
        bases[k].set(found.base.map((_, j) => j), found.base.map((acts) => levels[k][acts[k]]));
        dots[k].set(xs.map((x, j) => ({ x, y: ys[j], title: `${name}, period ${x}: ${format(ys[j], 4)}` })));
      });
      const part = (100 * found.gain) / Math.abs(found.own);
      const returns = found.back === null ? "Play never returns to its cycle." : `Play is back on its cycle after ${found.back} period${found.back === 1 ? "" : "s"}.`;
      if (action === usual()) claim.say("", ["No deviation", "This is what the policy does."]);
      else {
        claim.say(found.gain > 1e-12 * Math.abs(found.own) ? "bad" : "good", [`${found.gain > 0 ? "Gains" : "Loses"} ${format(Math.abs(part), 3)} %`,
          `${players[who][0].toUpperCase()}${players[who].slice(1)}: ${label} ${format(levels[who][action], 4)} instead of ${format(levels[who][usual()], 4)} once. ${returns}`]);
      }
      const own = valueOf(data, player(data, session), startOf(data, session, who));
      rows.replaceChildren(...players.map((/** @type {string} */ name, /** @type {number} */ k) => el("tr", {},
        el("td", {}, swatch(k), name),
        el("td", {}, format(found.gains[k], 4)), el("td", {}, format((100 * found.gains[k]) / Math.abs(own[k]), 3)))));
      if (shown !== `${which},${who}`) {
        gains = gainsOf();
        const size = Math.max(...gains.map(Math.abs), 1e-12);
        small.domain({}, { low: Math.min(-0.15 * size, ...gains) * 1.08, high: Math.max(0.15 * size, ...gains) * 1.08 });
        zero.set([low - room, high + room], [0, 0]);
        curve.set(levels[who], gains);
        marks.set(levels[who].map((/** @type {number} */ x, /** @type {number} */ k) => ({ x, y: gains[k], title: `${label} ${format(x, 4)}: ${format(gains[k], 4)}` })));
        if (grip) grip.remove();
        grip = handle({ frame: chart, axes: "xy", label: `${label} of ${players[who]} in period 0`, colour: hue(who),
          at: () => [0, levels[who][action]], text: (place) => format(place[1], 4),
          typed: { value: () => format(levels[who][action], 6), read: (typed) => (Number.isFinite(Number(typed)) && typed.trim() ? [0, Number(typed)] : null) },
          move: (place, settled) => {
            const target = nearest(place[1]);
            const level = levels[who][action];
            // an arrow key moves by a hundredth of the axis: to the next level in its direction
            const step = !settled && target === action && place[1] !== level ? Math.sign(place[1] - level) : 0;
            const keys = step && document.activeElement === grip?.node && !grip.node.classList.contains("rv-held");
            const rising = levels[who].at(-1) >= levels[who][0] ? 1 : -1;
            action = clip(keys ? action + step * rising : target, 0, levels[who].length - 1);
            save(settled);
          } });
        const gap = session.gap ? session.gap[who] : null;
        about.textContent = gap === null ? "No best response is stored with these policies." : `The best response to the others' policies, computed by dynamic programming in Python, is worth ${format(100 * gap, 3)} % more than ${players[who]}'s own policy on the cycle.`;
        shown = `${which},${who}`;
      } else grip?.draw();
      now.set([{ x: levels[who][action], y: gains[action] }]);
    };
    return begin(() => {
      const cursor = stateOf(model).cursor ?? {};
      [which, who, action] = [cursor.session ?? which, cursor.player ?? who, cursor.action ?? action];
      draw();
    });
  },
};
