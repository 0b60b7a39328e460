"""Complete lists of equilibria of races: closed forms, brute force, and bounds on where equilibria are."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rivalry as rv
from rivalry.families.race.rules import CustomRule, Logit, Ratio
from rivalry.families.race.symmetric import symmetric_equilibria
from rivalry.methods.continuous.all_equilibria import AllEquilibria
from rivalry.proofs.arithmetic.enclosure import enclose
from rivalry.proofs.arithmetic.intervals import Interval
from rivalry.proofs.arithmetic.matrices import negative_definite
from rivalry.proofs.box_list import _unsearched
from rivalry.proofs.spaces.boxes import boxes_around, widths_and_middles
from rivalry.proofs.spaces.logarithms import (
    BoundsOfEquilibria,
    InLogs,
    amounts,
    at_profile,
    equilibrium_bounds,
    in_logs,
    original_record,
    searched,
    slopes_in_logs,
)
from tests.race_keys import race

pytestmark = pytest.mark.mostly_slow

UNEQUAL = {
    "safety_productivity": [20.0, 5.0],
    "performance_price": [0.1, 0.05],
    "disaster_cost": [1.0, 3.0],
    "loser_prize": [0.1, 0.2],
}


@pytest.mark.parametrize("radius", [1e-6, 0.01, 0.5])
def test_a_radius_around_amounts_holds_all_whose_logarithms_are_near(radius: float) -> None:
    """Above an amount there is more room than below it."""
    game = race()
    low, high = np.full((2, 2), 1e-3), np.full((2, 2), 10.0)
    y = np.log(np.array([[[0.2, 3.0], [1.0, 0.05]]]))
    dims = ("equilibrium", "player", "axis")
    record = {
        "equilibria": (dims, y),
        "radius": (("equilibrium",), np.array([radius])),
        "undecided": (("place", "player", "axis", "end"), np.zeros((0, 2, 2, 2))),
    }
    found = original_record(in_logs(game, BoundsOfEquilibria(low, high, "")), record)
    apart = np.abs(np.exp(y + radius * np.array([-1.0, 1.0])[:, None, None]) - found["equilibria"][1])
    assert apart.max() <= found["radius"][1][0] <= apart.max() * (1 + 1e-5)


def log_derivatives(game: Any, y: jax.Array) -> np.ndarray:
    """Own derivatives in logarithms, by differentiation of the payoffs."""
    whole = jax.jacfwd(lambda logs: game.payoffs(jnp.exp(logs)))(y)
    return np.stack([whole[i, i] for i in range(game.players)])


@pytest.mark.parametrize("risk", ["winner_only", "multiplicative", "additive", "mixed"])
@pytest.mark.parametrize(
    "keys",
    [
        UNEQUAL,
        {"players": 3, "ease_of_winning": 0.5, "no_winner": "disaster", "liability": [0.1, 0.2, 0.3]},
        {
            "contest": "logit",
            "decisiveness": 1.5,
            "prize_per_performance": 0.1,
            "prize_survives": [True, False],
        },
        {
            "cost": "quadratic",
            "safety_price_slope": 0.2,
            "performance_price_slope": [0.1, 0.3],
            "loser_prize_per_performance": [0.02, 0.05],
        },
        {"loser_prize_basis": "winner", "loser_prize": [0.1, 0.2], "loser_prize_per_performance": 0.05},
    ],
)
def test_derivatives_in_logs_are_those_of_the_payoffs(keys: dict[str, Any], risk: str) -> None:
    game = race(**keys, risk=risk, **({"loser_weight": 0.3} if risk == "mixed" else {}))
    y = jnp.asarray(np.random.default_rng(len(keys)).uniform(-4, 1, game.space.shape))
    np.testing.assert_allclose(slopes_in_logs(game, y), log_derivatives(game, y), rtol=1e-11, atol=1e-14)


def test_equilibria_lie_between_the_bounds() -> None:
    generator, compared_points = np.random.default_rng(3), 0
    for _ in range(20):
        u = generator.uniform
        game = race(
            players=2,
            safety_productivity=10 ** u(-1, 2),
            performance_productivity=10 ** u(-1, 2),
            safety_exponent=u(0.2, 0.9),
            performance_exponent=u(0.2, 0.9),
            scale_penalty=u(0, 1.2),
            disaster_cost=u(0, 3),
            safety_price=10 ** u(-2, 0),
            decisiveness=u(0.4, 1.2),
        )
        bounds = equilibrium_bounds(game)
        point = symmetric_equilibria(game)[0]
        x = np.array([point.safety_input, point.performance_input])
        if not bounds.beyond and point.is_nash:
            assert np.all((bounds.low < x) & (x < bounds.high))
            compared_points += 1
    assert compared_points > 5


def unlike_players(generator: np.random.Generator, seed: int) -> Any:
    """Return a race of two to four players that differ in everything."""
    u, n = generator.uniform, int(generator.integers(2, 5))
    more = {"ease_of_winning": 10 ** u(-1, 1)} if seed % 2 else {}
    return race(
        players=n,
        safety_productivity=(10 ** u(0.8, 2, n)).tolist(),
        performance_productivity=(10 ** u(0, 1, n)).tolist(),
        safety_exponent=u(0.3, 0.8),
        performance_exponent=u(0.3, 0.8),
        scale_penalty=u(0, 0.6),
        disaster_cost=u(0, 1, n).tolist(),
        loser_prize=u(-0.2, 0.1, n).tolist(),
        decisiveness=u(0.4, 1.1),
        **more,
    )


@pytest.mark.parametrize("seed", range(6))
def test_profiles_beyond_the_bounds_are_no_equilibria(seed: int) -> None:
    generator = np.random.default_rng(seed)
    drawn = (unlike_players(generator, seed) for _ in range(10))
    game, bounds = next((one, found) for one in drawn if not (found := equilibrium_bounds(one)).beyond)
    low, high = np.log(bounds.low), np.log(bounds.high)
    for _ in range(12):
        y = generator.uniform(low, high)
        player, axis = generator.integers(game.players), generator.integers(2)
        below = generator.uniform() < 0.7
        beyond = low[player, axis] - generator.uniform(0, 3), high[player, axis] + generator.uniform()
        y[player, axis] = beyond[0] if below else beyond[1]
        found = rv.certificate(game, np.minimum(np.exp(y), np.asarray(game.space.high)))
        assert found.claim == "not an equilibrium", (y, found)


def test_the_list_of_three_players_is_complete() -> None:
    game = race(players=3)
    found = rv.all_equilibria(game, max_seconds=None)
    assert found.complete
    (point,) = [one for one in symmetric_equilibria(game) if one.is_nash]
    np.testing.assert_allclose(
        found.equilibria, [[[point.safety_input, point.performance_input]] * 3], rtol=1e-9
    )


def test_periods_that_do_not_depend_on_each_other_are_searched_one_by_one() -> None:
    game = race(horizon=2, performance_price=[[0.1, 0.1], [0.2, 0.1]], gamma=[0.5, 0.9])
    found = rv.all_equilibria(game, first_order=False)
    assert found.complete, found.reason
    assert found.reason.endswith("boxes in 2 periods")
    each = [rv.all_equilibria(game.stage(t, jnp.zeros(2))) for t in range(2)]
    np.testing.assert_array_equal(
        found.equilibria, [np.concatenate([one.equilibria[0] for one in each], axis=1)]
    )
    assert found.radius[0] == max(one.radius[0] for one in each)
    proved = rv.certificate(game, found.equilibria[0], proof=True)
    assert (proved.coverage, proved.rounding) == ("proved", "outward")
    moved = found.equilibria[0].copy()
    moved[1, 3] *= 4.0
    assert rv.certificate(game, moved, proof=True).claim == "not an equilibrium"
    # what is paid at the end, whatever is played, changes no gain
    paid = eqx.tree_at(lambda one: one.ahead, game, jnp.array([3.0, -2.0]))
    bounds = [rv.certificate(one, moved, proof=True).bound for one in (game, paid)]
    np.testing.assert_allclose(bounds[1], bounds[0], rtol=1e-9)
    assert rv.all_equilibria(game, within=(0.1, 5.0)).reason.startswith("period 1: only choices in [0.1, 5]")


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"risk": "additive"}, "risk = 'additive'; must be 'winner_only'"),
        ({"contest": "logit"}, "contest = 'logit'; must be 'ratio'"),
        ({"safety_subsidy": 0.1}, "inputs that cost nothing"),
        ({"prize_per_performance": 0.1}, "prizes that grow with performance"),
        ({"performance_productivity": [10.0, 0.0]}, "productivities or weights of 0"),
        ({"horizon": 2, "end_on": "win"}, "several periods"),
        ({"players": 3, "disaster_cost": [1.0, 8.0, 0.5]}, "winning may not pay"),
    ],
)
def test_where_nothing_is_proved_the_list_says_why(keys: dict[str, Any], why: str) -> None:
    game = race(**keys)
    bounds = equilibrium_bounds(game)
    assert why in bounds.beyond
    np.testing.assert_array_equal(bounds.low, game.space.zero_threshold)
    np.testing.assert_array_equal(bounds.high, game.space.high)
    method = AllEquilibria()
    assert why in _unsearched(method.search, method.world(game))
    assert _unsearched(method.search, method.world(game)).startswith("only choices in [1e-25, ")


def test_a_list_within_bounds_is_searched_within_both() -> None:
    game = race()
    bounds = equilibrium_bounds(game)
    inner = searched(game, (1e-3, 1.0))
    assert isinstance(inner, InLogs)
    low, high = amounts(inner.space.low, inner.space.high)
    assert np.all((low <= 1e-3) & (low > 0.999e-3) & (high >= 1.0) & (high < 1.001))
    assert (
        _unsearched(AllEquilibria(within=(1e-3, 1.0)).search, inner)
        == "only choices in [0.001, 1] were searched"
    )
    assert _unsearched(AllEquilibria().search, searched(game, None)) == ""
    assert "first-order points" in _unsearched(AllEquilibria(first_order=True).search, searched(game, None))
    whole_low, whole_high = amounts(searched(game, None).space.low, searched(game, None).space.high)
    assert np.all((whole_low <= bounds.low) & (whole_high >= bounds.high))


def test_win_probabilities_at_no_performance_have_intervals() -> None:
    numbers = race().numbers_at(0)

    def chances(log_p: jax.Array) -> list[jax.Array]:
        p = jnp.exp(log_p)
        probabilities = Ratio.probabilities(log_p, p, numbers)
        return [jnp.diagonal(probabilities), probabilities[0, -1]]

    nothing = jnp.full(2, -jnp.inf)
    q, nobody = chances(nothing)
    assert (q.tolist(), float(nobody)) == ([0.0, 0.0], 1.0)
    evaluate = enclose(chances, nothing)
    # where it is not known that somebody performs, a share may be 0/0 for all that intervals know
    (q, nobody), _ = evaluate(Interval(nothing, jnp.array([-5.0, -6.0])))
    assert np.all(np.isnan([*q.low, *q.high, nobody.low, nobody.high]))
    (q, nobody), _ = evaluate(Interval(nothing.at[1].set(-60.0), jnp.array([-5.0, -6.0])))
    assert np.all((q.low >= 0) & (q.low < 1e-20) & (q.high == 1))
    assert 0.0 <= float(nobody.low) <= float(nobody.high) < 1e-200
    (q, nobody), _ = evaluate(Interval(jnp.array([-jnp.inf, 0.0]), jnp.array([-50.0, 0.0])))
    assert float(q.high[0]) < 1e-20


@pytest.mark.default
def test_boxes_are_halved_and_grown_in_logarithms() -> None:
    space = race().space
    low, high = np.array([[0.0, 1e-4]]), np.array([[1e4, 1.0]])
    width, middle = widths_and_middles(space, 0, low, high)
    np.testing.assert_allclose(width, [[np.log(1e29), np.log(1e4)]])
    np.testing.assert_allclose(middle, [[10**-10.5, 1e-2]])
    whole = np.stack([np.zeros(2), np.full(2, 1e4)])
    below, above = boxes_around(space, 0, np.full((2, 2), 0.1), whole, np.array([[1 / 29], [1.0]]))
    np.testing.assert_allclose(below, [[0.01, 0.01], [0.0, 0.0]])
    np.testing.assert_allclose(above, [[1.0, 1.0], [1e4, 1e4]])


def test_only_positive_amounts_have_logarithms() -> None:
    game = race()
    inside = np.full((2, 2), 0.5)
    inner, y = at_profile(game, inside)
    np.testing.assert_allclose(inner.payoffs(jnp.asarray(y)), game.payoffs(jnp.asarray(inside)), rtol=1e-14)
    for bound in (0.0, 1e-26, 1e4):
        same, x = at_profile(game, np.where(np.eye(2) > 0, bound, inside))
        assert same is game
        assert x.max() >= 0.5


@pytest.mark.default
def test_definiteness_does_not_depend_on_units() -> None:
    middle = np.array([[-0.33, 19.6], [19.6, -1457.0]])
    wide = np.array([[0.01, 0.1], [0.1, 60.0]])
    assert negative_definite(middle - wide, middle + wide)
    assert not negative_definite(middle - 10 * wide, middle + 10 * wide)
    assert not negative_definite(np.zeros((2, 2)), np.zeros((2, 2)))


def grid_regrets(game: Any, logs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Regrets ``[xs0 xp0 xs1 xp1]`` of both players among amounts on a grid, zero included, in NumPy."""
    numbers = {name: np.asarray(part) for name, part in game.numbers_at(0).items()}
    x = np.append(0.0, np.exp(logs))
    xs, xp = np.meshgrid(x, x, indexing="ij")

    def alone(i: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        with np.errstate(all="ignore"):
            p = numbers["performance_productivity"][i] * xp ** numbers["performance_exponent"][i]
            s = numbers["safety_productivity"][i] * xs ** numbers["safety_exponent"][i]
            odds = s / p ** numbers["scale_penalty"][i]
            sigma = np.where(p == 0, 1.0, 1 / (1 + 1 / odds))
        cost = numbers["safety_price"][i] * xs + numbers["performance_price"][i] * xp
        return p ** float(numbers["decisiveness"]), sigma, cost

    own, other = alone(0), alone(1)
    mine, theirs = own[0][:, :, None, None], other[0][None, None]
    total = mine + theirs
    q = np.where(total > 0, mine / np.where(total > 0, total, 1.0), 0.0)
    r = np.where(total > 0, 1 - q, 0.0)
    safe, rival_safe = own[1][:, :, None, None], other[1][None, None]
    d, win, lose = numbers["disaster_cost"], numbers["prize"], numbers["loser_prize"]
    first = q * (safe * win[0] - (1 - safe) * d[0]) + r * (rival_safe * lose[0] - (1 - rival_safe) * d[0])
    second = r * (rival_safe * win[1] - (1 - rival_safe) * d[1]) + q * (safe * lose[1] - (1 - safe) * d[1])
    first, second = first - own[2][:, :, None, None], second - other[2][None, None]
    return first.max(axis=(0, 1), keepdims=True) - first, second.max(axis=(2, 3), keepdims=True) - second


@pytest.mark.nightly
def test_no_equilibrium_of_a_grid_in_logs_is_missing() -> None:
    game = race(**UNEQUAL)
    found = rv.all_equilibria(game, max_seconds=None)
    assert (found.complete, len(found)) == (True, 1)
    assert rv.certificate(game, found.equilibria[0]).claim == "equilibrium"
    logs = np.linspace(np.log(1e-6), np.log(10.0), 41)
    regrets = np.maximum(*grid_regrets(game, logs))
    near = np.argwhere(regrets < 2e-4)  # of payoffs about 1: none of the grid is an equilibrium to the digit
    assert len(near)
    assert np.all(near > 0)  # no player idles
    assert np.max(np.abs(logs[near - 1] - np.log(found.equilibria[0]).ravel())) < logs[1] - logs[0]


@pytest.mark.nightly
def test_the_list_of_a_symmetric_race_is_its_closed_form() -> None:
    game = race()
    found = rv.all_equilibria(game, max_seconds=None)
    (point,) = symmetric_equilibria(game)
    assert (found.complete, len(found), len(found.undecided)) == (True, 1, 0)
    x = np.tile([point.safety_input, point.performance_input], (2, 1))
    assert np.max(np.abs(found.equilibria[0] - x)) < 1e-9
    assert 0 < found.radius[0] < 1e-12
    np.testing.assert_allclose(found.payoffs, point.payoff, rtol=1e-9)
    claim = rv.certificate(game, found.equilibria[0], proof=True)
    assert (claim.claim, claim.coverage, claim.rounding) == ("equilibrium", "proved", "outward")
    assert claim.radius is not None
    assert claim.radius < 1e-12
    idle = rv.certificate(game, np.zeros((2, 2)), proof=True)
    assert idle.claim == "not an equilibrium"


@pytest.mark.default
def test_shares_of_several_players_leave_the_rest_to_nobody() -> None:
    for shares, rest in (([0.25, 0.5], 0.25), ([0.5, 0.5], 0.0), ([0.0, 0.0], 1.0)):
        custom = CustomRule("contest", lambda logs, p, numbers: p)
        assert custom.probabilities(jnp.zeros(2), jnp.array(shares), {}).tolist() == 2 * [[*shares, rest]]


@pytest.mark.parametrize("numbers", [{}, {"ease_of_winning": jnp.asarray(2.0)}])
@pytest.mark.parametrize("contest", [Ratio, Logit])
def test_probabilities_to_win_have_decided_derivatives(contest: Any, numbers: dict[str, Any]) -> None:
    """Where somebody always wins, the weight of nobody is no kink, which would stop every proof."""
    given = {"decisiveness": jnp.asarray(1.5), **numbers}
    log_p = jnp.array([0.2, -0.5])

    def chances(log_p: Any) -> Any:
        return contest.probabilities(log_p, jnp.exp(log_p), given)[:-1]

    near = Interval(log_p - 1e-4, log_p + 1e-4)
    (found,), decided = enclose(jax.jacfwd(chances), log_p)(near)
    assert decided
    assert np.all((found.low <= jax.jacfwd(chances)(log_p)) & (jax.jacfwd(chances)(log_p) <= found.high))
    assert np.max(found.high - found.low) < 0.01
