"""Methods on reparametrised boxes: a Tullock contest in which one player's equilibrium effort is zero."""

from __future__ import annotations

from typing import Any, ClassVar

import equinox as eqx
import numpy as np
import pytest

import rivalry as rv
from rivalry.core.method import BaseMethod
from rivalry.core.payoffs import WithScales
from rivalry.methods.dynamics.best_response import BestResponse
from rivalry.methods.limit_sets.newton import Newton
from rivalry.runtime.jax import jax, jnp
from rivalry.solving import solve_batch
from rivalry.solving.steps import Reparametrised, reparametrise
from tests.small_games import cournot, prize

pytestmark = pytest.mark.slow


COSTS = np.array([1.0, 1.2, 50.0])
# players with costs a and b spend 1 / (a + b) together, in shares b and a of it; the third spends 0
TOTAL = 1 / (COSTS[0] + COSTS[1])
PLACE = np.array([COSTS[1], COSTS[0], 0.0]) * TOTAL**2


def spectrum() -> np.ndarray:
    """Eigenvalues of the Jacobian of the two active players' gradients in logarithms."""
    x, total = PLACE[:2], TOTAL
    rows = np.tile((1 / total**2 - 2 * (total - x) / total**3)[:, None], (1, 2)) - np.eye(2) / total**2
    return np.sort(np.linalg.eigvals(rows * x[:, None] * x[None, :]).real)[::-1]


def best_response_radius() -> float:
    """Of simultaneous best responses: that to c is sqrt(c / cost) - c, in any coordinates."""
    slopes = [1 / (2 * np.sqrt(PLACE[1 - k] * COSTS[k])) - 1 for k in (0, 1)]
    return float(np.sqrt(abs(slopes[0] * slopes[1])))


# gradient ascent decays to 0 only as 1 / time, so there the third player starts at 0
METHODS = [
    (BestResponse(update="simultaneous"), 1e-6),
    (Newton(), 1e-6),
    (rv.methods.GradientAscent(rate=0.5), 0.0),
]


@pytest.mark.nightly
@pytest.mark.parametrize(("method", "third"), METHODS, ids=["replies", "newton", "gradients"])
def test_methods_find_the_equilibrium_with_one_inactive_player(method: Any, third: float) -> None:
    found = rv.solve(prize(COSTS), method, [0.1, 0.3, third])
    assert (found.status, found.end_state) == ("converged", "boundary")
    # which of them depends on how close the bound on all gains is
    assert found.claim in ("no deviation found", "approximate equilibrium", "equilibrium")
    assert found.certificate.regret.max() < 1e-12
    np.testing.assert_allclose(found.record["profile"][1][:, 0], PLACE, rtol=1e-9)
    assert found.record["profile"][1][2, 0] == 0.0
    np.testing.assert_allclose(found.data.eigenvalues_real[:2], spectrum(), rtol=1e-6)
    np.testing.assert_allclose(np.exp(found.record["unconstrained_profile"][1][:2, 0]), PLACE[:2], rtol=1e-9)
    if isinstance(method, BestResponse):
        assert float(found.data.best_response_radius) == pytest.approx(best_response_radius(), rel=1e-8)
    path = found.record["path"][1]
    np.testing.assert_allclose(path[0, :, 0], [0.1, 0.3, third], rtol=1e-12)
    assert np.all((path >= 0) & (path <= 100))


@pytest.mark.nightly
def test_batched_runs_find_the_equilibria_of_both_games() -> None:
    starts = [jnp.array([[0.1], [0.3], [1e-6]]), jnp.array([[1e-6], [0.3], [0.1]])]
    found = solve_batch([prize(COSTS), prize(COSTS[::-1].copy())], [Newton()] * 2, starts)
    np.testing.assert_allclose(found[0].record["profile"][1][:, 0], PLACE, rtol=1e-9)
    np.testing.assert_allclose(found[1].record["profile"][1][:, 0], PLACE[::-1], rtol=1e-9, atol=1e-300)


class Saved:
    """A checkpoint store that saves the first state and returns it."""

    def __init__(self) -> None:
        self.kept: list[dict[str, np.ndarray]] = []

    def load(self) -> dict[str, np.ndarray] | None:
        return self.kept[0] if self.kept else None

    def due(self) -> bool:
        return not self.kept

    def save(self, arrays: dict[str, np.ndarray]) -> None:
        self.kept.append(arrays)


@pytest.mark.nightly
def test_a_run_resumes_from_its_checkpoint() -> None:
    held, ascent = Saved(), rv.methods.GradientAscent(rate=0.5)
    # scales that are not stated are measured at the start
    game = WithScales(prize(COSTS), jnp.ones(3))
    first = rv.solve(game, ascent, [0.1, 0.3, 0.0], checkpoint=held)
    again = rv.solve(game, ascent, [5.0, 5.0, 5.0], checkpoint=held)
    np.testing.assert_array_equal(first.record["profile"][1], again.record["profile"][1])
    assert first.steps == again.steps


class Natural(BaseMethod):
    """A method in the original coordinates, which halves every player's amount."""

    natural: ClassVar[bool] = True

    def init(self, game: Any, start: jax.Array, key: jax.Array) -> Any:
        return Here(start)

    def step(self, game: Any, state: Any, key: jax.Array) -> Any:
        return Here(state.profile / 2)


class Here(eqx.Module):
    """A profile."""

    profile: jax.Array


def test_methods_may_request_original_coordinates() -> None:
    path = rv.trace(prize(COSTS), Natural(), [4.0, 2.0, 0.0], steps=2).path.values[:, :, 0]
    np.testing.assert_array_equal(path, [[4.0, 2.0, 0.0], [2.0, 1.0, 0.0], [1.0, 0.5, 0.0]])
    assert reparametrise(cournot(2), Newton()) == Newton()
    assert isinstance(reparametrise(prize(COSTS), Newton()), Reparametrised)
    assert not isinstance(reparametrise(prize(COSTS), Natural()), Reparametrised)
