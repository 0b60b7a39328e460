"""Units of gains: words do not follow the unit of payoffs, penalties, or what a player does not choose."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import equinox as eqx
import numpy as np
import pytest

import rivalry as rv
from rivalry.certificates import units
from rivalry.certificates.certify import certificate
from rivalry.certificates.units import _factors_beside, payoff_units, unit_at
from rivalry.core.batched_games import Together
from rivalry.core.oracles import Response
from rivalry.core.space import Box, Simplex
from rivalry.runtime.jax import jax, jnp
from tests.small_games import Ruled

pytestmark = pytest.mark.mostly_slow


@pytest.mark.default
def test_moves_beyond_the_largest_number_are_infinite_without_a_warning() -> None:
    beside = _factors_beside(1e308, np.array([1e-308, 1e-300, 1e300, np.finfo(float).max]), has_zero=True)
    assert np.all(beside[1] > 0)
    assert np.all(beside[0] <= 1e308)


class Penalised(eqx.Module):
    """Two players with one choice each: single peaks and waves, less penalties of ruinous choices.

    ``payoff_i = h (-k |z_i - a - b (z_j - 1/2)|^p + wave sin(9 z_i + 3 z_j)) + other cos(2 z_j) + level``,
    less ``penalty`` outside ``[low, high]`` (kind 1), times the distance to it (kind 2), or times what the
    sum of choices exceeds ``cap`` by (kind 3). All fields but the last six are ``[player]``.
    """

    height: Any
    curvature: Any
    peak: Any
    slope: Any
    power: Any
    wave: Any
    other: Any
    level: Any
    penalty: Any
    low: Any
    high: Any
    cap: Any
    kind: Any
    width: Any

    space = Box.interval(0.0, 1.0, players=2)

    def ordinary(self, x: Any) -> Any:
        z = x[:, 0]
        rival = z[::-1]
        peak = jnp.abs(z - self.peak - self.slope * (rival - 0.5)) ** self.power
        moved = self.wave * jnp.sin(9 * z + 3 * rival) - self.curvature * peak
        return self.height * moved + self.other * jnp.cos(2 * rival) + self.level

    def ruin(self, x: Any) -> Any:
        z = x[:, 0]
        outside = jnp.maximum(self.low - z, 0.0) + jnp.maximum(z - self.high, 0.0)
        excess = jnp.maximum(z.sum() - self.cap, 0.0) * jnp.ones(2)
        each = [(outside > 0).astype(float), outside, excess]
        return self.penalty * jnp.select([self.kind == 1, self.kind == 2, self.kind == 3], each, 0.0)

    def payoffs(self, x: Any) -> Any:
        return self.ordinary(x) - self.ruin(x)


GRID = jnp.linspace(0.0, 1.0, 20_001)


@eqx.filter_jit
def pays(game: Penalised, x: Any, player: Any, own: Any) -> tuple[Any, Any]:
    """Return ordinary payoffs and ruin of a player's choices ``[choice]``."""

    def one(choice: Any) -> tuple[Any, Any]:
        there = x.at[player, 0].set(choice)
        return game.ordinary(there)[player], game.ruin(there)[player]

    return jax.vmap(one)(own)  # type: ignore[no-any-return]


def best(game: Penalised, x: Any, player: int) -> tuple[float, float]:
    """Return a best choice and its payoff, by brute force on a grid and two finer ones."""
    middle, half, rows = 0.5, 0.5, GRID
    for _ in range(3):
        good, ruin = pays(game, x, player, rows)
        k = int(jnp.argmax(good - ruin))
        middle, payoff, half = float(rows[k]), float((good - ruin)[k]), half * 1e-4
        rows = jnp.clip(middle + half * jnp.linspace(-1.0, 1.0, 20_001), 0.0, 1.0)
    return middle, payoff


def drawn(rng: np.random.Generator) -> Penalised:
    width = rng.choice([0.5, 0.25, 0.1, 0.05, 0.02, 0.01])
    low = rng.uniform(0, 1 - width)
    height = 10 ** rng.uniform(-3, 3) * np.array(
        [1.0, 10 ** -rng.uniform(5, 9) if rng.random() < 0.15 else 1]
    )
    fields = (
        height,
        10 ** rng.uniform(-1, 0.5, 2),
        rng.uniform(0, 1, 2),
        rng.uniform(-0.5, 0.5, 2),
        rng.choice([1.5, 2.0, 4.0], 2),
        rng.choice([0.0, 0.05, 0.3]) * np.ones(2),
        height[0] * rng.uniform(0, 2, 2),
        rng.choice([0.0, 1.0, 1e3]) * rng.normal(size=2),
        height[0] * 10 ** rng.uniform(1.5, 9),
        low,
        low + width,
        rng.uniform(0.2, 1.5),
        float(rng.integers(0, 4)),
        width,
    )
    return Penalised(*(jnp.asarray(field, dtype=float) for field in fields))


def profile(game: Penalised, rng: np.random.Generator) -> Any:
    """Return a random profile without ruin, where best responses lead from it, or one nearby."""
    low, high = (game.low, game.high) if game.kind in (1, 2) else (0.0, jnp.minimum(1.0, game.cap / 2))
    x = low + (high - low) * jnp.asarray(rng.random((2, 1)))
    kind = rng.integers(0, 3)
    for _ in range(40 if kind else 0):
        for player in (0, 1):
            x = x.at[player, 0].set(best(game, x, player)[0])
    moved = 10 ** rng.uniform(-9, -1) * rng.choice([-1, 1], (2, 1))
    return jnp.clip(x + moved, 0.0, 1.0) if kind == 2 else x


def wrong_word(game: Penalised, x: Any) -> str:
    """Return the claim if the gains found by brute force refute it, or if it is weaker than they allow."""
    found = certificate(game, x)
    here = np.asarray(game.payoffs(x))
    gains = np.array([max(best(game, x, player)[1] - here[player], 0.0) for player in (0, 1)])
    ranges = []
    for player in (0, 1):
        good, ruin = (np.asarray(part) for part in pays(game, x, player, GRID))
        fine = good[ruin <= 0] if np.any(ruin <= 0) else good
        ranges.append(np.ptp(fine))
    # what good choices, or all players together, can win or lose
    unit = np.maximum(ranges, 0.02 * float(game.height[0]))
    rounded = 1e-13 * np.abs(here)
    if found.claim == "equilibrium" and np.any(gains > 1e-5 * unit + rounded):
        return "false: equilibrium"
    if found.claim == "approximate equilibrium" and np.any(gains > 0.1 * unit + rounded):
        return "false: approximate equilibrium"
    if found.claim == "not an equilibrium" and np.all(gains <= 1e-9 * unit + rounded):
        return "understated: not an equilibrium"
    return ""


def wrong_words(seed: int, count: int) -> dict[int, str]:
    found = {}
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        game = drawn(rng)
        if word := wrong_word(game, profile(game, rng)):
            found[number] = word
    return found


@pytest.mark.parametrize(("seed", "count"), [(1, 20), pytest.param(2, 1000, marks=pytest.mark.nightly)])
def test_no_penalty_makes_a_word_false(seed: int, count: int) -> None:
    assert wrong_words(seed=seed, count=count) == {}


def test_worse_penalties_change_no_word() -> None:
    """Ruinous choices fill 50 to 99 %; the best response is also at their edge."""
    rng = np.random.default_rng(3)
    for width in (0.5, 0.01):
        for kind in (1.0, 3.0):
            first = drawn(rng)
            low = 0.3 if kind == 1.0 else 0.0
            first = eqx.tree_at(
                lambda g: (g.low, g.high, g.cap, g.kind, g.height, g.wave, g.level),
                first,
                (low, low + width, 2 * width, kind, jnp.ones(2), jnp.zeros(2), jnp.zeros(2)),
                is_leaf=lambda leaf: leaf is None,
            )
            first = jax.tree.map(jnp.asarray, first)
            for x in (low + width * jnp.array([[0.3], [0.6]]), low + width * jnp.array([[0.99], [0.999]])):
                words = {
                    certificate(eqx.tree_at(lambda g: g.penalty, first, jnp.asarray(size)), x).claim
                    for size in (1e3, 1e5, 1e7, 1e9)
                }
                assert len(words) == 1, (width, kind, words)


@pytest.mark.parametrize("penalty", [5.0, 50.0, 200.0, 1e6])
def test_steep_losses_on_both_sides_do_not_stretch_the_tolerance(penalty: float) -> None:
    """Choices within a tenth of the best one lose up to 0.01, others far more."""

    def payoffs(x: jax.Array) -> jax.Array:
        away = jnp.abs(x[:, 0] - 0.5)
        return -(away**2) - penalty * jnp.maximum(away - 0.1, 0.0)

    found = certificate(Ruled(payoffs, Box.interval(0.0, 1.0, players=1)), np.array([[0.52]]))
    np.testing.assert_allclose(found.regret, 4e-4, rtol=1e-6)
    assert found.claim == "not an equilibrium"
    assert 1e-3 <= found.at_stake[0] <= 0.01


class Shared(eqx.Module):
    """Cournot's game with a penalty on outputs that exceed a cap together."""

    penalty: Any
    intercept: Any = 3.0

    space = Box.interval(0.0, 10.0, players=2)

    def payoffs(self, x: Any) -> Any:
        total = x.sum()
        return x[:, 0] * (self.intercept - total) - self.penalty * jnp.maximum(total - 3.0, 0.0)


def test_a_penalty_does_not_stretch_the_tolerance() -> None:
    """Each firm gains 0.36 by an output of 0.8; it earns 0.28."""
    x = jnp.array([[1.4], [1.4]])
    for penalty in (1e3, 1e7, 1e9):
        found = certificate(Shared(jnp.asarray(penalty)), x)
        np.testing.assert_allclose(found.regret, 0.36, atol=1e-9)
        assert found.claim == "not an equilibrium", penalty
        assert certificate(Shared(jnp.asarray(penalty)), jnp.ones((2, 1))).claim == "equilibrium"


def test_a_proof_is_of_an_equilibrium_near_the_profile() -> None:
    class Indifferent(eqx.Module):
        space = Box.interval(0.0, 1.0, players=2)

        def payoffs(self, x: Any) -> Any:
            z = x[:, 0]
            return -1e-9 * (z - 0.5) ** 2 + z[::-1]

    far = certificate(Indifferent(), jnp.array([[0.3], [0.5]]), proof=True)
    # a fifth of the little that its choice can win, though next to nothing of its payoff
    assert (far.claim, far.radius) == ("not an equilibrium", None)
    near = certificate(Indifferent(), jnp.array([[0.5001], [0.5]]), proof=True)
    assert (near.claim, near.coverage) == ("equilibrium", "proved")


class Loss(eqx.Module):
    """Every player loses a power of the distance from its peak, times a height, and more from a level."""

    peak: Any
    power: Any
    height: Any
    level: Any

    space = Box.interval(0.0, 1.0, players=2)

    def payoffs(self, x: Any) -> Any:
        return self.level - self.height * jnp.abs(x[:, 0] - self.peak) ** self.power


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0, 3.0, 4.0, 8.0])
def test_all_losses_of_a_smooth_peak_count(power: float) -> None:
    """Within a factor of ten of what the side that loses less can lose, and never above it."""
    for peak in (0.1, 0.37, 0.5):
        game = Loss(*(jnp.full(2, value) for value in (peak, power, 1.0, 0.0)))
        own = certificate(game, jnp.full((2, 1), peak)).at_stake
        milder = min(peak, 1.0 - peak) ** power
        assert milder / 10 <= own[0] <= milder * 1.001, peak


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_beside_a_peak_at_an_end_losses_count_at_the_middle_of_the_distances(power: float) -> None:
    """A range may be as wide as one likes: its whole width tells nothing of ordinary choices."""
    for peak in (0.0, 1.0):
        game = Loss(*(jnp.full(2, value) for value in (peak, power, 1.0, 1.0)))
        own = certificate(game, jnp.full((2, 1), peak)).at_stake
        np.testing.assert_allclose(own, 2.0 ** (-20 * power), rtol=0.05)


def test_losses_count_up_to_a_gap_of_ruinous_choices() -> None:
    """From 0.5 the gap is met at a distance of an eighth, and a sixteenth loses 1/256."""

    class Gap(eqx.Module):
        space = Box.interval(0.0, 1.0, players=1)

        def payoffs(self, x: Any) -> Any:
            z = x[:, 0]
            return -((z - 0.5) ** 2) - jnp.where((z > 0.62) & (z < 0.64), 1e6, 0.0)

    np.testing.assert_allclose(certificate(Gap(), [[0.5]]).at_stake, 1 / 256, rtol=1e-3)


def test_on_a_simplex_the_side_without_a_penalty_counts() -> None:
    class Budget(eqx.Module):
        space = Simplex((2,))

        def payoffs(self, x: Any) -> Any:
            above = x[:, 0] - 0.3
            return -(above**2) - 1e3 * jnp.maximum(above, 0.0)

    np.testing.assert_allclose(certificate(Budget(), [[0.3, 0.7]]).at_stake, 0.09, rtol=0.1)


def test_units_and_constants_of_payoffs_change_no_stake() -> None:
    x = jnp.array([[0.4], [0.3]])
    plain = certificate(Loss(*map(jnp.asarray, ([0.4, 0.6], [2.0, 2.0], [1.0, 3.0], [0.0, 0.0]))), x)
    # best responses have half the digits of payoffs
    moved = certificate(Loss(*map(jnp.asarray, ([0.4, 0.6], [2.0, 2.0], [8.0, 3.0], [64.0, -5.0]))), x)
    np.testing.assert_allclose(
        moved.at_stake, plain.at_stake * np.array([8.0, 1.0]), rtol=1e-7
    )  # best responses: half the digits
    assert moved.claim == plain.claim == "not an equilibrium"


@pytest.mark.default
def test_a_forbidden_action_does_not_stretch_the_tolerance() -> None:
    """Any number of forbidden actions, of any cost."""
    for forbidden, cost in ((1, 100.0), (1, 1e13), (9, 1e6)):
        table = np.full((2, 2 + forbidden, 2 + forbidden), -cost)
        table[0, :2, :2], table[1, :2, :2] = [[3, 0], [5, 1]], [[3, 5], [0, 1]]
        game = rv.games.matrix(payoffs=table)
        assert certificate(game, game.pure(0, 0)).claim == "not an equilibrium"
        found = certificate(game, game.pure(1, 1))
        assert found.claim == "equilibrium"
        np.testing.assert_allclose(found.at_stake, 1.0)


@pytest.mark.default
def test_a_player_whose_choice_hardly_matters() -> None:
    """Gains are small beside what the players together do to a payoff."""
    pennies = rv.games.matrix("matching_pennies")
    assert certificate(pennies, np.array([[0.5, 0.5], [0.5 + 1e-9, 0.5 - 1e-9]])).claim == "equilibrium"
    assert certificate(pennies, np.array([[0.5, 0.5], [0.51, 0.49]])).claim == "not an equilibrium"


@pytest.mark.default
def test_gradients_of_finite_games_have_a_unit() -> None:
    """It is the payoff scale, or where own choice changes far less, what it changes."""
    pennies = rv.games.matrix("matching_pennies")
    np.testing.assert_array_equal(
        payoff_units(Together([pennies]), np.array([[[0.6, 0.4], [0.6, 0.4]]])), [[2.0, 2.0]]
    )
    table = np.array([[[1.0, 1.0], [1.001, 1.001]], [[1.0, 0.0], [1.0, 0.0]]])
    (units,) = payoff_units(Together([rv.games.matrix(payoffs=table)]), np.full((1, 2, 2), 0.5))
    np.testing.assert_allclose(units, [0.001, 1.0], rtol=1e-9)


def test_nothing_is_at_stake_where_price_equals_cost() -> None:
    """In Bertrand's game a firm that sells nothing wins and loses nothing by any higher price."""
    assert rv.solve(rv.games.market(choice="price"), rv.methods.ClosedForm()).claim == "equilibrium"


def test_idle_teams_of_a_race_are_in_equilibrium() -> None:
    """One team's inputs are worth 1e-9, those of the others nothing; usual ones would cost 7 and 16."""
    race = rv.games.race(
        safety_productivity=[1.14, 1.2, 2.48],
        performance_productivity=[8.9, 5.2, 2.2],
        safety_exponent=[0.44, 0.57, 0.84],
        performance_exponent=[0.72, 0.23, 0.58],
        scale_penalty=[0.22, 1.03, 1.06],
        contest={"kind": "logit", "decisiveness": 0.18},
        reward={"prize": [1.35, 1.87, 1.71], "loser_prize": [0.25, 0.08, 0.07]},
        disaster_cost=[2.6, 2.3, 1.6],
        cost={"safety_price": [0.15, 0.27, 0.04], "performance_price": [0.09, 0.09, 0.06]},
        risk={"kind": "additive", "safety_weight": [0.33, 0.76, 0.86]},
    )
    assert rv.solve(race, rv.methods.BestResponse(), start="moderate").claim == "equilibrium"


def test_inputs_that_never_pay_have_a_stake_that_does_not_grow_with_their_range() -> None:
    """Any input costs a fee of 1.5 and 0.03 per unit and brings nothing: an idle player saves the fee."""

    def payoffs(x: jax.Array) -> jax.Array:
        return -1.5 * jnp.any(x > 0, axis=1) - 0.03 * jnp.sum(x, axis=1)

    for high in (1e4, 1e8, 1e12):
        ends, smallest = (jnp.full((2, 2), end) for end in (high, 1e-25))
        game = Ruled(payoffs, rv.Box(jnp.zeros((2, 2)), ends, ("log", "log"), smallest))
        stated = unit_at(game, jnp.zeros((2, 2)), 0, Response(np.zeros(2), 0.0, 0.0, "tight", "idle"))
        assert stated.size == pytest.approx(1.5, rel=1e-6)


def test_a_gain_that_is_not_visible_in_choices_is_measured_by_own_choice() -> None:
    """Own choice moves a payoff by a quarter, the rival by ten: a gain of 2e-5 is not within a millionth."""

    def payoffs(x: jax.Array) -> jax.Array:
        own, rival = x[:, 0], x[::-1, 0]
        return -0.5 * jnp.abs(own - 0.5) + 20.0 * rival

    game = Ruled(payoffs, rv.Box.interval(0.0, 1.0, players=2))
    near = certificate(game, np.array([[0.5], [0.5 + 4e-5]]))
    assert near.regret[1] == pytest.approx(2e-5, rel=1e-6)
    assert near.claim != "equilibrium"
    assert certificate(game, np.array([[0.5], [0.5 + 1e-7]])).claim == "equilibrium"


@pytest.mark.parametrize("high", [3.0, 1e3, 1e6])
def test_an_exact_equilibrium_that_is_visibly_apart_proves_nothing_of_the_profile(high: float) -> None:
    """Each player nearly follows the other: best responses are close by, the equilibrium is not."""

    class Followers(eqx.Module):
        space = Box.interval(0.0, high, players=2)

        def payoffs(self, x: Any) -> Any:
            z = x[:, 0]
            return -((z - 0.9999 * z[::-1] - 0.0001) ** 2)

    here = np.array([[1.2], [1.2]])  # best responses to it are 1.19998
    assert certificate(Followers(), here).claim == "equilibrium"
    proved = certificate(Followers(), here, proof=True)
    assert (proved.claim, proved.radius) == ("approximate equilibrium", None)
    assert "a proved one is at [[1.0], [1.0]], 0.2 away" in proved.method
    at_it = certificate(Followers(), np.ones((2, 1)), proof=True)
    assert at_it.claim == "equilibrium"
    assert at_it.radius is not None
    assert at_it.radius < 1e-9


def test_gains_are_printed_beside_the_payoff_of_the_player_who_gains() -> None:
    game = Shared(jnp.asarray(1e3))
    assert "largest gain 0.36 of a payoff of 0.28, " in repr(certificate(game, jnp.array([[1.4], [1.4]])))


def test_a_certificate_measures_each_unit_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search, its bound and the word use one unit per player and best response."""
    measured = []

    def counting(game: Any, x: Any, player: int, response: Response) -> Any:
        measured.append((player, response.strategy.tobytes()))
        return unit_at(game, x, player, response)

    monkeypatch.setattr(units, "unit_at", counting)
    game = Ruled(lambda x: -((x[:, 0] - 0.4) ** 2), rv.Box.interval(0.0, 1.0, players=2))
    certificate(game, np.full((2, 1), 0.3), proof=True)
    assert {player for player, _ in measured} == {0, 1}
    assert len(measured) == len(set(measured))


@pytest.mark.default
def test_only_what_rivals_play_counts() -> None:
    """Of a payoff of 1e9 that one rival in a million causes, the choice against the others is the unit."""
    game = rv.games.matrix([[1.0, 1e9], [0.0, 0.0]], np.zeros((2, 2)))
    rare = np.array([[0.5, 0.5], [1 - 1e-6, 1e-6]])
    np.testing.assert_allclose(certificate(game, rare).at_stake[0], 1.0)
    often = np.array([[0.5, 0.5], [0.25, 0.75]])
    np.testing.assert_allclose(certificate(game, often).at_stake[0], 0.75e9)


def huge_table(draw: np.random.Generator) -> tuple[np.ndarray, list[list[list[Fraction]]]]:
    """Return payoffs ``[player action action]`` of small whole numbers but one of 10^k, and in fractions."""
    sizes = draw.integers(2, 5, size=2)
    table = draw.integers(-5, 6, size=(2, *sizes)).astype(float)
    where = tuple(draw.integers(table.shape))
    table[where] = draw.choice([-1.0, 1.0]) * 10.0 ** draw.integers(1, 16)
    exact = [[[Fraction(float(pay)) for pay in row] for row in own] for own in table]
    return table, exact


def exact_gains(
    exact: list[list[list[Fraction]]], profile: tuple[int, ...]
) -> list[tuple[Fraction, Fraction]]:
    """Return per player the largest gain at a pure profile, and the largest loss of a choice against it."""
    row, column = profile
    first = [exact[0][action][column] for action in range(len(exact[0]))]
    second = exact[1][row]
    return [
        (max(first) - first[row], max(first) - min(first)),
        (max(second) - second[column], max(second) - min(second)),
    ]


@pytest.mark.parametrize(("seed", "count"), [(1, 300)])
def test_no_word_is_above_the_exact_gain_of_tables_with_a_huge_payoff(seed: int, count: int) -> None:
    """Regrets in fractions at all pure profiles: a gain of 1 or more is no rounding and no small part."""
    for number in range(count):
        table, exact = huge_table(np.random.default_rng([seed, number]))
        game = rv.games.matrix(payoffs=table)
        for profile in np.ndindex(*table.shape[1:]):
            gains = exact_gains(exact, profile)
            found = certificate(game, game.pure(*profile))
            is_equilibrium = all(gain == 0 for gain, _ in gains)
            assert (found.claim == "equilibrium") == is_equilibrium, (number, profile)
            if found.claim == "approximate equilibrium":
                assert all(100 * gain <= loss for gain, loss in gains), (number, profile)
            else:
                assert is_equilibrium or found.claim == "not an equilibrium", (number, profile)


class Steep(eqx.Module):
    """A small loss of player 0 from 1/2, beside a payoff that the other's choice causes near its best one."""

    size: Any
    power: float = eqx.field(static=True)
    end: float = eqx.field(static=True)

    space = Box.interval(0.0, 2.0, players=2)

    def payoffs(self, x: Any) -> Any:
        own, rival = x[:, 0]
        return jnp.array(
            [
                -(jnp.abs(own - 0.5) ** self.power) + self.size * (rival * rival - self.end**2),
                -((rival - self.end) ** 2),
            ]
        )


@pytest.mark.parametrize(("seed", "count"), [(1, 200)])
def test_no_rounding_of_choices_hides_a_gain_of_own_choice(seed: int, count: int) -> None:
    """The gain of player 0 is known exactly, whatever the size of what its rival does to its payoff."""
    false = []
    for number in range(count):
        draw = np.random.default_rng([seed, number])
        power, end = float(draw.choice([1.0, 2.0])), float(draw.choice([0.7, 1.0, 1.3]))
        size, away = 10.0 ** draw.uniform(2, 14), 10.0 ** draw.uniform(-5, -1)
        found = certificate(Steep(jnp.asarray(size), power, end), np.array([[0.5 + away], [end]]))
        gain = away**power
        if found.claim == "equilibrium" and gain > 1e-6 * 0.5**power * 1.01:
            false.append((number, found))
        if found.claim == "approximate equilibrium" and gain > 0.01 * 0.5**power * 1.01:
            false.append((number, found))
    assert false == []
