/** Payoffs of finite games in mixed strategies, the twin of rivalry.families.matrix. */

/** The payoff of every action of a player, or of its mixture, against the others.
 * @param {any} table @param {ArrayLike<number>[]} x @param {number} player @param {number} depth @returns {any} */
function expect(table, x, player, depth) {
  if (depth === x.length) return table;
  const parts = table.map((/** @type {any} */ one) => expect(one, x, player, depth + 1));
  if (depth === player) return parts;
  const wide = Array.isArray(parts[0]);
  let sum = wide ? parts[0].map(() => 0) : 0;
  parts.forEach((/** @type {any} */ part, /** @type {number} */ k) => {
    const weight = x[depth][k];
    if (wide) sum = sum.map((/** @type {number} */ one, /** @type {number} */ j) => one + weight * part[j]);
    else sum += weight * part;
  });
  return sum;
}

/** The game as functions of a profile of mixed strategies. @param {any} game */
export function matrixTwin(game) {
  const { table } = game;
  const actionPayoffs = (/** @type {number[][]} */ x, /** @type {number} */ player) =>
    /** @type {number[]} */ (expect(table[player], x, player, 0));
  const mean = (/** @type {number[]} */ row, /** @type {ArrayLike<number>} */ own) =>
    row.reduce((sum, pay, k) => sum + pay * own[k], 0);
  return {
    players: table.length,
    actionPayoffs,
    payoffs: (/** @type {number[][]} */ x) => x.map((own, player) => mean(actionPayoffs(x, player), own)),
    deviation(/** @type {number[][]} */ x, /** @type {number} */ player) {
      const row = actionPayoffs(x, player);
      return (/** @type {ArrayLike<number>} */ own) => mean(row, own);
    },
  };
}
