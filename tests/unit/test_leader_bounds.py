"""Bounds on gains of leaders, against followers' best responses by brute force."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest

import rivalry as rv
from rivalry.proofs.arithmetic.best_responses import best_responses
from rivalry.proofs.arithmetic.enclosure import enclose, enclosed
from rivalry.proofs.arithmetic.intervals import Interval
from rivalry.proofs.payoff_ranges import derivatives
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
    "a price that is not below zero": Duel(
        ["x1 * (max(100 - x1 - x2, 0) - 10)", "x2 * (max(100 - x1 - x2, 0) - 10)"],
        100.0,
        lambda x: np.clip((90 - x) / 2, 0, 100),
        lambda x, y: x * (np.maximum(100 - x - y, 0) - 10),
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


@pytest.mark.parametrize(("limit", "peak"), [(2.0, 2.5), (0.5, 1.0)])
def test_followers_read_truth_values_and_whole_numbers_of_the_game(limit: float, peak: float) -> None:
    def response(limit: Any, z: Any) -> Any:
        is_wide, steps = limit > 1, jnp.floor(limit).astype(int)

        def pay(z: Any, y: Any) -> Any:
            return y * (jnp.where(is_wide, 4.0, 3.0) + steps - z - y)

        return best_responses(pay, z, jnp.zeros(1), 5 * jnp.ones(1))

    z = Interval(np.ones((1, 1)), np.full((1, 1), 1 + 1e-6))
    choice, slope = enclosed(derivatives, (1, response, jnp.asarray(limit)), z).values
    for bounds, exact in ((choice, peak), (slope, -0.5)):
        assert bounds.low.min() <= exact <= bounds.high.max()
        np.testing.assert_allclose([bounds.low.item(), bounds.high.item()], exact, atol=1e-6)


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


@pytest.mark.parametrize("floor", [0.0, -np.inf])
def test_three_followers_with_quantities_respond_in_one_way(floor: float) -> None:
    # their best responses to ranges of each other do not settle (Theocharis 1960)
    def pay(z: Any, y: Any) -> Any:
        return y * (jnp.maximum(100 - z[0] - jnp.sum(y), floor) - 10)

    bounds = enclose(lambda z: best_responses(pay, z, jnp.zeros(3), jnp.full(3, 100.0)), jnp.zeros(1))
    for begin, end in ((10.0, 12.0), (30.0, 30.0), (88.0, 92.0)):
        (y,), unique = bounds(Interval(jnp.array([begin]), jnp.array([end])))
        assert bool(unique)
        assert np.all(y.low <= np.maximum(90 - end, 0) / 4)
        assert np.all(y.high >= np.maximum(90 - begin, 0) / 4)
        # slopes are as uncertain as the leader; the inverse of their derivatives has sums of rows of 5/4
        assert np.all(y.high - y.low <= 1.25 * (end - begin) + 1e-9)


def test_followers_that_agree_in_several_ways_are_not_unique() -> None:
    # each wants to exceed the other by half: mutual best responses are -1, 0 and 1
    def pay(z: Any, y: Any) -> Any:
        return -((y - 1.5 * y[::-1] + z[0]) ** 2)

    bounds = enclose(lambda z: best_responses(pay, z, -jnp.ones(2), jnp.ones(2)), jnp.zeros(1))
    (y,), unique = bounds(Interval(jnp.zeros(1), jnp.zeros(1)))
    assert not bool(unique)
    assert np.all(y.low <= -1)
    assert np.all(y.high >= 1)


class Group(NamedTuple):
    """Payoffs ``[follower]`` of followers with choices between -1 and 1, ``pay(numpy, z, y)``."""

    pay: Callable[[Any, Any, Any], Any]
    followers: int


def kinked(followers: int, rng: np.random.Generator) -> Group:
    """Quadratic payoffs with a kink each, at which they bend down or up."""
    effects = rng.uniform(-0.7, 0.7, (followers, followers)) * (1 - np.eye(followers))
    tilts, kinks, places = rng.uniform(-0.6, 0.6, (3, followers))

    def pay(numpy: Any, z: Any, y: Any) -> Any:
        peaks = tilts * z[0] + effects @ y
        return -((y - peaks) ** 2) + kinks * numpy.maximum(y - places - z[0] / 3, 0.0)

    return Group(pay, followers)


def logit(followers: int, rng: np.random.Generator) -> Group:
    """Profits of prices from .2 to 2.2 less .3 times logit shares, with an outside option."""
    quality, spread = rng.uniform(0.5, 2.0, followers), rng.uniform(0.3, 0.8)

    def pay(numpy: Any, z: Any, y: Any) -> Any:
        weights = numpy.exp((quality - y - 1.2) / spread)
        shares = weights / (numpy.sum(weights) + 1 + numpy.exp((1 - z[0]) / spread))
        return (y + 0.9) * shares

    return Group(pay, followers)


def mutual_best_responses(group: Group, z: np.ndarray, start: float) -> np.ndarray | None:
    """Return choices of which no follower gains by one on a fine grid, by turns from a start."""
    y = np.full(group.followers, start)
    for _ in range(60):
        before = y.copy()
        for k in range(group.followers):
            low, high = -1.0, 1.0
            for _ in range(3):
                grid = np.linspace(low, high, 201)
                choices = np.repeat(y[:, None], len(grid), axis=1)
                choices[k] = grid
                pays = np.array([group.pay(np, z, column)[k] for column in choices.T])
                width = (high - low) / 100
                low, high = max(-1.0, grid[pays.argmax()] - width), min(1.0, grid[pays.argmax()] + width)
                y[k] = grid[pays.argmax()]
        if np.abs(y - before).max() < 1e-6:
            return y
    return None


@pytest.mark.parametrize("followers", [2, 3])
@pytest.mark.parametrize("kind", [kinked, logit])
def test_bounds_contain_mutual_best_responses_by_search(kind: Callable[..., Group], followers: int) -> None:
    rng = np.random.default_rng(5)
    met = unique_boxes = 0
    for width in (1e-3, 0.05, 0.5):
        group = kind(followers, rng)
        ends = -jnp.ones(followers), jnp.ones(followers)
        bounds = enclose(
            lambda z: best_responses(lambda z, y: group.pay(jnp, z, y), z, *ends),  # noqa: B023
            jnp.zeros(1),
        )
        begin = rng.uniform(-1, 1 - width)
        (y,), unique = bounds(Interval(jnp.asarray([begin]), jnp.asarray([begin + width])))
        unique_boxes += bool(unique)
        for z in begin + width * rng.uniform(size=(6, 1)):
            for start in (-0.9, 0.8):
                best = mutual_best_responses(group, z, start)
                if best is not None:
                    met += 1
                    assert np.all(y.low - 1e-4 <= best)
                    assert np.all(best <= y.high + 1e-4)
    assert met > 12
    assert unique_boxes


def test_no_choice_of_leaders_pays_more_than_their_bound() -> None:
    rng = np.random.default_rng(11)
    formulas = [
        "-x1^2 + (a * x2 + b * x3 + c) * x1 + x2 - x3",
        "-x2^2 + (d * x1 + e * x3) * x2",
        "-x3^2 + (f * x1 + g * x2) * x3 - max(x3, 0) / 5",
    ]
    for _ in range(2):
        values = dict(zip("abcdefg", rng.uniform(-1, 1, 7), strict=True))
        a, b, c, d, e, f, g = (values[name] for name in "abcdefg")
        x = rng.uniform(-1, 1, 1000)
        y2, y3 = np.zeros((2, 1000))
        for _ in range(200):  # effects of less than 1/2 on each other
            y2 = np.clip((d * x + e * y3) / 2, -1, 1)
            peak = (f * x + g * y2) / 2
            y3 = np.clip(np.where(peak > 0, np.maximum(peak - 1 / 10, 0), peak), -1, 1)
        earnings = -(x**2) + (a * y2 + b * y3 + c) * x + y2 - y3
        game = stackelberg(rv.games.continuous(payoffs=formulas, parameters=values, low=-1.0), [0])
        certificate = rv.certificate(game, [[x[0]]])
        assert np.isfinite(certificate.bound[0])
        assert earnings.max() <= earnings[0] + certificate.bound[0] + 1e-9
        assert certificate.bound[0] <= earnings.max() - earnings[0] + 1e-2
