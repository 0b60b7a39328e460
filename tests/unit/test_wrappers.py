"""Wrappers of games: oracles, checks and proofs of the base game are forwarded."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import numpy as np
import pytest

import rivalry as rv
from rivalry.certificates.certify import certificate
from rivalry.core import oracles
from rivalry.core.game import own_payoff, scale
from rivalry.core.payoffs import payoffs
from rivalry.core.reparametrisation import unconstrained_game
from rivalry.core.space import Box
from rivalry.runtime.jax import jax, jnp
from rivalry.transforms import Followers, discretise, freeze, in_stages, repeat, stackelberg, walks

COST = 0.1


class Firms(eqx.Module):
    """Three firms with price 1 - Q and unit cost 0.1; all oracles are known in closed form."""

    space: Box

    def payoffs(self, x: Any) -> Any:
        return x[:, 0] * (1 - COST - x.sum())


def _response(rest: Any) -> Any:
    return jnp.clip((1 - COST - rest) / 2, 0.0, 1.0)


register = {
    oracles.payoff_scale: lambda game: 2.0,
    oracles.discontinuity: lambda game: "a step",
    oracles.labels: lambda game: oracles.Labels(("a", "b", "c"), ("quantity",)),
    oracles.metrics: lambda game, x: {"total": ((), np.asarray(x.sum()))},
    oracles.traced_metrics: lambda game, x: {"total": ((), x.sum())},
    oracles.named_start: lambda game, name: jnp.full((3, 1), 0.5),
    oracles.validate_parameter: lambda game, name, value: "must be above 0",
    oracles.exchangeable: lambda game: np.zeros(3, dtype=int),
    oracles.deviation_payoff: lambda game, x, p: lambda s: s[0] * (1 - COST - (x.sum() - x[p, 0]) - s[0]),
    oracles.gradients: lambda game, x: 1 - COST - x.sum() - x,
    oracles.jacobian: lambda game, x: -jnp.ones((3, 3)) - jnp.eye(3),
    oracles.search_points: lambda game, player: jnp.asarray([[0.125]]),
    oracles.closed_form: lambda game: np.full((1, 3, 1), (1 - COST) / 4),
    oracles.compiled_response: lambda game, x, player: oracles.best_response(game, x, player)[:2],
    oracles.plot_data: lambda game: {"all": lambda x: {"x": (("player", "axis"), np.asarray(x))}},
}
for oracle, answer in register.items():
    oracle.register(Firms)(answer)


@oracles.best_response.register(Firms)
def _(game: Firms, x: Any, player: Any) -> Any:
    own = _response(x.sum() - x[player, 0])
    return own[None], game.payoffs(x.at[player, 0].set(own))[player], "tight"


@oracles.proved_response.register(Firms)
def _(game: Firms, x: Any, player: int) -> oracles.Response:
    strategy, payoff, _ = oracles.best_response(game, x, player)
    return oracles.Response(np.asarray(strategy), float(payoff), float(payoff), "tight", "parabola")


@oracles.mixed_best_response.register(Firms)
def _(game: Firms, positions: Any, weights: Any, player: int) -> Any:
    means = np.einsum("pa,pax->p", weights, np.nan_to_num(positions))
    rest = means.sum() - means[player]
    own = _response(rest)
    return own[None], own * (1 - COST - rest - own), "tight"


@oracles.payoff_bound.register(Firms)
def _(game: Firms, x: Any, player: Any, low: Any, high: Any) -> Any:
    margin = 1 - COST - (x.sum() - x[player, 0]) - low[0]
    return jnp.where(margin > 0, margin * high[0], margin * low[0])


LINEAR = Firms(Box.interval(0.0, 1.0, players=3))
LOGS = Firms(Box.of([[0.0, 1.0]], players=3, coordinates="log", zero_threshold=1e-6))
MADE: dict[str, Any] = {
    "freeze": freeze(LINEAR, {1: [0.2]}),
    "freeze of freeze": freeze(freeze(LINEAR, {1: [0.2]}), {1: [0.3]}),
    "stackelberg": stackelberg(LINEAR, [0, 1], Followers()),
    "walks": walks(LINEAR, step=0.25),
    "repeat": repeat(LINEAR),
    "in_stages": in_stages(LINEAR, [[0], [1, 2]]),
    "discretise": discretise(LINEAR, 5),
    "flattened": unconstrained_game(LOGS),
}

WHOLE = "counts the players of the whole game"
STEPS = "a game of steps has no payoffs at a profile: nothing asks"
RESPONSES = "the followers' responses move with the own choice"
BITS = "the generic answer is exact too, and stored results keep their last bits"
NUMBERS = "strategies are numbers of a list, which have no slope and are enumerated"
APART = "the base game's program is for its own profiles: responses are part of the program that needs them"
NAMES = "its arrays are reached through the game inside, which is asked by those names"
_PROFILES = """best_response closed_form compiled_response deviation_payoff exchangeable gradients jacobian
metrics mixed_best_response named_start payoff_bound plot_data proved_response search_points traced_metrics
validate_parameter"""
OF_PROFILES = _PROFILES.split()
FREEZE = {
    "closed_form": "equilibria of the whole game are none of a part",
    "compiled_response": APART,
    "deviation_payoff": BITS,
    "jacobian": BITS,
    "plot_data": WHOLE,
    "traced_metrics": WHOLE,
    "validate_parameter": NAMES,
}
LEADERS = "best_response deviation_payoff gradients jacobian mixed_best_response payoff_bound proved_response"
GENERIC: dict[str, dict[str, str]] = {
    "freeze": FREEZE,
    "freeze of freeze": FREEZE,
    "stackelberg": dict.fromkeys([*LEADERS.split(), "closed_form", "search_points"], RESPONSES)
    | {"plot_data": WHOLE, "traced_metrics": WHOLE, "validate_parameter": NAMES, "compiled_response": APART},
    "walks": dict.fromkeys(OF_PROFILES, STEPS),
    "repeat": dict.fromkeys(OF_PROFILES, STEPS),
    "in_stages": dict.fromkeys(OF_PROFILES, STEPS),
    "discretise": dict.fromkeys([*LEADERS.split(), "closed_form", "search_points", "named_start"], NUMBERS)
    | {"compiled_response": APART},
    "flattened": {},
}
BY_NAME = {name: known for name, known in vars(oracles).items() if isinstance(known, oracles.Oracle)}
FIRST = list(BY_NAME).index("to_finite")  # before it oracles of games with payoffs, then conversions and play
# wrappers of games with shared constraints are refused, or know them: `test_shared_constraints`
ABOUT_PAYOFFS = [word for word in list(BY_NAME)[:FIRST] if word != "shared_constraints"]
ABOUT_PLAY = list(BY_NAME)[FIRST:]
WITH_PAYOFFS = [name for name, game in MADE.items() if hasattr(game, "payoffs")]
KEY = jax.random.key(3)


@pytest.mark.parametrize("name", MADE)
def test_every_oracle_is_registered_or_deliberately_generic(name: str) -> None:
    generic = {word for word in ABOUT_PAYOFFS if not BY_NAME[word].knows(MADE[name])}
    assert generic == set(GENERIC[name])
    assert not {"discontinuity", "payoff_scale"} & generic
    assert oracles.discontinuity(MADE[name]) == "a step"


class Converted(Firms):
    """The same firms, with every conversion and every oracle of play registered."""


for word in ABOUT_PLAY:
    BY_NAME[word].register(Converted)(lambda game, *given: None)

AROUND = {
    "freeze": {"to_finite"},  # tables averaged over the fixed players' mixtures
    "stackelberg": {"base_game", "move_order"},
    "walks": {"normalized_observation", "observation_bounds", "own_units"},
    "repeat": {"normalized_observation", "observation_bounds"},
    "in_stages": {"active_players", "normalized_observation", "observation_bounds"},
    "discretise": set[str](),
    "flattened": set[str](),
}
"""What is known of wrappers. The rest is generic on purpose: periods, states and agents are those of the game
inside, and learners of a wrapper are given their discount factors."""


@pytest.mark.parametrize("name", AROUND)
def test_conversions_of_the_base_game_are_not_forwarded(name: str) -> None:
    inside = Converted(LINEAR.space)
    game = eqx.tree_at(lambda made: made.game, MADE[name], inside)
    known = {word for word in ABOUT_PLAY if BY_NAME[word].knows(game)}
    assert known == AROUND[name]
    assert oracles.to_stages.knows(inside)


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_PAYOFFS)
def test_gradient_methods_refuse_wrappers_of_discontinuous_games(name: str) -> None:
    game = MADE[name]
    with pytest.raises(ValueError, match="a step: payoffs are discontinuous"):
        rv.solve(game, rv.methods.GradientAscent(), start=np.asarray(game.space.sample(KEY)))


@eqx.filter_jit
def _paid(game: Any, x: Any, player: Any, rows: Any) -> Any:
    return jax.vmap(lambda own: game.payoffs(x.at[player].set(own))[player])(rows)


@eqx.filter_jit
def _slopes(game: Any, x: Any) -> Any:
    rows = jnp.arange(len(x))
    return jax.jacrev(game.payoffs)(x)[rows, rows]


def every(game: Any, x: Any, player: int) -> tuple[np.ndarray, np.ndarray]:
    """Return random and grid strategies of a player, and their payoffs."""
    samples = [game.space.sample(key)[player] for key in jax.random.split(KEY, 20)]
    rows = jnp.concatenate([game.space.grid(player, 41), jnp.stack(samples)])
    return np.asarray(rows), np.asarray(_paid(game, x, jnp.asarray(player), rows))


@pytest.mark.nightly
@pytest.mark.parametrize("name", [n for n in WITH_PAYOFFS if n != "discretise"])
def test_forwarded_oracles_match_the_payoffs(name: str) -> None:
    game = MADE[name]
    x = game.space.sample(jax.random.key(1))
    here = np.asarray(payoffs(game, x))
    for player in range(len(x)):
        rows, pays = every(game, x, player)
        if oracles.proved_response.knows(game):
            strategy, payoff, coverage = oracles.best_response(game, x, player)
            there = x.at[player].set(jnp.asarray(strategy))
            np.testing.assert_allclose(payoffs(game, there)[player], payoff, rtol=1e-12)
            assert (coverage, float(payoff) >= pays.max() - 1e-12) == ("tight", True)
            proved = oracles.proved_response(game, x, player)
            np.testing.assert_allclose([proved.payoff, proved.bound], payoff, rtol=1e-12)
            np.testing.assert_allclose(proved.strategy, strategy, rtol=1e-12)
        if oracles.payoff_bound.knows(game):
            low, high = np.quantile(rows, 0.3, axis=0), np.quantile(rows, 0.8, axis=0)
            inside = ((rows >= low) & (rows <= high)).all(axis=1)
            top = oracles.payoff_bound(game, x, player, jnp.asarray(low), jnp.asarray(high))
            assert inside.any()
            assert pays[inside].max() <= float(top) + 1e-12
        np.testing.assert_allclose(own_payoff(game, x, player, x[player]), here[player], atol=1e-12)
    if name != "stackelberg":
        np.testing.assert_allclose(oracles.gradients(game, x), _slopes(game, x), atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_PAYOFFS)
def test_exchangeable_players_may_be_permuted(name: str) -> None:
    game = MADE[name]
    kinds = oracles.exchangeable(game)
    assert kinds.shape == game.space.shape[:1]
    x = game.space.sample(jax.random.key(2))
    for one, other in zip(*np.triu_indices(len(x), 1), strict=True):
        swap = np.arange(len(x))
        swap[[one, other]] = other, one
        here, there = (np.asarray(payoffs(game, y)) for y in (x, x[swap]))
        assert np.allclose(here[swap], there, rtol=0, atol=1e-9) == (kinds[one] == kinds[other])


def test_exchangeability_is_unknown_for_a_custom_response() -> None:
    def respond(game: Any, x: Any, followers: Any) -> Any:
        return x.at[2].set(x[0])

    assert not oracles.exchangeable.knows(stackelberg(LINEAR, [0, 1], respond))


@pytest.mark.slow
def test_scales_labels_metrics_and_starts_match_the_base_game() -> None:
    assert {name: scale(game) for name, game in MADE.items()} == dict.fromkeys(MADE, 2.0)
    assert oracles.labels(MADE["freeze"]) == oracles.Labels(("a", "c"), ("quantity",))
    assert oracles.labels(MADE["discretise"]) == oracles.Labels(("a", "b", "c"))
    metrics = {
        "freeze": ([[0.1], [0.3]], 0.6),
        "stackelberg": ([[0.1], [0.3]], 0.4 + 0.25),
        "discretise": ([[1.0], [2.0], [4.0]], 1.75),
        "flattened": (np.log([[0.1], [0.2], [0.4]]), 0.7),
    }
    for name, (x, total) in metrics.items():
        found = oracles.metrics(MADE[name], jnp.asarray(x, dtype=float))["total"][1]
        np.testing.assert_allclose(found, total, rtol=1e-9)
    for name, start in {"freeze": [[0.5]] * 2, "flattened": np.log([[0.5]] * 3)}.items():
        np.testing.assert_allclose(oracles.named_start(MADE[name], "half"), start)


@pytest.mark.slow
def test_mixed_best_responses_include_frozen_players() -> None:
    positions, weights = np.array([[[0.1], [0.3]], [[0.2], [0.4]]]), np.array([[0.5, 0.5], [0.25, 0.75]])
    strategy, payoff, _ = oracles.mixed_best_response(MADE["freeze"], positions, weights, 0)
    own = (0.9 - 0.2 - 0.35) / 2
    np.testing.assert_allclose([strategy[0], payoff], [own, own**2])
    flat = oracles.mixed_best_response(MADE["flattened"], np.log(positions[[0, 1, 1]]), weights[[0, 1, 1]], 0)
    np.testing.assert_allclose(np.exp(flat[0][0]), (0.9 - 0.7) / 2)


@pytest.mark.slow
def test_a_frozen_race_and_bertrand_competition_are_proved() -> None:
    race = rv.games.race()
    x = race.inputs(safety_input=[0.5, 0.4], performance_input=[0.3, 0.2])
    whole, part = certificate(race, x), certificate(freeze(race, {1: x[1]}), x[:1])
    assert (part.coverage, part.method) == ("tight", whole.method)
    np.testing.assert_array_equal([part.regret[0], part.bound[0]], [whole.regret[0], whole.bound[0]])
    prices = rv.games.market(choice="price")
    y = jnp.array([[40.0], [30.0]])
    stage = certificate(prices, y)
    for game in (
        freeze(prices, {1: [30.0]}),
        freeze(freeze(rv.games.market(choice="price", players=3), {1: [30.0]}), {1: [40.0]}),
    ):
        proof = certificate(game, y[:1])
        assert (proof.coverage, proof.method) == ("tight", "undercutting")
        np.testing.assert_allclose(proof.bound, stage.bound[:1])
