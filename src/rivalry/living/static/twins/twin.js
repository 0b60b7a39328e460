/** The twin of a game by its family, and best responses over any twin. */

import { influencerTwin } from "./influencer.js";
import { duopolyTwin } from "./duopoly.js";
import { raceTwin } from "./race.js";
import { matrixTwin } from "./matrix.js";

/** @typedef {{players: number, payoffs: (x: number[][]) => ArrayLike<number>,
 *   deviation: (x: number[][], player: number) => (strategy: ArrayLike<number>) => number,
 *   shares?: (x: number[][]) => Float64Array[], influence?: (player: number, position: number[]) => Float64Array,
 *   actionPayoffs?: (x: number[][], player: number) => number[]}} Twin */

/** The twin of a figure's game with changed parameters; null where the game has none.
 * @param {any} game @param {Record<string, any>} [parameters] @returns {Twin | null} */
export function twinOf(game, parameters = {}) {
  if (!game) return null;
  const inner = game.family === "influencer" ? "kernel" : "numbers";
  const own = { ...game[inner] };
  for (const [name, value] of Object.entries(parameters)) {
    const old = own[name];
    own[name] = Array.isArray(old) && !Array.isArray(value) ? old.map(() => value) : value;
  }
  const changed = { ...game, [inner]: own };
  const make = { influencer: influencerTwin, market: duopolyTwin, race: raceTwin, matrix: matrixTwin }[
    /** @type {"matrix"} */ (game.family)];
  return make ? make(changed) : null;
}

/** The largest value of a function on an interval near a grid point, by golden sections.
 * @param {(x: number) => number} f @param {number} low @param {number} high */
export function refine(f, low, high) {
  const golden = (Math.sqrt(5) - 1) / 2;
  let [a, d] = [low, high];
  let [b, c] = [d - golden * (d - a), a + golden * (d - a)];
  let [fb, fc] = [f(b), f(c)];
  for (let k = 0; k < 60 && d - a > 1e-9 * Math.max(Math.abs(a), Math.abs(d), 1e-3); k++) {
    if (fb > fc) {
      [d, c, fc] = [c, b, fb];
      b = d - golden * (d - a);
      fb = f(b);
    } else {
      [a, b, fb] = [b, c, fc];
      c = a + golden * (d - a);
      fc = f(c);
    }
  }
  return fb > fc ? b : c;
}

/** The best entry of a grid, refined between its neighbours, with its value.
 * @param {(x: number) => number} f @param {ArrayLike<number>} grid @param {ArrayLike<number>} [values] */
export function bestOf(f, grid, values = Array.from(grid, f)) {
  let best = 0;
  for (let k = 1; k < grid.length; k++) if (values[k] > values[best] || values[best] !== values[best]) best = k;
  const at = refine(f, grid[Math.max(best - 1, 0)], grid[Math.min(best + 1, grid.length - 1)]);
  const value = f(at);
  return value > values[best] ? { at, value } : { at: grid[best], value: values[best] };
}
