/** Bids by karma held as a heat map, the distribution of karma, and what one agent could gain; see `policy.py`. */

import { band, clip, describe, el, format, frame, line, resolve, slider, tiles } from "../kit.js";

/** Tones of claims. */
const TONES = /** @type {Record<string, string>} */ ({ equilibrium: "good", "not an equilibrium": "bad" });

export default {
  /** @param {{model: any, el: HTMLElement}} context */
  render({ model, el: root }) {
    const { data, title, text } = model.get("figure");
    const { entries, types, urgency } = data;
    const first = model.get("state")?.cursor ?? {};
    let at = { entry: clip(first.entry ?? data.start, 0, entries.length - 1), type: first.type ?? 0, private: first.private ?? urgency[0].length - 1, karma: first.karma ?? null };
    const [levels, bids] = [entries[0].policy[0][0].length, entries[0].policy[0][0][0].length];
    root.setAttribute("role", "figure");
    root.setAttribute("aria-label", title);
    describe(root, text);
    const main = el("div", { class: "rv-main" });
    const side = el("div", { class: "rv-side" });
    const view = el("div", { class: "rv-view" }, el("div", { class: "rv-head" }, el("h2", { class: "rv-title" }, title),
      el("p", { class: "rv-lead" }, text)), main, side);
    root.append(view);

    const save = (/** @type {any} */ patch, settled = true) => {
      at = { ...at, ...patch };
      model.set("state", { ...model.get("state"), cursor: at, settled });
      model.save_changes();
      draw();
    };
    const choice = (/** @type {string} */ words, /** @type {string[]} */ names, /** @type {string} */ key) => {
      const node = el("select", { "aria-label": words }, names.map((name, k) => el("option", { value: k }, name)));
      node.value = String(/** @type {any} */ (at)[key]);
      node.addEventListener("change", () => save({ [key]: Number(node.value) }));
      return el("label", { class: "rv-row" }, words, node);
    };
    const pickers = el("div", { class: "rv-row" });
    if (types.length > 1) pickers.append(choice("Type", types, "type"));
    if (urgency[0].length > 1) pickers.append(choice("Urgency", urgency[0].map((/** @type {number} */ u) => format(u)), "private"));
    main.append(pickers);
    const case_name = el("output", { class: "rv-number" });
    if (entries.length > 1) {
      const control = slider({ label: data.varied ?? "Case", low: 0, high: entries.length - 1, step: 1, value: at.entry,
        change: (value, settled) => save({ entry: value }, settled) });
      const number = control.node.querySelector("output");
      if (number) number.hidden = true;
      control.node.querySelector("span")?.after(case_name);
      control.input.addEventListener("input", () => control.input.setAttribute("aria-valuetext", entries[at.entry].label));
      main.append(control.node);
    }
    const heat = frame(main, { height: (width) => clip(width * 0.62, 240, 430), label: "probability of each bid by karma held",
      x: { low: -0.5, high: levels - 0.5, label: "karma held" }, y: { low: -0.5, high: bids - 0.5, label: "bid (karma)" } });
    const paint = tiles(heat);
    const mean = line(heat, { colour: "var(--rv-2)" });
    const cut = line(heat, { colour: "var(--rv-ink)", thin: true, dash: true });
    const key = el("p", { class: "rv-note rv-row" }, "probability 0", el("span", { class: "rv-scale rv-scale-pale", "aria-hidden": "true" }), "1; the line is the mean bid");
    main.append(key);
    const wealth = frame(main, { height: 150, label: "distribution of karma", margin: { bottom: 38 },
      x: { low: -0.5, high: levels - 0.5, label: "karma held" }, y: { low: 0, high: 1, label: "share", ticks: 2 } });
    const area = band(wealth, { colour: "var(--rv-1)" });
    const outline = line(wealth, { colour: "var(--rv-1)" });

    const word = el("p", { class: "rv-claim-word" });
    const sentence = el("p", {});
    const card = el("section", { class: "rv-card rv-claim", "aria-live": "polite", "aria-label": "Claim" }, word, sentence);
    const rows = el("tbody", {});
    const gains = el("section", { class: "rv-card" }, el("table", { class: "rv-table" },
      el("caption", {}, "What one agent could gain by its best policy"), el("thead", {}, el("tr", {},
        ["agents", "payoff", "gain", "% at stake"].map((one) => el("th", { scope: "col" }, one)))), rows));
    const heading = el("p", { class: "rv-heading" });
    const detail = el("p", {});
    const near = el("section", { class: "rv-card", "aria-live": "polite" }, heading, detail);
    const control = slider({ label: "Karma held", low: 0, high: levels - 1, step: 1, value: at.karma ?? Math.floor(levels / 2),
      change: (value, settled) => save({ karma: value }, settled) });
    near.append(control.node);
    side.append(card, gains, near);
    heat.svg.addEventListener("click", (event) => {
      const karma = clip(Math.round(heat.at(event)[0]), 0, levels - 1);
      control.set(karma);
      save({ karma });
    });

    const draw = () => {
      const entry = entries[at.entry];
      const policy = entry.policy[at.type][at.private];
      const karma = at.karma ?? Math.floor(levels / 2);
      case_name.textContent = entry.label || "the result";
      const paper = resolve(root, "--rv-paper");
      const blank = resolve(root, "--rv-card");
      const pure = resolve(root, "--rv-accent");
      const columns = Array.from({ length: bids }, (_, bid) => policy.map((/** @type {number[]} */ row, /** @type {number} */ k) => (bid > k ? -1 : row[bid])));
      paint.set(columns, (value) => (value < 0 ? paper : value === 0 ? blank : `color-mix(in srgb, ${pure} ${Math.round(100 * Math.sqrt(value))}%, ${blank})`));
      const xs = Array.from({ length: levels }, (_, k) => k);
      mean.set(xs, entry.mean_bid[at.type][at.private]);
      cut.set([karma, karma], [-0.5, bids - 0.5]);
      const shares = entry.karma ? sum(entry.karma, at.type) : null;
      wealth.root.hidden = !shares;
      if (shares) {
        wealth.domain({}, { high: Math.max(...shares) * 1.1 });
        const edges = xs.flatMap((k) => [k - 0.5, k + 0.5]);
        const steps = shares.flatMap((share) => [share, share]);
        area.set(edges, steps.map(() => 0), steps);
        outline.set(edges, steps);
      }
      word.textContent = entry.claim ?? "No certificate";
      card.dataset.claim = TONES[entry.claim] ?? (entry.claim ? "fair" : "");
      sentence.textContent = entry.sentence && entry.sentence !== entry.claim ? entry.sentence : entry.claim ? "" : "No certificate is stored for this policy.";
      rows.replaceChildren(...types.map((/** @type {string} */ name, /** @type {number} */ k) => el("tr", {}, el("td", {}, types.length > 1 ? name : "all"),
        el("td", {}, format(entry.payoff?.[k], 4)), el("td", {}, format(entry.gain?.[k], 3)),
        el("td", {}, entry.relative ? format(100 * entry.relative[k], 3) : "–"))));
      const chances = policy[karma].map((/** @type {number} */ p, /** @type {number} */ bid) => [p, bid]).filter((/** @type {number[]} */ [p]) => p >= 0.005)
        .sort((/** @type {number[]} */ a, /** @type {number[]} */ b) => b[0] - a[0]).slice(0, 4);
      heading.textContent = `With ${karma} karma at urgency ${format(urgency[at.type]?.[at.private] ?? at.private + 1)}`;
      detail.textContent = `${chances.map((/** @type {number[]} */ [p, bid]) => `bids ${bid} with probability ${format(p, 3)}`).join(", ")}; on average ${format(entry.mean_bid[at.type][at.private][karma], 3)}.`;
    };
    draw();
    const dark = globalThis.matchMedia?.("(prefers-color-scheme: dark)");
    dark?.addEventListener("change", draw);
    root.dataset.ready = "true";
    return () => {
      dark?.removeEventListener("change", draw);
      heat.close();
      wealth.close();
      view.remove();
    };
  },
};

/** The distribution of karma of a type, over its urgencies. @param {number[][][]} karma @param {number} type */
function sum(karma, type) {
  const rows = karma[type];
  const shares = rows[0].map((_, k) => rows.reduce((total, row) => total + row[k], 0));
  const whole = shares.reduce((a, b) => a + b, 0);
  return shares.map((share) => share / (whole || 1));
}
