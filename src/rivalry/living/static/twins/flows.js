/** Dynamics on the three-corner simplex: replicator, fictitious play, gradient ascent, and searches there. */

/** @typedef {import("./twin.js").Twin} Twin */

/** The points with shares that are multiples of 1/n. @param {number} n @param {number} [least] */
export function lattice(n, least = 0) {
  const found = [];
  for (let a = 0; a <= n; a++) {
    for (let b = 0; a + b <= n; b++) found.push([a, b, n - a - b].map((k) => least + ((1 - 3 * least) * k) / n));
  }
  return found;
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

/** The velocity of the replicator dynamic, `p_i (u_i - mean u)`. @param {number[]} own @param {number[]} pay */
export function replicator(own, pay) {
  const mean = own.reduce((sum, p, k) => sum + p * pay[k], 0);
  return own.map((p, k) => p * (pay[k] - mean));
}

/** The gradient of a payoff along the simplex, by differences. @param {(s: number[]) => number} f @param {number[]} own @param {number} least */
export function slopeOf(f, own, least) {
  const h = 1e-5;
  const slope = own.map((_, k) => {
    // towards corner k and away from it, both inside the simplex
    const toward = own.map((one, j) => one + h * ((j === k ? 1 - 2 * least : least) - one));
    return (f(toward) - f(own)) / (h * (1 - 3 * least));
  });
  const mean = (slope[0] + slope[1] + slope[2]) / 3;
  return slope.map((one) => one - mean);
}

/** The best strategy on a lattice, refined by smaller and smaller steps, and the smallest payoff met.
 * @param {(s: number[]) => number} f @param {number[][]} grid @param {number} least @param {number} step */
export function bestOnSimplex(f, grid, least, step) {
  let [at, value, low] = [grid[0], -Infinity, Infinity];
  for (const one of grid) {
    const found = f(one);
    if (found > value) [at, value] = [one, found];
    if (found < low) low = found;
  }
  for (let size = step / 2; size > 1e-7; size /= 2) {
    for (let again = true; again;) {
      again = false;
      for (const [from, to] of [[0, 1], [1, 0], [0, 2], [2, 0], [1, 2], [2, 1]]) {
        const moved = Math.min(size, at[from] - least);
        if (moved <= 0) continue;
        const next = at.map((one, k) => one + (k === to ? moved : k === from ? -moved : 0));
        const found = f(next);
        if (found > value + 1e-15 * Math.abs(value)) [at, value, again] = [next, found, true];
      }
    }
  }
  return { at, value, low };
}

/** A path of the replicator dynamic; `shared` where all players are one population, which starts at the first.
 * @param {Twin} twin @param {number[][]} x @param {boolean} shared */
export function replicatorPath(twin, x, shared, steps = 900) {
  const actions = /** @type {(x: number[][], player: number) => number[]} */ (twin.actionPayoffs);
  let now = shared ? x.map(() => x[0]) : x;
  let widest = 0;
  x.forEach((_, player) => {
    for (let a = 0; a < 3; a++) {
      const row = actions(x.map((own, k) => (k === player ? own : own.map((_, j) => (j === a ? 1 : 0)))), player);
      widest = Math.max(widest, Math.max(...row) - Math.min(...row));
    }
  });
  const dt = 0.1 / (widest || 1);
  const path = [now];
  const rate = (/** @type {number[][]} */ at) => at.map((own, player) => replicator(own, actions(at, player)));
  const along = (/** @type {number[][]} */ from, /** @type {number[][]} */ by, /** @type {number} */ part) =>
    from.map((own, i) => own.map((p, k) => p + part * by[i][k]));
  for (let k = 0; k < steps; k++) {
    const k1 = rate(now);
    const k2 = rate(along(now, k1, dt / 2));
    const k3 = rate(along(now, k2, dt / 2));
    const k4 = rate(along(now, k3, dt));
    const mean = k1.map((own, i) => own.map((one, j) => (one + 2 * k2[i][j] + 2 * k3[i][j] + k4[i][j]) / 6));
    now = along(now, mean, dt).map((own) => project(own, 0));
    path.push(now);
    if (Math.max(...mean.flat().map(Math.abs)) < 1e-7 * (widest || 1)) break;
  }
  return path;
}

/** The path of fictitious play: average strategies, each reply the first best one to the others' averages.
 * @param {Twin} twin @param {number[][]} x */
export function fictitiousPath(twin, x, steps = 400) {
  const actions = /** @type {(x: number[][], player: number) => number[]} */ (twin.actionPayoffs);
  const path = [x];
  for (let t = 1; t <= steps; t++) {
    const now = path[t - 1];
    path.push(now.map((own, player) => {
      const pay = actions(now, player);
      const best = pay.indexOf(Math.max(...pay));
      return own.map((p, k) => p + ((k === best ? 1 : 0) - p) / (t + 1));
    }));
  }
  return path;
}

/** The path of gradient ascent of all players, steps at most 2 % of a side long.
 * @param {Twin} twin @param {number[][]} x @param {number} least */
export function climbSimplex(twin, x, least, steps = 500) {
  const path = [x];
  let limit = Infinity;
  let before = /** @type {number[][] | null} */ (null);
  for (let t = 0; t < steps; t++) {
    const now = path[t];
    const slopes = now.map((own, player) => slopeOf(twin.deviation(now, player), own, least));
    const steep = Math.max(...slopes.flat().map(Math.abs)) || 1;
    // overshooting shows as slopes that turn round: then steps are halved
    if (before?.some((old, i) => old.reduce((sum, one, k) => sum + one * slopes[i][k], 0) < 0)) limit /= 2;
    before = slopes;
    limit = Math.min(limit, 0.02 / steep * 50);
    const rate = Math.min(0.02 / steep, limit);
    const next = now.map((own, i) => project(own.map((p, k) => p + rate * slopes[i][k]), least));
    path.push(next);
    if (Math.max(...next.flatMap((own, i) => own.map((p, k) => Math.abs(p - now[i][k])))) < 1e-6) break;
  }
  return path;
}
