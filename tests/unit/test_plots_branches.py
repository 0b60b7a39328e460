"""Plots of branches with events and cycles, spectra, and stability windows match the data."""

from typing import Any

import numpy as np
import pytest
import xarray as xr

import rivalry as rv
from rivalry.core.results import Record, collect, dataset
from rivalry.plots.branches import structure
from tests.figure_elements import labels, lines

LOSS, HOPF = 0.19, 0.158
REACHES = np.linspace(0.11, 0.29, 13).tolist()


def spread(reach: float) -> float:
    """Distance of the outer two players from the centre: a pitchfork."""
    return float(np.sqrt(max(LOSS - reach, 0.0)))


def branches() -> Record:
    """A centre that loses stability at ``LOSS``, and a mirror branch that has a Hopf point at ``HOPF``."""
    centre, below = np.linspace(0.1, 0.3, 41), np.linspace(0.1, 0.19, 19)
    x = [[0.5, 0.5, 0.5]] * 41 + [[0.5 - spread(r), 0.5, 0.5 + spread(r)] for r in below]
    parameter = np.concatenate([centre, below])
    own = np.repeat([0, 1], [41, 19])
    first = np.where(own == 0, LOSS - parameter, HOPF - parameter)
    real = np.stack([first, first, np.full(60, -1.0)], axis=1)
    turn = np.where(own == 1, 6.0, 0.0)
    return {
        "parameter_name": ((), np.asarray("game.reach")),
        "branch": (("row",), own),
        "branch_parameter": (("row",), parameter),
        "branch_position": (("row", "player", "axis"), np.array(x)[:, :, None]),
        "branch_group": (("row", "player"), np.where(own[:, None] == 0, 0, np.arange(3))),
        "branch_payoff": (("row", "player"), np.ones((60, 3))),
        "branch_regret": (("row", "player"), np.where(own[:, None] == 0, 0.0, 0.2) * np.ones(3)),
        "branch_coverage": (("row",), np.full(60, "lower bound")),
        "branch_stable": (("row",), first < 0),
        "branch_eigenvalues_real": (("row", "eigenvalue"), real),
        "branch_eigenvalues_imag": (("row", "eigenvalue"), np.stack([turn, -turn, 0 * turn], axis=1)),
        "event_kind": (("event",), np.array(["symmetric_loss", "hopf"])),
        "event_parameter": (("event",), np.array([LOSS, HOPF])),
        "event_position": (
            ("event", "player", "axis"),
            np.array([[0.5] * 3, [0.5 - spread(HOPF), 0.5, 0.5 + spread(HOPF)]])[:, :, None],
        ),
        "orbit_parameter": (("orbit",), np.array([0.15, 0.14])),
        "orbit_low": (("orbit", "player", "axis"), np.full((2, 3, 1), 0.3)),
        "orbit_high": (("orbit", "player", "axis"), np.full((2, 3, 1), 0.7)),
        "orbit_hopf": (("orbit",), np.zeros(2, int)),
    }


def ends(reach: float) -> Record:
    x = np.array([[0.5 - spread(reach)], [0.5], [0.5 + spread(reach)]])
    return {
        "profile": (("player", "axis"), x),
        "claim": ((), np.asarray("equilibrium")),
        "resource_total": ((), np.asarray(3.0)),
        "end_state": ((), np.asarray("stable_point")),
        "eigenvalues_real": (("eigenvalue",), np.array([LOSS - reach, -1.0])),
        "eigenvalues_imag": (("eigenvalue",), np.zeros(2)),
    }


@pytest.fixture(scope="module")
def one() -> xr.Dataset:
    return dataset(branches())


@pytest.fixture(scope="module")
def run() -> xr.Dataset:
    """Two methods of one study: runs at every reach, branches stored once."""
    rows: list[Any] = [({"reach": reach, "algorithm": "climb"}, ends(reach)) for reach in REACHES]
    rows.append(({"reach": REACHES[0], "algorithm": "branches"}, branches()))
    return collect(rows, {"reach": REACHES, "algorithm": ["climb", "branches"]})


def test_branches_are_solid_if_stable_and_thin_if_not_certified(one: xr.Dataset) -> None:
    ax = rv.plots.bifurcation(one)
    assert ax.get_xlabel() == "reach"
    curves = lines(ax, "_line")
    centre = [line for line in curves if set(line.get_ydata()) == {0.5} and line.get_linewidth() > 2]
    assert [line.get_linestyle() for line in centre] == ["--", "-"]
    before, after = (line.get_xdata() for line in centre)
    assert before[-1] == after[0] == pytest.approx(0.195)  # one piece ends where the next begins
    outer = [line for line in curves if line.get_ydata()[0] < 0.5]
    np.testing.assert_allclose(
        np.concatenate([line.get_ydata() for line in outer]),
        0.5 - np.sqrt(np.maximum(LOSS - np.concatenate([line.get_xdata() for line in outer]), 0)),
    )
    assert {line.get_linewidth() for line in outer} == {0.9}
    words = {
        "all 3 together",
        "groups 1 + 1 + 1",
        "stable branch",
        "unstable branch",
        "thin: not an equilibrium",
    }
    assert words <= set(labels(ax))


def test_events_show_their_parameter_and_cycles_are_bands(one: xr.Dataset) -> None:
    ax = rv.plots.bifurcation(one)
    assert {"loss of symmetry at 0.19", "Hopf point at 0.158"} <= set(labels(ax))
    stars = [found for found in ax.get_lines() if found.get_marker() == "*"]
    np.testing.assert_allclose(stars[0].get_ydata(), [0.5 - spread(HOPF), 0.5, 0.5 + spread(HOPF)])
    (band,) = rv.plots.bifurcation.marks_of(one).marks[:1]
    assert (band.kind, band.x.tolist()) == ("band", [0.14, 0.15])  # sorted by the parameter
    assert (band.low[0], band.high[0]) == (0.3, 0.7)


def test_branches_with_local_coverage_are_not_certified() -> None:
    local = branches()
    local["branch_coverage"] = (("row",), np.full(60, "local"))
    assert {line.get_linewidth() for line in lines(rv.plots.bifurcation(dataset(local)), "_line")} == {0.9}


@pytest.mark.slow
@pytest.mark.parametrize(("gain", "width"), [(0.99e-6, 2.2), (1.01e-6, 0.9)])
def test_branches_are_certified_up_to_a_millionth_of_all_payoffs(gain: float, width: float) -> None:
    """The three payoffs add up to 12; a stored total of the resource replaces their sum."""
    record = branches() | {
        "branch_payoff": (("row", "player"), np.tile([3.0, -4.0, 5.0], (60, 1))),
        "branch_regret": (("row", "player"), np.full((60, 3), 12 * gain)),
    }
    curves = lines(rv.plots.bifurcation(dataset(record)), "_line")
    assert {line.get_linewidth() for line in curves} == {width}
    record["resource_total"] = ((), np.asarray(12 / 1.5))
    less = lines(rv.plots.bifurcation(dataset(record)), "_line")
    assert {line.get_linewidth() for line in less} == {0.9}


def test_many_events_of_one_kind_are_counted_without_their_values() -> None:
    record = branches()
    positions = np.linspace(0.12, 0.18, 5)
    record["event_kind"] = (("event",), np.full(5, "fold"))
    record["event_parameter"] = (("event",), positions)
    record["event_position"] = (("event", "player", "axis"), np.full((5, 3, 1), 0.5))
    assert "fold (5)" in labels(rv.plots.bifurcation(dataset(record)))
    for known in (np.append(np.nan, positions[:4]), np.append(positions[:4], np.nan)):
        record["event_parameter"] = (("event",), known)
        assert "fold at 0.12, 0.135, 0.15, 0.165" in labels(rv.plots.bifurcation(dataset(record)))


@pytest.mark.slow
def test_runs_and_branches_are_drawn_together(run: xr.Dataset) -> None:
    ax = rv.plots.bifurcation(run)
    assert {"stable branch", "stable point", "player 2", "Hopf point at 0.158"} <= set(labels(ax))
    (grey,) = {line.get_color() for line in lines(ax, "_line") if line.get_zorder() == 2.5}
    assert grey == "#888888"
    marks = [line for line in ax.get_lines() if line.get_marker() == "o" and len(line.get_xdata()) == 13]
    assert len(marks) == 3
    centre = [line for line in lines(ax, "_line") if set(line.get_ydata()) == {0.5}]
    assert max(line.get_linewidth() for line in centre) > 2  # resource_total of the other method is ignored
    alone = rv.plots.bifurcation(run, at={"algorithm": "branches"})
    assert "stable point" not in labels(alone)
    assert "all 3 together" in labels(alone)


def test_branches_over_another_parameter_are_omitted(run: xr.Dataset) -> None:
    other = run.copy()
    other["parameter_name"] = xr.where(other.parameter_name != "", "abstention", "")
    assert "stable branch" not in labels(rv.plots.bifurcation(other, over="reach"))
    with pytest.raises(ValueError, match="over: 'size' is not swept"):
        rv.plots.bifurcation(run, over="size")
    with pytest.raises(ValueError, match="axis: 1 must be a whole number from 0 to 0"):
        rv.plots.bifurcation(run, axis=1)


def test_structures_are_listed_by_decreasing_group_size() -> None:
    assert structure(np.array([1, 0, 1, 2, 1])) == "groups 3 + 1 + 1"
    assert structure(np.array([0.0, 0.0, np.nan])) == "all 2 together"  # padding of a smaller game


def crossing(low: float, high: float) -> Record:
    """A scan with a window of stability from ``low`` to ``high``."""
    scan = np.linspace(0.05, 0.4, 71)
    real = -(scan - low) * (high - scan)
    return {
        "parameter_name": ((), np.asarray("reach")),
        "crossing": (("crossing",), np.array([low, high])),
        "crossing_direction": (("crossing",), np.array(["gains stability", "loses stability"])),
        "scan_parameter": (("scan",), scan),
        "scan_eigenvalues_real": (("scan", "eigenvalue"), np.stack([real, real - 1], axis=1)),
        "scan_eigenvalues_imag": (("scan", "eigenvalue"), np.zeros((71, 2))),
        "scan_stable": (("scan",), real < 0),
        "threshold": ((), np.asarray(low)),
    }


def test_stability_window_is_bounded_by_the_crossings() -> None:
    weights = [0.0, 10.0, 20.0]
    rows = [({"abstention": q}, crossing(0.1 + 0.002 * q, 0.3 - 0.003 * q)) for q in weights]
    ax = rv.plots.stability_window(collect(rows, {"abstention": weights}))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("reach", "weight of abstention")
    gains, loses = lines(ax, "_crossing")
    np.testing.assert_allclose(gains.get_xdata(), [0.1, 0.12, 0.14])
    np.testing.assert_allclose(loses.get_xdata(), [0.3, 0.27, 0.24])
    np.testing.assert_allclose(lines(ax, "closed form (threshold)")[0].get_xdata(), [0.1, 0.12, 0.14])
    area = np.concatenate([path.vertices for path in ax.collections[0].get_paths()])
    at_zero = area[area[:, 1] == 0, 0]
    np.testing.assert_allclose([at_zero.min(), at_zero.max()], [0.1, 0.3], atol=0.003)
    assert "gains stability as the parameter rises" in labels(ax)


def test_a_constant_stability_window_is_drawn() -> None:
    """Crossings equal at all points are stored once."""
    data = collect([({"q": q}, crossing(0.1, 0.3)) for q in (1.0, 2.0)], {"q": [1.0, 2.0]})
    curves = lines(rv.plots.stability_window(data, threshold=None), "_crossing")
    assert [list(line.get_xdata()) for line in curves] == [[0.1, 0.1], [0.3, 0.3]]
    with pytest.raises(ValueError, match="no parameter swept over numbers"):
        rv.plots.stability_window(data.isel(q=0))


@pytest.mark.slow
def test_spectra_over_the_parameter(one: xr.Dataset) -> None:
    ax = rv.plots.spectrum(one)
    np.testing.assert_allclose(lines(ax, "_real")[0].get_ydata(), LOSS - np.linspace(0.1, 0.3, 41))
    dashed = lines(ax, "_imaginary")
    assert [set(line.get_ydata()[np.isfinite(line.get_ydata())]) for line in dashed] == [{6.0}]
    kinds = [label for label in labels(rv.plots.bifurcation(one)) if label.startswith(("all", "groups"))]
    assert {*kinds, "real part", "Hopf point"} <= set(labels(ax))  # in the colours of the branches
    bare = rv.plots.spectrum(one.drop_vars("branch_group"))
    assert {"branch 0", "branch 1"} <= set(labels(bare))
    scan = rv.plots.spectrum(dataset(crossing(0.1, 0.3)))
    assert scan.get_xlabel() == "reach"
    assert len(lines(scan, "_real")) == 2


def test_spectra_in_the_complex_plane(one: xr.Dataset, run: xr.Dataset) -> None:
    points = rv.plots.spectrum(one, plane=True).collections[0].get_offsets()
    assert points.shape == (180, 2)
    assert {-6.0, 0.0, 6.0} == set(points[:, 1])
    single = rv.plots.spectrum(dataset(ends(0.15)))
    np.testing.assert_allclose(lines(single, "unstable")[0].get_xdata(), [0.04])
    over = rv.plots.spectrum(run, source="end")
    np.testing.assert_allclose(lines(over, "_real")[0].get_ydata(), LOSS - np.array(REACHES))
    with pytest.raises(ValueError, match="source: no eigenvalues of a scan in this data"):
        rv.plots.spectrum(run, source="scan")
    with pytest.raises(ValueError, match="source: 'rows' must be 'branch', 'scan' or 'end'"):
        rv.plots.spectrum(run, source="rows")


def test_crossings_are_drawn_with_the_runs(run: xr.Dataset) -> None:
    rows: list[Any] = [({"reach": reach, "algorithm": "climb"}, ends(reach)) for reach in REACHES]
    rows.append(({"reach": REACHES[0], "algorithm": "scan"}, crossing(0.12, 0.2)))
    data = collect(rows, {"reach": REACHES, "algorithm": ["climb", "scan"]})
    words = labels(rv.plots.bifurcation(data))
    assert {"symmetric point gains stability at 0.12", "symmetric point loses stability at 0.2"} <= set(words)
    assert not [text for text in labels(rv.plots.bifurcation(data, thresholds=None)) if "symmetric" in text]


def test_every_equilibrium_of_a_list_is_drawn_at_every_value() -> None:
    """In a stag hunt player 1 mixes with 3/v, player 0 with 3/4; at v = 3 these join the pure equilibrium."""
    payoffs = [2.0, 3.0, 4.0, 5.0]
    game = rv.games.matrix([[4.0, 0.0], [3.0, 3.0]], [[4.0, 3.0], [0.0, 3.0]])
    run = rv.sweep(game, {"payoffs[0][0][0]": payoffs}, rv.methods.MixedEquilibria(), progress=False)
    ax = rv.plots.bifurcation(run, over="payoffs[0][0][0]")
    marks = np.concatenate([np.stack(line.get_data(), axis=1) for line in ax.lines]).astype(float)
    drawn = {(x, round(y, 12)) for x, y in marks.tolist() if np.isfinite(y)}
    mixed = {(value, share) for value in payoffs[1:] for share in (0.75, round(3 / value, 12))}
    pure = {(value, 0.0) for value in payoffs} | {(value, 1.0) for value in payoffs[1:]}
    assert drawn == mixed | pure
    ends = [path.vertices.tolist() for piece in ax.collections for path in piece.get_paths()]
    assert ends == [[[3.0, 0.75], [3.0, 1.0]], [[3.0, 1.0], [3.0, 1.0]]]
    assert ax.get_ylabel() == "probability of action 0"


@pytest.mark.slow
def test_places_that_may_hold_further_equilibria_are_marked() -> None:
    """At benefit 3/5 two equilibria of adoption meet at 3/10, a fold that no search of boxes decides."""
    pays = [
        f"benefit*{own}*{other}^2/({other}^2+0.09)-{own}^2/2" for own, other in (("x1", "x2"), ("x2", "x1"))
    ]
    game = rv.games.continuous(payoffs=pays, parameters={"benefit": 0.5})
    run = rv.sweep(game, {"benefit": [0.5, 0.6]}, rv.methods.AllEquilibria(), progress=False)
    ax = rv.plots.bifurcation(run, over="benefit")
    (place,) = [line for line in ax.lines if line.get_label() == "undecided place"]
    assert place.get_xdata().tolist() == [0.6, 0.6]
    assert place.get_ydata() == pytest.approx([0.3, 0.3], abs=1e-5)


@pytest.mark.slow
def test_results_of_thresholds_are_drawn() -> None:
    """The spectrum plot reads the variables that the method stores."""
    game = rv.games.influencer(players=3, resource="bimodal")
    found = rv.solve(game, rv.methods.Thresholds("reach", low=0.15, high=0.25)).data
    ax = rv.plots.spectrum(found)
    assert ax.get_xlabel() == "reach"
    root = float(found.crossing[0])
    real = lines(ax, "_real")[0]
    assert np.interp(root, real.get_xdata(), real.get_ydata()) == pytest.approx(0, abs=1.0)


@pytest.mark.slow
def test_an_eigenvalue_axis_over_decades_has_plain_numbers(one: xr.Dataset) -> None:
    spread = one.assign(branch_eigenvalues_real=one.branch_eigenvalues_real * 0 + np.array([-1e4, 1.0, 2.0]))
    ax = rv.plots.spectrum(spread)
    ax.figure.canvas.draw()
    words = [text.get_text() for text in ax.get_yticklabels()]
    assert words
    assert not any("$" in word for word in words)


def test_a_stability_window_joins_scans_at_different_values() -> None:
    """Scans that begin elsewhere are interpolated; where one has no values the area ends."""
    rows = []
    for q, shift in ((0.0, 0.0), (10.0, 0.05), (20.0, 0.1)):
        scan = crossing(0.15, 0.3)
        moved = scan["scan_parameter"][1] + shift
        stable = (moved > 0.15) & (moved < 0.3)
        real = -(moved - 0.15) * (0.3 - moved)
        scan |= {
            "scan_parameter": (("scan",), moved),
            "scan_stable": (("scan",), stable),
            "scan_eigenvalues_real": (("scan", "eigenvalue"), np.stack([real, real - 1], axis=1)),
        }
        rows.append(({"q": q}, scan))
    ax = rv.plots.stability_window(collect(rows, {"q": [0.0, 10.0, 20.0]}))
    area = np.concatenate([path.vertices for path in ax.collections[0].get_paths()])
    for q in (0.0, 10.0, 20.0):
        across = area[np.isclose(area[:, 1], q), 0]
        np.testing.assert_allclose([across.min(), across.max()], [0.15, 0.3], atol=0.005)
    assert ax.get_xlim() == pytest.approx((0.05, 0.5))


def test_a_window_without_stable_points_has_no_area() -> None:
    rows = []
    for q in (1.0, 2.0):
        scan = crossing(0.1, 0.3)
        for name in ("crossing", "crossing_direction", "scan_eigenvalues_real", "scan_eigenvalues_imag"):
            del scan[name]
        rows.append(({"q": q}, scan | {"scan_stable": (("scan",), np.zeros(71, dtype=bool))}))
    ax = rv.plots.stability_window(collect(rows, {"q": [1.0, 2.0]}), threshold=None)
    assert not ax.collections
    assert not ax.lines
