"""Conformance checks of population games: conforming games pass, and each violation is named."""

from collections.abc import Callable
from typing import Any

import pytest

import rivalry as rv
from rivalry.check import Unfit, check_game
from rivalry.core.game import BrokenInvariant
from rivalry.population import oracles
from rivalry.runtime.jax import jnp
from tests.commuting import Commute, commute
from tests.conformance import assert_conforms


@pytest.mark.slow
def test_a_congestion_population_passes_the_checks() -> None:
    assert assert_conforms(commute([1.0, 2.0, 6.0]))[-1] == "expect"


def having(**rules: Any) -> Any:
    """Return two roads of which some rules are others."""
    kind: Any = type("Having", (Commute,), rules)
    return kind(jnp.array([1.0, 3.0]))


def answering(oracle: Any, answer: Callable[..., Any]) -> Any:
    """Return two roads that answer an oracle by a function of the game and the oracle's arguments."""
    game = having()
    oracle.register(type(game))(answer)
    return game


def expecting(share: Callable[[Any], Any]) -> Any:
    """Return two roads whose expected values are a function of the values instead of the values."""
    return having(expect=lambda self, env: lambda values: jnp.broadcast_to(share(values)[:, None], (1, 2)))


def balanced(balance: Callable[[Any, Any], Any]) -> Any:
    """Return two roads whose balance is a function of an environment and the one that follows from it."""
    return having(balance=lambda self, env, mu, pi: balance(env, self.environment(mu, pi)))


def drifting() -> Any:
    return answering(oracles.conservation_error, lambda game, mu, pi: 1e-6 * mu.sum())


BREACHES: dict[str, tuple[Any, str]] = {
    "discount": (
        having(discount=property(lambda self: jnp.ones(1))),
        r"discount: \[1.0\] must be in \[0, 1\)",
    ),
    "legal": (
        having(legal=property(lambda self: jnp.zeros((1, 2), dtype=bool))),
        "legal: must be the mask of the space",
    ),
    "infinite": (having(environment=lambda self, mu, pi: mu @ pi / 0.0), r"environment: .* must be finite"),
    "branching": (
        having(environment=lambda self, mu, pi: mu @ pi if float(mu[0]) > 0 else mu),
        "environment: raised .*; must be written with jax.numpy",
    ),
    "flat reward": (
        having(reward=lambda self, env: -(self.slopes * env)),
        r"reward: shape \(2,\) must be \(1, 2\)",
    ),
    "leaking": (
        expecting(lambda values: 0.9 * values),
        "the mean of 1 must be 1, mass being kept, and is off, by 0.1",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BREACHES)
def test_violations_of_population_games_are_named(name: str) -> None:
    game, message = BREACHES[name]
    with pytest.raises(Unfit, match=message):
        check_game(game)


UNFAITHFUL: dict[str, Any] = {
    "bent": expecting(lambda values: values**2),
    "short balance": balanced(lambda env, following: (env - following)[:1]),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", UNFAITHFUL)
def test_expectations_are_means_and_balances_have_the_form_of_environments(name: str) -> None:
    with pytest.raises(AssertionError):
        assert_conforms(UNFAITHFUL[name])


@pytest.mark.nightly
def test_a_violated_conservation_law_raises_an_error() -> None:
    """The error lies in the game's rules, so no result is reported for the policy."""
    game = drifting()
    for ask in (
        lambda: rv.population.population_certificate(game, [[0.75, 0.25]]),
        lambda: rv.solve(game, rv.methods.PopulationNewton(beta=5.0), start=[[0.5, 0.5]], path=False),
    ):
        with pytest.raises(BrokenInvariant, match="a step of the population adds 1e-06 to what it conserves"):
            ask()


def test_an_object_that_is_not_a_population_game_is_refused() -> None:
    with pytest.raises(Unfit, match="or as a population `space`, `discount`, `legal`, `environment"):
        check_game(object())
