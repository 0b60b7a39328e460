"""Stability thresholds of symmetric profiles: closed forms, other derivatives, constructed fields."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import numpy as np
import pytest
import xarray as xr
from jaxtyping import Array
from scipy.optimize import brentq

import rivalry as rv
from rivalry.core import files, oracles
from rivalry.core.game import arrays, with_
from rivalry.core.results import collect, netcdf
from rivalry.core.space import Box, Simplex, Space
from rivalry.influencers import threshold_reach, threshold_variance
from rivalry.lab.answer.estimates import SampleFacts, estimates
from rivalry.methods import Thresholds
from rivalry.runtime.jax import jnp, put

pytestmark = pytest.mark.mostly_slow

BIMODAL = np.exp(-((np.linspace(0.001, 0.999, 100) - 0.25) ** 2) / 0.02) + np.exp(
    -((np.linspace(0.001, 0.999, 100) - 0.75) ** 2) / 0.02
)
THIRD = "exp(-b^2/(2*0.1^2)) + exp(-(1-b)^2/(2*0.1^2))"


def scanned(game: Any, method: Thresholds, **rest: Any) -> Any:
    return rv.solve(game, method, **rest).data


class Field(eqx.Module):
    """A game whose own gradients are an arbitrary function of all positions and a parameter."""

    space: Space
    p: Array
    slope: Callable[[Array, Array], Array] = eqx.field(static=True)

    def payoffs(self, x: Array) -> Array:
        return jnp.sum(self.slope(x, self.p) * x, axis=1)

    def gradients(self, x: Array) -> Array:
        return self.slope(x, self.p)


oracles.gradients.register(Field)(Field.gradients)


class Apart(eqx.Module):
    """Players on a simplex, attracted to the shares ``wish`` and repelled by the others' mean."""

    space: Simplex
    wish: Array
    p: Array

    def payoffs(self, x: Array) -> Array:
        others = (jnp.sum(x, axis=0) - x) / (x.shape[0] - 1)
        return jnp.log(x) @ self.wish + self.p / 2 * jnp.sum((x - others) ** 2, axis=1)


def box(players: int, axes: int = 1, wide: float = 3.0) -> Box:
    return Box.of([[-wide, wide]] * axes, players=players)


@pytest.mark.parametrize("players", [3, 5])
def test_the_threshold_on_a_line_matches_the_closed_form(players: int) -> None:
    game = rv.games.influencer(players=players, resource="bimodal")
    found = scanned(game, Thresholds("reach", low=0.1, high=0.4))
    known = threshold_reach(game.points, game.weights, players)
    np.testing.assert_allclose(found.crossing, [known], atol=1e-9)
    assert float(found.threshold) == known
    best = known * np.sqrt((players - 1) / players)  # the own second derivative at the middle, by hand
    np.testing.assert_allclose(found.second_order_crossing, [best], atol=1e-9)
    assert found.second_order_holds.values.tolist() == [True]
    assert np.array_equal(found.scan_second_order, found.scan_parameter > best)
    assert found.crossing_direction.values.tolist() == ["gains stability"]
    assert found.crossing_multiplicity.values.tolist() == [players - 1]
    assert found.crossing_moves.values.tolist() == ["players part"]
    assert not found.crossing_complex.values.any()
    np.testing.assert_allclose(found.crossing_position, [[0.5]], atol=1e-9)
    np.testing.assert_allclose([found.window_low[0], found.window_high[0]], [known, np.inf], atol=1e-9)
    np.testing.assert_allclose(found.window_tried, [0.1, 0.4])
    assert np.array_equal(found.scan_stable, found.scan_parameter.values > known)
    assert len(found.scan_parameter) >= 200
    assert not found.stable_everywhere
    assert found.status == "converged"
    assert "profile" not in found


def test_two_players_have_no_crossing() -> None:
    game = rv.games.influencer(players=2, resource="bimodal")
    found = scanned(game, Thresholds("reach", low=0.05, high=0.4))
    assert found.crossing.size == 0
    assert found.stable_everywhere


def test_the_threshold_in_the_plane_matches_the_closed_form() -> None:
    corners = {"kind": "mixture", "means": [[0, 0], [0, 5], [5, 0], [5, 5]], "stds": [1, 1, 1, 1]}
    game = rv.games.influencer(
        players=4, space="box", bounds=[[0, 5], [0, 5]], resource=corners, variance=2.0
    )
    found = scanned(game, Thresholds("variance", low=0.5, high=4.0))
    known = threshold_variance(game.points, game.weights, 4)
    assert known == pytest.approx(2.377007, abs=1e-6)
    np.testing.assert_allclose(found.crossing, [known], atol=1e-9)
    assert found.crossing_multiplicity.values.tolist() == [6]  # three times for each of two equal axes


@pytest.mark.parametrize("position", [None, 0.5])
def test_the_threshold_with_a_third_party(position: float | None) -> None:
    game = rv.games.influencer(players=2, resource="bimodal", third_party=THIRD)
    found = scanned(game, Thresholds("reach", low=0.05, high=0.9, position=position))
    np.testing.assert_allclose(found.crossing, [0.14279828616804516], rtol=1e-9)
    np.testing.assert_allclose(found.scan_position, 0.5, atol=1e-9)


def slope_with_abstention(x: np.ndarray, reach: float, q: float) -> complex:
    """The first player's own gradient, by complex-step differentiation."""
    b = np.linspace(0.001, 0.999, 100)
    moved = x.astype(complex)
    moved[0] += 1e-30j
    rows = [np.exp(-((b - place) ** 2) / (2 * reach**2)) for place in moved]
    rows.append(q * (b - moved[0]) ** 2 * (b - moved[1]) ** 2)
    return complex((BIMODAL * rows[0] / sum(rows)).sum().imag / 1e-30)


def largest_with_abstention(reach: float, q: float = 25.0, h: float = 1e-5) -> float:
    def bend(player: int) -> float:
        step = np.where(np.arange(2) == player, h, 0.0)
        ends = [slope_with_abstention(0.5 + sign * step, reach, q).real for sign in (1, -1)]
        return (ends[0] - ends[1]) / (2 * h)

    own, other = bend(0), bend(1)
    return max(own - other, own + other)


def test_abstention_gives_a_stable_window() -> None:
    game = rv.games.influencer(players=2, resource="bimodal", abstention=25.0)
    found = scanned(game, Thresholds("reach", low=0.05, high=1.0))
    expected = [brentq(largest_with_abstention, *ends) for ends in ([0.2, 0.3], [0.35, 0.6])]
    np.testing.assert_allclose(found.crossing, expected, atol=1e-7)
    assert "threshold" not in found  # there is no closed form
    assert found.crossing_direction.values.tolist() == ["gains stability", "loses stability"]
    np.testing.assert_allclose(found.window_low, expected[:1], atol=1e-7)
    np.testing.assert_allclose(found.window_high, expected[1:], atol=1e-7)
    inside = (found.scan_parameter > expected[0]) & (found.scan_parameter < expected[1])
    assert np.array_equal(found.scan_stable, inside)


@pytest.mark.parametrize(
    ("coupling", "at", "many", "moves"),
    [(-0.5, -0.5, 2, "players part"), (0.5, -1.0, 1, "all move together")],
)
def test_crossings_of_complex_pairs(coupling: float, at: float, many: int, moves: str) -> None:
    turn = np.array([[0.0, -2.0], [2.0, 0.0]])

    def slope(x: Array, p: Array) -> Array:
        return p * x + x @ turn.T + coupling * (jnp.sum(x, axis=0) - x)

    found = scanned(Field(box(3, 2), put(0.0), slope), Thresholds("p", low=-3.0, high=1.05))
    np.testing.assert_allclose(found.crossing, [at], atol=1e-9)
    np.testing.assert_allclose(found.second_order_crossing, [0.0], atol=1e-9)  # A is p, and turns
    assert found.second_order_holds.values.tolist() == [False]
    assert found.crossing_direction.values.tolist() == ["loses stability"]
    assert found.crossing_complex.values.tolist() == [True]
    assert found.crossing_multiplicity.values.tolist() == [many]
    assert found.crossing_moves.values.tolist() == [moves]


def test_only_tangent_directions_count_on_a_simplex() -> None:
    wish, players = np.array([0.2, 0.3, 0.5]), 4
    found = scanned(Apart(Simplex((3,) * players), put(wish), put(1.0)), Thresholds("p", low=0.5, high=6.0))
    frame = np.array([[1, -1, 0], [1, 1, -2]]) / np.sqrt([[2], [6]])
    least = np.linalg.eigvalsh(frame @ np.diag(1 / wish) @ frame.T)[0]
    np.testing.assert_allclose(found.crossing, [least * (players - 1) / players], rtol=1e-9)
    np.testing.assert_allclose(found.crossing_position, [wish], atol=1e-9)
    assert found.crossing_multiplicity.values.tolist() == [players - 1]
    assert found.sizes["eigenvalue"] == 2 * players


def leaving(x: Array, p: Array) -> Array:
    """At 0 the eigenvalue that parts two players is p - 1, and they stay together."""
    return (p - 2) * x / 2 - p * (x[::-1]) / 2


@pytest.mark.parametrize(
    ("low", "high", "ends"),
    [(0.0, 2.0, (-np.inf, 1.0)), (0.0, 0.9, (-np.inf, np.inf)), (-3.0, 0.5, (-np.inf, np.inf))],
)
def test_a_range_of_stability_has_no_end_where_the_scan_ends(low: float, high: float, ends: object) -> None:
    found = scanned(Field(box(2), put(0.0), leaving), Thresholds("p", low=low, high=high))
    windows = np.stack([found.window_low, found.window_high], axis=1)
    np.testing.assert_allclose(windows, [ends], atol=1e-9)
    np.testing.assert_allclose(found.window_tried, [low, high])
    assert not np.isin(windows, [low, high]).any()


@pytest.mark.default
@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([np.inf], "at least 0.8, the largest tried"),
        ([-np.inf], "at most 0.05, the smallest tried"),
        ([np.inf, 0.5], "at least 0.5"),
        ([0.5053], "0.5053"),
    ],
)
def test_the_end_of_a_scan_is_printed_as_what_was_tried(values: list[float], text: str) -> None:
    variable = xr.DataArray(np.array(values), dims="replication")
    sample = SampleFacts("replications", random=False, range_of_search=(0.05, 0.8))
    (printed,) = estimates(variable, np.array(values), sample)
    assert printed.text == text


def folded(x: Array, p: Array) -> Array:
    return p - (x**3 - 3 * x)


def test_a_jump_at_a_fold_is_not_a_crossing() -> None:
    found = scanned(Field(box(2), put(0.0), folded), Thresholds("p", low=-3.0, high=3.05, points=243))
    after = found.scan_parameter.values[found.scan_parameter.values > 2.0][0]
    np.testing.assert_allclose(found.jump_parameter, [after])
    assert found.crossing.size == 0
    assert found.stable_everywhere
    roots = np.asarray(found.scan_position)[:, 0]
    np.testing.assert_allclose(roots**3 - 3 * roots, found.scan_parameter, atol=1e-9)
    assert found.window_high.size == 2


def test_the_start_selects_among_several_roots() -> None:
    game = Field(box(2), put(0.0), folded)
    found = scanned(game, Thresholds("p", low=-0.5, high=0.6), start=[1.5, 1.9])
    assert found.root_position.shape == (3, 1)
    assert found.scan_position[0, 0] > 1
    middle = scanned(game, Thresholds("p", low=-0.5, high=0.6))
    assert abs(middle.scan_position[0, 0]) < 0.5


def test_a_parameter_may_be_a_function() -> None:
    def wide(reach: float) -> Any:
        return rv.games.influencer(players=3, resource="unimodal", reach=reach)

    game = wide(0.2)
    found = scanned(game, Thresholds(wide, low=0.02, high=0.2, points=21))
    np.testing.assert_allclose(found.crossing, [threshold_reach(game.points, game.weights, 3)], atol=1e-9)
    assert str(found.parameter_name.values) == "wide"


def test_a_position_that_is_not_a_root_has_a_residual() -> None:
    game = rv.games.influencer(players=3, resource="bimodal")
    found = scanned(game, Thresholds("reach", low=0.1, high=0.3, points=11, position=[0.4]))
    assert np.all(found.scan_position == 0.4)
    assert np.all(found.scan_residual > 1)


def test_results_do_not_depend_on_chunks() -> None:
    method = Thresholds("reach", low=0.1, high=0.3)
    world = method.world(rv.games.influencer(players=3, resource="bimodal"))
    whole, parts = (method.begin(world, np.random.SeedSequence(0)) for _ in range(2))
    assert all(isinstance(array, np.ndarray) for array in whole.values())
    assert method.advance(world, whole, 99) == 4
    assert method.advance(world, parts, 1) == 1
    assert str(method.read(world, parts)["status"][1]) == "iteration limit"
    while method.advance(world, parts, 1):
        pass
    one, two = method.read(world, whole), method.read(world, parts)
    for name, (_, array) in one.items():
        assert np.array_equal(array, two[name][1]), name


def test_a_session_can_be_stored_at_any_time() -> None:
    """Eigenvalues are complex, and files hold real numbers alone."""
    method = Thresholds("p", low=-1.0, high=1.0, points=3)
    field = Field(box(2, axes=2), jnp.asarray(0.0), lambda x, p: p * x)
    session = method.begin(method.world(field), np.random.SeedSequence(0))
    session["split"][:2] = [[1 + 2j, 1 - 2j], [-3.5, 0.25]]
    arrays = {name: ((*map(str, range(a.ndim)),), a) for name, a in method.pack(session).items()}
    again = method.unpack({name: a for name, (_, a) in files.unpack(files.pack(arrays)).record.items()})
    assert again.keys() == session.keys()
    for name, array in session.items():
        assert again[name].dtype == array.dtype
        np.testing.assert_array_equal(again[name], array)


def test_invalid_input_is_refused() -> None:
    game = rv.games.influencer(players=3, resource="bimodal")
    with pytest.raises(ValueError, match=r"low: 0.3 must be below high, 0.3"):
        Thresholds("reach", low=0.3, high=0.3)
    with pytest.raises(ValueError, match=r"points: 1 must be at least 2"):
        Thresholds("reach", low=0.1, high=0.3, points=1)
    with pytest.raises(ValueError, match=r"parameter: raech: no array of this game; it has budgets, .*reach"):
        rv.solve(game, Thresholds("raech", low=0.1, high=0.3))
    with pytest.raises(ValueError, match=r"position: 2 numbers; must be 1, one per axis"):
        rv.solve(game, Thresholds("reach", low=0.1, high=0.3, position=[0.1, 0.2]))
    with pytest.raises(ValueError, match=r"position: player 0 is at 2; must be in \[0, 1\]"):
        rv.solve(game, Thresholds("reach", low=0.1, high=0.3, position=2.0))
    with pytest.raises(ValueError, match=r"low: -0.1 must be above 0, as a value of reach"):
        rv.solve(game, Thresholds("reach", low=-0.1, high=0.3))
    abstaining = rv.games.influencer(players=3, resource="bimodal", abstention=25)
    with pytest.raises(ValueError, match=r"low: -1 must be at least 0, as a value of abstention"):
        rv.solve(abstaining, Thresholds("abstention", low=-1.0, high=30.0))
    unequal = with_(game, budgets=[1.0, 1.0, 2.0])
    with pytest.raises(ValueError, match=r"player 2: unlike player 0 \(budgets\)"):
        rv.solve(unequal, Thresholds("reach", low=0.1, high=0.3))
    with pytest.raises(ValueError, match=r"players: 1 must be at least 2 for thresholds"):
        rv.solve(Field(box(1), put(0.0), folded), Thresholds("p", low=0.0, high=1.0))
    nowhere = Field(box(2), put(0.0), lambda x, p: 1.0 + 0.0 * x)
    with pytest.raises(ValueError, match="no place where all together feel no gradient"):
        rv.solve(nowhere, Thresholds("p", low=0.0, high=1.0))


@pytest.mark.default
def test_with_accepts_the_names_of_all_arrays() -> None:
    game = rv.games.influencer(players=3, resource="bimodal")
    names = arrays(game)
    assert {"reach", "weights", "points", "budgets"} <= set(names)
    for name in names:
        with_(game, **{name: 0.5})


def test_scans_with_and_without_crossings_combine_into_one_dataset(tmp_path: Path) -> None:
    game = rv.games.influencer(players=2, resource="bimodal", abstention=25.0)
    rows = []
    for q in (25.0, 100.0):
        method = Thresholds("reach", low=0.05, high=0.6, points=101)
        rows.append(({"abstention": q}, rv.solve(with_(game, abstention=q), method).record))
    (tmp_path / "found.nc").write_bytes(netcdf(collect(rows, {"abstention": [25.0, 100.0]})))
    found = xr.load_dataset(tmp_path / "found.nc", engine="h5netcdf")
    assert np.isfinite(found.crossing.values[0]).all()
    assert np.isnan(found.crossing.values[1]).all()
    assert found.crossing_direction.values[1].tolist() == ["", ""]
    assert rv.plots.stability_window(found).get_ylabel() == "weight of abstention"
