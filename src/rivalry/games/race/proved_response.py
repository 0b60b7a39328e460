"""Best replies for certificates: with what no strategy can exceed, where that can be proved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import equinox as eqx
import numpy as np
from jaxtyping import Array

from rivalry.core.certify import payoffs
from rivalry.core.jax import jax, jnp, put
from rivalry.core.oracles import Response, payoff_scale
from rivalry.core.space import Profile
from rivalry.games.race import period
from rivalry.games.race.bounds import Problem, best_inputs, bound, provable
from rivalry.games.race.schedule_response import by_effort, compiled_reply, resolution
from rivalry.games.race.static_response import RISKS, Own, moved, own_problem, place_of, power_of_safety

if TYPE_CHECKING:
    from rivalry.games.race.model import Race

CONTESTS = (period.ratio, period.logit)
METHOD = "branch and bound over ln xp, best xs at each; idle corner"


def proved_reply(race: Race, x: Profile, player: int) -> Response:
    """The best reply that is found, and what no schedule of ``player`` pays more than.

    Proved for effort alone, the contests ``ratio`` and ``logit``, linear cost, every risk of the family, and
    returns to safety that do not rise (``alpha`` times the power of the own safety at most 1). Elsewhere the
    bound is infinite.
    """
    proved = _form(race)
    known = _by_bounds(race, x, player) if proved and not race.infinite_horizon else None
    if known is not None:
        return known
    found = compiled_reply(race, x, put(player))
    strategy, payoff = np.asarray(found[0]), float(found[1])
    method = resolution(race)
    bound = _endless_bound(race, x, player, payoff) if proved and race.infinite_horizon else np.inf
    if not np.isfinite(bound):
        return Response(strategy, payoff, np.inf, "lower bound", method)
    return Response(strategy, payoff, max(bound, payoff), "bounded", f"{method}; {METHOD}")


def _form(race: Race) -> bool:
    rules = race.rules
    ours = rules.production is period.power and rules.csf in CONTESTS and rules.risk in RISKS
    return ours and rules.cost is period.linear and by_effort(race)


def _by_bounds(race: Race, x: Profile, player: int) -> Response | None:
    """The best schedule and its bound, period by period from the last; None where nothing is proved.

    No program has to be compiled for it but the payoffs'.
    """
    stages = jax.tree.map(np.asarray, _stages(race, x, put(player)))
    scale, going = float(payoff_scale(race)), race.end_on != "none"
    most = paid = float(race.ahead[player])  # what is still to come: at most, and by the inputs found
    rows: list[tuple[float, float]] = []
    for t in reversed(range(race.periods)):
        problem, idle = _problem(race, stages, t, most if going else 0.0)
        if not provable(problem):
            return None
        above, near = bound(problem, idle, scale)
        problem, idle = _problem(race, stages, t, paid if going else 0.0)
        *inputs, payoff = best_inputs(problem, idle, near)
        rows.append((inputs[0], inputs[1]))
        most, paid = (above, payoff) if going else (most + above, paid + payoff)
    strategy = np.minimum(np.exp(np.ravel(rows[::-1])), np.asarray(race.space.high)[player])
    there = np.array(x)
    there[player] = strategy
    paid = float(payoffs(race, put(there))[player])
    if not np.isfinite(most) or not np.isfinite(paid):
        return None
    return Response(strategy, paid, max(most, paid), "bounded", METHOD)


def _endless_bound(race: Race, x: Profile, player: int, payoff: float) -> float:
    """What nothing pays more than over a horizon without end."""
    assert race.gamma is not None
    stages = jax.tree.map(np.asarray, _stages(race, x, put(player)))
    scale, gamma = float(payoff_scale(race)), float(race.gamma[player])
    # the value V of going on solves bound(gamma V) = V; above it, bound(gamma V) <= V
    tried = payoff + 1e-8 * scale
    problem, idle = _problem(race, stages, 0, gamma * tried)
    if not provable(problem):
        return np.inf
    best, _ = bound(problem, idle, scale)
    return tried if best <= tried else tried + (best - tried) / (1 - gamma)


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
    logs = own.numbers["decisiveness"] * (jnp.exp(own.log_p) if difference else own.log_p)
    nobody = -jnp.log(numbers["ease_of_winning"]) if "ease_of_winning" in numbers else jnp.asarray(-jnp.inf)
    logs = jnp.append(logs, nobody).at[player].set(-jnp.inf)
    rivals = jax.nn.logsumexp(logs)
    shares = jnp.where(jnp.isfinite(rivals), jnp.exp(logs - jnp.where(jnp.isfinite(rivals), rivals, 0)), 0.0)
    mine = jnp.arange(n) == player
    z = own.z.at[player].set(-jnp.inf)
    safe = rules.risk(z, jax.nn.sigmoid(z), numbers)
    per = moved(own, z)
    zero = jnp.where(mine, 0.0, jnp.exp(own.log_p))  # own performance apart
    rho0 = period.rewards(rules, numbers, zero)[player]
    others = numbers["loser_prize_per_performance"][player] if rules.lose_index == "own" else 0.0
    rho1 = jnp.where(mine, numbers["prize_per_performance"], others)
    harm, keep = period.damages(numbers, n)[player], numbers["prize_survives"][player]
    unsafe = jnp.stack([keep * rho0 - harm, keep * rho1])
    better = jnp.stack([(1 - keep) * rho0 + harm, (1 - keep) * rho1])
    paid = own.weight * (unsafe + safe * better)
    going = {"none": 1.0 + 0 * safe, "win": 0 * safe, "disaster": safe}[stage.end_on]
    alone = -harm[player] if rules.no_win == "disaster" else numbers["no_winner"][player]
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
        "price_s": own.weight * (own.of("safety_price") - own.of("safety_subsidy")),
        "price_p": own.weight * (own.of("performance_price") + own.of("performance_tax")),
        "alpha": own.of("safety_exponent"),
        "beta": own.of("performance_exponent"),
        "theta": own.of("scale_penalty"),
        "log_a": period.log(own.of("safety_productivity")),
        "log_b": period.log(own.of("performance_productivity")),
        "m": numbers["decisiveness"],
        "low": own.least[1],
        "high": own.top[1],
    }


def _idle(own: Own) -> Array:
    """What no inputs pay."""
    none = jnp.asarray(-jnp.inf)
    at = place_of(own, none, none, jnp.zeros(()))
    return at.base + jnp.where(own.of("scale_penalty") > 0, at.gain, 0.0)


PAIRS = ("lose", "win", "safe_win", "safe_loss")


def _problem(race: Race, stages: dict[str, Any], t: int, ahead: float) -> tuple[Problem, float]:
    """A period in which going on is worth ``ahead``, and what idling pays there."""
    at = {name: array[t] for name, array in stages.items()}
    pairs: dict[str, Any] = {
        name: (float(at[name][0] + ahead * at[f"{name}_on"]), float(at[name][1])) for name in PAIRS
    }
    pairs |= {name: float(at[name]) for name in Problem._fields if name in at and name not in PAIRS}
    idle = float(at["idle"] + ahead * at["idle_on"])
    return Problem(**pairs, difference=race.rules.csf is period.logit), idle
