/**
 * Axes, marks and controls of the living figures: SVG, and a canvas for tiles and for many points.
 *
 * A mark is made once and then given data by `set`; a frame draws its marks again when its size or its
 * domain changes. Colours are custom properties of style.css, so that one sheet serves light and dark.
 */

/** Colours of players, those of the Matplotlib style of rivalry.plots. */
export const palette = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D1F"];

/** @typedef {{(value: number): number, invert: (pixel: number) => number, domain: number[], range: number[]}} Scale */
/** @typedef {{low: number, high: number, label?: string, ticks?: number, hidden?: boolean, gap?: number,
 *   marks?: {at: number, label: string}[]}} Axis */
/** @typedef {{colour?: string, dash?: boolean, thin?: boolean, width?: number, kind?: string, over?: boolean}} Look */
/** @typedef {ReturnType<typeof frame>} Frame */
/** @typedef {{get: (key: string) => any, set: (key: string, value: any) => void, save_changes: () => void,
 *   on: (event: string, callback: () => void) => void, off: (event: string, callback: () => void) => void}} Model */

/** The colour of the k-th player, as a reference to a custom property. @param {number} k */
export function hue(k) {
  return `var(--rv-${(k % palette.length) + 1})`;
}

/** The width of the k-th of `count` lines: falling, so that coinciding lines remain visible. @param {number} k @param {number} count */
export function widthOf(k, count) {
  return 1.8 + (count <= palette.length ? (count - 1 - k) * Math.max(1.5 - 0.3 * (count - 2), 0.5) : 0);
}

/** The value of a custom property at an element, for canvases. @param {Element} node @param {string} name */
export function resolve(node, name) {
  return getComputedStyle(node).getPropertyValue(name.replace(/^var\((.*)\)$/, "$1")).trim();
}

/** @param {Element} node @param {Record<string, any>} attributes @param {any[]} children */
function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name.replace(/^on/, ""), value);
    else if (name.startsWith("--")) /** @type {HTMLElement} */ (node).style.setProperty(name, value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/**
 * Make an HTML element. Functions are listeners, names with two dashes custom properties, children nodes or text.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag @param {Record<string, any>} [attributes] @param {...any} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function el(tag, attributes = {}, ...children) {
  return /** @type {any} */ (fill(document.createElement(tag), attributes, children));
}

/**
 * Make an SVG element, as `el` makes HTML.
 * @template {keyof SVGElementTagNameMap} T
 * @param {T} tag @param {Record<string, any>} [attributes] @param {...any} children
 * @returns {SVGElementTagNameMap[T]}
 */
export function svg(tag, attributes = {}, ...children) {
  return /** @type {any} */ (fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children));
}

/** A linear map from values to pixels. @param {number[]} domain @param {number[]} range @returns {Scale} */
export function scale(domain, range) {
  const [low, high] = domain;
  const [from, to] = range;
  const slope = (to - from) / (high - low || 1);
  const map = (/** @type {number} */ value) => from + (value - low) * slope;
  return Object.assign(map, { invert: (/** @type {number} */ at) => low + (at - from) / (slope || 1), domain, range });
}

/** Round numbers between two ends, about `count` of them. @param {number} low @param {number} high */
export function ticks(low, high, count = 5) {
  if (!(high > low)) return [low];
  const rough = (high - low) / Math.max(count, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 2.5, 5, 10].find((one) => one * power >= rough * 0.999) ?? 10;
  const step = factor * power;
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) found.push(k * step || 0);
  return found.map((value) => Number(value.toPrecision(12)));
}

/** A number as the reports write it, with a true minus sign and short exponents; whole numbers below a million keep
 * all their digits. @param {number | null | undefined} value */
export function format(value, digits = 6) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 10 ** digits && size < 999_999.5) return String(Math.round(value)).replace("-", "−");
  if (size >= 10 ** digits || size < 1e-4) {
    return value.toExponential(Math.min(digits - 1, 3)).replace(/\.?0+e/, "e").replace("e+", "e").replaceAll("-", "−");
  }
  const text = value.toPrecision(digits);
  return (text.includes(".") ? text.replace(/\.?0+$/, "") : text).replace("-", "−");
}

/** Evenly spaced numbers, both ends included. @param {number} low @param {number} high @param {number} count */
export function linspace(low, high, count) {
  return Float64Array.from({ length: count }, (_, k) => low + ((high - low) * k) / (count - 1));
}

/** @param {number} value @param {number} low @param {number} high */
export function clip(value, low, high) {
  return value < low ? low : value > high ? high : value;
}

/**
 * Axes that follow the width of `root`. The result has the scales `x` and `y`, the groups `plot` (clipped) and
 * `over` (not clipped), and redraws what `add` was given whenever size or domain changes.
 * @param {HTMLElement} root
 * @param {{height?: number | ((width: number) => number), x: Axis, y: Axis, label?: string,
 *   margin?: {top?: number, right?: number, bottom?: number, left?: number}, background?: (frame: any) => void}} options
 */
export function frame(root, options) {
  const margin = { top: 10, right: 14, bottom: 40, left: 52, ...options.margin };
  const id = `rv-clip-${(frame.count = (frame.count ?? 0) + 1)}`;
  const rect = svg("rect");
  const axes = svg("g", { class: "rv-axes", "aria-hidden": "true" });
  const plot = svg("g", { "clip-path": `url(#${id})` });
  const over = svg("g");
  const canvas = el("canvas", { class: "rv-canvas", "aria-hidden": "true" });
  const picture = svg("svg", { class: "rv-svg", role: "group", "aria-label": options.label ?? "figure" },
    svg("defs", {}, svg("clipPath", { id }, rect)), axes, plot, over);
  const host = el("div", { class: "rv-frame" }, canvas, picture);
  root.append(host);
  /** @type {(() => void)[]} */
  const marks = [];
  const self = {
    root: host, svg: picture, plot, over, canvas, margin, width: 0, height: 0, inner: { width: 0, height: 0 },
    xAxis: { ...options.x }, yAxis: { ...options.y }, x: scale([0, 1], [0, 1]), y: scale([0, 1], [1, 0]),
    /** Register a drawing; it is drawn now and after each change of size. @param {() => void} draw */
    add(draw) {
      marks.push(draw);
      if (self.width) draw();
      return () => void marks.splice(marks.indexOf(draw), 1);
    },
    /** Change the ends or labels of the axes. @param {Partial<Axis>} x @param {Partial<Axis>} [y] */
    domain(x, y = {}) {
      const changed = (/** @type {any} */ old, /** @type {any} */ now) => Object.keys(now).some((key) => old[key] !== now[key]);
      if (!changed(self.xAxis, x) && !changed(self.yAxis, y)) return;
      Object.assign(self.xAxis, x);
      Object.assign(self.yAxis, y);
      self.redraw();
    },
    /** The values at a pointer, clipped to the axes. @param {{clientX: number, clientY: number}} event */
    at(event) {
      const box = picture.getBoundingClientRect();
      const { xAxis, yAxis } = self;
      return [clip(self.x.invert(event.clientX - box.left), xAxis.low, xAxis.high),
        clip(self.y.invert(event.clientY - box.top), yAxis.low, yAxis.high)];
    },
    /** The canvas below the drawing, cleared, in CSS pixels. */
    paint() {
      const ratio = globalThis.devicePixelRatio || 1;
      canvas.width = Math.round(self.width * ratio);
      canvas.height = Math.round(self.height * ratio);
      const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      return context;
    },
    redraw() {
      self.width = Math.max(host.clientWidth, 120);
      const height = options.height ?? 320;
      self.height = typeof height === "function" ? height(self.width) : height;
      const bottom = self.height - margin.bottom;
      const right = self.width - margin.right;
      self.inner = { width: right - margin.left, height: bottom - margin.top };
      self.x = scale([self.xAxis.low, self.xAxis.high], [margin.left, right]);
      self.y = scale([self.yAxis.low, self.yAxis.high], [bottom, margin.top]);
      fill(picture, { width: self.width, height: self.height }, []);
      canvas.style.setProperty("width", `${self.width}px`);
      canvas.style.setProperty("height", `${self.height}px`);
      fill(rect, { x: margin.left, y: margin.top, width: self.inner.width, height: self.inner.height }, []);
      axes.replaceChildren();
      if (options.background) options.background(self);
      drawAxes(self, axes);
      for (const draw of marks) draw();
    },
    close() {
      observer.disconnect();
      host.remove();
    },
  };
  const observer = new ResizeObserver(() => {
    if (host.clientWidth && Math.max(host.clientWidth, 120) !== self.width) self.redraw();
  });
  observer.observe(host);
  self.redraw();
  return self;
}
frame.count = 0;

/** @param {any} one @param {SVGGElement} group */
function drawAxes(one, group) {
  const { x, y, xAxis, yAxis, margin } = one;
  const [left, right] = x.range;
  const [bottom, top] = y.range;
  const text = (/** @type {any} */ place, /** @type {string} */ words) => group.append(svg("text", place, words));
  if (!xAxis.hidden) {
    const across = xAxis.marks ?? ticks(xAxis.low, xAxis.high, xAxis.ticks ?? clip((right - left) / 90, 2, 8))
      .map((at) => ({ at, label: format(at) }));
    for (const { at, label } of across) {
      group.append(svg("line", { class: "rv-grid", x1: x(at), x2: x(at), y1: top, y2: bottom }));
      text({ class: "rv-tick", x: x(at), y: bottom + 17 + (xAxis.gap ?? 0), "text-anchor": "middle" }, label);
    }
    group.append(svg("line", { class: "rv-axis", x1: left, x2: right, y1: bottom, y2: bottom }));
    if (xAxis.label) text({ class: "rv-label", x: (left + right) / 2, y: bottom + 35 + (xAxis.gap ?? 0), "text-anchor": "middle" }, xAxis.label);
  }
  if (!yAxis.hidden) {
    const up = yAxis.marks ?? ticks(yAxis.low, yAxis.high, yAxis.ticks ?? clip((bottom - top) / 60, 2, 6))
      .map((at) => ({ at, label: format(at) }));
    for (const { at, label } of up) {
      group.append(svg("line", { class: "rv-grid", x1: left, x2: right, y1: y(at), y2: y(at) }));
      text({ class: "rv-tick", x: left - 8, y: y(at) + 4, "text-anchor": "end" }, label);
    }
    group.append(svg("line", { class: "rv-axis", x1: left, x2: left, y1: top, y2: bottom }));
    if (yAxis.label) {
      text({ class: "rv-label", x: 0, y: 0, "text-anchor": "middle",
        transform: `translate(${left - margin.left + 13} ${(top + bottom) / 2}) rotate(-90)` }, yAxis.label);
    }
  }
}

/** Pixels with one decimal, which is all that a screen shows. @param {number} value */
function pixel(value) {
  return Math.round(value * 10) / 10;
}

/** The path through points; it breaks where a value is not finite.
 * @param {Frame} one @param {ArrayLike<number>} xs @param {ArrayLike<number>} ys */
function pathOf(one, xs, ys) {
  const { x, y } = one;
  let text = "";
  let pen = "M";
  for (let k = 0; k < xs.length; k++) {
    const px = x(xs[k]);
    const py = y(ys[k]);
    if (px - px === 0 && py - py === 0) {
      text += `${pen}${pixel(px)} ${pixel(py)}`;
      pen = "L";
    } else pen = "M";
  }
  return text;
}

/** @param {Frame} one @param {Look} look @param {string} kind */
function strokeOf(one, look, kind) {
  const extra = `${look.dash ? " rv-dash" : ""}${look.thin ? " rv-thin" : ""} ${look.kind ?? ""}`;
  const node = svg("path", { class: `${kind}${extra}`, "--c": look.colour ?? "var(--rv-ink)",
    "stroke-width": look.width });
  (look.over ? one.over : one.plot).append(node);
  return node;
}

/**
 * A mark that is one path: `set` gives its data, from which `path` makes the text of the path.
 * @template {any[]} Data
 * @param {Frame} one @param {SVGPathElement} node @param {(...data: Data) => string} path
 */
function pathMark(one, node, path) {
  /** @type {Data | null} */
  let known = null;
  const draw = () => node.setAttribute("d", known ? path(...known) : "");
  const forget = one.add(draw);
  return {
    node,
    /** @param {Data} data */
    set(...data) {
      known = data;
      draw();
    },
    remove() {
      forget();
      node.remove();
    },
  };
}

/** A line; `set(xs, ys)` gives its points. @param {Frame} one @param {Look} [look] */
export function line(one, look = {}) {
  return pathMark(one, strokeOf(one, look, "rv-line"), (/** @type {ArrayLike<number>} */ xs, /** @type {ArrayLike<number>} */ ys) =>
    pathOf(one, xs, ys));
}

/** The area between two curves; `set(xs, lows, highs)`. @param {Frame} one @param {Look} [look] */
export function band(one, look = {}) {
  return pathMark(one, strokeOf(one, look, "rv-band"), (/** @type {ArrayLike<number>} */ xs,
    /** @type {ArrayLike<number>} */ lows, /** @type {ArrayLike<number>} */ highs) => {
    const under = pathOf(one, Array.from(xs).reverse(), Array.from(lows).reverse());
    return xs.length ? `${pathOf(one, xs, highs)}${under.replace("M", "L")}Z` : "";
  });
}

/**
 * Marks at points, each with its own title; hollow ones are not certified.
 * @param {Frame} one @param {Look & {radius?: number, shape?: "circle" | "diamond" | "ring"}} [look]
 */
export function points(one, look = {}) {
  const group = svg("g", { "--c": look.colour ?? "var(--rv-ink)" });
  (look.over ? one.over : one.plot).append(group);
  const radius = look.radius ?? 4;
  /** @type {{x: number, y: number, title?: string, hollow?: boolean, colour?: string}[]} */
  let data = [];
  const draw = () => {
    group.replaceChildren(...data.map((point) => {
      const px = pixel(one.x(point.x));
      const py = pixel(one.y(point.y));
      const r = radius * 1.3;
      const shape = look.shape === "diamond"
        ? svg("path", { d: `M${px} ${py - r}L${px + r} ${py}L${px} ${py + r}L${px - r} ${py}Z` })
        : svg("circle", { cx: px, cy: py, r: radius });
      fill(shape, { class: `rv-point ${point.hollow || look.shape === "ring" ? "rv-hollow" : ""} ${look.kind ?? ""}`,
        "--c": point.colour }, point.title ? [svg("title", {}, point.title)] : []);
      return shape;
    }));
  };
  const forget = one.add(draw);
  return {
    node: group,
    /** @param {typeof data} marks */
    set(marks) {
      data = marks;
      draw();
    },
    remove() {
      forget();
      group.remove();
    },
  };
}

/** Rectangles of one colour each, on the canvas: `set(rows, colour)` with rows from the bottom up.
 * @param {Frame} one @param {{x?: number[], y?: number[], gap?: number}} [place] */
export function tiles(one, place = {}) {
  /** @type {ArrayLike<number>[]} */
  let rows = [];
  /** @type {(value: number, row: number, column: number) => string} */
  let colour = () => "transparent";
  const draw = () => {
    const context = one.paint();
    const [x0, x1] = (place.x ?? one.x.domain).map(one.x);
    const [y0, y1] = (place.y ?? one.y.domain).map(one.y);
    const high = (y1 - y0) / Math.max(rows.length, 1);
    const gap = place.gap ?? 0;
    rows.forEach((row, j) => {
      const wide = (x1 - x0) / row.length;
      for (let k = 0; k < row.length; k++) {
        context.fillStyle = colour(row[k], j, k);
        const [left, top] = [x0 + k * wide, y0 + (j + 1) * high];
        context.fillRect(left, top, wide - gap + (gap ? 0 : 0.5), -high - gap + (gap ? 0 : 0.5));
      }
    });
  };
  const forget = one.add(draw);
  return {
    /** @param {ArrayLike<number>[]} values @param {typeof colour} paint */
    set(values, paint) {
      rows = values;
      colour = paint;
      draw();
    },
    remove: forget,
  };
}

/** A colour between pale and strong for a number from 0 to 1 (viridis). @param {number} part */
export function shade(part) {
  const stops = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
  const at = clip(Number.isFinite(part) ? part : 0, 0, 1) * (stops.length - 1);
  const k = Math.min(Math.floor(at), stops.length - 2);
  const mixed = stops[k].map((one, j) => Math.round(one + (at - k) * (stops[k + 1][j] - one)));
  return `rgb(${mixed.join(" ")})`;
}

/**
 * A handle that is dragged by mouse or touch, moved by arrow keys, and typed after Enter.
 * `at()` gives its place, `move(place, settled)` is called with a new one. A fixed one only shows its place.
 * @param {{fixed?: boolean, frame: Frame, at: () => number[], move: (place: number[], settled: boolean) => void, label: string,
 *   colour?: string, axes?: "x" | "xy", text?: (place: number[]) => string, name?: string,
 *   typed?: {value: () => string, read: (text: string) => number[] | null}, radius?: number}} options
 */
export function handle(options) {
  const { frame: one, at, move, axes = "x" } = options;
  const radius = options.radius ?? 9;
  const reached = options.fixed ? { class: "rv-place", role: "img" }
    : { class: `rv-handle rv-handle-${axes}`, role: "slider", tabindex: 0 };
  const node = svg("g", { ...reached, "aria-label": options.label, "--c": options.colour ?? "var(--rv-accent)" },
  svg("circle", { class: "rv-hit", r: 22 }), svg("circle", { class: "rv-halo", r: radius + 5 }),
  svg("circle", { class: "rv-knob", r: radius }));
  if (options.name) node.append(svg("text", { class: "rv-handle-name", "text-anchor": "middle", y: 3.5 }, options.name));
  one.over.append(node);
  const draw = () => {
    const place = at();
    node.setAttribute("transform", `translate(${pixel(one.x(place[0]))} ${pixel(one.y(place[1]))})`);
    const words = options.text ? options.text(place) : place.slice(0, axes === "x" ? 1 : 2).map((v) => format(v)).join(", ");
    const values = { "aria-valuemin": one.xAxis.low, "aria-valuemax": one.xAxis.high,
      "aria-valuenow": Number(place[0].toPrecision(6)), "aria-valuetext": words };
    fill(node, options.fixed ? { "aria-label": `${options.label}: ${words}` } : values, []);
  };
  const forget = one.add(draw);
  const remove = () => {
    forget();
    node.remove();
  };
  if (options.fixed) return { node, draw, remove };
  let [dx, dy] = [0, 0];
  let held = false;
  node.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    event.stopPropagation();
    node.focus({ preventScroll: true });
    node.setPointerCapture(event.pointerId);
    const box = one.svg.getBoundingClientRect();
    const place = at();
    [dx, dy] = [one.x(place[0]) - (event.clientX - box.left), one.y(place[1]) - (event.clientY - box.top)];
    held = true;
    node.classList.add("rv-held");
  });
  node.addEventListener("pointermove", (event) => {
    if (!held) return;
    const place = one.at({ clientX: event.clientX + dx, clientY: event.clientY + dy });
    move(axes === "x" ? [place[0], at()[1]] : place, false);
    draw();
  });
  const release = () => {
    if (!held) return;
    held = false;
    node.classList.remove("rv-held");
    // the last place: a cancelled touch reports none
    move(at(), true);
    draw();
  };
  node.addEventListener("pointerup", release);
  node.addEventListener("pointercancel", release);
  let moved = false;
  node.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: axes === "x" ? [1, 0] : [0, 1],
      ArrowDown: axes === "x" ? [-1, 0] : [0, -1], PageUp: [10, 0], PageDown: [-10, 0] }[event.key];
    if (event.key === "Enter") {
      event.preventDefault();
      type(options, node, draw);
    } else if (way) {
      event.preventDefault();
      const size = event.shiftKey ? 0.05 : event.altKey ? 0.001 : 0.01;
      const place = at();
      const [x, y] = [one.xAxis, one.yAxis];
      moved = true;
      move([clip(place[0] + way[0] * size * (x.high - x.low), x.low, x.high),
        way[1] ? clip(place[1] + way[1] * size * (y.high - y.low), y.low, y.high) : place[1]], false);
      draw();
    }
  });
  const settle = () => {
    if (moved) move(at(), true);
    moved = false;
  };
  node.addEventListener("keyup", settle);
  node.addEventListener("blur", settle);
  return { node, draw, remove };
}

/** Call back with the place of a click beside the handles; unlike a press, scrolling a page is no click.
 * @param {Frame} one @param {(place: number[]) => void} callback */
export function press(one, callback) {
  one.svg.addEventListener("click", (event) => {
    if (!(/** @type {Element} */ (event.target).closest(".rv-handle"))) callback(one.at(event));
  });
}

/** Let a person type a handle's place. @param {any} options @param {SVGGElement} node @param {() => void} draw */
function type(options, node, draw) {
  const { frame: one, at, axes = "x" } = options;
  const place = at();
  const count = axes === "x" ? 1 : 2;
  const typed = options.typed ?? {
    value: () => place.slice(0, count).map((/** @type {number} */ v) => Number(v.toPrecision(6))).join(", "),
    read: (/** @type {string} */ text) => {
      const numbers = text.split(/[,;\s]+/).filter(Boolean).map(Number);
      return numbers.length === count && numbers.every(Number.isFinite) ? [...numbers, ...place.slice(count)] : null;
    },
  };
  const box = el("input", { class: "rv-type", type: "text", inputmode: "decimal", "aria-label": options.label, value: typed.value() });
  let closed = false;
  const close = (/** @type {boolean} */ keep, refocus = true) => {
    if (closed) return;
    const found = keep ? typed.read(box.value) : null;
    if (keep && !found) return void box.classList.add("rv-wrong");
    closed = true; // removing the box takes its focus, which would close it again
    box.remove();
    if (found) {
      const [x, y] = [one.xAxis, one.yAxis];
      options.move([clip(found[0], x.low, x.high), axes === "x" ? found[1] : clip(found[1], y.low, y.high)], true);
      draw();
    }
    if (refocus) node.focus({ preventScroll: true });
  };
  box.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter") close(true);
    if (event.key === "Escape") close(false);
  });
  box.addEventListener("blur", () => close(false, false));
  one.root.append(box);
  box.style.setProperty("left", `${clip(one.x(place[0]) - 50, 4, one.width - 130)}px`);
  box.style.setProperty("top", `${clip(one.y(place[1]) - 52, 4, one.height - 40)}px`);
  box.focus();
  box.select();
}

/**
 * A labelled range input with its number; `change(value, settled)`.
 * @param {{label: string, low: number, high: number, value: number, step?: number | "any", unit?: string,
 *   colour?: string, text?: (value: number) => string, change: (value: number, settled: boolean) => void}} options
 */
export function slider(options) {
  const { low, high, change } = options;
  const words = options.text ?? ((/** @type {number} */ value) => `${format(value, 4)}${options.unit ? ` ${options.unit}` : ""}`);
  const number = el("output", { class: "rv-number" });
  const step = options.step ?? Number(((high - low) / 200).toPrecision(2));
  const input = el("input", { type: "range", "aria-label": options.label, min: low, max: high, step, "--c": options.colour ?? "var(--rv-accent)" });
  const show = () => {
    number.textContent = words(Number(input.value));
    if (options.text) input.setAttribute("aria-valuetext", number.textContent);
    input.style.setProperty("--part", `${(100 * (Number(input.value) - low)) / (high - low || 1)}%`);
  };
  input.addEventListener("input", () => {
    show();
    change(Number(input.value), false);
  });
  input.addEventListener("change", () => change(Number(input.value), true));
  const set = (/** @type {number} */ value) => {
    input.value = String(value);
    show();
  };
  set(options.value);
  return { node: el("div", { class: "rv-slider" }, el("span", { "aria-hidden": "true" }, options.label), number, input), input, set };
}

/** A button. @param {string} label @param {() => void} press @param {boolean} [quiet] */
export function button(label, press, quiet = false) {
  return el("button", { type: "button", class: quiet ? "rv-button rv-quiet" : "rv-button", onclick: press }, label);
}

/**
 * Play an animation: `step(seconds)` is called per picture until it returns false. Readers who asked their
 * system for less motion see the end at once, by one call with infinity.
 * @param {(seconds: number) => boolean} step @param {() => void} [done]
 */
export function play(step, done = () => {}) {
  let stopped = false;
  const end = () => {
    if (!stopped) done();
    stopped = true;
  };
  if (globalThis.matchMedia?.("(prefers-reduced-motion: reduce)").matches) {
    step(Infinity);
    end();
  } else {
    const start = performance.now();
    const next = (/** @type {number} */ now) => {
      if (stopped) return;
      if (step(Math.max(now - start, 0) / 1000)) requestAnimationFrame(next);
      else end();
    };
    requestAnimationFrame(next);
  }
  return { stop: end };
}

/** Names beside the marks they stand for. @param {{label: string, colour?: string, mark?: string}[]} entries */
export function legend(entries) {
  return el("ul", { class: "rv-legend" }, entries.map((one) => el("li", {},
    el("span", { class: `rv-key rv-key-${one.mark ?? "line"}`, "--c": one.colour ?? "var(--rv-ink)", "aria-hidden": "true" }),
    one.label)));
}

