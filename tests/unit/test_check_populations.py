"""Conformance checks of population games: conforming games pass, and each violation is named."""

from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.check import Unfit, check_game, check_method
from rivalry.core.game import BrokenInvariant
from rivalry.core.method import Learner
from rivalry.core.needs import fits
from rivalry.core.oracles import to_agents
from rivalry.methods import METHODS
from rivalry.population import oracles
from rivalry.runtime.jax import jnp
from rivalry.schema.registry import load
from tests.commuting import Commute, commute


@pytest.mark.slow
def test_a_congestion_population_passes_the_checks() -> None:
    done = check_game(commute([1.0, 2.0, 6.0]))
    assert "stationary population" in done
    assert "to_agents" not in done


@pytest.mark.nightly
def test_an_economy_without_a_mean_field_is_checked_partially() -> None:
    with pytest.warns(UserWarning, match="does not conserve"):
        game = rv.games.karma(max_karma=2, mean_karma=1.0, overflow="burn")
    done = check_game(game)
    assert "stationary population" not in done
    assert {"transition_matrix", "balance", "to_agents"} <= set(done)


class WrongDiscount(Commute):
    @property
    def discount(self) -> Any:
        return jnp.ones(1)


class WrongLegal(Commute):
    @property
    def legal(self) -> Any:
        return jnp.zeros((1, len(self.slopes)), dtype=bool)


class Infinite(Commute):
    def environment(self, mu: Any, pi: Any) -> Any:
        return mu @ pi / 0.0


class Branching(Commute):
    def environment(self, mu: Any, pi: Any) -> Any:
        return mu @ pi if float(mu[0]) > 0 else mu


class FlatReward(Commute):
    def reward(self, env: Any) -> Any:
        return -(self.slopes * env)


class Leaking(Commute):
    def expect(self, env: Any) -> Any:
        return lambda values: 0.9 * jnp.broadcast_to(values[:, None], (1, len(self.slopes)))


class Bent(Commute):
    def expect(self, env: Any) -> Any:
        return lambda values: jnp.broadcast_to(values[:, None] ** 2, (1, len(self.slopes)))


class WrongMatrix(Commute): ...


@oracles.transition_matrix.register(WrongMatrix)
def _(game: WrongMatrix, env: Any, weights: Any) -> Any:
    return jnp.full((1, 1), 0.5)


class ShortBalance(Commute):
    def balance(self, env: Any, mu: Any, pi: Any) -> Any:
        return (env - self.environment(mu, pi))[:1]


class OtherBalance(Commute):
    def balance(self, env: Any, mu: Any, pi: Any) -> Any:
        return env - 0.5 * self.environment(mu, pi)


class NeverZero(Commute):
    def balance(self, env: Any, mu: Any, pi: Any) -> Any:
        return 1.0 + env**2


class Refusing(Commute): ...


@oracles.is_feasible.register(Refusing)
def _(game: Refusing, env: Any) -> Any:
    return jnp.asarray(False)


class OffFirst(Commute): ...


@oracles.first_distribution.register(OffFirst)
def _(game: OffFirst) -> Any:
    return jnp.full(1, 0.5)


class NoTuple(Commute): ...


@to_agents.register(NoTuple)
def _(game: NoTuple) -> Any:
    return [np.zeros(1)]


class Drifting(Commute): ...


@oracles.conservation_error.register(Drifting)
def _(game: Drifting, mu: Any, pi: Any) -> Any:
    return 1e-6 * mu.sum()


BREACHES = [
    (WrongDiscount, r"discount: \[1.0\] must be in \[0, 1\)"),
    (WrongLegal, "legal: must be the mask of the space"),
    (Infinite, r"environment: .* must be finite"),
    (Branching, "environment: raised .*; must be written with jax.numpy"),
    (FlatReward, r"reward: shape \(2,\) must be \(1, 2\)"),
    (Leaking, "the mean of 1 must be 1, mass being kept, and is off, by 0.1"),
    (Bent, r"expect\(env\): must be linear"),
    (WrongMatrix, "differs from pushing mass by `expect`, by 0.5"),
    (ShortBalance, "balance: must have the form of an environment"),
    (OtherBalance, "environment: differs from that of `balance`"),
    (NeverZero, "balance: .* is left in the stationary population"),
    (Refusing, r"is_feasible\(game, env\): is false"),
    (OffFirst, "first_distribution: must give each type its share, and is off, by 0.5"),
    (Drifting, r"conservation_error\(game, mu, pi\): must be 0, a step conserving all, and is off, by 1e-06"),
    (NoTuple, r"to_agents\(game\): list must be a NamedTuple"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "message"), BREACHES, ids=[kind.__name__ for kind, _ in BREACHES])
def test_violations_of_population_games_are_named(kind: Any, message: str) -> None:
    with pytest.raises(Unfit, match=message):
        check_game(kind(jnp.array([1.0, 3.0])))


@pytest.mark.nightly
def test_a_violated_conservation_law_raises_an_error() -> None:
    """The error lies in the game's rules, so no result is reported for the policy."""
    game = Drifting(jnp.array([1.0, 3.0]))
    for ask in (
        lambda: rv.population.population_certificate(game, [[0.75, 0.25]]),
        lambda: rv.solve(game, rv.methods.PopulationNewton(beta=5.0), start=[[0.5, 0.5]], path=False),
    ):
        with pytest.raises(BrokenInvariant, match="a step of the population adds 1e-06 to what it conserves"):
            ask()


CLASSES = {
    target.split(":")[1]: target
    for entry in METHODS.values()
    for target in entry.targets
    if ".populations." in target or (".economies.learning." in target and "city" not in target)
}
OPTIONS: dict[str, dict[str, Any]] = {
    "PopulationQLearning": {"training": 24, "epoch": 5, "evaluation": 8, "evaluation_warm_up": 3},
    "Simulation": {"plays": "uniform", "evaluation": 30, "warm_up": 5},
}


# the others take long to compile and have separate tests
QUICK = ("OnlineMirrorDescent", "Simulation")
EACH = [name if name in QUICK else pytest.param(name, marks=pytest.mark.nightly) for name in CLASSES]


@pytest.mark.nightly
@pytest.mark.parametrize("name", EACH)
@pytest.mark.filterwarnings("ignore:.*legal entries")
def test_every_population_method_conforms(name: str) -> None:
    method = load(CLASSES[name])(**OPTIONS.get(name, {}))
    agents = isinstance(method, Learner)  # populations without karma compile much faster
    game = rv.games.karma(max_karma=2, mean_karma=1.0, agents=4) if agents else commute([1.0, 2.0, 6.0])
    assert fits(type(method), game)
    assert check_method(method, game)[0] == "protocol"


def test_an_object_that_is_not_a_population_game_is_refused() -> None:
    with pytest.raises(Unfit, match="or as a population `space`, `discount`, `legal`, `environment"):
        check_game(object())
