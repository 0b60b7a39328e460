"""Figures of a report: defaults of a family, and the nearest point where the asked one is missing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from rivalry.lab.executor import run_study
from rivalry.lab.figures import MOST_DEFAULTS, draw
from rivalry.lab.report.page import build
from rivalry.lab.study import load_study
from rivalry.plots import PLOTS, scenario
from rivalry.plots.families import DEFAULTS, OTHER, default_figures
from rivalry.text.statistics import half_width
from tests.unit.stored_run import stored, study

EVERY = [(name, figure) for name, one in DEFAULTS.items() for figure in one.figures]
EVERY += [("other", figure) for figure in OTHER.figures]


@pytest.mark.parametrize(("family", "figure"), EVERY)
def test_default_figures_are_plots_of_what_cells_or_their_games_hold(family: str, figure: Any) -> None:
    entry = PLOTS[figure.kind]
    # cells store plot data of a game only for plots that a study names; a report computes others for one cell
    offered = {"influencer": {"landscape", "influence"}}.get(family, set())
    assert set(entry.views_of(figure.options)) <= offered
    assert not entry.families or family in entry.families or family == "precipice"


def data_of(runs: int = 1) -> xr.Dataset:
    """Two methods over three reaches with replications."""
    shape = (3, 2, runs)
    payoff = np.arange(6.0 * runs * 2).reshape(*shape, 2)
    dims = ("reach", "algorithm", "replication")
    coords = {"reach": [0.1, 0.2, 0.3], "algorithm": ["a", "b"], "replication": range(runs)}
    values = {
        "status": (dims, np.full(shape, "converged")),
        "claim": (dims, np.full(shape, "equilibrium")),
        "profile": ((*dims, "player", "axis"), payoff[..., None] / payoff.max()),
        "payoff": ((*dims, "player"), payoff),
    }
    return xr.Dataset(values, coords)


def test_default_figures_show_all_methods() -> None:
    game = [{"kind": "landscape"}, {"kind": "influence"}]
    assert default_figures("influencer", data_of()) == [{"kind": "bifurcation", "compare": True}, *game]
    payoffs = {"kind": "scenario", "series": "algorithm"}
    profile = {"kind": "scenario", "quantities": ["profile"], "series": "algorithm"}
    assert default_figures("mine.py:contest", data_of()) == [profile, payoffs]
    assert default_figures("matrix", data_of()) == [{"kind": "strategies", "compare": True}, payoffs]
    assert "series" not in default_figures("market", data_of().isel(algorithm=[0]))[0]


def test_an_empty_run_has_no_default_figure() -> None:
    assert default_figures("influencer", xr.Dataset()) == []


@pytest.mark.slow
def test_a_study_without_plots_has_figures_in_its_report(tmp_path: Path) -> None:
    run = stored(tmp_path / "run", study(plots=[]))
    text = build(run.folder).read_text(encoding="utf-8")
    assert "these are default figures of its family" in text
    names = sorted(path.name for path in (run.folder / "figures").iterdir())
    assert names == ["01-bifurcation.svg", "02-paths.svg", "03-landscape.svg", "04-influence.svg"]
    assert len(names) <= MOST_DEFAULTS
    assert text.count("<figure>") == 4
    assert "was not drawn" not in text


@pytest.mark.slow
def test_a_report_draws_the_game_of_the_first_cell_that_has_a_profile(tmp_path: Path) -> None:
    written = tmp_path / "own.toml"
    written.write_text(
        """
        [game]
        family = "influencer"
        [[method]]
        kind = "evaluate"
        start = [0.4, 0.6]
        [sweep]
        "game.reach" = [0.2, 0.3]
        """,
        encoding="utf-8",
    )
    run = run_study(load_study(written), tmp_path / "run")
    assert "landscape" not in run.dataset()
    text = build(run.folder).read_text(encoding="utf-8")
    assert "the others&#39; positions fixed (reach 0.2)." in text
    assert "Influence of every player over the space (reach 0.2)." in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("at", "words"),
    [
        ({"reach": 0.5}, "asks for reach 0.5, which this run lacks"),
        ({"width": 2.0}, "asks for width 2, which this run lacks"),
        ({"algorithm": "c", "reach": 0.2}, "asks for c, reach 0.2, which this run lacks"),
        ({"reach": 0.2}, ""),
        ({"players": 2}, ""),  # the game has this value throughout
    ],
)
def test_a_figure_uses_the_nearest_point_and_says_so(tmp_path: Path, at: dict[str, Any], words: str) -> None:
    wanted = {"game": {"family": "influencer", "players": 2}, "plots": [{"kind": "end_positions", "at": at}]}
    (figure,) = draw(wanted, data_of(), tmp_path, tmp_path, "f")
    assert figure.why == ""
    assert (words in figure.caption) if words else ("asks for" not in figure.caption)
    if at == {"reach": 0.5}:
        assert "reach = 0.3" in figure.caption


@pytest.mark.slow
def test_a_figure_that_several_missing_points_have_in_common_is_drawn_once(tmp_path: Path) -> None:
    asked = (0.3, 0.5, 0.6, 0.2)
    plots = [{"kind": "end_positions", "at": {"reach": reach}} for reach in asked]
    figures = draw(
        {"game": {"family": "influencer", "players": 2}, "plots": plots}, data_of(), tmp_path, tmp_path, "f"
    )
    assert [one.file for one in figures] == ["01-end_positions.svg", "04-end_positions.svg"]
    words = "The study asks for reach 0.5 and for reach 0.6, which this run lacks: this is the nearest point."
    assert [words in one.caption for one in figures] == [True, False]
    assert sorted(path.name for path in tmp_path.glob("*.svg")) == [one.file for one in figures]


@pytest.mark.slow
def test_a_figure_of_a_sweep_is_left_out_of_a_single_point(tmp_path: Path) -> None:
    made = study(plots=[{"kind": "scenario", "over": "reach"}]).with_changes({"game.reach": 0.25})
    text = build(stored(tmp_path / "run", made).folder).read_text(encoding="utf-8")
    assert "Figure 1, scenario, is left out: " in text
    assert "was not drawn" not in text


def test_a_scenario_draws_means_over_replications_with_intervals() -> None:
    data = data_of(runs=4)
    (panel,) = scenario(data, quantities="payoff", series="algorithm").child_axes
    marks = [line for line in panel.lines if line.get_marker() in ("o", "s", "^", "D")]
    drawn = {round(float(y), 9) for line in marks for y in line.get_ydata()}
    means = data.payoff.mean("replication").values
    assert {round(float(y), 9) for y in means.ravel()} <= drawn
    bars = [bar for one in panel.containers for bar in one[2][0].get_segments()]
    half = half_width(data.payoff.transpose("replication", ...).values)
    widths = sorted(float(bar[1, 1] - bar[0, 1]) / 2 for bar in bars)
    assert widths == pytest.approx(sorted(half.ravel()))


def test_one_weaker_replication_leaves_a_mean_uncertified() -> None:
    data = data_of(runs=2)
    data["claim"][1, 0, 1] = "not an equilibrium"
    (panel,) = scenario(data, quantities="payoff", at={"algorithm": "a"}).child_axes
    hollow = [line for line in panel.lines if line.get_markerfacecolor() in ("none", "white")]
    assert {float(x) for line in hollow for x in line.get_xdata()} == {0.2}
