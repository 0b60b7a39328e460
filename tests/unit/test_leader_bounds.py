"""Bounds on gains of leaders, against followers' best responses by brute force."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest

import rivalry as rv
from rivalry.proofs.arithmetic.best_responses import best_responses
from rivalry.proofs.arithmetic.enclosure import enclose
from rivalry.proofs.arithmetic.intervals import Interval
from rivalry.transforms import stackelberg

pytestmark = pytest.mark.mostly_slow

Response = Callable[[np.ndarray], np.ndarray]


class Duel(NamedTuple):
    """Formulas of a leader and a follower, and the follower's best response."""

    payoffs: list[str]
    high: float
    respond: Response
    earn: Callable[[np.ndarray, np.ndarray], np.ndarray]
    best: float


DUELS = {
    "cournot": Duel(
        ["x1 * (90 - x1 - x2)", "x2 * (90 - x1 - x2)"],
        100.0,
        lambda x: np.clip((90 - x) / 2, 0, 100),
        lambda x, y: x * (90 - x - y),
        45.0,
    ),
    "quadratic": Duel(
        ["-(x1 - 3/10)^2 + x1 * x2", "-2 * (x2 - 1/5)^2 + x1 * x2 / 2"],
        1.0,
        lambda x: np.clip(0.2 + x / 8, 0, 1),
        lambda x, y: -((x - 0.3) ** 2) + x * y,
        0.8 / 1.75,
    ),
    "idle until the leader is large": Duel(
        ["x1 * (1 - x1) - x2 / 10", "-(x2 - (x1 - 4/5))^2"],
        1.0,
        lambda x: np.maximum(x - 0.8, 0),
        lambda x, y: x * (1 - x) - y / 10,
        0.5,
    ),
    "best at the kink": Duel(
        ["x1 * (2 - x1) - 3 * x2", "-(x2 - (x1 - 1/2))^2"],
        1.0,
        lambda x: np.maximum(x - 0.5, 0),
        lambda x, y: x * (2 - x) - 3 * y,
        0.5,
    ),
}


def leading(duel: Duel) -> Any:
    return stackelberg(rv.games.continuous(payoffs=duel.payoffs, high=duel.high), [0])


def earned(duel: Duel) -> tuple[np.ndarray, np.ndarray]:
    x = np.linspace(0, duel.high, 100_001)
    return x, duel.earn(x, duel.respond(x))


@pytest.mark.parametrize("name", DUELS)
def test_leaders_are_certified_against_brute_force(name: str) -> None:
    duel = DUELS[name]
    game, (x, earnings) = leading(duel), earned(duel)
    assert x[earnings.argmax()] == pytest.approx(duel.best, abs=1e-5 * duel.high)
    best = rv.certificate(game, [[duel.best]])
    assert (best.claim, best.rounding) == ("equilibrium", "outward")
    elsewhere = rv.certificate(game, [[0.9 * duel.high]])
    gain = earnings.max() - earnings[90_000]
    assert elsewhere.claim == "not an equilibrium"
    assert gain - 1e-9 <= elsewhere.bound[0] <= gain * (1 + 1e-4)


@pytest.mark.parametrize("name", list(DUELS)[:3])
def test_leaders_are_listed(name: str) -> None:
    equilibria = rv.all_equilibria(leading(DUELS[name]))
    assert equilibria.complete
    np.testing.assert_allclose(equilibria.equilibria, [[[DUELS[name].best]]], atol=1e-9)


def test_a_proof_says_how_near_the_leader_is_to_its_kink() -> None:
    certificate = rv.certificate(leading(DUELS["best at the kink"]), [[0.5]], proof=True)
    assert (certificate.claim, certificate.coverage) == ("equilibrium", "proved")
    assert certificate.radius is not None
    assert certificate.radius < 1e-8


def test_a_tie_of_the_follower_is_no_certificate() -> None:
    # at 1/2 the follower jumps from .2 to .8, which costs the leader 1.2: no choice attains the supremum .1
    formulas = ["x1 - 2 * x2", "-(x2 - 1/5)^2 * (x2 - 4/5)^2 + (x1 - 1/2) * x2 / 10"]
    game = stackelberg(rv.games.continuous(payoffs=formulas), [0])
    assert rv.certificate(game, [[0.5]]).claim != "equilibrium"
    after = rv.certificate(game, [[0.6]])
    y = np.linspace(0, 1, 100_001)
    jumped = y[np.argmax(-((y - 0.2) ** 2) * (y - 0.8) ** 2 + 0.01 * y)]
    assert after.claim == "not an equilibrium"
    assert after.regret[0] == pytest.approx(0.1 - (0.6 - 2 * jumped), abs=2e-2)
    assert after.bound[0] >= 0.1 - (0.6 - 2 * jumped) - 1e-4


@pytest.mark.parametrize("several", [False, True])
def test_bounds_contain_best_responses_to_all_numbers(several: bool) -> None:
    rng = np.random.default_rng(7)
    grid = np.linspace(-1, 1, 801)

    def pay(z: Any, y: Any) -> Any:
        peaks = jnp.sin(5 * y[0] + 3 * z[0]) - (y[0] - z[1]) ** 2 / 4
        rival = -((y[-1] - z[0] * z[1] - y[0] / 3) ** 2)
        return jnp.stack([-((y[0] - z[0] / 2 + y[-1] / 4) ** 2), rival]) if several else peaks[None]

    count = 2 if several else 1
    low, high = -jnp.ones(count), jnp.ones(count)
    bounds = enclose(lambda z: best_responses(pay, z, low, high), jnp.zeros(2))
    for width in (1e-6, 1e-2, 0.3):
        begin = rng.uniform(-1, 1 - width, 2)
        (y,), unique = bounds(Interval(jnp.asarray(begin), jnp.asarray(begin + width)))
        for z in begin + width * rng.uniform(size=(5, 2)):
            if several:  # the only solution of both conditions, cut at bounds
                best = np.zeros(2)
                for _ in range(99):
                    best[0] = np.clip(z[0] / 2 - best[1] / 4, -1, 1)
                    best[1] = np.clip(z[0] * z[1] + best[0] / 3, -1, 1)
            else:
                payoffs = np.sin(5 * grid + 3 * z[0]) - (grid - z[1]) ** 2 / 4
                best = grid[[payoffs.argmax()]]
            slack = 1e-9 if several else 2 / 800
            assert np.all(y.low - slack <= best)
            assert np.all(best <= y.high + slack)
        if width == 1e-6:
            assert bool(unique)
            assert float(jnp.max(y.high - y.low)) < 1e-4


@pytest.mark.nightly
def test_random_quadratic_leaders_match_brute_force() -> None:
    rng = np.random.default_rng(3)
    formulas = ["a * x1^2 + b * x1 + c * x1 * x2 + d * x2 + e * x2^2", "-f * x2^2 + (g * x1 + h) * x2"]
    for _ in range(100):
        values = dict(zip("abcdegh", rng.uniform(-1, 1, 7), strict=True)) | {"f": rng.uniform(0.1, 1)}
        a, b, c, d, e, f, g, h = (values[name] for name in "abcdefgh")

        def earn(x: np.ndarray) -> np.ndarray:
            y = np.clip((g * x + h) / (2 * f), -1, 1)  # noqa: B023
            earnings: np.ndarray = a * x**2 + b * x + c * x * y + d * y + e * y**2  # noqa: B023
            return earnings

        low, high = -1.0, 1.0
        for _ in range(4):
            x = np.linspace(low, high, 20_001)
            best = x[np.argmax(earn(x))]
            low, high = max(-1.0, best - (high - low) / 1e3), min(1.0, best + (high - low) / 1e3)
        game = stackelberg(rv.games.continuous(payoffs=formulas, parameters=values, low=-1.0), [0])
        assert rv.certificate(game, [[best]]).claim == "equilibrium", values
        start = rng.uniform(-1, 1)
        gain = float(earn(np.array(best)) - earn(np.array(start)))
        assert gain - 1e-9 <= rv.certificate(game, [[start]]).bound[0] <= gain + 1e-6, values
