"""Best replies for certificates: with what no strategy can exceed, where that can be proved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import equinox as eqx
import numpy as np
from jaxtyping import Array

from rivalry._jax import jax, jnp, put
from rivalry.games.race import period
from rivalry.games.race.bounds import Problem, bound, provable
from rivalry.games.race.own_problem import RISKS, Own, moved, own_problem, place_of, power_of_safety
from rivalry.games.race.schedule_reply import by_effort, compiled_reply, resolution
from rivalry.metrics import Reply
from rivalry.space import Profile

if TYPE_CHECKING:
    from rivalry.games.race.game import Race

CONTESTS = (period.ratio, period.logit)


def proved_reply(race: Race, x: Profile, player: int) -> Reply:
    """The best reply that is found, and what no schedule of ``player`` pays more than.

    Proved for effort alone, the contests ``ratio`` and ``logit``, linear cost, every risk of the family, and
    returns to safety that do not rise (``alpha`` times the power of the own safety at most 1). Elsewhere the
    bound is infinite.
    """
    found = compiled_reply(race, x, put(player))
    strategy, payoff = np.asarray(found[0]), float(found[1])
    method = resolution(race)
    if not _form(race):
        return Reply(strategy, payoff, np.inf, "lower bound", method)
    proved = _proved(race, x, player, payoff)
    if not np.isfinite(proved):
        return Reply(strategy, payoff, np.inf, "lower bound", method)
    return Reply(strategy, payoff, max(proved, payoff), "bounded", f"{method}; branch and bound over ln xp")


def _form(race: Race) -> bool:
    rules = race.rules
    ours = rules.production is period.power and rules.csf in CONTESTS and rules.risk in RISKS
    return ours and rules.cost is period.linear and by_effort(race)


def _proved(race: Race, x: Profile, player: int, payoff: float) -> float:
    """What no schedule pays more than, period by period from the last."""
    stages = jax.tree.map(np.asarray, _stages(race, x, put(player)))
    scale = float(race.scale)
    if race.endless:
        assert race.gamma is not None
        gamma = float(race.gamma[player])
        # the value V of going on solves bound(gamma V) = V; above it, bound(gamma V) <= V
        tried = payoff + 1e-8 * scale
        best = _stage_bound(race, stages, 0, gamma * tried, scale)
        return tried if best <= tried else tried + (best - tried) / (1 - gamma)
    ahead = float(race.ahead[player])
    total = 0.0
    for t in reversed(range(race.periods)):
        if race.end_on == "none":
            total += _stage_bound(race, stages, t, 0.0, scale)
        else:
            ahead = _stage_bound(race, stages, t, ahead, scale)
    return total + ahead


@eqx.filter_jit
def _stages(race: Race, x: Profile, player: Array) -> dict[str, Array]:
    """The numbers of every period's `Problem`, ``[period]`` or ``[period 2]``."""
    rows = race.schedule(x)
    return jax.vmap(lambda t: _stage(race.stage(t, jnp.zeros(race.players)), rows[t], player))(
        jnp.arange(race.periods)
    )


def _stage(stage: Race, row: Array, player: Array) -> dict[str, Array]:
    """One period's: ``[2]`` are coefficients of 1 and p, by what is paid and by what going on is worth."""
    own = own_problem(stage, row, player)
    rules, numbers, n = own.rules, own.numbers, stage.players
    difference = rules.csf is period.logit
    logs = own.numbers["m"] * (jnp.exp(own.log_p) if difference else own.log_p)
    nobody = -jnp.log(numbers["kappa"]) if "kappa" in numbers else jnp.asarray(-jnp.inf)
    logs = jnp.append(logs, nobody).at[player].set(-jnp.inf)
    rivals = jax.nn.logsumexp(logs)
    shares = jnp.where(jnp.isfinite(rivals), jnp.exp(logs - jnp.where(jnp.isfinite(rivals), rivals, 0)), 0.0)
    mine = jnp.arange(n) == player
    z = own.z.at[player].set(-jnp.inf)
    safe = rules.risk(z, jax.nn.sigmoid(z), numbers)
    per = moved(own, z)
    zero = jnp.where(mine, 0.0, jnp.exp(own.log_p))  # own performance apart
    rho0 = period.rewards(rules, numbers, zero)[player]
    others = numbers["lose_b"][player] if rules.lose_index == "own" else 0.0
    rho1 = jnp.where(mine, numbers["win_b"], others)
    harm, keep = period.damages(numbers, n)[player], numbers["keep_prize"][player]
    unsafe = jnp.stack([keep * rho0 - harm, keep * rho1])
    better = jnp.stack([(1 - keep) * rho0 + harm, (1 - keep) * rho1])
    paid = own.weight * (unsafe + safe * better)
    going = {"none": 1.0 + 0 * safe, "win": 0 * safe, "disaster": safe}[stage.end_on]
    alone = -harm[player] if rules.no_win == "disaster" else numbers["no_win"][player]
    on = 1.0 if stage.end_on == "disaster" else 0.0
    first = jnp.array([1.0, 0.0])
    there = shares[:-1]
    return {
        "lose": paid @ there + own.weight * alone * shares[-1] * first,
        "lose_on": there @ going + shares[-1],
        "win": paid[:, player],
        "win_on": going[player],
        "safe_win": own.weight * better[:, player] * per[player],
        "safe_win_on": on * per[player],
        "safe_loss": own.weight * better @ (there * per),
        "safe_loss_on": on * (there @ per),
        "idle": _idle(own._replace(ahead=jnp.zeros(()))),
        "idle_on": _idle(own._replace(weight=jnp.zeros(()), ahead=jnp.ones(()))),
        "power": power_of_safety(own),
        "rivals": rivals,
        "price_s": own.weight * (own.of("r_s") - own.of("subsidy")),
        "price_p": own.weight * (own.of("r_p") + own.of("tax")),
        "alpha": own.of("alpha"),
        "beta": own.of("beta"),
        "theta": own.of("theta"),
        "log_a": period.log(own.of("A")),
        "log_b": period.log(own.of("B")),
        "m": numbers["m"],
        "low": own.least[1],
        "high": own.top[1],
    }


def _idle(own: Own) -> Array:
    """What no inputs pay."""
    none = jnp.asarray(-jnp.inf)
    at = place_of(own, none, none, jnp.zeros(()))
    return at.base + jnp.where(own.of("theta") > 0, at.gain, 0.0)


PAIRS = ("lose", "win", "safe_win", "safe_loss")


def _stage_bound(race: Race, stages: dict[str, Any], t: int, ahead: float, scale: float) -> float:
    """What a period pays at most where going on is worth ``ahead``; idling is tested by itself."""
    at = {name: array[t] for name, array in stages.items()}
    pairs: dict[str, Any] = {
        name: (float(at[name][0] + ahead * at[f"{name}_on"]), float(at[name][1])) for name in PAIRS
    }
    pairs |= {name: float(at[name]) for name in Problem._fields if name in at and name not in PAIRS}
    problem = Problem(**pairs, difference=race.rules.csf is period.logit)
    if not provable(problem):
        return np.inf
    return bound(problem, float(at["idle"] + ahead * at["idle_on"]), scale)
