"""Registered shortcuts beside payoffs alone: each oracle with what it may not decide, or with its check.

A shortcut is what a family keeps beside the generic engine: a declared symmetry, a response, a bound, a sum
of parts. It may propose; no word rests on it unless it is checked on the game in hand. `ROWS` says of every
oracle how that is done where a user computes, and `contradictions` compares it here with `DEVIATIONS` random
strategies, in games whose keys have unlike values per player, and of followers behind a leader.
"""

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

import rivalry as rv
from rivalry.certificates.deviations import rounding_error
from rivalry.core import oracles, payoffs
from rivalry.core.array_games import stateless_tables
from rivalry.core.dispatch import Oracle
from rivalry.core.exchanges import exchangeable_labels
from rivalry.core.game import own_payoff
from rivalry.core.space import Box, Simplex
from rivalry.families.extensive import Chance, Decision, Extensive
from rivalry.families.precipice import Precipice
from rivalry.population import oracles as populations
from rivalry.proofs.arithmetic.best_responses import with_bounded_responses
from rivalry.proofs.spaces.logarithms import equilibrium_bounds, slopes_in_logs
from rivalry.proofs.spaces.simplices import InFractions, slopes_in_shares, terms_in_fractions
from rivalry.runtime.jax import jax, jnp, put
from tests.duel import referee
from tests.duel.draws import Rng, Setting, maybe, pick

DEVIATIONS = 1000
STEP = 1e-6  # of a width: of central differences
SLOPE_ERROR = 1e-4  # of the largest slope: central differences are no better beside a kink's neighbourhood
ROUNDING = 1e-9  # of a payoff's size: closed forms of responses are known to half of its digits squared


class Row(NamedTuple):
    """How a registration is kept from deciding a word, what that costs in a solve, and its check here."""

    at_run_time: str
    cost: str
    check: Callable[[Any, np.ndarray, Rng], Iterator[str]] | None = None


# --- checks: game, profile, random numbers -> a line per contradiction ------------------------------------


def _inside(game: Any, rng: Rng) -> np.ndarray:
    """Return a random profile, away from the ends of its space."""
    return np.asarray(game.space.sample(jax.random.key(int(rng.integers(2**31)))), float)


def _pays(game: Any, x: np.ndarray) -> np.ndarray:
    return np.asarray(game.payoffs(jnp.asarray(x)))


def _own(game: Any, player: int, x: np.ndarray, rng: Rng) -> np.ndarray:
    """Return `DEVIATIONS` strategies of a player ``[strategy axis]``, of all sizes, with ends among them."""
    if not isinstance(game.space, Box | Simplex):
        return np.asarray(game.space.grid(player, DEVIATIONS))
    one = referee.arena(game, referee.black_box(game))
    if one.simplex:
        return referee.candidates(one, x, player, rng)[:DEVIATIONS]
    low, high = one.low[player], one.high[player]
    share = 10.0 ** -rng.uniform(0, 6, (DEVIATIONS, len(low)))
    share = np.where(rng.random(share.shape) < 0.5, rng.random(share.shape), share)
    share = np.select([rng.random(share.shape) < 0.1, rng.random(share.shape) < 0.1], [0.0, 1.0], share)
    return low + (high - low) * share


def _paid(game: Any, x: np.ndarray, player: int, own: np.ndarray) -> np.ndarray:
    """Return payoffs of strategies ``[strategy axis]``, minus infinity where they are no numbers."""
    with np.errstate(all="ignore"):
        values = referee.black_box(game)(x, player, own)
    return np.where(np.isnan(values), -np.inf, values)


def _above(values: np.ndarray, bound: float) -> float:
    """Return by how much the largest value exceeds a bound, beyond rounding."""
    largest = float(np.max(values, initial=-np.inf))
    excess = largest - bound
    return excess if excess > ROUNDING * max(abs(largest), abs(bound)) else 0.0


def symmetry(game: Any, x: np.ndarray, rng: Rng) -> Iterator[str]:
    labels, pays = exchangeable_labels(game), _pays(game, x)
    for first in range(len(labels)):
        for second in range(first + 1, len(labels)):
            if labels[first] != labels[second]:
                continue
            order = np.arange(len(labels))
            order[[first, second]] = second, first
            swapped = _pays(game, x[order])
            if not np.allclose(swapped, pays[order], rtol=1e-9, atol=1e-12 * np.abs(pays).max()):
                yield f"players {first} and {second} are not exchangeable: {pays[order]}, {swapped}"


def responses(game: Any, x: np.ndarray, rng: Rng) -> Iterator[str]:
    for player in range(len(x)):
        values = _paid(game, x, player, _own(game, player, x, rng))
        found = []
        if oracles.best_response.knows(game):
            strategy, payoff, coverage = oracles.best_response(game, put(x), player)
            found.append(("best_response", strategy, float(payoff), float(payoff), coverage))
        if oracles.proved_response.knows(game):
            own = oracles.proved_response(game, put(x), player)
            supremum = max(own.payoff, own.supremum)
            found.append(
                ("proved_response", own.strategy, own.payoff, max(own.bound, supremum), own.coverage)
            )
        if oracles.compiled_response.knows(game):
            strategies, pays = map(np.asarray, oracles.compiled_response(game, put(x), player))
            for strategy, payoff in zip(strategies.reshape(-1, x.shape[1]), pays.ravel(), strict=True):
                found.append(("compiled_response", strategy, float(payoff), np.inf, "lower bound"))
        for name, strategy, payoff, bound, coverage in found:
            (paid,) = _paid(game, x, player, np.asarray(strategy)[None])
            size = np.abs(values[np.isfinite(values)]).max()
            # with public information a leader may answer every lead anew: a profile holds only one number
            is_wider = isinstance(game, Precipice) and game.information == "public" and payoff > paid
            if not (is_wider or np.isclose(paid, payoff, rtol=1e-7, atol=1e-9 * size)):
                yield f"{name} of player {player} at {x.tolist()} pays {paid}, not {payoff}"
            if coverage in ("tight", "bounded") and (excess := _above(values, bound)):
                yield f"{name} of player {player} at {x.tolist()}: a strategy pays {excess:.3g} above {bound}"


def mixed_responses(game: Any, x: np.ndarray, rng: Rng) -> Iterator[str]:
    support = np.stack([x, _inside(game, rng)], axis=1)  # [player atom axis]
    weights = rng.dirichlet(np.ones(2), len(x))
    for player in range(len(x)):
        _, payoff, coverage = oracles.mixed_best_response(game, support, weights, player)
        own, total = _own(game, player, x, rng), 0.0
        for atoms in np.ndindex(*(1 if rival == player else 2 for rival in range(len(x)))):
            profile = support[np.arange(len(x)), atoms]
            chances = [
                w[atom] for rival, (w, atom) in enumerate(zip(weights, atoms, strict=True)) if rival != player
            ]
            total = total + np.prod(chances) * _paid(game, profile, player, own)
        if coverage == "tight" and (excess := _above(np.asarray(total), float(payoff))):
            yield f"player {player}: a strategy pays {excess:.3g} more against mixtures than {payoff}"


def bounds(game: Any, x: np.ndarray, rng: Rng) -> Iterator[str]:
    for player in range(len(x)):
        own = _own(game, player, x, rng)
        low, high = np.sort(own[rng.choice(len(own), 2)], axis=0)
        if isinstance(game.space, Simplex):
            low, high = np.zeros_like(low), np.ones_like(high)
        inside = own[np.all((low <= own) & (own <= high), axis=1)]
        bound = float(oracles.payoff_bound(game, put(x), player, put(low), put(high)))
        if len(inside) and (excess := _above(_paid(game, x, player, inside), bound)):
            yield f"player {player}: a strategy between {low} and {high} pays {excess:.3g} above {bound}"


def slopes(game: Any, x: np.ndarray, rng: Rng) -> Iterator[str]:
    if isinstance(game.space, Simplex):  # derivatives off the simplex are of no use to anybody
        return
    stated, free = np.asarray(oracles.gradients(game, put(x))), np.asarray(game.space.mask)
    numbers = np.array([_differences(game, x, player) for player in range(len(x))])
    size = np.abs(numbers[free & np.isfinite(numbers)]).max(initial=1e-12)
    wrong = free & np.isfinite(numbers) & (np.abs(stated - numbers) > SLOPE_ERROR * size)
    if wrong.any() and np.isfinite(stated[wrong]).any():
        yield f"gradients at {x.tolist()} are {stated.tolist()}, by differences {numbers.tolist()}"


def _differences(game: Any, x: np.ndarray, player: int) -> np.ndarray:
    """Return slopes ``[axis]`` of own payoffs where both one-sided differences agree, and else no number."""
    width = np.asarray(game.space.high - game.space.low)[player]
    result = np.full(x.shape[1], np.nan)
    for axis in np.flatnonzero(np.asarray(game.space.mask)[player]):
        step = STEP * min(width[axis], max(abs(x[player, axis]), 1e-3 * width[axis]))
        own = np.repeat(x[player][None], 3, axis=0)
        own[:, axis] += step * np.array([-1.0, 0.0, 1.0])
        low, here, high = _paid(game, x, player, own)
        left, right = (here - low) / step, (high - here) / step
        rounding = 1e-14 * abs(here) / step
        if abs(left - right) <= 1e-3 * max(abs(left), abs(right)) and rounding <= 1e-5 * abs(right):
            result[axis] = (high - low) / (2 * step)
    return result


def own_payoffs(game: Any, x: np.ndarray, rng: Rng) -> Iterator[str]:
    for player in range(len(x)):
        pay, own = oracles.deviation_payoff(game, put(x), player), _own(game, player, x, rng)[:20]
        stated, right = np.array([float(pay(put(row))) for row in own]), _paid(game, x, player, own)
        known = np.isfinite(right)
        if not np.allclose(
            stated[known], right[known], rtol=1e-7, atol=1e-9 * np.abs(right[known]).max(initial=0)
        ):
            yield f"deviation_payoff of player {player} at {x.tolist()}: {stated}, not {right}"


def parts(game: Any, x: np.ndarray, rng: Rng) -> Iterator[str]:
    if oracles.separate_parts(game) and not payoffs.checked_parts(game):
        yield "payoffs are not the sums of those of the declared parts"


def tables(game: Any, x: np.ndarray, rng: Rng) -> Iterator[str]:
    actions = tuple(int(rng.integers(size)) for size in game.space.sizes)
    pure = np.stack([np.eye(x.shape[1])[action] for action in actions])
    pays = stateless_tables(oracles.to_finite(game))[(slice(None), *actions)]
    if not np.allclose(pays, _pays(game, pure), rtol=1e-12):
        yield f"to_finite at {actions}: {pays}, not {_pays(game, pure)}"


def other_payoffs(game: Any, x: np.ndarray, rng: Rng) -> Iterator[str]:
    right = np.asarray(type(game).payoffs(game, jnp.asarray(x)))
    if payoffs.numpy_payoffs.knows(game) and not np.allclose(
        payoffs.numpy_payoffs(game, x), right, rtol=1e-9
    ):
        yield "numpy_payoffs are others than payoffs"
    if payoffs.pure_payoffs.knows(game):
        actions = np.array([[int(rng.integers(size)) for size in game.space.sizes]])
        pure = np.stack([np.eye(x.shape[1])[action] for action in actions[0]])
        if not np.allclose(payoffs.pure_payoffs(game, actions)[0], _pays(game, pure), rtol=1e-12):
            yield f"pure_payoffs at {actions.tolist()} are others than payoffs"
    if payoffs.many_payoffs.knows(game):
        rows = np.stack([_inside(game, rng) for _ in range(5)])
        for player in range(len(x)):
            single = [float(_pays(game, row)[player]) for row in rows]
            if not np.allclose(payoffs.many_payoffs(game, rows, player), single, rtol=1e-9):
                yield f"many_payoffs of player {player} are others than payoffs"


def share_slopes(game: Any, x: np.ndarray, rng: Rng) -> Iterator[str]:
    stated = np.asarray(slopes_in_shares(game, put(x)))
    for player in range(len(x)):
        right = np.asarray(jax.grad(lambda own, p=player: own_payoff(game, put(x), p, own))(put(x[player])))
        if not np.allclose(stated[player], right, rtol=1e-8, atol=1e-10 * np.abs(right).max()):
            yield f"slopes_in_shares of player {player} at {x.tolist()}: {stated[player]}, not {right}"


def term_signs(game: Any, x: np.ndarray, rng: Rng) -> Iterator[str]:
    flat = InFractions(game)
    t = rng.uniform(0.05, 0.95, flat.space.shape)
    weights, terms = (np.asarray(part) for part in flat.terms(put(t)))
    summed, free = np.sum(weights[:, None] * terms, axis=-1), np.asarray(flat.space.mask)
    for player in range(len(t)):
        own = jax.grad(lambda row, p=player: flat.payoffs(put(t).at[p].set(row))[p])
        right = np.where(free[player], np.asarray(own(put(t[player]))), 0.0)
        clear = np.abs(right) > 1e-8 * np.abs(right).max(initial=0.0)
        if np.any(weights < 0) or np.any(
            np.sign(summed[player]) != np.sign(right), where=clear & free[player]
        ):
            yield f"terms_in_fractions of player {player} at {t.tolist()} have signs other than {right}"


def starts(game: Any, x: np.ndarray, rng: Rng) -> Iterator[str]:
    for player in range(len(x)):
        for strategy in np.asarray(oracles.search_points(game, player)):
            profile = np.array(x)
            profile[player] = strategy
            try:
                game.space.check(profile)
            except ValueError as error:
                yield f"search_points of player {player}: {error}"


def closed(game: Any, x: np.ndarray, rng: Rng) -> Iterator[str]:
    try:
        roots = [np.asarray(root) for root in oracles.closed_form(game)]
    except ValueError:
        return
    for root in roots:
        found = rv.certificate(game, root)
        gains, rounding = referee.gains(referee.arena(game, referee.black_box(game)), root, rng)
        if found.claim == "equilibrium" and np.any(gains > np.asarray(found.tolerance) + rounding):
            yield f"closed_form {root.tolist()} is called an equilibrium; gains {gains.tolist()}"


def cases(game: Any, x: np.ndarray, rng: Rng) -> Iterator[str]:
    for entry in oracles.equilibria_by_cases(game).equilibria:
        profile = np.array(entry, float).reshape(x.shape)
        gains, rounding = referee.gains(referee.arena(game, referee.black_box(game)), profile, rng)
        if np.any(gains > rounding):
            yield f"equilibria_by_cases lists {profile.tolist()}; gains {gains.tolist()}"


def benchmarks(game: Any, x: np.ndarray, rng: Rng) -> Iterator[str]:
    try:
        found = oracles.profit_gain_bounds(game)
    except ValueError:
        return
    everybody = oracles.base_game(game)
    rows = np.stack([_inside(everybody, rng) for _ in range(200)])
    totals = np.array([_pays(everybody, row).sum() for row in rows])
    joint = np.broadcast_to(np.asarray(found.joint, float), len(rows[0])).sum()
    if (excess := _above(totals, float(joint))) and excess > 1e-6 * abs(joint):
        yield f"joint payoff {joint}, but a profile pays {excess:.3g} more together"


# --- the rows ---------------------------------------------------------------------------------------------

_COMPARED = "`refuse_above`: strategies beside it and over the whole space may not pay more than its bound"
_IN_CALL = "in the payoff call of the unit of gains"
_DEFINES = "defines the game, its names or its figures: no word is of it"
_NO_WORD = "a start, a candidate or an order of work: the certificate judges what comes of it"

ROWS: dict[Oracle[..., Any], Row] = {
    oracles.exchangeable: Row("swaps at random profiles, before any use", "one payoff call", symmetry),
    oracles.best_response: Row(_COMPARED, _IN_CALL, responses),
    oracles.proved_response: Row(_COMPARED, _IN_CALL, responses),
    oracles.compiled_response: Row(_NO_WORD, "none", responses),
    oracles.mixed_best_response: Row("regrets on the grid may not exceed it", "none", mixed_responses),
    oracles.payoff_bound: Row(
        "midpoints of boxes may not pay more than their bounds", "in the search", bounds
    ),
    oracles.gradients: Row("roots and stability are of these; gains are of payoffs alone", "none", slopes),
    oracles.jacobian: Row("stability is of these; gains are of payoffs alone", "none"),
    oracles.deviation_payoff: Row("what a search finds is paid by payoffs", "none", own_payoffs),
    oracles.search_points: Row(_NO_WORD, "none", starts),
    oracles.closed_form: Row(_NO_WORD, "a certificate", closed),
    oracles.equilibria_by_cases: Row("each entry by its gains in fractions", "none", cases),
    oracles.separate_parts: Row("changes of payoffs against sums over parts", "two payoff calls", parts),
    oracles.profit_gain_bounds: Row("computed by searches of the same payoffs", "none", benchmarks),
    oracles.to_finite: Row("the tables are the game that is solved", "none", tables),
    payoffs.numpy_payoffs: Row("the payoffs that certificates take", "none", other_payoffs),
    payoffs.pure_payoffs: Row("the payoffs that units of gains take", "none", other_payoffs),
    payoffs.many_payoffs: Row("the payoffs that units of gains take", "none", other_payoffs),
    rounding_error: Row("beside fractions in tests/unit/test_tolerances.py", "none"),
    with_bounded_responses: Row("bounds contain the responses, or none is stated", "in the search"),
    equilibrium_bounds: Row("beside lists without them in tests/unit/test_race_lists.py", "none"),
    slopes_in_logs: Row("beside gradients in tests/unit/test_race_lists.py", "none"),
    slopes_in_shares: Row("they replace gradients in intervals", "none", share_slopes),
    terms_in_fractions: Row("they replace gradients in intervals", "none", term_signs),
    oracles.flow_certificate: Row("beside enumerated routes in tests/unit/test_roads.py", "none"),
    **dict.fromkeys(
        (
            *(oracles.payoff_scale, oracles.discontinuity, oracles.labels, oracles.metrics),
            *(oracles.traced_metrics, oracles.named_start, oracles.validate_parameter),
            *(oracles.shared_constraints, oracles.plot_data, oracles.flow_answer, oracles.to_sequence_form),
            *(oracles.to_tree, oracles.to_contest, oracles.action_levels, oracles.to_repeated),
            *(oracles.to_stages, oracles.initial_state, oracles.transition, oracles.stage_game),
            *(oracles.state_game, oracles.state_bounds, oracles.to_linear_quadratic, oracles.outside_linear),
            *(oracles.to_markov, oracles.to_agents, oracles.discount_factors, oracles.payoff_growth),
            *(oracles.move_order, oracles.alternating, oracles.turns, oracles.base_game),
            *(oracles.games_of_nature, oracles.cycle_value, oracles.discounting_channels),
            *(oracles.active_players, oracles.present_players, oracles.legal_actions),
            *(
                oracles.normalized_observation,
                oracles.observation_bounds,
                oracles.own_units,
                oracles.one_quadrature,
            ),
            payoffs.without_constants,
            *(oracle for oracle in vars(populations).values() if isinstance(oracle, Oracle)),
        ),
        Row(_DEFINES, "none"),
    ),
}


def contradictions(game: Any, rng: Rng, profiles: int = 2) -> Iterator[tuple[Oracle[..., Any], str]]:
    """Yield the oracles that a game's own payoffs contradict at random profiles, with a line for each."""
    for _ in range(profiles):
        x = _inside(game, rng)
        for oracle, row in ROWS.items():
            if row.check is not None and oracle.knows(game):
                for line in row.check(game, x, rng):
                    yield oracle, f"{type(game).__name__}: {oracle.__name__}: {line}"


# --- games with unlike keys per player, beside those of `tests.duel.draws` --------------------------------


def structures(form: Rng, rng: Rng) -> Setting:
    """Draw a market with formulas, nests, owners, taxes, rationing or entry, all of them unlike per firm."""
    n = int(form.integers(2, 4))
    kind = pick(form, "prices", "quantities", "nests", "linear", "differentiated", "entry", "rationing")
    keys: dict[str, Any] = {"unit_cost": rng.uniform(0.5, 3, n).tolist()}
    if kind == "rationing":
        keys |= {"choice": "price", "intercept": 10.0, "rationing": pick(form, "efficient", "proportional")}
        keys["capacity"] = rng.uniform(1, 6, n).tolist()
        return Setting("", "market", keys, ())
    if kind == "entry":
        keys |= {"fixed_cost": rng.uniform(0.5, 30, n).tolist(), "intercept": 20.0}
        return Setting("", "market", keys, ())
    keys |= _unlike_demand(kind, n, rng)
    owned = pick(form, "owners", "ownership", "", "") if n > 2 else pick(form, "ownership", "", "")
    firms = 2 if owned == "owners" else n
    if kind in ("linear", "differentiated") and maybe(form, 0.5):
        keys |= {"stages": [[0], list(range(1, firms))], "timing": "staged"}
    if owned == "owners":
        return Setting("", "market", keys | {"owners": [[0, 2], [1]], "cost_saving": 0.1}, ())
    if owned == "ownership":
        weights = np.eye(n) + rng.uniform(0, 0.4, (n, n))
        return Setting("", "market", keys | {"ownership": weights.tolist()}, ())
    if maybe(form, 0.5):
        rates = {"unit": (-0.3, 0.3), "ad_valorem": (0, 0.3), "profit": (0, 0.5)}
        keys["tax"] = {name: rng.uniform(*ends, n).tolist() for name, ends in rates.items()}
    elif maybe(form, 0.5):
        keys["tax"] = rng.uniform(0, 0.6, n).tolist()
    return Setting("", "market", keys, ())


def _unlike_demand(kind: str, n: int, rng: Rng) -> dict[str, Any]:
    """Return keys of demand with numbers of its own per firm."""
    if kind == "prices":
        sold = " - ".join(f"q{j}" for j in range(n))
        return {"demand": {"price": [f"{top:.6f} - {sold}" for top in rng.uniform(15, 30, n)]}, "high": 20.0}
    if kind == "quantities":
        others = ["".join(f" + 0.4*p{j}" for j in range(n) if j != i) for i in range(n)]
        texts = [f"{rng.uniform(6, 14):.6f} - 2*p{i}{others[i]}" for i in range(n)]
        return {"demand": {"quantity": texts}, "high": 8.0}
    if kind == "nests":
        keys = {"demand": "logit", "quality": rng.uniform(1, 4, n).tolist()}
        nests = {"nests": [list(range(n - 1)), [n - 1]], "nesting": float(rng.uniform(0.1, 0.9))}
        return keys | nests | {"taste_spread": float(rng.uniform(0.2, 1))}
    return {"demand": kind, "choice": "quantity", "convex_cost": rng.uniform(0, 2, n).tolist()}


def tree(rng: Rng) -> Any:
    """Return a random game in extensive form of two players and chance, three moves long."""
    pays = rng.integers(-5, 6, (2, 2, 2, 2, 2))
    known = bool(rng.integers(2))

    def rules(history: tuple[Any, ...]) -> Any:
        if not history:
            return Chance({0: Fraction(1, 3), 1: Fraction(2, 3)})
        if len(history) == 1:
            return Decision(0, history, (0, 1))
        if len(history) == 2:
            return Decision(1, history if known else history[1:], (0, 1))
        if len(history) == 3 and history[2] == 1:
            return Decision(0, ("again", *history), (0, 1))
        return tuple(int(pay) for pay in pays[(slice(None), *history, *[0] * (4 - len(history)))])

    return Extensive.from_rules(rules)


def rare() -> Iterator[Any]:
    """Yield games whose shortcuts hold in few settings only."""
    market, unlike = rv.games.market, {"unit_cost": [1.0, 1.5, 2.0], "owners": [[0, 2], [1]]}
    yield market(choice="price", intercept=10.0, unit_cost=[1.0, 2.0])
    yield market(demand="differentiated", choice="price", **unlike)
    yield market(demand="logit", quality=[2.0, 3.0, 2.5], taste_spread=0.5, **unlike)
    yield market(demand="differentiated", choice="quantity", stages=[[0], [1]], **unlike)
    yield market(demand="logit", quality=[2.0, 3.0], unit_cost=[1.0, 1.5], stages=[[0], [1]])
    yield market(unit_cost=[5.0, 10.0, 20.0], stages=[[0], [1, 2]])


def leaders(game: Any) -> Any | None:
    """Return a game in a box with its first player as a leader; None where there is none."""
    if isinstance(game.space, Simplex) or game.space.shape[0] < 2:
        return None
    return rv.transforms.stackelberg(game, [0])


def follower_gains(led: Any, x: np.ndarray, rng: Rng) -> Iterator[str]:
    """Yield a line per follower that gains by another strategy than its response to the leader."""
    whole = np.asarray(led.whole(jnp.asarray(x)))
    if not np.isfinite(whole).all():
        yield f"no responses to {x.tolist()}"
        return
    found = rv.certificate(led.game, whole)
    for follower in led.followers:
        values = _paid(led.game, whole, follower, _own(led.game, follower, whole, rng))
        (here,) = _paid(led.game, whole, follower, whole[follower][None])
        tolerance = float(np.broadcast_to(found.tolerance, len(whole))[follower])
        if (excess := _above(values, float(here))) > 10 * tolerance:
            yield f"follower {follower} gains {excess:.3g} at the leader's {x.tolist()}"
