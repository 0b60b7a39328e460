/**
 * Published and independent values beside ours, each with its verdict, sorted by difference.
 *
 * Data: `rows` [{label, place, ours, published, published_tolerance, published_verdict, expected, tolerance, within,
 * expected_verdict, certificate, reason, locator, read, why, note, difference, cells}]; `difference` is in units of
 * the tolerance.
 */

import { clip, el, format, svg } from "../kit.js";
import { choice, layout, point } from "../panel.js";

const ORDERS = {
  "largest difference first": (/** @type {any} */ a, /** @type {any} */ b) => (b.difference ?? -1) - (a.difference ?? -1),
  "order of the study": () => 0,
  "quantity": (/** @type {any} */ a, /** @type {any} */ b) => a.label.localeCompare(b.label),
};
const WIDE = 132;

/** @param {any} value */
function shown(value) {
  return typeof value === "number" ? format(value, 7) : value === null || value === undefined ? "–" : String(value);
}

/** @param {string | null} word */
function verdict(word) {
  const mark = { agrees: "✓", differs: "✗" }[word ?? ""] ?? "–";
  return word ? el("span", { class: "rv-verdict", "data-verdict": word }, `${mark} ${word}`) : null;
}

/** Ours as a point on a band of the tolerance around the reference. @param {any} row */
function strip(row) {
  const centre = WIDE / 2;
  const unit = WIDE / 8; // one tolerance
  if (row.difference === null) return null;
  const at = clip(row.signed, -3.6, 3.6);
  const beyond = Math.abs(row.signed) > 3.6;
  const words = `ours differs by ${format(Math.abs(row.signed), 3)} tolerances`;
  const place = centre + at * unit;
  return svg("svg", { class: "rv-strip", width: WIDE, height: 18, role: "img", "aria-label": words },
    svg("rect", { class: "rv-strip-band", x: centre - unit, y: 3, width: 2 * unit, height: 12, rx: 2 }),
    svg("line", { class: "rv-axis", x1: centre, x2: centre, y1: 1, y2: 17 }),
    beyond
      ? svg("path", { class: "rv-strip-mark", "data-out": true, d: at > 0 ? `M${place - 5} 4L${place + 5} 9L${place - 5} 14Z` : `M${place + 5} 4L${place - 5} 9L${place + 5} 14Z` })
      : svg("circle", { class: "rv-strip-mark", "data-out": Math.abs(row.signed) > 1, cx: place, cy: 9, r: 4.5 }),
    svg("title", {}, words));
}

export default {
  /** @param {{model: any, el: HTMLElement}} context */
  render({ model, el: root }) {
    const { main, name, begin } = layout(model, root, { wide: true });
    const { node: orders, select: order } = choice("Order", Object.keys(ORDERS), () => draw());
    const list = el("div", { class: "rv-references" });
    main.append(orders, el("p", { class: "rv-note" }, "A point is ours, the line the reference, the band its tolerance."), list);

    const entry = (/** @type {any} */ row) => {
      const reference = row.published ?? row.expected ?? (row.within ? `${shown(row.within[0])} to ${shown(row.within[1])}` : null);
      const source = row.published !== null ? "published" : "expected";
      const more = [
        row.published !== null ? ["published", `${shown(row.published)}${row.published_tolerance ? ` ± ${shown(row.published_tolerance)}` : ""}`, verdict(row.published_verdict)] : null,
        row.expected !== null || row.within ? ["expected", `${row.within ? `${shown(row.within[0])} to ${shown(row.within[1])}` : shown(row.expected)}${row.tolerance ? ` ± ${shown(row.tolerance)}` : ""}`, verdict(row.expected_verdict)] : null,
        ["certificate", row.certificate ?? "none", null],
        row.locator || row.read ? ["printed in", [row.locator, row.read].filter(Boolean).join(", "), null] : null,
        row.published_tolerance_reason ? ["tolerance", row.published_tolerance_reason, null] : null,
        row.why ? ["why ours differs", row.why, null] : null,
        row.reason ? ["not compared", row.reason, null] : null,
        row.note ? ["note", row.note, null] : null,
        row.cells.length ? ["cells", row.cells.join(", "), null] : null,
      ].filter((one) => one !== null);
      const node = el("details", { class: "rv-reference" },
        el("summary", {},
          el("span", { class: "rv-reference-name" }, el("b", {}, row.label),
            row.reduce ? ` ${row.reduce}` : "", row.place ? el("span", { class: "rv-note" }, ` ${row.place}`) : null),
          el("span", { class: "rv-reference-value" }, shown(row.ours), el("span", { class: "rv-note" }, " ours")),
          el("span", { class: "rv-reference-value" }, shown(reference), el("span", { class: "rv-note" }, ` ${source}`)),
          el("span", { class: "rv-reference-strip" }, strip(row)),
          el("span", { class: "rv-reference-verdicts" }, verdict(row.published_verdict), verdict(row.expected_verdict))),
        el("table", { class: "rv-table rv-words" }, el("tbody", {}, more.map(([name, value, mark]) => el("tr", {},
          el("th", { scope: "row" }, name), el("td", {}, value, mark ? " " : null, mark))))));
      node.addEventListener("toggle", () => {
        if (!node.open || !row.cells.length) return;
        point(model, { cell: row.cells[0] });
      });
      return node;
    };

    const draw = () => {
      name();
      const rows = [...model.get("figure").data.rows].sort(/** @type {any} */ (ORDERS)[order.value]);
      list.replaceChildren(...rows.map(entry));
    };
    return begin(draw, undefined, ["figure"]);
  },
};
