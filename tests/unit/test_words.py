"""Names in words: figures and tables have one name for a quantity, a swept key and a method."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes

from rivalry import plots
from rivalry.core.results import Record, collect
from rivalry.families.race.factory import race
from rivalry.games import GAMES
from rivalry.lab.answer import Answer
from rivalry.lab.figures import draw
from rivalry.lab.report.page import mathml, symbols_of
from rivalry.lab.study.schema import parameters
from rivalry.lab.study.words import Words, name_in_words, quantities
from rivalry.living.game_parts import sliders
from rivalry.plots.select import label_of, name_of, place_of
from rivalry.schema.registry import load
from tests.unit.test_house import in_files

COSTS = [0.0, 1.0, 2.0]
METHODS = ["COIN", "own"]


def study(**answer: Any) -> dict[str, Any]:
    methods = [{"name": name, "kind": "best_response"} for name in METHODS]
    return {"game": {"family": "race"}, "method": methods, "expect": [], "plots": [], "answer": answer}


def swept(about: dict[str, Any]) -> xr.Dataset:
    """A dataset of two methods at three costs, named as a run names it."""
    cells: list[tuple[dict[str, Any], Record]] = []
    for method, cost in ((method, cost) for method in METHODS for cost in COSTS):
        values = {
            "p_safe": ((), np.asarray(0.5 + cost / 10)),
            "regret_sum": ((), np.asarray(cost)),
            "status": ((), np.asarray("converged")),
            "claim": ((), np.asarray("equilibrium")),
        }
        cells.append(({"algorithm": method, "disaster_cost": cost}, values))
    data = collect(cells, {"algorithm": METHODS, "disaster_cost": COSTS})
    name_in_words(data, about, {"algorithm", "disaster_cost"})
    return data


def test_axes_legends_and_tables_have_one_name() -> None:
    about = study(quantities=["p_safe"])
    data = swept(about)
    axes = plots.scenario(data, over="disaster_cost", series="algorithm", quantities=["p_safe"])
    (panel,) = axes.child_axes
    legend = axes.get_legend()
    assert legend is not None
    answer = Answer(about, data)
    assert panel.get_xlabel() == "cost of a disaster" == answer.table.columns[1]
    assert panel.get_title() == "probability of a safe win" == answer.table.columns[2]
    assert [text.get_text() for text in legend.get_texts()] == ["random allocation", "own"]
    assert [row[0] for row in answer.table.texts][::3] == ["random allocation", "own"]


def test_words_of_a_study_come_first() -> None:
    about = study(words={"disaster_cost": "damage", "p_safe": "safety", "own": "careful teams"})
    data = swept(about)
    assert name_of(data, "disaster_cost") == "damage" == Words(about).key("disaster_cost")
    assert name_of(data, "p_safe") == "safety" == Words(about).quantity("p_safe")
    assert place_of(data, "algorithm", 1) == "careful teams" == Words(about).method("own")
    assert place_of(data, "disaster_cost", 2) == "damage = 2"


def test_the_words_of_a_method_are_not_those_of_a_quantity() -> None:
    about = study(words={"profit": "firms that compare profits"})
    about["method"][1]["name"] = "profit"
    assert Words(about).method("profit") == "firms that compare profits"
    assert Words(about).quantity("profit") == "profit"


def test_a_swept_key_has_its_own_name_where_no_study_names_it() -> None:
    data = collect([({"unit_cost[1]": 1.0}, {"regret": ((), np.asarray(0.5))})], {"unit_cost[1]": [1.0]})
    assert name_of(data, "unit_cost[1]") == "unit cost of player 1"
    assert label_of(data, "regret") == "gain" == label_of(xr.Dataset(), "regret")
    assert label_of(xr.Dataset(), "mean_bid") == "mean bid (karma)"
    assert name_of(xr.Dataset(coords={"gamma": [0.5]}), "gamma") == "discount factor"


@pytest.mark.parametrize("family", sorted(GAMES))
def test_symbols_of_a_family_are_well_formed(family: str) -> None:
    file = in_files(GAMES[family].targets[0])
    for text in symbols_of(family).values():
        words = "".join(ElementTree.fromstring(text).itertext())
        assert "_" not in words, f"{file}: write indices of the symbol {words} without _"


def test_symbols_are_greek_letters_with_indices() -> None:
    found = ElementTree.fromstring(mathml("kappa r2_s"))
    assert [one.tag for one in found] == ["mi", "mo", "msub"]
    assert "".join(found.itertext()) == "κ,r2s"
    assert symbols_of("mine.py:Game") == {}


def test_learners_of_a_histogram_have_the_names_of_the_table() -> None:
    known = {"words": {"own": "careful teams"}}
    gains = {
        name: ("session", np.array(values))
        for name, values in (("own", [0.5, 0.7]), ("own-random", [0.1, 0.3]))
    }
    rows = [({"algorithm": name}, {"gain": ((dim,), values)}) for name, (dim, values) in gains.items()]
    data = collect(rows, {"algorithm": list(gains)})
    name_in_words(data, study(**known), {"algorithm"})
    axes = plots.histogram(data, quantity="gain", form="means")
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["careful teams", "random play"]


def labels(axes: Axes) -> list[str]:
    return list(axes.get_legend_handles_labels()[1])


def named(data: xr.Dataset) -> xr.Dataset:
    """The dataset as a run of the methods `METHODS` names it."""
    name_in_words(data, study(words={"own": "careful teams"}), {"algorithm", "gamma", "reach"})
    return data


@pytest.mark.slow
def test_methods_have_their_words_in_planes_curves_and_branches() -> None:
    over = ("algorithm", "gamma")
    fair = named(
        xr.Dataset(
            {
                "efficiency": (over, [[-1.4, -1.1], [-1.5, -1.5]]),
                "access_fairness": (over, np.zeros((2, 2))),
                "policy": ("algorithm", [np.nan, 1.0]),
            },
            {"algorithm": METHODS, "gamma": [0.0, 0.9]},
        )
    )
    exact = {"COIN": {"efficiency": -1.5, "access_fairness": -0.1}, "bound": {"efficiency": -1.0}}
    bound = {**exact, "bound": {"efficiency": -1.0, "access_fairness": 0.0}}
    plane = plots.fairness_plane(fair, exact=bound)
    drawn = {"careful teams", "random allocation", "random allocation, exact", "bound, exact"}
    assert drawn <= set(labels(plane))
    level = plots.fairness_plane(fair, across="gamma", exact=exact)
    assert {"careful teams", "random allocation (-1.25)", "bound, exact (-1)"} <= set(labels(level))

    curves = named(
        xr.Dataset(
            {
                "learning_reward": (("algorithm", "sample", "player"), [[[1.0]] * 3, [[np.nan]] * 3]),
                "learning_step": (("algorithm", "sample"), [[1.0, 2.0, 3.0]] * 2),
                "payoff": (("algorithm", "player"), [[5.0], [5.0]]),
            },
            {"algorithm": METHODS},
        )
    )
    curve = plots.learning_curve(curves, compare=True)
    assert labels(curve) == ["random allocation", "careful teams: 5, not certified"]

    ends = named(
        xr.Dataset(
            {"profile": (("algorithm", "reach", "player", "axis"), np.zeros((2, 2, 1, 1)))},
            {"algorithm": METHODS, "reach": [0.1, 0.2]},
        )
    )
    assert {"random allocation", "careful teams"} <= set(labels(plots.bifurcation(ends, compare=True)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("game", "words", "names"),
    [
        ({"family": "market"}, {}, ["firm 0", "firm 1"]),
        ({"family": "market", "stages": [[1], [0]]}, {}, ["follower", "leader"]),
        ({"family": "race"}, {}, ["player 0", "player 1"]),
        ({"family": "race"}, {"player 1": "the laggard"}, ["player 0", "the laggard"]),
    ],
)
def test_players_have_one_name_in_figures_and_tables(
    game: dict[str, Any], words: dict[str, str], names: list[str]
) -> None:
    about = study(quantities=["payoff"], words=words) | {"game": game}
    record = {"payoff": (("player",), np.array([1.0, 2.0])), "status": ((), np.asarray("converged"))}
    cells = [({"algorithm": "own", "d": cost}, {**record, "d_sum": ((), np.asarray(cost))}) for cost in COSTS]
    data = collect(cells, {"algorithm": ["own"], "d": COSTS})
    name_in_words(data, about, {"algorithm", "d"})
    legend = plots.scenario(data, quantities=["payoff"]).get_legend()
    assert [text.get_text() for text in legend.get_texts()][:2] == names
    payoffs = Answer(about, data).points[0].quantities["payoff"]
    assert [one.entry for one in payoffs] == names
    assert plots.heat(two_sweeps(data)).get_title(loc="left").startswith(names[0])


def two_sweeps(data: xr.Dataset) -> xr.Dataset:
    return data.drop_dims("algorithm").assign(
        p_safe=(("d", "e", "player"), np.ones((len(COSTS), 2, 2))), e=[0.0, 1.0]
    )


@pytest.mark.slow
def test_a_scenario_draws_what_the_answer_is_about_and_its_caption_says_it(tmp_path: Path) -> None:
    about = study(quantities=["claim", "p_safe"]) | {"plots": ["scenario"]}
    (figure,) = draw(about, swept(about), tmp_path, tmp_path, "")
    assert not figure.why
    # METHODS are two, of which the first is drawn
    first = "random allocation (first of 2)"
    assert figure.caption == f"Probability of a safe win against cost of a disaster ({first})."
    series = {"kind": "scenario", "series": "algorithm", "quantities": ["p_safe", "regret_sum"]}
    (figure,) = draw(about | {"plots": [series]}, swept(about), tmp_path, tmp_path, "")
    assert figure.caption == (
        "Probability of a safe win and regret sum against cost of a disaster, one colour per method."
    )
    assert Answer(about, swept(about)).figure["options"] == {"quantities": ["p_safe"]}


def test_players_of_games_with_stages_are_named_too() -> None:
    data = xr.Dataset({"quantity": ("seat", [1.0, 2.0]), "bound": ("player", [0.0])})
    name_in_words(data, {"game": {"family": "market", "stages": [[0], [1]]}}, ())
    assert data.attrs["player_names"].splitlines() == ["leader", "follower"]


def test_bars_of_several_methods_are_titled_with_their_words() -> None:
    bars = {"profile": (("algorithm", "player", "axis"), np.full((2, 2, 2), 0.5))}
    axes = plots.strategies(named(xr.Dataset(bars, {"algorithm": METHODS})), compare=True)
    titles = [panel.get_title() for panel in axes.child_axes]
    assert titles == ["random allocation", "careful teams"]


@pytest.mark.parametrize("family", sorted(GAMES))
def test_every_key_of_a_family_has_one_name_in_words(family: str) -> None:
    words = Words({"game": {"family": family}})
    keys = [row.name for row in parameters(load(GAMES[family].target))]
    # a table's ``kind`` is what the table itself chooses
    names = [words.key(name) for name in keys if not name.endswith(".kind")]
    assert len(set(names)) == len(names)
    assert not [name for name in names if "_" in name or "." in name]
    tables = {name.partition(".")[0] for name in keys if "." in name}
    assert not [name for name in names if any(name.endswith(f" of {table}") for table in tables)]
    assert {name.partition(".")[0] for name in GAMES[family].words} <= {*keys}


def test_keys_have_the_names_of_their_family() -> None:
    race, market = (Words({"game": {"family": family}}) for family in ("race", "market"))
    assert race.key("cost.safety_price") == "price of safety"
    assert race.key("cost.safety_price[0]") == "price of safety of player 0"
    assert race.key("beliefs[1].contest.decisiveness") == "decisiveness of the contest as player 1 believes"
    assert market.key("players") == "number of firms"
    assert Words({"game": {"family": "influencer"}}).key("parameters.tail") == "tail"
    assert Words({"game": {"family": "karma"}}).key("types[1].gamma") == "discount factor of type 1"


def test_sliders_of_a_game_have_the_names_of_its_keys() -> None:
    for one in sliders(race(disaster_cost=2.0)):
        assert one["label"] == Words({"game": {"family": "race"}}).key(one["key"])


@pytest.mark.slow
def test_axes_of_figures_are_named_for_the_family() -> None:
    def named(game: dict[str, Any], axes: int) -> xr.Dataset:
        walk = xr.Dataset({"path": (("step", "player", "axis"), np.ones((3, 2, axes)))})
        name_in_words(walk, {"game": game, "method": []}, ())
        return walk

    plt.close("all")
    race = plots.paths(named({"family": "race"}, 2))
    assert (race.get_xlabel(), race.get_ylabel()) == ("safety input", "performance input")
    assert plots.paths(named({"family": "race"}, 2), axis=1).get_ylabel() == "performance input"
    assert plots.paths(named({"family": "race"}, 2), space=False).get_ylabel() == "choice"
    assert plots.paths(named({"family": "market"}, 1)).get_ylabel() == "quantity"
    assert plots.paths(named({"family": "market", "demand": "logit"}, 1)).get_ylabel() == "price"
    assert plots.paths(named({"family": "influencer"}, 1)).get_ylabel() == "position (units of the space)"
    assert plots.paths(named({"family": "game.py:mine"}, 1)).get_ylabel() == "choice"


@pytest.mark.parametrize(("other", "shown"), [([0.1, 0.2], 1), ([0.1, 0.3], 2)])
def test_a_mean_with_the_numbers_of_its_quantity_is_no_second_one(other: list[float], shown: int) -> None:
    """In an economy of one type the mean over types of a gain is the gain."""
    cells = [
        (
            {"gamma": gamma, "algorithm": "COIN"},
            {
                "status": ((), np.asarray("completed")),
                "mean_relative_exploitability": ((), np.asarray(mean)),
                "relative_exploitability": (("type",), np.array([gain])),
            },
        )
        for gamma, mean, gain in zip([0.5, 0.9], [0.1, 0.2], other, strict=True)
    ]
    data = collect(cells, {"gamma": [0.5, 0.9], "algorithm": ["COIN"]})
    about = study()
    about["game"] = {"family": "karma"}
    about["expect"] = [{"quantity": "relative_exploitability"}]
    assert [name for name in quantities(about, data) if name.endswith("exploitability")] == [
        "relative_exploitability",
        "mean_relative_exploitability",
    ][:shown]


@pytest.mark.parametrize(
    ("mean", "both"), [([40.0, 28.0], False), ([40.0, 28.5], True), ([40.0, np.nan], True)]
)
def test_a_mean_over_players_of_different_numbers_is_no_second_quantity(
    mean: list[float], both: bool
) -> None:
    """Points of fewer players have padding, which the mean has not."""
    prices = np.array([[40.0, 40.0, np.nan], [28.0, 28.0, 28.0]])
    data = xr.Dataset({"price": (("players", "player"), prices), "mean_price": ("players", mean)})
    about = {"expect": [{"quantity": "price"}, {"quantity": "mean_price"}]}
    assert quantities(about, data) == ["price"] + ["mean_price"] * both
