/** Bids by karma held as a heat map, the distribution of karma, and what one agent could gain; see `policy.py`. */

import { band, clip, el, format, frame, line, press, resolve, slider, tiles } from "../kit.js";
import { choice, claimCard, layout, point, stateOf, tableCard } from "../panel.js";

export default {
  /** @param {{model: any, el: HTMLElement}} context */
  render({ model, el: root }) {
    const { data } = model.get("figure");
    const { entries, types, urgency } = data;
    const levels = entries[0].policy[0][0].length;
    const bids = entries[0].policy[0][0][0].length;
    const place = () => {
      const known = stateOf(model).cursor ?? {};
      return { entry: clip(known.entry ?? data.start, 0, entries.length - 1), type: known.type ?? 0,
        urgency: known.private ?? urgency[0].length - 1, karma: clip(known.karma ?? Math.floor(levels / 2), 0, levels - 1) };
    };
    const first = place();
    const claim = claimCard(model);
    const { main, side, begin } = layout(model, root, { claim: claim.node });
    main.append(el("div", { class: "rv-row" },
      types.length > 1 ? choice("Type", types, (k) => point(model, { type: k }), first.type).node : null,
      urgency[0].length > 1 ? choice("Urgency", urgency[0].map((/** @type {number} */ u) => format(u)), (k) => point(model, { private: k }), first.urgency).node : null));
    const case_name = el("output", { class: "rv-number" });
    if (entries.length > 1) {
      const control = slider({ label: data.varied ?? "Case", low: 0, high: entries.length - 1, step: 1, value: first.entry,
        change: (value, settled) => point(model, { entry: value }, settled) });
      const number = control.node.querySelector("output");
      if (number) number.hidden = true;
      control.node.querySelector("span")?.after(case_name);
      control.input.addEventListener("input", () => control.input.setAttribute("aria-valuetext", entries[place().entry].label || "the result"));
      main.append(control.node);
    }
    const heat = frame(main, { height: (width) => clip(width * 0.62, 240, 430), label: "probability of each bid by karma held",
      x: { low: -0.5, high: levels - 0.5, label: "karma held" }, y: { low: -0.5, high: bids - 0.5, label: "bid (karma)" } });
    const paint = tiles(heat);
    const mean = line(heat, { colour: "var(--rv-2)" });
    const cut = line(heat, { colour: "var(--rv-ink)", thin: true, dash: true });
    const key = el("p", { class: "rv-note rv-row" }, "probability 0", el("span", { class: "rv-scale rv-scale-pale", "aria-hidden": "true" }), "1; line: mean bid");
    main.append(key);
    const wealth = frame(main, { height: 150, label: "distribution of karma", margin: { bottom: 38 },
      x: { low: -0.5, high: levels - 0.5, label: "karma held" }, y: { low: 0, high: 1, label: "share", ticks: 2 } });
    const area = band(wealth, { colour: "var(--rv-1)" });
    const outline = line(wealth, { colour: "var(--rv-1)" });

    const { node: gains, body: rows } = tableCard("What one agent could gain by its best policy", ["agents", "payoff", "gain", "% of payoff"]);
    const heading = el("p", { class: "rv-heading" });
    const detail = el("p", {});
    const near = el("section", { class: "rv-card", tabindex: "0", "aria-live": "polite" }, heading, detail);
    const control = slider({ label: "Karma held", low: 0, high: levels - 1, step: 1, value: first.karma,
      change: (value, settled) => point(model, { karma: value }, settled) });
    near.append(control.node);
    side.append(gains, near);
    press(heat, ([karma]) => point(model, { karma: clip(Math.round(karma), 0, levels - 1) }));

    const draw = () => {
      const at = place();
      const entry = entries[at.entry];
      const policy = entry.policy[at.type][at.urgency];
      const mean_bid = entry.mean_bid[at.type][at.urgency];
      control.set(at.karma);
      case_name.textContent = entry.label || "the result";
      const paper = resolve(root, "--rv-paper");
      const blank = resolve(root, "--rv-card");
      const pure = resolve(root, "--rv-accent");
      const columns = Array.from({ length: bids }, (_, bid) => policy.map((/** @type {number[]} */ row, /** @type {number} */ k) => (bid > k ? -1 : row[bid])));
      paint.set(columns, (value) => (value < 0 ? paper : value === 0 ? blank : `color-mix(in srgb, ${pure} ${Math.round(100 * Math.sqrt(value))}%, ${blank})`));
      const xs = Array.from({ length: levels }, (_, k) => k);
      mean.set(xs, mean_bid);
      cut.set([at.karma, at.karma], [-0.5, bids - 0.5]);
      const shares = entry.karma ? sum(entry.karma, at.type) : null;
      wealth.root.hidden = !shares;
      if (shares) {
        wealth.domain({}, { high: Math.max(...shares) * 1.1 });
        const edges = xs.flatMap((k) => [k - 0.5, k + 0.5]);
        const steps = shares.flatMap((share) => [share, share]);
        area.set(edges, steps.map(() => 0), steps);
        outline.set(edges, steps);
      }
      claim.say(entry.claim ?? "", [entry.word, entry.sentence]);
      rows.replaceChildren(...types.map((/** @type {string} */ name, /** @type {number} */ k) => el("tr", {}, el("td", {}, types.length > 1 ? name : "all"),
        el("td", {}, format(entry.payoff?.[k], 4)), el("td", {}, format(entry.gain?.[k], 3)),
        el("td", {}, entry.relative ? format(100 * entry.relative[k], 3) : "–"))));
      const chances = policy[at.karma].map((/** @type {number} */ p, /** @type {number} */ bid) => [p, bid]).filter((/** @type {number[]} */ [p]) => p >= 0.005)
        .sort((/** @type {number[]} */ a, /** @type {number[]} */ b) => b[0] - a[0]).slice(0, 4);
      heading.textContent = `With ${at.karma} karma at urgency ${format(urgency[at.type]?.[at.urgency] ?? at.urgency + 1)}`;
      detail.textContent = `${chances.map((/** @type {number[]} */ [p, bid]) => `bids ${bid} with probability ${format(p, 3)}`).join(", ")}; on average ${format(mean_bid[at.karma], 3)}.`;
    };
    return begin(draw);
  },
};

/** The distribution of karma of a type, over its urgencies. @param {number[][][]} karma @param {number} type */
function sum(karma, type) {
  const rows = karma[type];
  const shares = rows[0].map((_, k) => rows.reduce((total, row) => total + row[k], 0));
  const whole = shares.reduce((a, b) => a + b, 0);
  return shares.map((share) => share / (whole || 1));
}
