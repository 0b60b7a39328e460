/** Profits of markets, the twin of rivalry.families.market.model: Cournot, Bertrand and logit demand. */

/** @param {any} game @param {Record<string, any>} n @param {number[]} x @returns {{q: number[], p: number[]}} */
function clearMarket(game, n, x) {
  const total = x.reduce((sum, one) => sum + one, 0);
  if (game.choice === "quantity") {
    if (game.demand === "differentiated") {
      const p = x.map((q) => Math.max(n.intercept - (n.slope - n.substitution) * q - n.substitution * total, 0));
      return { q: x, p };
    }
    const price = game.demand === "linear" ? Math.max(n.intercept - n.slope * total, 0)
      : n.market_size * Math.max(total, n.price_flat_below) ** (-1 / n.elasticity);
    return { q: x, p: x.map(() => price) };
  }
  const sold = { logit: logitShares, differentiated: differentiatedDemand, linear: cheapest }[
    /** @type {"logit"} */ (game.demand)](n, x);
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
function differentiatedDemand(n, p) {
  const { intercept, slope, substitution } = n;
  const willing = p.map((price) => intercept - price).sort((a, b) => b - a);
  let running = 0;
  let sold = 0;
  let selling = false;
  willing.forEach((one, k) => {
    running += one;
    const total = running / (slope - substitution + (k + 1) * substitution);
    if (one - substitution * total > 0) [sold, selling] = [total, true];
  });
  return p.map((price) => (selling ? Math.max((intercept - price - substitution * sold) / (slope - substitution), 0) : 0));
}

/** @param {any} n @param {number[]} p */
function cheapest(n, p) {
  const lowest = Math.min(...p);
  const first = p.filter((price) => price <= lowest).length;
  return p.map((price) => (price <= lowest ? (1 / first) * Math.max(n.intercept - lowest, 0) / n.slope : 0));
}

/** The market as functions of a profile. @param {any} game */
export function duopolyTwin(game) {
  const moved = game.demand === "logit" ? "quality" : game.demand === "isoelastic" ? "market_size" : "intercept";
  const levels = game.shock ? game.shock.levels : [0];
  const chances = game.shock ? game.shock.probabilities : [1];

  /** @param {number[][]} x */
  const payoffs = (x) => {
    const choices = x.map((row) => row[0]);
    const found = choices.map(() => 0);
    levels.forEach((/** @type {number} */ level, /** @type {number} */ k) => {
      const old = game.numbers[moved];
      const shifted = Array.isArray(old) ? old.map((one) => one + level) : old + level;
      const n = level ? { ...game.numbers, [moved]: shifted } : game.numbers;
      const { q, p } = clearMarket(game, n, choices);
      q.forEach((sold, i) => {
        const cost = n.fixed_cost[i] * (sold > 0 ? 1 : 0) + n.unit_cost[i] * sold + (n.convex_cost[i] * sold ** 2) / 2;
        const profit = p[i] * sold - cost;
        const taxed = game.tax_losses === "none" ? Math.max(profit, 0) : profit;
        found[i] += chances[k] * (profit - n.tax[i] * taxed);
      });
    });
    return found;
  };

  return { players: game.numbers.unit_cost.length, payoffs, deviation: deviationFrom(payoffs) };
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
