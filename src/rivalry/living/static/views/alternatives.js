/** Equilibria under several values of a game's keys: one is chosen and shown beside the first. */

import { el, format, frame, hue, legend, line, points } from "../kit.js";
import { answerFor, change, choice, layout, profileClaim, same, stateOf, swatch, tableCard } from "../panel.js";

/** The change of a number, in percent of the first. @param {number} now @param {number} first */
function changed(now, first) {
  if (now === first || !first) return "–";
  const percent = 100 * (now / first - 1);
  return `${percent > 0 ? "+" : ""}${format(percent, 2)} %`;
}

/** @param {(string | HTMLElement)[][]} rows */
function tableRows(rows) {
  return rows.map((texts) => el("tr", {}, texts.map((text) => el("td", {}, text))));
}

/** @param {{model: import("../kit.js").Model, el: HTMLElement}} context */
function render({ model, el: root }) {
  const { options } = model.get("figure").data;
  const first = options[0];
  const several = options.length > 1;
  const claim = profileClaim(model, false);
  const { main, side, begin } = layout(model, root, { claim: claim.node,
    lead: several ? "Choose an alternative: prices, profits, surplus and the certificate are those of its equilibrium." : "" });
  const take = (/** @type {number} */ k) => change(model, { profile: options[k].profile, parameters: options[k].parameters }, true);
  const picker = choice("Alternative", options.map((/** @type {any} */ one) => one.label), take);
  if (several) main.append(picker.node);
  const prices = options.flatMap((/** @type {any} */ one) => one.price);
  const low = Math.min(...prices);
  const wide = Math.max(...prices) - low || Math.abs(low) || 1;
  const numbers = first.price.map((/** @type {number} */ _, /** @type {number} */ at) => ({ at, label: String(at) }));
  const marks = numbers.length > 12 ? undefined : numbers; // of many, round numbers
  const picture = frame(main, { height: 260, label: "Price of each product", margin: { left: 58 },
    x: { low: -0.5, high: first.price.length - 0.5, label: "product", marks },
    y: { low: low - 0.1 * wide, high: low + 1.1 * wide, label: "price" } });
  const stems = first.price.map((/** @type {number} */ _, /** @type {number} */ k) => line(picture, { colour: hue(k), thin: true }));
  const rings = points(picture, { shape: "ring", radius: 6 });
  const discs = points(picture, { radius: 4.5 });
  if (several) main.append(legend([{ label: "chosen", mark: "point" }, { label: `first: ${first.label}`, mark: "hollow" }]));
  const products = tableCard("Products", ["product", "price", "quantity", "profit", "price change"], "rv-many");
  const firms = tableCard("Firms, and what each could gain by other choices", ["firm", "payoff", "gain"]);
  const totals = tableCard("Market", ["", "value", "change"]);
  main.append(products.node);
  side.append(totals.node, firms.node);
  return begin(() => {
    const { parameters } = stateOf(model);
    const k = Math.max(options.findIndex((/** @type {any} */ one) => same(one.parameters, parameters)), 0);
    const now = options[k];
    picker.select.selectedIndex = k;
    claim.show(null);
    const mark = (/** @type {number} */ y, /** @type {number} */ x) => ({ x, y, colour: hue(x), title: `product ${x}: ${format(y, 4)}` });
    rings.set(first.price.map(mark));
    discs.set(now.price.map(mark));
    stems.forEach((/** @type {any} */ stem, /** @type {number} */ j) => stem.set([j, j], [first.price[j], now.price[j]]));
    products.body.replaceChildren(...tableRows(now.price.map((/** @type {number} */ price, /** @type {number} */ j) =>
      [el("span", {}, swatch(j), String(j)), ...[price, now.quantity[j], now.profit[j]].map((one) => format(one, 4)), changed(price, first.price[j])])));
    const gains = answerFor(model)?.regret ?? [];
    firms.body.replaceChildren(...tableRows(now.firms.map((/** @type {string} */ firm, /** @type {number} */ j) =>
      // smaller parts of a payoff are rounding errors
      [firm, format(now.payoffs[j], 4), format(Math.abs(gains[j]) < 1e-12 * Math.abs(now.payoffs[j]) ? 0 : gains[j], 2)])));
    totals.body.replaceChildren(...tableRows(now.totals.map((/** @type {any[]} */ [label, value], /** @type {number} */ j) =>
      [label, format(value, 4), changed(value, first.totals[j][1])])));
  });
}

export default { initialize() {}, render };
