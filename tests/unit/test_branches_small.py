"""Branches of custom games whose folds, symmetry breakings, Hopf points and bounds have closed forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import numpy as np
import pytest
from jaxtyping import Array, Float

import rivalry as rv
from rivalry.core import oracles
from rivalry.core.needs import fits
from rivalry.core.space import Box, Simplex
from rivalry.methods.continuation import pseudo_arclength, session
from rivalry.methods.continuation.branches import Branches
from rivalry.methods.continuation.events import cuts
from rivalry.methods.continuation.groups import GroupSpectrum, System, group_players, relabel
from rivalry.methods.continuation.parameters import entries_of
from rivalry.runtime.jax import jnp
from tests import jaxcont_curves
from tests.chunks import assert_same_in_chunks
from tests.small_games import cournot, turning

pytestmark = pytest.mark.mostly_slow


class Cubic(eqx.Module):
    """Own gradients ``drive + growth x - x^3 - apart (x_i - mean of the others)``: a fold and a pitchfork."""

    drive: Float[Array, ""]
    growth: Float[Array, ""]
    apart: Float[Array, ""]
    names: tuple[int, ...] | None = eqx.field(static=True, default=None)

    space = Box.interval(-2.0, 2.0, players=2)

    def payoffs(self, x: Float[Array, "player 1"]) -> Float[Array, "player"]:
        own = x[:, 0]
        return (
            self.drive * own + self.growth * own**2 / 2 - own**4 / 4 - self.apart * (own - own[::-1]) ** 2 / 2
        )


@oracles.exchangeable.register(Cubic, when=lambda game: game.names is not None)
def _(game: Cubic) -> np.ndarray:
    return np.asarray(game.names)


def cubic(
    drive: float = 0.0, growth: float = 1.0, apart: float = 1.0, names: tuple[int, ...] | None = None
) -> Cubic:
    return Cubic(jnp.asarray(drive), jnp.asarray(growth), jnp.asarray(apart), names)


def found(
    game: rv.Game, parameter: str | Callable[[float], rv.Game], low: float, high: float, **options: object
) -> rv.Solution:
    options = {"certify": "none", "searches": 3} | options
    return rv.solve(game, Branches(parameter=parameter, low=low, high=high, **options))  # type: ignore[arg-type]


def test_a_branch_passes_two_folds() -> None:
    data = found(cubic(), "drive", -1.0, 1.0).data
    at = 2 / (3 * np.sqrt(3))
    np.testing.assert_allclose(np.sort(data.fold_parameter), [-at, at], atol=1e-10)
    np.testing.assert_allclose(np.abs(data.fold_position.values), 1 / np.sqrt(3), atol=1e-7)
    x, drive = data.branch_position.values[:, 0, 0], data.branch_parameter.values
    np.testing.assert_allclose(drive + x - x**3, 0.0, atol=1e-9)
    np.testing.assert_array_equal(data.branch_stable, 3 * x**2 > 1)
    assert data.branch_ending.values.tolist() == ["the end of the range", "known already"]
    assert np.all(data.branch_moves.values[:, 0] == "moves groups")


def test_two_exchangeable_players_have_one_symmetry_breaking() -> None:
    # apart < 0 is repulsion: the symmetry-breaking eigenvalue at the centre is growth - 2 apart
    data = found(cubic(apart=-0.5), "growth", -2.0, -0.2).data
    np.testing.assert_allclose(data.symmetric_loss_parameter, [-1.0], atol=1e-10)
    assert sorted(np.unique(data.branch.values)) == [0, 1]
    split = data.isel(row=np.flatnonzero(data.branch.values == 1))
    x, growth = split.branch_position.values[:, :, 0], split.branch_parameter.values
    np.testing.assert_allclose(np.abs(x[1:]), np.sqrt(growth[1:] + 1)[:, None] * [1, 1], atol=1e-8)
    np.testing.assert_allclose(x.sum(axis=1), 0.0, atol=1e-10)
    assert bool(split.branch_stable[1:].all())


class Rule(eqx.Module):
    """Payoffs ``[player]`` by a rule of the parameter ``p`` and the choices, on [-2, 2]."""

    p: Float[Array, ""]
    rule: Callable[..., list[Array]] = eqx.field(static=True)
    players: int = eqx.field(static=True, default=1)

    @property
    def space(self) -> Box:
        return Box.interval(-2.0, 2.0, players=self.players)

    def payoffs(self, x: Float[Array, "player 1"]) -> Float[Array, "player"]:
        return jnp.stack(self.rule(self.p, *x[:, 0]))


def traced(rule: Callable[..., list[Array]], start: list[float], p: float) -> rv.Solution:
    learner = Branches(parameter="p", low=-1.0, high=1.0, certify="none")
    return rv.solve(Rule(jnp.asarray(p), rule, len(start)), learner, start=[[own] for own in start])


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_a_pitchfork_met_on_its_bent_branch_is_an_event(unit: float) -> None:
    """x (p + x^2) = 0: on p = -x^2 the parameter turns back at 0, where no eigenvalue changes its sign."""
    solution = traced(lambda p, x: [unit * (-(x**4) / 4 - p * x**2 / 2)], [1.0], -1.0)
    data = solution.data
    assert solution.status == "converged"
    assert data.event_kind.values.tolist() == ["split"]
    np.testing.assert_allclose(data.event_parameter, 0.0, atol=1e-12)
    np.testing.assert_allclose(data.event_position, 0.0, atol=1e-9)
    own = data.isel(row=np.flatnonzero(data.branch.values > 0))
    np.testing.assert_allclose(own.branch_position, 0.0, atol=1e-9)
    assert [own.branch_parameter.values.min(), own.branch_parameter.values.max()] == [-1.0, 1.0]
    bent = data.isel(row=np.flatnonzero(data.branch.values == 0))
    np.testing.assert_allclose(bent.branch_position[:, 0, 0] ** 2, -bent.branch_parameter, atol=1e-9)


@pytest.mark.parametrize("slope", [0.0, 1.0, -0.3])
def test_a_transcritical_crossing_is_followed_in_all_directions(slope: float) -> None:
    """(x - slope p) (p - x + slope p) = 0 is two straight lines, however they lie to the parameter."""

    def rule(p: Array, x: Array) -> list[Array]:
        z = x - slope * p
        return [p * z**2 / 2 - z**3 / 3]

    solution = traced(rule, [0.5 * (1 + slope)], 0.5)
    data = solution.data
    assert solution.status == "converged"
    assert data.event_kind.values.tolist() == ["split"]
    np.testing.assert_allclose(data.event_parameter, 0.0, atol=1e-12)
    x, p = data.branch_position.values[:, 0, 0], data.branch_parameter.values
    lines = np.stack([x - slope * p, x - (1 + slope) * p])
    np.testing.assert_allclose(np.min(np.abs(lines), axis=0), 0.0, atol=1e-9)
    for line in np.abs(lines) < 1e-9:
        ends = p[line].min(), p[line].max()
        # the branches end where the space does
        assert ends == pytest.approx((-1.0, 1.0)) or np.abs(x[line]).max() == pytest.approx(2.0)


def test_a_crossing_without_branches_is_reported() -> None:
    """Of four lines through 0, two are (x, 0) and (0, x): no eigenvector at 0 lies along them alone."""

    def rule(p: Array, x: Array, y: Array) -> list[Array]:
        return [p * x**2 / 2 - x**3 / 3 + 0.1 * x**2 * y, p * y**2 / 2 - y**3 / 3 + 0.1 * y**2 * x]

    solution = traced(rule, [0.3, 0.3], 0.3)
    assert solution.status == "completed"
    np.testing.assert_allclose(solution.data.unresolved_parameter, [0.0], atol=1e-9)


def test_players_of_unlike_niches_part_in_a_pitchfork_met_from_its_side() -> None:
    """Player 0 prefers +-sqrt(-p), player 1 copies it with a shift: two unknowns, one crossing at 0."""
    data = traced(
        lambda p, x, y: [-(x**4) / 4 - p * x**2 / 2, -((y - x / 2 - 0.5) ** 2)], [0.6, 0.8], -0.36
    ).data
    assert data.event_kind.values.tolist() == ["split"]
    np.testing.assert_allclose(data.event_parameter, 0.0, atol=1e-12)
    np.testing.assert_allclose(data.event_position.values[0, :, 0], [0.0, 0.5], atol=1e-9)
    middle = data.isel(row=np.flatnonzero(np.abs(data.branch_position.values[:, 0, 0]) < 1e-9))
    assert [middle.branch_parameter.values.min(), middle.branch_parameter.values.max()] == [-1.0, 1.0]


@pytest.mark.parametrize("way", [1.0, -1.0])
def test_where_players_meet_the_branch_of_equal_players_is_followed(way: float) -> None:
    """Two players apart at +-root(1 + growth) meet at -1, where the centre loses its symmetry."""
    learner = Branches(parameter="growth", low=-2.0, high=-0.2, certify="none")
    start = [[0.7 * way], [-0.7 * way]]
    solution = rv.solve(cubic(apart=-0.5, growth=-0.5), learner, start=start)
    data = solution.data
    assert solution.status == "converged"
    assert data.event_kind.values.tolist() == ["symmetric_loss"]
    np.testing.assert_allclose(data.event_parameter, [-1.0], atol=1e-10)
    x, growth = data.branch_position.values[:, :, 0], data.branch_parameter.values
    np.testing.assert_allclose(x[:, 0] * (x[:, 0] ** 2 - growth - 1), 0.0, atol=1e-8)
    np.testing.assert_allclose(x.sum(axis=1), 0.0, atol=1e-9)
    centre = growth[np.abs(x[:, 0]) < 1e-9]
    assert [centre.min(), centre.max()] == pytest.approx([-2.0, -0.2])


class Plane(eqx.Module):
    """Two players in the plane with isotropic repulsion: every direction bifurcates at the same point."""

    growth: Float[Array, ""]

    space = Box.of([[-2.0, 2.0]] * 2, players=2)

    def payoffs(self, x: Float[Array, "player axis"]) -> Float[Array, "player"]:
        own, away = jnp.sum(x**2, axis=1), jnp.sum((x - x[::-1]) ** 2, axis=1)
        return self.growth * own / 2 - own**2 / 4 + away / 4


def test_degenerate_null_directions_are_tried_with_their_sums() -> None:
    data = found(Plane(jnp.asarray(-1.0)), "growth", -2.0, -0.5, searches=1).data
    np.testing.assert_allclose(data.symmetric_loss_parameter, [-1.0], atol=1e-9)
    angles = set()
    for branch in np.unique(data.branch.values)[1:]:
        x = data.isel(row=np.flatnonzero(data.branch.values == branch)[-1]).branch_position.values
        np.testing.assert_allclose(x[0], -x[1], atol=1e-9)
        np.testing.assert_allclose(np.linalg.norm(x[0]), np.sqrt(0.5), atol=1e-9)
        angles.add(int(np.degrees(np.arctan2(x[0, 1], x[0, 0])).round()) % 180)
    assert angles == {0, 45, 90, 135}


def test_players_that_are_not_exchangeable_separate_in_a_pitchfork() -> None:
    data = found(cubic(names=(0, 1)), "growth", -1.0, 1.0, searches=1).data  # one search, from the centre
    np.testing.assert_allclose(data.split_parameter, [0.0], atol=1e-9)
    assert data.event_moves.values.tolist() == ["moves groups"]
    ends = {
        round(float(data.branch_position.values[data.branch.values == b][-1, 0, 0]), 6)
        for b in np.unique(data.branch.values)
    }
    assert ends == {-1.0, 0.0, 1.0}
    assert data.branch_event.values[:3].tolist() == [-1, 0, 0]


@pytest.mark.nightly
def test_a_hopf_point_and_its_limit_cycles() -> None:
    data = found(turning(0.1, 3.0), "growth", -0.5, 0.5, cycles=[0.25, 0.04]).data
    np.testing.assert_allclose(data.hopf_parameter, [0.0], atol=1e-9)
    np.testing.assert_allclose(data.hopf_frequency, [3.0], rtol=1e-9)
    assert float(data.hopf_lyapunov[0]) < 0
    np.testing.assert_allclose(data.orbit_parameter, [0.04, 0.25])
    np.testing.assert_allclose(data.orbit_period, 2 * np.pi / 3, rtol=1e-6)
    radius = np.sqrt(data.orbit_parameter.values)[:, None, None] * np.ones((1, 2, 1))
    np.testing.assert_allclose(data.orbit_high.values, radius, rtol=1e-5)
    np.testing.assert_allclose(data.orbit_low.values, -radius, rtol=1e-5)
    assert bool(data.orbit_stable.all())


def test_a_branch_ends_where_it_meets_a_bound() -> None:
    data = found(cournot(3), "drive", -4.0, 8.0).data
    assert data.branch_ending.values.tolist() == ["a bound of the space"]
    np.testing.assert_allclose(data.branch_position[:, 0, 0], data.branch_parameter / 4, atol=1e-9)
    assert float(data.branch_parameter[-1]) == pytest.approx(0.0, abs=1e-6)


class Blotto(eqx.Module):
    """Three players share three prizes by ``x_k^p``: the symmetric equilibrium is stable for p below 2."""

    prizes: Float[Array, "axis"]
    exponent: Float[Array, ""]

    space = Simplex((3, 3, 3))

    def payoffs(self, x: Float[Array, "player axis"]) -> Float[Array, "player"]:
        effort = x**self.exponent
        return (effort / effort.sum(axis=0)) @ self.prizes


def test_on_a_simplex_the_threshold_agrees_with_the_closed_form() -> None:
    data = found(Blotto(jnp.array([1.0, 2.0, 3.0]), jnp.asarray(1.5)), "exponent", 1.2, 2.4, switch=0).data
    np.testing.assert_allclose(data.symmetric_loss_parameter, 2.0, atol=1e-9)
    together = data.isel(row=np.flatnonzero(data.branch.values == 0))
    np.testing.assert_allclose(
        together.branch_position.values,
        np.broadcast_to([1 / 6, 1 / 3, 1 / 2], (together.sizes["row"], 3, 3)),
        atol=1e-9,
    )
    assert data.sizes["eigenvalue"] == 6
    np.testing.assert_array_equal(together.branch_stable, together.branch_parameter < 2)


def test_a_parameter_may_be_a_function() -> None:
    def game_at(drive: float) -> Cubic:
        return cubic(drive)

    by_name = found(cubic(), "drive", -1.0, 1.0).data
    by_function = found(cubic(), game_at, -1.0, 1.0).data
    assert str(by_function.parameter_name.values) == "game_at"
    np.testing.assert_allclose(by_function.fold_parameter, by_name.fold_parameter, atol=1e-9)
    np.testing.assert_allclose(by_function.branch_parameter, by_name.branch_parameter, atol=1e-5)


def test_jaxcont_computes_the_same_curve(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("jaxcont")
    ours = found(cubic(), "drive", -1.0, 1.0).data
    monkeypatch.setattr(pseudo_arclength, "follow", jaxcont_curves.follow)
    theirs = found(cubic(), "drive", -1.0, 1.0).data
    np.testing.assert_allclose(theirs.branch_parameter, ours.branch_parameter, atol=1e-8)
    np.testing.assert_allclose(theirs.branch_position, ours.branch_position, atol=1e-8)


def test_a_start_is_continued_in_both_directions() -> None:
    game = cubic(drive=0.0, apart=-0.5, growth=-0.5)
    solution = rv.solve(
        game, Branches(parameter="growth", low=-2.0, high=1.0, certify="none", switch=0), start=[0.6, -0.6]
    )
    data = solution.data
    assert set(data.branch_group.values[0]) == {0, 1}
    reached = data.branch_parameter.values
    assert reached.max() == 1.0
    assert reached.min() == pytest.approx(-1.0, abs=0.05)
    assert "players meet" in data.branch_ending.values


def test_results_do_not_depend_on_chunks_or_copies() -> None:
    learner = Branches(parameter="growth", low=-1.4, high=-0.6, certify="none", searches=2)
    assert_same_in_chunks(learner, cubic(apart=-0.5), 1)


def test_regrets_at_stationary_points_that_are_not_maxima() -> None:
    data = found(cubic(apart=0.1), "drive", -0.3, 0.3, switch=0, certify="search").data
    assert set(data.branch_coverage.values) == {"lower bound"}  # this game has no payoff bound
    unstable = np.abs(data.branch_position.values[:, 0, 0]) < 0.5
    assert np.all(data.branch_regret.values[unstable] > 1e-3)


def test_no_interior_equilibrium_gives_not_found() -> None:
    solution = found(cournot(2), "drive", -4.0, -1.0)
    assert (solution.status, solution.data.sizes["row"]) == ("not found", 0)


def test_progress_has_no_total() -> None:
    events = []
    rv.solve(cubic(), Branches(parameter="drive", low=-0.1, high=0.1, certify="none"), progress=events.append)
    assert events[-1].done > 0
    assert {event.total for event in events} == {0}


def test_wrong_input_gives_one_line() -> None:
    for options, words in [
        ({"parameter": "drift", "low": 0.0, "high": 1.0}, "parameter: drift: no array of this game"),
        ({"parameter": "drive", "low": 1.0, "high": 0.0}, "low: 1 must be below high, 0"),
        ({"parameter": "drive", "low": 0.0, "high": 1.0, "step": [0.1, 0.1]}, "step: .* first below"),
        ({"parameter": "drive", "low": 0.0, "high": 1.0, "searches": 0}, "searches: 0 must be at"),
        ({"parameter": "drive", "low": 0.0, "high": 1.0, "cycles": -2}, "cycles: -2 must be at least 0"),
    ]:
        with pytest.raises(ValueError, match=words) as message:
            rv.solve(cubic(), Branches(**options))  # type: ignore[arg-type]
        assert "\n" not in str(message.value)


@pytest.mark.default
def test_players_are_grouped_by_position_and_kind() -> None:
    x = np.array([[0.1], [0.5], [0.1], [0.1]])
    assert group_players(x, np.ones((4, 1)), np.array([0, 0, 0, 1])).tolist() == [0, 1, 0, 2]
    assert relabel(np.array([3, 3, 0])).tolist() == [0, 0, 1]


def test_unknowns_and_profiles_are_inverse_maps() -> None:
    from rivalry.methods.continuation.parametrised_game import ParametrisedGame

    game = Blotto(jnp.array([1.0, 2.0, 3.0]), jnp.asarray(1.5))
    system = System(ParametrisedGame(game, "exponent", 1.0, 2.0), np.array([0, 1, 0]))
    x = np.array([[0.2, 0.3, 0.5], [0.6, 0.1, 0.3], [0.2, 0.3, 0.5]])
    y = system.of(x, 1.25)
    assert len(y) == 5
    np.testing.assert_allclose(system.profile(y), x, atol=1e-14)
    assert system.value(y) == 1.25
    assert fits(Branches, game)


@pytest.mark.default
@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        # two groups of players move together: eigenvalue 1 of theirs crosses
        (([2.0, -1.0], [-1, -1]), ([2.0, 1.0], [-1, -1]), [(-1, 1)]),
        # group 0 has three players, whose two equal eigenvalues cross at one event
        (([1.0, 1.0, -3.0], [0, 0, -1]), ([-1.0, -1.0, -3.0], [0, 0, -1]), [(0, 0)]),
        # a complex pair counts twice
        (([-1 + 2j, -1 - 2j], [-1, -1]), ([1 + 2j, 1 - 2j], [-1, -1]), [(-1, 0), (-1, 1)]),
        # one eigenvalue rises while another falls: their number with positive real part is the same
        (([1.0, -1.0], [-1, -1]), ([1.0, -1.0], [-1, -1]), []),
        # labels are compared separately
        (([1.0, 1.0, -1.0], [0, 0, -1]), ([1.0, -1.0, -1.0], [-1, 0, 0]), [(-1, 0), (0, 0)]),
    ],
)
def test_crossings_of_eigenvalues_are_counted_by_label(before: Any, after: Any, found: Any) -> None:
    spectra = (
        GroupSpectrum(np.array(values, complex), np.array(labels)) for values, labels in (before, after)
    )
    assert [tuple(cut) for cut in cuts(*spectra, np.array([3]))] == found


@pytest.mark.default
@pytest.mark.parametrize(("players", "axes", "unknowns"), [(2, 1, 2), (3, 2, 6), (1, 1, 1)])
def test_an_empty_session_has_all_columns_whatever_the_shapes(players: int, axes: int, unknowns: int) -> None:
    made = session.empty(players, axes, unknowns)
    for table, count in {"row": 10, "branch": 7, "cut": 4, "event": 13, "orbit": 6}.items():
        columns = [array for name, array in made.items() if name.startswith(f"{table}_")]
        assert len(columns) == count
        assert all(len(array) == 0 for array in columns)
    assert made["row_label"].shape == (0, unknowns)
    assert made["branch_groups"].shape == (0, players)


@pytest.mark.default
def test_shorter_tangents_are_padded_with_zeros() -> None:
    made = session.empty(2, 1, 2)
    session.add(made, "branch", tangent=np.array([0.6, 0.8]), level=1)
    np.testing.assert_array_equal(made["branch_tangent"], [[0.6, 0.8, 0.0]])
    assert made["branch_level"].dtype.kind == "i"


def test_entries_of_parameters_are_added_to_or_replaced() -> None:
    game = cournot(2)
    varied = entries_of(game, ["drive[1]", " matrix[0, 1] "], "parameter")
    assert varied.name == "drive[1], matrix[0, 1]"
    assert varied.value(game) == (9.0 - 1.0) / 2
    moved, replaced = varied.shift(game, 0.5), varied.set(game, 3.0)
    assert (moved.drive.tolist(), moved.matrix.tolist()) == ([9.0, 9.5], [[-2.0, -0.5], [-1.0, -2.0]])
    assert replaced.drive.tolist() == [9.0, 3.0]
    assert replaced.matrix.tolist() == [[-2.0, 3.0], [-1.0, -2.0]]
    assert game.drive.tolist() == [9.0, 9.0]


@pytest.mark.default
@pytest.mark.parametrize(
    ("names", "why"),
    [
        ("drive[2]", "drive[2] is no entry of an array of shape (2,)"),
        ("drive[-1]", "drive[-1] is no entry of an array of shape (2,)"),
        ("drive[0, 0]", "drive[0, 0] is no entry of an array of shape (2,)"),
        ("drive[]", "drive[] is no entry of an array of shape (2,)"),
        ("drive.x", "drive.x: no array of this game; it has drive, matrix"),
        (["drive", 3], "3 must be an array of the game, as in 'reach' or 'reach[1]'"),
        ([], "[] must name at least one array, and each once"),
        ("drive[0], drive[0]", "'drive[0], drive[0]' must name at least one array, and each once"),
        ("low", "low: no array of this game; it has drive, matrix"),
    ],
)
def test_names_that_are_no_parameters_are_refused(names: Any, why: str) -> None:
    with pytest.raises(ValueError, match=r"^parameter: ") as caught:
        entries_of(cournot(2), names, "parameter")
    assert str(caught.value) == f"parameter: {why}"


def test_a_merged_firm_has_one_branch_that_solves_a_linear_system() -> None:
    # p_i = a - q_i - s (sum of the others' outputs); the owner of goods 0 and 1 counts both goods' losses
    unit_cost, s = np.array([10.0, 12.0, 14.0]), 0.5
    game = rv.games.market(
        demand="differentiated", intercept=100.0, unit_cost=unit_cost, owners=[[0, 1], [2]]
    )
    options: dict[str, Any] = {"parameter": "intercept", "low": 50.0, "high": 100.0, "step": [0.1, 0.2]}
    data = rv.solve(game, Branches(**options)).data
    system = np.array([[2, 2 * s, s], [2 * s, 2, s], [s, s, 2]])
    right = np.linalg.solve(system, data.branch_parameter.values - unit_cost[:, None]).T
    found = data.branch_position.values
    assert set(data.branch.values.tolist()) == {0}
    np.testing.assert_allclose(found.reshape(len(found), -1)[:, :3], right, atol=1e-9)
    assert np.max(data.branch_regret.values) < 1e-6
