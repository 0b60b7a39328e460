"""Answers of runs with more points than a figure can show: a sample is drawn, and all are counted."""

from typing import Any

import numpy as np
import pytest
import xarray as xr

from rivalry.lab.answer import Answer
from rivalry.lab.dimensions import MOST, thinned

POINTS = 5_000


def study(**more: Any) -> dict[str, Any]:
    tables: dict[str, Any] = {
        "name": "many",
        "game": {"family": "influencer"},
        "sweep": {"game.reach": [0.1, 0.4]},
    }
    tables["replications"] = {"count": 1, "seed": 3}
    method = [{"name": "start", "kind": "evaluate", "start": [0.5, 0.5]}]
    return tables | {"method": method, "plots": [], "expect": [], "answer": {"quantities": ["spread"]}} | more


def data(**sizes: int) -> xr.Dataset:
    """Spreads that rise with the first coordinate; the last cell of all is no equilibrium."""
    shape = tuple(sizes.values())
    rises = np.broadcast_to(np.linspace(0.0, 1.0, shape[0]).reshape(-1, *[1] * (len(shape) - 1)), shape)
    claims = np.full(shape, "equilibrium", dtype="U32")
    claims[(-2,) * len(shape)] = "not an equilibrium"
    dims = tuple(sizes)
    found = {
        "spread": (dims, rises),
        "status": (dims, np.full(shape, "converged")),
        "claim": (dims, claims),
        "cell": (dims, np.arange(rises.size).reshape(shape).astype(str)),
        "regret": ((*dims, "player"), (claims != "equilibrium")[..., None] * 0.5),
        "bound": ((*dims, "player"), (claims != "equilibrium")[..., None] * 0.5),
        "at_stake": ((*dims, "player"), np.ones((*shape, 1))),
        "tolerance": ((*dims, "player"), np.full((*shape, 1), 1e-6)),
        "coverage": (dims, np.full(shape, "tight")),
    }
    return xr.Dataset(found, {name: np.linspace(0.1, 0.4, size) for name, size in sizes.items()})


@pytest.mark.parametrize(
    "sizes", [{"reach": POINTS}, {"reach": 100, "width": 100}, {"reach": 3, "width": 9_000}]
)
def test_a_sample_is_even_has_both_ends_and_at_most_so_many_points(sizes: dict[str, int]) -> None:
    found = thinned(sizes)
    assert np.prod([len(index) for index in found.values()]) <= MOST
    for dim, index in found.items():
        assert (index[0], index[-1]) == (0, sizes[dim] - 1)
        assert np.ptp(np.diff(index)) <= 1


def test_few_points_are_all_drawn() -> None:
    answer = Answer(study(), data(reach=300))
    assert answer.sampled is answer.data
    assert not any("evenly spaced" in line for line in answer.caveats)


@pytest.mark.slow
def test_a_sample_is_drawn_and_all_are_counted() -> None:
    answer = Answer(study(), data(reach=POINTS))
    assert answer.sampled.sizes["reach"] == MOST
    assert "made of 2,000 of 5,000 points, evenly spaced" in " ".join(answer.caveats)
    table = answer.table_of(20)
    assert "not an equilibrium" in {text for row in table.texts for text in row}
    assert table.rows_left_out + len(table.rows) == POINTS


@pytest.mark.slow
def test_the_figure_of_cells_has_the_sample() -> None:
    answer = Answer(study(), data(reach=100, width=100))
    assert dict(answer.sampled.sizes)["reach"] == 44
    assert len(answer.cells) == 10_000


def random_data() -> xr.Dataset:
    """Spreads at random of two methods with two replications, in an order of one key that is none."""
    rng = np.random.default_rng(5)
    sizes = {"algorithm": 2, "reach": 90, "width": 70, "replication": 2}
    made = data(**sizes)
    shape = tuple(sizes.values())
    made["spread"] = (tuple(sizes), rng.normal(size=shape))
    made["status"][:, :30, 5:] = ""
    made["spread"] = made["spread"].where(made["status"] != "")
    order = rng.permutation(90)
    return made.assign_coords(
        algorithm=["one", "other"], replication=[0, 1], reach=np.linspace(1.0, 2.0, 90)[order]
    )


def test_a_heat_map_has_means_of_bins_and_their_weakest_claims() -> None:
    answer = Answer(study(), random_data())
    found = answer.tiled[0][1]
    assert [entry["at"]["algorithm"] for entry, _ in answer.tiled] == ["one", "other"]
    assert found["spread"].shape == found["claim"].shape == (2, 40, 40)
    by_reach = answer.data.sortby("reach")
    some = by_reach.isel(algorithm=1, reach=slice(0, 3), width=slice(0, 2))  # 90 in 40 bins: the first has 3
    assert found["spread"].values[1, 0, 0] == pytest.approx(np.nanmean(some["spread"].values))
    assert found["reach"].values[0] == pytest.approx(some["reach"].values.mean())
    weights = np.array([len(part) for part in np.array_split(np.arange(90), 40)])
    assert weights @ found["reach"].values == pytest.approx(answer.data["reach"].values.sum())
    assert (found["claim"].values == "not an equilibrium").sum() == 1
    assert found["claim"].values[0, 0, 0] == "equilibrium"


def test_a_bin_without_results_has_neither_mean_nor_claim() -> None:
    made = random_data().sortby("reach")
    made["status"][0, :9] = ""
    made["spread"] = made["spread"].where(made["status"] != "")
    found = Answer(study(), made).tiled[0][1]
    assert np.isnan(found["spread"].values[0, 0]).all()
    assert set(found["claim"].values[0, 0].tolist()) == {""}


def test_a_run_of_one_key_has_no_heat_map() -> None:
    assert Answer(study(), data(reach=POINTS)).tiled == []


def test_few_points_have_no_summary() -> None:
    answer = Answer(study(), data(reach=300))
    assert answer.summary is None
    assert answer.tiled == []


@pytest.mark.slow
def test_tables_have_the_quantiles_of_all_results_and_means_in_bins() -> None:
    answer = Answer(study(), random_data())
    quantiles, reach, width, *_ = answer.summary.tables
    own = answer.data["spread"].sel(algorithm="one").values
    own = own[np.isfinite(own)]
    label, *texts = quantiles.texts[0]
    assert label.startswith("one, spread")
    assert texts[0] == f"{own.size:,}"
    assert [float(text) for text in texts[1:]] == pytest.approx(
        np.quantile(own, [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1]), rel=1e-3
    )
    assert len(reach.rows) == len(width.rows) == 2 * 10
    last = answer.data.sortby("reach").isel(algorithm=1, reach=slice(-9, None))
    assert reach.texts[-1][0].startswith("other, ")
    mean, _, rest = reach.texts[-1][1].partition(" (")
    assert float(mean) == pytest.approx(float(last["spread"].mean()), rel=1e-3)
    low, high = np.nanquantile(last["spread"].values, [0.05, 0.95])
    assert [float(end) for end in rest.removesuffix(")").split(" to ")] == pytest.approx(
        [low, high], rel=1e-3
    )


@pytest.mark.slow
def test_the_worst_certificates_and_random_cells_are_named() -> None:
    *_, worst, some = Answer(study(), data(reach=POINTS)).summary.tables
    assert worst.texts[0][1:3] == [str(POINTS - 2), "not an equilibrium"]
    ids = [texts[1] for texts in some.texts]
    assert len(set(ids)) == 10
    again = Answer(study(), data(reach=POINTS)).summary
    assert [texts[1] for texts in again.tables[-1].texts] == ids
    other = Answer(study(replications={"count": 1, "seed": 4}), data(reach=POINTS)).summary
    assert [texts[1] for texts in other.tables[-1].texts] != ids
