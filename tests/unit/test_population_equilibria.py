"""An economy with several equilibria, found by Newton's method and verified with NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
import pytest
from scipy.optimize import brentq

import rivalry as rv
from rivalry.core.space import Simplex
from rivalry.runtime.jax import jax, jnp

BETA, GAMMA, MOST, KBAR = 1000.0, 0.98, 20, 10.0
STAKES = np.array([1.0, 5.0])
# payoff, level and exploitability from arc-length continuation of the same equations
USUAL = (-52.392159, 0.193386, 0.000430)
OTHER = (-52.263085, 0.154345, 0.001141)


class Told(NamedTuple):
    """Statistics of a policy in a population, computed with NumPy."""

    payoff: float
    level: float
    gain: float
    off: float  # distance of the policy from softmax(beta Q)
    moved: float  # change of the population per step
    held: float  # mean karma per agent


def told(policy: np.ndarray, law: np.ndarray) -> Told:
    """Random pairs, the winner pays its bid to the loser, excess karma is redistributed to all."""
    levels = MOST + 1
    pi, mu = policy.reshape(2, levels, levels), law.reshape(2, levels)
    nu = np.einsum("uk,ukb->b", mu, pi)
    lands, overflow = outcomes(nu)
    paid = np.einsum("uk,ukb,kbl->l", mu, pi, lands)
    level = float(np.einsum("uk,ukb,kb->", mu, pi, overflow) / paid[:-1].sum())
    assert level < 1  # at most one unit per agent below max_karma
    share = (1 - level) * np.eye(levels) + level * np.eye(levels, k=1)
    share[-1, -1] = 1.0
    after = lands @ share
    steps = np.einsum("ukb,kbm,v->ukvm", pi, after, [0.5, 0.5]).reshape(2 * levels, -1)
    win = np.cumsum(nu) - nu / 2
    reward = -STAKES[:, None] * (1 - win)
    values = np.linalg.solve(np.eye(len(steps)) - GAMMA * steps, np.einsum("ukb,ub->uk", pi, reward).ravel())
    legal = np.tri(levels, dtype=bool)
    q = np.where(legal, action_values(reward, after, values.reshape(mu.shape)), -np.inf)
    weights = np.exp(BETA * (q - q.max(axis=2, keepdims=True)))
    best = values.reshape(mu.shape)
    for _ in range(2000):
        best = np.where(legal, action_values(reward, after, best), -np.inf).max(axis=2)
    payoff = float(law @ values)
    return Told(
        payoff=payoff,
        level=level,
        gain=float((mu * best).sum()) - payoff,
        off=float(np.abs(weights / weights.sum(axis=2, keepdims=True) - pi).max()),
        moved=float(np.abs(law @ steps - law).max()),
        held=float(mu.sum(axis=0) @ np.arange(levels)),
    )


def outcomes(nu: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Karma after payment ``[karma bid karma]``, and excess karma ``[karma bid]``."""
    levels = MOST + 1
    found, overflow = np.zeros((levels, levels, levels)), np.zeros((levels, levels))
    for k in range(levels):
        for own in range(k + 1):
            for rival in range(levels):
                wins = 1.0 if own > rival else 0.5 if own == rival else 0.0
                found[k, own, k - own] += nu[rival] * wins
                found[k, own, min(k + rival, MOST)] += nu[rival] * (1 - wins)
                overflow[k, own] += nu[rival] * (1 - wins) * max(k + rival - MOST, 0)
    return found, overflow


def action_values(reward: np.ndarray, after: np.ndarray, values: np.ndarray) -> np.ndarray:
    ahead: np.ndarray = reward[:, None, :] + GAMMA * np.einsum("kbm,m->kb", after, values.mean(axis=0))
    return ahead


def solved(start: Any, **options: Any) -> Any:
    method = rv.methods.PopulationNewton(beta=BETA, **options)
    found = rv.solve(rv.games.karma(), method, start=start, path=False)
    assert found.status == "converged"
    return found


@pytest.mark.nightly
@pytest.mark.parametrize(("factor", "known"), [(1.3, USUAL), (3.0, OTHER)], ids=["short", "long"])
def test_continuation_step_factor_selects_the_equilibrium(factor: float, known: tuple[float, ...]) -> None:
    found = solved("uniform", factor=factor)
    here = (found.data.payoff.item(), found.data.level.item(), found.data.exploitability.item())
    np.testing.assert_allclose(here, known, atol=2e-6)
    plain = told(found.profile.values, found.data.distribution.values)
    np.testing.assert_allclose(plain[:3], known, atol=2e-6)
    np.testing.assert_allclose(plain.held, KBAR, atol=1e-9)
    assert plain.moved < 1e-12
    assert plain.off < 1e-8
    # started at its policy, it is found in one step without continuation
    again = solved(found.profile.values, begin=BETA)
    assert again.steps == 1
    np.testing.assert_allclose(again.profile, found.profile, atol=1e-8)


@pytest.mark.nightly
@pytest.mark.parametrize(("factor", "known"), [(1.3, USUAL), (2.5, OTHER), (3.0, OTHER)])
def test_continuation_from_zero_bids_restarts_uniformly(factor: float, known: tuple[float, ...]) -> None:
    """With zero bids no karma moves, and the first stage of continuation fails."""
    found = solved("zero", factor=factor)
    assert bool(found.data.restarted)
    here = (found.data.payoff.item(), found.data.level.item(), found.data.exploitability.item())
    np.testing.assert_allclose(here, known, atol=2e-6)


@pytest.mark.nightly
def test_the_remedy_mentions_several_stationary_distributions() -> None:
    game = rv.games.karma(max_karma=6, mean_karma=3)
    method = rv.methods.PopulationNewton(beta=20.0)
    for start, several in (("zero", True), ("uniform", False)):
        policy = rv.solve(game, rv.methods.Evaluate(), start).profile.values
        state = method.init(game, jnp.asarray(policy), jax.random.key(0))
        said = str(method.report(game, state, "not found")["remedy"][1])
        assert ("several stationary distributions" in said) is several
        assert said.startswith("no first stage was solved")


class Hunt(eqx.Module):
    """A stag hunt of a population: the stag pays the share x of those who hunt it, the hare .6 for sure.

    Its logit equilibria are the solutions of ``x = expit(beta (x - .6))``.
    """

    hare: float = 0.6

    space = Simplex((2,))

    @property
    def discount(self) -> Any:
        return jnp.array([0.5])

    @property
    def legal(self) -> Any:
        return self.space.mask

    def environment(self, mu: Any, pi: Any) -> Any:
        return mu @ pi[:, 0]

    def reward(self, env: Any) -> Any:
        return jnp.stack([env, jnp.asarray(self.hare)])[None]

    def expect(self, env: Any) -> Callable[[Any], Any]:
        return lambda values: jnp.broadcast_to(values[:, None], (1, 2))

    def balance(self, env: Any, mu: Any, pi: Any) -> Any:
        return mu @ pi[:, 0] - env


class Crowding(Hunt):
    """An action pays ``.2 + 40 (x - 1/2)^2`` more than the other where the share x takes it.

    Its logit equilibria are the solutions of ``beta f(x) = ln(x / (1 - x))``. From uniform play x rises with
    beta, up to a fold; beyond it only x near 1 is left.
    """

    def reward(self, env: Any) -> Any:
        return jnp.stack([0.2 + 40 * (env - 0.5) ** 2, jnp.zeros(())])[None]


def beta_of(x: Any) -> Any:
    return np.log(x / (1 - x)) / (0.2 + 40 * (x - 0.5) ** 2)


@pytest.mark.slow
def test_stages_leap_beyond_a_fold() -> None:
    shares = np.linspace(0.5, 0.7, 100_001)
    turn = float(shares[beta_of(shares).argmax()])
    fold = float(beta_of(turn))
    found = rv.solve(Crowding(), rv.methods.PopulationNewton(beta=1.5, begin=0.1), start=[[0.5, 0.5]])
    assert (found.status, int(found.data.leaps)) == ("converged", 1)
    share = brentq(lambda x: beta_of(x) - 1.5, 0.9, 1 - 1e-14)
    assert float(found.profile[0, 0]) == pytest.approx(share, abs=1e-9)
    # up to the fold stages follow the branch of uniform play
    below = rv.solve(Crowding(), rv.methods.PopulationNewton(beta=0.99 * fold, begin=0.1), start=[[0.5, 0.5]])
    low = brentq(lambda x: beta_of(x) - 0.99 * fold, 0.5, turn)
    assert (below.status, int(below.data.leaps)) == ("converged", 0)
    assert float(below.profile[0, 0]) == pytest.approx(low, abs=1e-9)


@pytest.mark.slow
def test_a_fold_is_named_once_stages_leap() -> None:
    method, game, key = rv.methods.PopulationNewton(beta=1.5, begin=0.1), Crowding(), jax.random.key(0)
    state = method.step(game, method.init(game, jnp.full((1, 2), 0.5), key), key)
    for leap, is_named in ((0.0, False), (0.1, True)):
        left = state._replace(leap=jnp.asarray(leap))
        remedy = str(method.report(game, left, "not found")["remedy"][1])
        assert ("if the branch turns back there (a fold)" in remedy) == is_named


@pytest.mark.nightly
def test_stages_of_an_ordinary_economy_leap_to_the_full_beta(monkeypatch: pytest.MonkeyPatch) -> None:
    """They end at a fold at 48.002; their own end is judged with NumPy."""
    monkeypatch.setitem(globals(), "MOST", 12)
    found = rv.solve(rv.games.karma(max_karma=12, mean_karma=5), rv.methods.PopulationNewton(), "uniform")
    assert (found.status, int(found.data.leaps)) == ("converged", 1)
    plain = told(found.profile.values, found.data.distribution.values)
    assert plain.payoff == pytest.approx(-51.554779, abs=1e-6)
    assert plain.off < 1e-6
    assert plain.moved < 1e-12
    assert plain.held == pytest.approx(5.0, abs=1e-9)
