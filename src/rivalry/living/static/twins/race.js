/** Payoffs of one period of a race, the twin of rivalry.families.race.period with the built-in rules. */

import { deviationFrom } from "./duopoly.js";

/** @param {number} z */
function sigmoid(z) {
  return z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z));
}

/** Win probabilities and the probability that nobody wins. @param {any} game @param {number[]} logP @param {number[]} p */
function contest(game, logP, p) {
  const n = game.numbers;
  const built = p.some((_, i) => logP[i] > -Infinity);
  if (game.rules.contest === "best") {
    const top = Math.max(...logP);
    const first = logP.map((one) => one === top && one > -Infinity);
    const count = Math.max(first.filter(Boolean).length, 1);
    const q = first.map((one) => (one ? 1 / count : 0));
    return { q, nobody: Math.max(1 - q.reduce((a, b) => a + b, 0), 0) };
  }
  const none = n.ease_of_winning === undefined ? -Infinity : -Math.log(n.ease_of_winning);
  const logs = game.rules.contest === "ratio"
    ? logP.map((one) => (one > -Infinity ? n.decisiveness * one : -Infinity))
    : p.map((one) => (n.ease_of_winning !== undefined || p.some((other) => other > 0) ? n.decisiveness * one : -Infinity));
  const rows = [...logs, none];
  const top = Math.max(...rows);
  const parts = rows.map((one) => (one > -Infinity ? Math.exp(one - top) : 0));
  const total = top > -Infinity ? parts.reduce((a, b) => a + b, 0) : 1;
  const alone = built || none > -Infinity ? parts[parts.length - 1] / total : 1;
  return { q: parts.slice(0, -1).map((part) => part / total), nobody: alone };
}

/** The probability that no disaster happens, by winner, and its complement. @param {any} game @param {number[]} z */
function safety(game, z) {
  const n = game.numbers;
  const sigma = z.map(sigmoid);
  const sum = (/** @type {number[]} */ row) => row.reduce((a, b) => a + b, 0);
  if (game.rules.risk === "winner_only") return { safe: sigma, unsafe: z.map((one) => sigmoid(-one)) };
  let safe;
  if (game.rules.risk === "multiplicative") {
    const logs = z.map((one, i) => (n.safety_weight[i] > 0 ? n.safety_weight[i] * Math.log(sigmoid(one)) : 0));
    safe = z.map(() => Math.exp((sum(logs) * z.length) / sum(n.safety_weight)));
  } else if (game.rules.risk === "additive") {
    const mean = sum(sigma.map((one, i) => n.safety_weight[i] * one)) / sum(n.safety_weight);
    safe = z.map(() => mean);
  } else {
    safe = sigma.map((one) => (1 - n.loser_weight) * one + (n.loser_weight * (sum(sigma) - one)) / (z.length - 1));
  }
  return { safe, unsafe: safe.map((one) => 1 - one) };
}

/** @param {any} game @param {number[]} xs @param {number[]} xp @param {number[]} level */
function costs(game, xs, xp, level) {
  const n = game.numbers;
  const kind = game.rules.cost;
  return xs.map((s, i) => {
    if (kind === "linear" || kind === "quadratic") {
      const flat = (n.safety_price[i] - n.safety_subsidy[i]) * s + (n.performance_price[i] + n.performance_tax[i]) * xp[i];
      return kind === "linear" ? flat
        : flat + (n.safety_price_slope[i] * s ** 2) / 2 + (n.performance_price_slope[i] * xp[i] ** 2) / 2;
    }
    if (kind === "penalty") return n.price[i] * (s + xp[i]) + (level[i] >= Math.log(n.minimum[i]) ? 0 : n.fine[i]);
    let met = level[i] >= Math.log(n.minimum[i]);
    if (kind === "relative_certification") {
      const others = level.filter((_, j) => j !== i).map(Math.exp);
      met = Math.exp(level[i]) >= others.reduce((a, b) => a + b, 0) / others.length + n.margin[i];
    }
    return (met ? n.certified_price[i] : n.price[i]) * (s + xp[i]);
  });
}

/** The race as functions of a profile of safety and performance inputs. @param {any} game */
export function raceTwin(game) {
  const { numbers: n, rules } = game;
  const log = (/** @type {number} */ x) => (x > 0 ? Math.log(x) : -Infinity);

  /** @param {number[][]} x */
  const payoffs = (x) => {
    const xs = x.map((row) => row[0]);
    const xp = x.map((row) => row[1]);
    const logS = xs.map((one, i) => log(n.safety_productivity[i]) + n.safety_exponent[i] * log(one));
    const logP = xp.map((one, i) => log(n.performance_productivity[i]) + n.performance_exponent[i] * log(one));
    const z = logS.map((one, i) => {
      const theta = n.scale_penalty[i];
      const built = logP[i] > -Infinity;
      return theta > 0 ? (built ? one - theta * logP[i] : Infinity) : one;
    });
    const p = logP.map(Math.exp);
    const { q, nobody } = contest(game, logP, p);
    const { safe, unsafe } = safety(game, z);
    const cost = costs(game, xs, xp, rules.measured_by === "odds" ? z : logS);
    return xs.map((_, i) => {
      let won = 0;
      for (let j = 0; j < q.length; j++) {
        if (!(q[j] > 0)) continue;
        const winner = rules.loser_prize_basis === "winner" ? j : i;
        const rho = i === j ? n.prize[i] + n.prize_per_performance[i] * p[i]
          : n.loser_prize[winner] + n.loser_prize_per_performance[winner] * p[winner];
        const damage = (game.damage === "pair" ? n.disaster_cost[i][j] : n.disaster_cost[i]) + (i === j ? n.liability[i] : 0);
        won += q[j] * (safe[j] * rho + unsafe[j] * (n.prize_survives[i] * rho - damage));
      }
      const own = (game.damage === "pair" ? n.disaster_cost[i][i] : n.disaster_cost[i]) + n.liability[i];
      const alone = rules.no_winner === "disaster" ? -own : n.no_winner[i];
      const paid = game.weights[i] * (won + nobody * alone - cost[i]);
      if (!game.gamma) return paid;
      const risk = q.reduce((sum, one, j) => sum + one * unsafe[j], 0);
      const more = game.end_on === "win" ? nobody : game.end_on === "disaster" ? 1 - risk : 1;
      return paid / (1 - game.gamma[i] * more);
    });
  };

  return { players: n.prize.length, payoffs, deviation: deviationFrom(payoffs) };
}
