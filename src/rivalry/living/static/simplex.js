/** The three-corner simplex as a picture: its axes, and the plane coordinates of its points. */

import { el, frame, svg } from "./kit.js";

/** The plane coordinates of a point of the three-corner simplex. @param {ArrayLike<number>} point */
export function toPlane(point) {
  return [point[1] + point[2] / 2, (point[2] * Math.sqrt(3)) / 2];
}

/** The point of the simplex at plane coordinates, the nearest one outside. @param {number[]} plane */
export function fromPlane(plane) {
  const third = (2 * plane[1]) / Math.sqrt(3);
  const second = plane[0] - third / 2;
  const raw = [1 - second - third, second, third].map((one) => Math.max(one, 0));
  const sum = raw[0] + raw[1] + raw[2];
  return raw.map((one) => one / sum);
}

/** The nearest point of the simplex whose shares are at least `least`. @param {number[]} point @param {number} least */
export function project(point, least) {
  const spare = 1 - 3 * least;
  const sorted = point.map((one) => one - least).sort((a, b) => b - a);
  let sum = 0;
  let level = 0;
  sorted.forEach((one, k) => {
    sum += one;
    if (one - (sum - spare) / (k + 1) > 0) level = (sum - spare) / (k + 1);
  });
  return point.map((one) => Math.max(one - least - level, 0) + least);
}

/**
 * A frame whose plot is the three-corner simplex, corners named; use `toPlane` and `fromPlane`.
 * @param {HTMLElement} root @param {{corners: string[], label?: string, largest?: number}} options
 */
export function triangle(root, options) {
  const side = options.largest ?? 560;
  const tall = Math.sqrt(3) / 2;
  const edge = { low: 0, high: 1, hidden: true };
  const margin = { top: 30, bottom: 34, left: 30, right: 30 };
  /** @param {any} one */
  const background = (one) => {
    const corners = [[0, 0], [1, 0], [0.5, tall]].map(([x, y]) => [one.x(x), one.y(y)]);
    const inner = one.svg.querySelector(".rv-axes");
    for (let k = 1; k < 5; k++) {
      const part = k / 5;
      for (let c = 0; c < 3; c++) {
        const [a, b, d] = [corners[c], corners[(c + 1) % 3], corners[(c + 2) % 3]];
        inner.append(svg("line", { class: "rv-grid", x1: a[0] + part * (b[0] - a[0]), y1: a[1] + part * (b[1] - a[1]),
          x2: a[0] + part * (d[0] - a[0]), y2: a[1] + part * (d[1] - a[1]) }));
      }
    }
    inner.append(svg("path", { class: "rv-edge-line", d: `M${corners.map((one) => one.join(" ")).join("L")}Z` }));
    const anchors = ["start", "end", "middle"];
    corners.forEach(([x, y], c) => {
      inner.append(svg("text", { class: "rv-label", x: x + [-22, 22, 0][c], y: y + (c < 2 ? 22 : -12), "text-anchor": anchors[c] },
        options.corners[c]));
    });
  };
  const holder = el("div", { class: "rv-triangle", "--rv-side": `${side}px` });
  root.append(holder);
  return frame(holder, { x: edge, y: { ...edge, high: tall }, margin, background, label: options.label,
    height: (width) => (width - margin.left - margin.right) * tall + margin.top + margin.bottom });
}
