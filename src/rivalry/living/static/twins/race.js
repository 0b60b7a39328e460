/** Payoffs of a race of one period, the twin of rivalry.families.race.period with its default rules:
 * the winner is drawn in proportion to powers of performance, and only its safety counts. */

import { deviationFrom } from "./duopoly.js";

/** @param {number} z */
function sigmoid(z) {
  return z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z));
}

/** The race as functions of a profile of safety and performance inputs. @param {any} game */
export function raceTwin(game) {
  const { numbers: n } = game;
  const log = (/** @type {number} */ x) => (x > 0 ? Math.log(x) : -Infinity);

  /** @param {number[][]} x */
  const payoffs = (x) => {
    const logS = x.map(([one], i) => log(n.safety_productivity[i]) + n.safety_exponent[i] * log(one));
    const logP = x.map(([, one], i) => log(n.performance_productivity[i]) + n.performance_exponent[i] * log(one));
    const z = logS.map((one, i) => (n.scale_penalty[i] > 0
      ? (logP[i] > -Infinity ? one - n.scale_penalty[i] * logP[i] : Infinity) : one));
    const logs = [...logP.map((one) => (one > -Infinity ? n.decisiveness * one : -Infinity)),
      n.ease_of_winning === undefined ? -Infinity : -Math.log(n.ease_of_winning)];
    const top = Math.max(...logs);
    const parts = logs.map((one) => (one > -Infinity ? Math.exp(one - top) : 0));
    const total = parts.reduce((a, b) => a + b, 0);
    const nobody = total > 0 ? parts[x.length] / total : 1;
    return x.map(([safety, performance], i) => {
      let won = 0;
      for (let j = 0; j < x.length; j++) {
        if (!(parts[j] > 0)) continue;
        const p = Math.exp(logP[i]);
        const prize = i === j ? n.prize[i] + n.prize_per_performance[i] * p : n.loser_prize[i] + n.loser_prize_per_performance[i] * p;
        const damage = (game.damage === "pair" ? n.disaster_cost[i][j] : n.disaster_cost[i]) + (i === j ? n.liability[i] : 0);
        won += (parts[j] / total) * (sigmoid(z[j]) * prize + sigmoid(-z[j]) * (n.prize_survives[i] * prize - damage));
      }
      const cost = (n.safety_price[i] - n.safety_subsidy[i]) * safety + (n.performance_price[i] + n.performance_tax[i]) * performance;
      return game.weights[i] * (won + nobody * n.no_winner[i] - cost);
    });
  };

  return { players: n.prize.length, payoffs, deviation: deviationFrom(payoffs) };
}
