"""Text representations of games, including traced games and games without arrays."""

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from xml.etree import ElementTree

import jax
import numpy as np
import pytest

import rivalry as rv
from rivalry.core.results import NO_CERTIFICATE, Certificate, Record, Solution
from rivalry.lab.store import Run
from rivalry.text.display import LINE
from tests.duel_study import study


def test_the_repr_of_a_game_names_players_space_and_options() -> None:
    game = rv.games.influencer(reach=[0.2, 0.3], space="box", third_party="1 + 0*b1", abstention=0.5)
    said = repr(game)
    for words in ("2 players", "[0, 1] × [0, 1]", "Gaussian, reach [0.2 0.3]", "third party", "abstention"):
        assert words in said
    assert repr(rv.games.matrix(np.eye(2))) == "Zero-sum matrix game of 2 players, 2 × 2 actions"
    assert repr(rv.games.matrix(np.eye(2), np.eye(2))) == "Matrix game of 2 players, 2 × 2 actions"
    assert repr(rv.games.matrix("jordan")) == "Matrix game of 3 players, 2 × 2 × 2 actions (heads, tails)"


@pytest.mark.parametrize("game", [rv.games.influencer(), rv.games.matrix("chicken")])
def test_the_repr_of_a_game_works_when_traced_and_without_arrays(game: object) -> None:
    told = []

    def traced(inner: object) -> float:
        told.append(repr(inner))
        return 0.0

    jax.jit(traced)(game)
    told.append(repr(jax.tree.map(lambda leaf: None, game)))
    assert all(told)


REACH = np.linspace(0.1, 0.4, 40).tolist()
MANY = [[f"action {k}" for k in range(200)]] * 2
# one game of every family and transform, with arrays too long for a line where the family allows any
GAMES: dict[str, Callable[[], object]] = {
    "influencer": lambda: rv.games.influencer(reach=REACH),
    "influencer in a box": lambda: rv.games.influencer(space="box", reach=[0.2] * 2),
    "matrix": lambda: rv.games.matrix("chicken"),
    "large matrix": lambda: rv.games.matrix(np.zeros((2, 200, 200)), actions=MANY),
    "market": lambda: rv.games.market(unit_cost=np.linspace(1, 2, 30).tolist()),
    "staged market": lambda: rv.games.market(stages=[[1], [0]]),
    "race": lambda: rv.games.race(horizon=3, players=4),
    "believing race": lambda: rv.games.race(beliefs=[{}, {"disaster_cost": 3.0}]),
    "continuous": lambda: rv.games.continuous(),
    "precipice": lambda: rv.games.precipice(),
    "auction": lambda: rv.games.auction(),
    "karma": lambda: rv.games.karma(),
    "city": lambda: rv.games.city(network="stubs_2x2", agents=40, mean_karma=2.0),
    "freeze": lambda: rv.transforms.freeze(rv.games.matrix("jordan"), {2: [1.0, 0.0]}),
    "stackelberg": lambda: rv.transforms.stackelberg(
        rv.games.matrix("chicken"), [0], rv.transforms.Followers()
    ),
    "repeat": lambda: rv.transforms.repeat(rv.games.matrix("chicken"), periods=3),
    "in_stages": lambda: rv.transforms.in_stages(rv.games.matrix("chicken"), [[0], [1]]),
    "walks": lambda: rv.transforms.walks(rv.games.influencer(reach=[0.25] * 2), step=0.1),
}


@pytest.mark.representative
@pytest.mark.parametrize("name", GAMES)
def test_every_game_has_one_line_of_text_without_long_arrays(name: str) -> None:
    said = repr(GAMES[name]())
    assert "\n" not in said
    assert 20 < len(said) <= LINE
    assert not re.search(r"\[[^]]{60,}\]", said)
    assert "=" not in said  # no field of a dataclass


@pytest.mark.representative
@pytest.mark.parametrize("name", GAMES)
def test_every_game_has_a_table_for_notebooks(name: str) -> None:
    game = GAMES[name]()
    page = game._repr_html_()  # type: ignore[attr-defined]
    assert_plain(page)
    assert repr(game).split(":")[0].split(" ...")[0] in unescape(re.sub("<[^>]*>", "", page))


def assert_plain(page: str) -> None:
    """The HTML is well formed, has no scripts, and sets no colour, which a dark page would contradict."""
    assert ElementTree.fromstring(page) is not None
    assert not re.search("<script|javascript:|style=|color|background|on[a-z]+=", page)


def test_the_representation_escapes_names() -> None:
    game = rv.games.matrix(np.eye(2), np.eye(2), actions=["<script>alert(1)</script>", "b & c"])
    found = rv.solve(game, rv.methods.PureEquilibria())
    for page in (game._repr_html_(), found._repr_html_()):
        assert_plain(page)
        assert "&lt;script&gt;" in page
        assert "b &amp; c" in page


def test_the_numbers_of_a_game_are_those_of_its_parameters() -> None:
    assert "reach 0.1 to 0.4" in repr(GAMES["influencer"]())
    assert "intercept 100, slope 1, unit_cost 1 to 2" in repr(GAMES["market"]())
    assert "mean_karma 10, max_karma 20" in repr(GAMES["karma"]())
    assert "over 3 periods" in repr(GAMES["race"]())


@pytest.mark.slow
def test_a_solution_shows_status_claim_and_every_player() -> None:
    found = rv.solve(rv.games.matrix("chicken"), rv.methods.Evaluate(), [[0.9, 0.1], [0.9, 0.1]])
    lines = str(found).splitlines()
    assert lines[0] == f"Solution: converged after {found.steps} step"
    assert lines[1].split(maxsplit=1) == ["claim", repr(found.certificate)]
    assert [line.split(maxsplit=2) for line in lines[2:]] == [
        ["profile"],
        ["player", "payoff", "strategy"],
        ["0", "-0.1", "swerve 0.9, straight 0.1"],
        ["1", "-0.1", "swerve 0.9, straight 0.1"],
    ]
    for words in ("converged", "equilibrium", "swerve 0.9, straight 0.1", "-0.1"):
        assert words in found._repr_html_()


@pytest.mark.slow
def test_learners_show_payoffs_and_strategies() -> None:
    found = rv.solve(rv.games.matrix("chicken"), rv.methods.FictitiousPlay(), max_steps=10)
    for player, row in enumerate(str(found).splitlines()[-2:]):
        number, payoff, strategy = row.split(maxsplit=2)
        assert int(number) == player
        assert float(payoff) == pytest.approx(float(found.payoff[player]), rel=1e-5)
        assert strategy == f"swerve {found.profile[player, 0]:.6g}, straight {found.profile[player, 1]:.6g}"


def test_a_solution_without_a_profile_or_payoffs_says_what_it_holds() -> None:
    """Lists, thresholds and contests of many players have neither."""
    found = Solution(
        {"status": ((), np.asarray("converged")), "value": ((), np.asarray(1.0))}, NO_CERTIFICATE
    )
    for name in ("payoff", "profile"):
        with pytest.raises(AttributeError, match=f"^solution: has no {name}; `data` holds status, value$"):
            getattr(found, name)


def ended(status: str, steps: int) -> Record:
    return {"status": ((), np.asarray(status)), "steps": ((), np.asarray(steps))}


def test_learners_in_sessions_show_the_means_of_final_play() -> None:
    record = ended("completed", 7) | {
        "end_payoff": (("session", "player"), np.array([[1.0, 2.0], [3.0, 5.0]])),
        "end_action": (("session", "player", "axis"), np.array([[[10.0], [20.0]], [[30.0], [20.0]]])),
    }
    lines = str(Solution(record, NO_CERTIFICATE, {"player": ("old", "new"), "axis": ("price",)})).splitlines()
    assert lines[:3] == [
        "Solution: completed after 7 steps",
        "  claim   no certificate",
        "  payoff  mean of 2 sessions in final play",
    ]
    assert [line.split() for line in lines[-2:]] == [
        ["old", "2", "price", "20"],
        ["new", "3.5", "price", "20"],
    ]


def test_mixtures_show_the_points_that_they_mix() -> None:
    record = ended("converged", 1) | {
        "mixture": (("player", "action"), np.array([[0.25, 0.75], [1.0, 0.0]])),
        "action_grid": (("player", "action", "axis"), np.array([[[0.1], [0.9]], [[0.5], [0.5]]])),
        "payoff": (("player",), np.array([1.0, -1.0])),
    }
    solution = Solution(record, NO_CERTIFICATE)
    lines = [line.split() for line in str(solution).splitlines()[-3:]]
    points = [["player", "0", "1", "0.1", "0.25"], ["0.9", "0.75"], ["player", "1", "-1", "0.5", "1"]]
    assert lines == points
    frame = solution.to_dataframe()
    assert list(frame.columns) == ["player", "payoff", "choice", "probability"]
    assert frame["choice"].tolist() == [0.1, 0.9, 0.5]
    assert frame["probability"].tolist() == [0.25, 0.75, 1.0]


def test_points_of_mixtures_whose_probability_rounds_to_0_are_left_out_of_print() -> None:
    weights = np.array([0.25, 1e-9, 0.75 - 1e-9, 0.0])
    record = ended("completed", 1) | {
        "mixture": (("player", "action"), weights[None]),
        "action_grid": (("player", "action", "axis"), np.linspace(0.0, 1.0, 4)[None, :, None]),
    }
    solution = Solution(record, NO_CERTIFICATE)
    assert str(solution).splitlines()[-1].strip() == "not shown: 1 more points"
    assert solution.to_dataframe()["probability"].tolist() == weights[:3].tolist()


def test_studies_and_runs_have_tables_for_notebooks(tmp_path: Path) -> None:
    one = study(tmp_path)
    run = Run.create_or_open(tmp_path / "runs" / "a & b", one)
    for page in (one._repr_html_(), run._repr_html_()):
        assert_plain(page)
        assert "A duel" in page
    assert "a &amp; b" in run._repr_html_()


@pytest.mark.slow
def test_a_solution_prints_what_was_asked() -> None:
    duopoly = rv.games.market(unit_cost=[10.0, 30.0], choice="quantity")
    slopes = repr(rv.solve(duopoly, rv.methods.ComparativeStatics("unit_cost[1]")))
    # quantities (a - 2 c_i + c_j) / 3: slopes 1/3 and -2/3 in the rival's and the own unit cost
    rows = [re.split(r" {2,}", line.strip())[:3] for line in slopes.splitlines()]
    assert ["derivative", "value", "value of the parameter"] in rows
    for noun, slope in (
        ("quantity of player 0", "0.333333"),
        ("quantity of player 1", "-0.666667"),
        ("payoff of player 0", "24.4444"),
        ("payoff of player 1", "-22.2222"),
        ("total quantity", "-0.333333"),
    ):
        assert [f"d {noun} / d unit cost of player 1", slope, "30"] in rows
    led = rv.solve(rv.transforms.stackelberg(duopoly, [0]), rv.methods.BestResponse())
    played = [re.split(r" {2,}", line.strip()) for line in repr(led).splitlines()]
    assert ["player 1", "56.25", "quantity 7.5"] in played
    assert "what all players play" in led._repr_html_()


@pytest.mark.slow
def test_a_result_without_certificate_says_so() -> None:
    game = rv.games.market(unit_cost=[10.0, 30.0], choice="quantity")
    found = rv.solve(game, rv.methods.BestResponse(), tolerance=None)
    assert (found.claim, repr(found.certificate)) == ("no certificate", "no certificate")
    assert found.certificate.regret.size == 0


def test_the_end_of_a_dynamic_that_is_no_equilibrium_is_called_so() -> None:
    record = ended("converged", 7) | {
        "end_state": ((), np.asarray("stable_point")),
        "profile": (("player", "axis"), np.array([[0.5], [0.5]])),
        "payoff": (("player",), np.ones(2)),
    }
    refuted = Certificate(np.full(2, 0.3), np.full(2, 0.4), "bounded", "grid", 1e-6)
    assert "stable point, no equilibrium" in repr(Solution(record, refuted))
    assert "stable point, no" not in repr(Solution(record, NO_CERTIFICATE))
