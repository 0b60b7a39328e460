"""Datasets and files: records of many cells in one dataset; equal data give equal bytes."""

import time
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot as plt

import rivalry as rv
from rivalry.core.results import (
    Certificate,
    Solution,
    collect,
    dataset,
    is_truth,
    netcdf,
    place_key,
    provenance,
    stack_records,
    unstack_records,
)
from rivalry.lab.export import tidy, to_csv
from rivalry.plots.style import picture
from rivalry.results.reader import profile_rows
from rivalry.solving.ends import certify
from tests.duel_study import record

AXES = {"reach": [0.1, 0.2], "algorithm": ["climb", "step"], "replication": [0, 1]}
PLACES = [dict(zip(AXES, place, strict=True)) for place in product(*AXES.values())]
ROWS = [(at, record(k)) for k, at in enumerate(PLACES)]


def test_every_value_is_stored_at_its_coordinates() -> None:
    data = collect(ROWS, AXES)
    assert data.profile.dims == ("reach", "algorithm", "replication", "player", "axis")
    for at, found in ROWS:
        cell = data.sel(at)
        np.testing.assert_array_equal(cell.profile, found["profile"][1])
        assert cell.status == str(found["status"][1])
        assert cell.steps == found["steps"][1]


def test_missing_cells_have_missing_values() -> None:
    missing = collect(ROWS[:1], AXES).sel({"reach": 0.2, "algorithm": "climb", "replication": 0})
    assert np.isnan(missing.profile).all()
    assert (missing.status, missing.steps) == ("", -1)


def test_booleans_are_numbers_with_and_without_missing_cells() -> None:
    safe = {"safe": ((), np.asarray(True))}
    assert collect([({"a": 1}, safe)], {"a": [1]}).safe.values.tolist() == [1.0]
    np.testing.assert_array_equal(collect([({"a": 1}, safe)], {"a": [1, 2]}).safe, [1.0, np.nan])


def test_unequal_lengths_are_padded_at_the_end() -> None:
    data = collect(ROWS, AXES)
    for at, found in ROWS:
        rows = len(found["path"][1])
        path = data.path.sel(at).values
        np.testing.assert_array_equal(path[:rows], found["path"][1])
        assert np.isnan(path[rows:]).all()


def test_cells_with_one_start_fill_the_first_batch_index() -> None:
    one = {"payoff": (("player",), np.array([1.0, 2.0]))}
    many = {"payoff": (("batch", "player"), np.arange(6.0).reshape(3, 2))}
    data = collect([({"algorithm": "a"}, one), ({"algorithm": "b"}, many)], {"algorithm": ["a", "b"]})
    assert data.payoff.dims == ("algorithm", "batch", "player")
    np.testing.assert_array_equal(data.payoff.sel({"algorithm": "a"})[0], [1, 2])
    assert np.isnan(data.payoff.sel({"algorithm": "a"})[1:]).all()


def test_inconsistent_dimensions_are_refused() -> None:
    rows = [({"a": 1}, {"x": (("i", "j"), np.zeros((1, 1)))}), ({"a": 2}, {"x": (("k",), np.zeros(1))})]
    with pytest.raises(ValueError, match="x: has dimensions"):
        collect(rows, {"a": [1, 2]})


def test_conflicting_lengths_get_separate_dimensions() -> None:
    cell = {"x": (("place",), np.zeros(2)), "y": (("place",), np.zeros(3))}
    data = collect([({"a": 1}, cell)], {"a": [1]})
    assert (data.x.dims, data.y.dims) == (("a", "place"), ("a", "y_place"))


def test_a_batch_is_a_coordinate_and_zipped_keys_are_companions() -> None:
    cell = {"reach": (("reach",), np.array([0.1, 0.2])), "gain": (("reach",), np.array([1.0, 2.0]))}
    data = collect([({"a": 1}, cell)], {"a": [1]}, {"b": ("a", [7])})
    assert float(data.gain.sel(a=1, reach=0.2)) == 2
    assert data.b.dims == ("a",)
    assert "reach" in data.coords


def test_a_metric_with_the_name_of_a_zipped_key_is_left_out() -> None:
    """As with an axis: the coordinate already holds the values, of which the metric may be a copy."""
    cells = [
        ({"point": k}, {"mean_karma": ((), np.asarray(float(k))), "level": ((), np.asarray(k))})
        for k in (0, 1)
    ]
    data = collect(cells, {"point": range(2)}, {"mean_karma": ("point", [4.0, 5.0])})
    assert (data.mean_karma.values.tolist(), data.level.values.tolist()) == ([4.0, 5.0], [0, 1])


def test_swept_lists_become_coordinate_labels() -> None:
    rows = [({"reach": [0.1, 0.2]}, record(1)), ({"reach": [0.2, 0.2]}, record(2))]
    data = collect(rows, {"reach": [[0.1, 0.2], [0.2, 0.2]]})
    assert data.reach.values.tolist() == ["[0.1, 0.2]", "[0.2, 0.2]"]
    np.testing.assert_array_equal(data.payoff[1], record(2)["payoff"][1])


def test_stacked_records_are_row_major() -> None:
    found = stack_records([record(k) for k in range(6)], {"reach": 2, "batch": 3})
    assert found["payoff"][0] == ("reach", "batch", "player")
    np.testing.assert_array_equal(found["payoff"][1][1, 2], record(5)["payoff"][1])
    np.testing.assert_array_equal(found["payoff"][1][0, 1], record(1)["payoff"][1])


@pytest.mark.slow
def test_equal_data_give_equal_bytes_whenever_written(tmp_path: Path) -> None:
    data = collect(ROWS, AXES)
    first = netcdf(data)
    time.sleep(1.1)  # timestamps of the library have a resolution of one second
    assert netcdf(collect(list(reversed(ROWS)), AXES)) == first
    (tmp_path / "d.nc").write_bytes(first)
    assert xr.load_dataset(tmp_path / "d.nc", engine="h5netcdf").identical(data)


def test_a_solution_has_text_and_html_representations() -> None:
    found = Solution(record(1), Certificate.from_record(record(1)))
    assert "converged" in repr(found)
    assert (found.claim, found.path.path.dims) == ("not an equilibrium", ("step", "player", "axis"))
    assert found.data.identical(dataset(record(1)))
    assert "<td>not an equilibrium" in found._repr_html_()


def test_a_certificate_prints_regret_and_tolerance_of_one_player() -> None:
    units = np.array([1e-9, 1e-3])
    within = Certificate(np.array([1e-10, 5e-4]), np.array([1e-9, 1e-3]), "tight", "by hand", units)
    assert "largest gain 0.0005, at most 0.001 in floating point (tight: by hand), tolerance 0.001" in repr(
        within
    )
    # the player that decides, not the one with the larger gain
    above = within._replace(regret=np.array([1e-6, 5e-4]))
    assert above.claim == "not an equilibrium"
    assert "largest gain 1e-06, at most 0.001 in floating point (tight: by hand), tolerance 1e-09" in repr(
        above
    )


def test_boolean_padding_is_missing_not_false() -> None:
    batch = {"stable": (("batch",), np.array([True, True]))}
    one = {"stable": ((), np.array(True))}
    data = collect(
        [({"algorithm": "many"}, batch), ({"algorithm": "one"}, one)], {"algorithm": ["many", "one"]}
    )
    np.testing.assert_array_equal(data.stable.values, [[1.0, 1.0], [1.0, np.nan]])


def test_a_swept_value_is_stored_only_as_a_coordinate() -> None:
    rows = [({"beta": b}, {"beta": ((), np.array(b)), "gain": ((), np.array(1 / b))}) for b in (2.0, 4.0)]
    data = collect(rows, {"beta": [2.0, 4.0]})
    assert data.beta.values.tolist() == [2.0, 4.0]
    assert data.gain.sel(beta=4.0).item() == 0.25


def test_types_do_not_depend_on_missing_cells() -> None:
    whole = {
        "flag": ((), np.asarray(True)),
        "flags": (("k",), np.array([True, False])),
        "count": ((), np.asarray(3)),
        "size": ((), np.asarray(3, dtype=np.uint8)),
        "word": ((), np.asarray("abc")),
        "number": ((), np.asarray(0.5)),
    }
    axes = {"x": [1, 2]}
    done = collect([({"x": 1}, whole), ({"x": 2}, whole)], axes)
    half = collect([({"x": 1}, whole), ({"x": 2}, {})], axes)
    assert {name: str(v.dtype) for name, v in done.items()} == {n: str(v.dtype) for n, v in half.items()}
    assert {name: v.attrs.keys() for name, v in done.items()} == {n: v.attrs.keys() for n, v in half.items()}
    np.testing.assert_array_equal(half["flag"], [1.0, np.nan])
    assert [str(name) for name, v in done.items() if is_truth(v)] == ["flag", "flags"]
    for data, last in ((done, "2,3,true,0.5,3,abc"), (half, None)):
        lines = to_csv(tidy(data, ("x",), ["count", "flag", "number", "size", "word"])).splitlines()
        assert lines[1] == "1,3,true,0.5,3,abc"
        assert lines[2:] == ([last] if last else [])


def test_a_large_variable_that_is_nearly_all_padding_is_refused() -> None:
    long = {f"{k}": {"a": (("i", "j"), np.zeros((1, 20_000) if k else (20_000, 1)))} for k in (0, 1)}
    with pytest.raises(ValueError, match="a: 320000 bytes in 2 cells would be padded to 6400000000"):
        collect([({"x": x}, one) for x, one in long.items()], {"x": list(long)})


@pytest.mark.slow
def test_a_solution_gives_every_plot_its_data() -> None:
    game = rv.games.influencer(reach=[0.25] * 2)
    # a cycle is drawn of all steps: this run stores each of them, and has not converged by then
    with pytest.warns(UserWarning, match="not converged after 400 steps"):
        found = rv.solve(game, rv.methods.GradientAscent(), start=[0.1, 0.9], max_steps=400)
    here = found.plot_data("influence")
    np.testing.assert_array_equal(here.influence, rv.view(game, "influence", found.profile.values).influence)
    assert set(found.data.data_vars) < set(here.data_vars)
    moves = found.plot_data("paths", quantity="payoff")
    np.testing.assert_allclose(moves.path_payoffs[-1], found.payoff, rtol=1e-12)
    for plot in ("cycle", "influence", "landscape", "paths", "shares", "spectrum"):
        axes = getattr(rv.plots, plot)(found)
        assert axes.figure.axes
        plt.close(axes.figure)
    drawn = [picture(rv.plots.landscape, data).svg for data in (found, found.plot_data("landscape"))]
    assert drawn[0] == drawn[1]
    with pytest.raises(ValueError, match=r"^plot: 'influense' is unknown; did you mean 'influence'"):
        found.plot_data("influense")


def test_a_plot_of_a_solution_says_what_the_game_or_the_result_lacks() -> None:
    mixed = rv.solve(rv.games.matrix("chicken"), rv.methods.RegretMatching(), max_steps=50)
    pure = rv.solve(rv.games.matrix("chicken"), rv.methods.PureEquilibria())
    cases = [
        ("landscape", mixed, "draws 'landscape', which this game does not offer"),
        ("influence", mixed, "draws 'influence', which this game does not offer"),
        ("influence", pure, "draws 'influence', which this game does not offer"),
        ("cycle", pure, "draws a path of profiles, which this result does not have"),
    ]
    for plot, found, words in cases:
        with pytest.raises(ValueError, match=rf"^plot: '{plot}' {words}$"):
            getattr(rv.plots, plot)(found)
    with pytest.raises(ValueError, match="'profile' holds strategies; it must be a policy"):
        rv.plots.policy_map(pure)


def test_players_of_some_cells_are_seats_where_others_have_followers() -> None:
    rows = [
        ({"leaders": "none"}, {"gain": (("player",), np.array([1.0, 2.0]))}),
        ({"leaders": "one"}, {"gain": (("seat",), np.array([3.0, 4.0, 5.0]))}),
    ]
    found = collect(rows, {"leaders": ["none", "one"]}).gain
    assert found.dims == ("leaders", "seat")
    np.testing.assert_array_equal(found, [[1.0, 2.0, np.nan], [3.0, 4.0, 5.0]])


def test_unsigned_integers_are_padded_with_minus_one() -> None:
    rows = [({"q": k}, {"count": (("row",), np.arange(k + 1, dtype=np.uint32))}) for k in (0, 1)]
    found = collect(rows, {"q": [0, 1]})["count"]
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, [[0, -1], [0, 1]])


def test_values_on_an_axis_are_compared_as_numbers_where_they_are() -> None:
    same = [[1, 2], (1.0, 2.0), np.array([1, 2])]
    assert len({place_key(value) for value in same}) == 1
    other = [[1, 3], {"kind": "grid"}, [[1], [2, 3]], "grid", None, 1]
    assert len({place_key(value) for value in [*same, *other]}) == 1 + len(other)


def test_stacked_records_are_taken_apart_again() -> None:
    """Variables without the leading dimensions belong to no single record."""
    parts = [
        {"profile": (("player",), np.array([k, k + 0.5])), "steps": ((), np.asarray(k))} for k in range(6)
    ]
    whole = stack_records(parts, {"row": 2, "column": 3})
    whole["row_name"] = (("row",), np.array(["a", "b"]))
    found = unstack_records(whole, 2)
    assert len(found) == 6
    for part, one in zip(parts, found, strict=True):
        assert set(one) == {"profile", "steps"}
        for name, (dims, array) in part.items():
            assert one[name][0] == dims
            np.testing.assert_array_equal(one[name][1], array)


def test_final_play_of_sessions_is_printed_as_mean_actions() -> None:
    final = {
        "end_action": (("session", "player"), np.array([[1.0, 2.0], [2.0, 4.0]])),
        "end_payoff": (("session", "player"), np.array([[0.5, 1.0], [0.5, 3.0]])),
    }
    texts = [[entry.text for entry in row.values()] for row in profile_rows(final, {})]
    assert texts == [["0", "0.5", "[1.5]"], ["1", "2", "[3]"]]
    assert profile_rows(final, {"axis": ("price",)})[1]["strategy"].text == "price 3"
    assert profile_rows(final, {"axis": ("price",)}, numbers=True)[1]["price"].mean == 3.0


def test_packages_that_are_not_installed_have_no_version() -> None:
    known = provenance(["no_such_package"])
    assert {"python", "machine", "rivalry", "jax"} <= known.keys()
    assert "no_such_package" not in known


@pytest.mark.parametrize("entry", [0.5, np.nan])
def test_no_method_converges_to_an_undefined_profile(entry: float) -> None:
    profile = np.array([[0.5, entry], [0.5, 0.5]])
    record = {"profile": (("player", "axis"), profile), "status": ((), np.asarray("converged"))}
    solution = certify(rv.games.matrix("matching_pennies"), record, None)
    assert solution.status == ("not found" if np.isnan(entry) else "converged")
