/** Searches on the three-corner simplex. */

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
