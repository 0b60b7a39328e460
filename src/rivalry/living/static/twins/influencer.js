/** Payoffs of influencer games, the twin of rivalry.families.influencer.model and of its kernels. */

/** The logarithm of the gamma function above 0, by Stirling's series. @param {number} z */
export function logGamma(z) {
  let shift = 0;
  let product = 1;
  while (z < 15) {
    product *= z;
    if (product > 1e250) {
      shift += Math.log(product);
      product = 1;
    }
    z += 1;
  }
  const w = 1 / (z * z);
  const tail = (1 / 12 - w * (1 / 360 - w * (1 / 1260 - w * (1 / 1680 - w * (1 / 1188 - (w * 691) / 360360))))) / z;
  return (z - 0.5) * Math.log(z) - z + 0.5 * Math.log(2 * Math.PI) + tail - shift - Math.log(product);
}

/** @param {any} game @returns {(player: number, position: ArrayLike<number>, out: Float64Array) => void} */
function logInfluence(game) {
  const { kernel, points } = game;
  const axes = points[0].length;
  if (kernel.kind === "gaussian") {
    const flat = axes === 1 ? Float64Array.from(points, (/** @type {number[]} */ point) => point[0]) : null;
    return (player, position, out) => {
      const reach = kernel.reach[player];
      const factor = -0.5 / reach ** 2;
      const base = kernel.normalised ? -axes * Math.log(reach * Math.sqrt(2 * Math.PI)) : 0;
      if (flat) {
        const x = position[0];
        for (let k = 0; k < out.length; k++) out[k] = (flat[k] - x) * (flat[k] - x) * factor + base;
        return;
      }
      for (let k = 0; k < out.length; k++) {
        let squares = 0;
        for (let a = 0; a < axes; a++) squares += (points[k][a] - position[a]) ** 2;
        out[k] = squares * factor + base;
      }
    };
  }
  if (kernel.kind === "power_law") {
    return (player, position, out) => {
      for (let k = 0; k < out.length; k++) {
        out[k] = -kernel.exponent[player] * Math.log(Math.max(Math.abs(points[k][0] - position[0]), kernel.floor));
      }
    };
  }
  if (kernel.kind === "blotto") {
    const field = points.map((/** @type {number[]} */ point) => point.indexOf(Math.max(...point)));
    return (player, position, out) => {
      for (let k = 0; k < out.length; k++) out[k] = kernel.exponent[player] * Math.log(position[field[k]]);
    };
  }
  if (kernel.kind === "dirichlet") {
    const logs = points.map((/** @type {number[]} */ point) => point.map(Math.log));
    return (player, position, out) => {
      const c = kernel.reference_corner;
      const alpha = kernel.alpha[player];
      const a = Array.from(position, (one, l) => (l === c ? alpha : (alpha * one) / position[c]));
      const base = logGamma(a.reduce((sum, one) => sum + one, 0)) - a.reduce((sum, one) => sum + logGamma(one), 0);
      for (let k = 0; k < out.length; k++) {
        out[k] = base;
        for (let l = 0; l < axes; l++) out[k] += (a[l] - 1) * logs[k][l];
      }
    };
  }
  throw new Error(`kernel: ${kernel.kind} has no twin`);
}

/**
 * The game as functions of a profile: `payoffs`, one player's payoff as a function of its own strategy
 * (`deviation`), and every player's share of the resource at every point (`shares`).
 * @param {any} game
 */
export function influencerTwin(game) {
  const { points, weights, budgets } = game;
  const own = logInfluence(game);
  const players = budgets.length;
  const count = points.length;
  const third = game.third_party ? Float64Array.from(game.third_party, Math.log) : null;
  const logBudgets = budgets.map(Math.log);

  /** @param {ArrayLike<number>} position @param {number} k */
  const squares = (position, k) => {
    let sum = 0;
    for (let a = 0; a < points[k].length; a++) sum += (points[k][a] - position[a]) ** 2;
    return sum;
  };

  /** @param {number[][]} x */
  const shares = (x) => {
    const rows = x.map((position, player) => {
      const out = new Float64Array(count);
      own(player, position, out);
      return out.map((log) => log + logBudgets[player]);
    });
    if (third) rows.push(Float64Array.from(third));
    if (game.abstention !== null && game.abstention !== undefined) {
      rows.push(Float64Array.from({ length: count }, (_, k) =>
        x.reduce((sum, position) => sum + Math.log(squares(position, k)), Math.log(game.abstention))));
    }
    for (let k = 0; k < count; k++) {
      let top = -Infinity;
      for (const row of rows) if (row[k] > top) top = row[k];
      if (top === -Infinity) {
        const each = game.zero_influence === "share" ? 1 / players : game.zero_influence === "lost" ? 0 : NaN;
        rows.forEach((row, j) => (row[k] = j < players ? each : 0));
        continue;
      }
      let total = 0;
      for (const row of rows) total += row[k] = Math.exp(row[k] - top);
      for (const row of rows) row[k] /= total;
    }
    return rows;
  };

  return {
    players,
    shares,
    /** @param {number} player @param {number[]} position */
    influence(player, position) {
      const out = new Float64Array(count);
      own(player, position, out);
      return out.map((log) => budgets[player] * Math.exp(log));
    },
    /** @param {number[][]} x */
    payoffs(x) {
      return shares(x).slice(0, players).map((row) => row.reduce((sum, share, k) => sum + weights[k] * share, 0));
    },
    /** @param {number[][]} x @param {number} player */
    deviation(x, player) {
      const rest = new Float64Array(count).fill(-Infinity);
      const out = new Float64Array(count);
      const rows = [];
      for (let j = 0; j < players; j++) {
        if (j === player) continue;
        own(j, x[j], out);
        rows.push(out.map((log) => log + logBudgets[j]));
      }
      if (third) rows.push(third);
      for (let k = 0; k < count; k++) {
        let top = -Infinity;
        for (const row of rows) if (row[k] > top) top = row[k];
        if (top === -Infinity) continue;
        let sum = 0;
        for (const row of rows) sum += Math.exp(row[k] - top);
        rest[k] = top + Math.log(sum) - logBudgets[player];
      }
      /** @type {Float64Array | null} */
      let away = null;
      if (game.abstention !== null && game.abstention !== undefined) {
        away = Float64Array.from({ length: count }, (_, k) => x.reduce((sum, position, j) =>
          (j === player ? sum : sum + Math.log(squares(position, k))), Math.log(game.abstention) - logBudgets[player]));
      }
      return (/** @type {ArrayLike<number>} */ strategy) => {
        own(player, strategy, out);
        let sum = 0;
        for (let k = 0; k < count; k++) {
          let others = Math.exp(rest[k] - out[k]);
          if (away) others += Math.exp(away[k] + Math.log(squares(strategy, k)) - out[k]);
          if (others !== others) others = game.zero_influence === "lost" ? Infinity : players - 1;
          sum += weights[k] / (1 + others);
        }
        return sum;
      };
    },
  };
}
