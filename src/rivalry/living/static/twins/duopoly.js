/** Profits of markets, the twin of rivalry.families.market.model: quantities with linear or differentiated demand,
 * prices of one good or with logit demand. */

/** @param {any} game @param {Record<string, any>} n @param {number[]} x @returns {{q: number[], p: number[]}} */
function clearMarket(game, n, x) {
  const total = x.reduce((sum, one) => sum + one, 0);
  if (game.choice === "quantity") {
    if (game.demand === "differentiated") {
      const p = x.map((q) => Math.max(n.intercept - (n.slope - n.substitution) * q - n.substitution * total, 0));
      return { q: x, p };
    }
    const price = Math.max(n.intercept - n.slope * total, 0);
    return { q: x, p: x.map(() => price) };
  }
  const sold = game.demand === "logit" ? logitShares(n, x) : cheapest(n, x);
  return { q: sold.map((/** @type {number} */ q, /** @type {number} */ i) => Math.min(q, n.capacity[i] ?? Infinity)), p: x };
}

/** @param {any} n @param {number[]} p */
function logitShares(n, p) {
  const values = [...p.map((price, i) => (n.quality[i] - price) / n.taste_spread), n.outside_option / n.taste_spread];
  const top = Math.max(...values);
  const parts = values.map((value) => Math.exp(value - top));
  const sum = parts.reduce((one, two) => one + two, 0);
  return parts.slice(0, -1).map((part) => part / sum);
}

/** @param {any} n @param {number[]} p */
function cheapest(n, p) {
  const lowest = Math.min(...p);
  const first = p.filter((price) => price <= lowest).length;
  return p.map((price) => (price <= lowest ? (1 / first) * Math.max(n.intercept - lowest, 0) / n.slope : 0));
}

/** The market as functions of a profile. @param {any} game */
export function duopolyTwin(game) {
  const n = game.numbers;

  /** @param {number[][]} x */
  const payoffs = (x) => {
    const { q, p } = clearMarket(game, n, x.map((row) => row[0]));
    return q.map((sold, i) => {
      const cost = n.fixed_cost[i] * (sold > 0 ? 1 : 0) + n.unit_cost[i] * sold + (n.convex_cost[i] * sold ** 2) / 2;
      return (1 - n.tax[i]) * (p[i] * sold - cost);
    });
  };

  return { players: n.unit_cost.length, payoffs, deviation: deviationFrom(payoffs) };
}

/** One player's payoff as a function of its own strategy, by payoffs of the whole profile.
 * @param {(x: number[][]) => ArrayLike<number>} payoffs */
export function deviationFrom(payoffs) {
  return (/** @type {number[][]} */ x, /** @type {number} */ player) => {
    const y = x.slice();
    return (/** @type {ArrayLike<number>} */ strategy) => {
      y[player] = /** @type {number[]} */ (strategy);
      return payoffs(y)[player];
    };
  };
}
