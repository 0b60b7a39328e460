"""Interfaces for populations and tabular learners, with minimal examples of each."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.game import PopulationGame
from rivalry.core.results import Certificate, Record
from rivalry.games import GAMES
from rivalry.lab.executor import certify, run_study
from rivalry.lab.study import StudyError, build_method
from rivalry.methods import METHODS
from rivalry.schema.register import FamilyEntry
from rivalry.solving import solve_batch
from tests.commuting import Commute, Drift, commute
from tests.small_games import cournot

SHARES = [0.6, 0.3, 0.1]  # in proportion to 1/slope
SLOPES = [1.0, 2.0, 6.0]


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Register a family of populations, and a method kind with one class per type of game."""
    monkeypatch.setitem(GAMES, "commute", FamilyEntry("tests.commuting:commute", "roads", "", {}))
    newton = METHODS["newton"]
    monkeypatch.setitem(
        METHODS, "newton", newton._replace(targets=(newton.targets[0], "tests.commuting:Drift"))
    )


@pytest.mark.slow
def test_populations_satisfy_the_population_protocol() -> None:
    assert isinstance(commute(), PopulationGame)
    assert not isinstance(commute(), rv.Game)
    assert not isinstance(cournot(2), PopulationGame)


@pytest.mark.usefixtures("registered")
def test_the_class_of_a_kind_that_fits_the_game_is_built() -> None:
    assert isinstance(build_method({"kind": "newton"}, game=cournot(2)), rv.methods.Newton)
    assert isinstance(build_method({"kind": "newton", "rate": 0.2}, game=commute()), Drift)
    those = "evaluate, fictitious_play, newton, online_mirror_descent"
    with pytest.raises(StudyError, match=f"does not fit this game; these do: {those}$"):
        build_method({"kind": "gradient_ascent"}, game=commute())


@pytest.mark.slow
def test_solve_accepts_a_population() -> None:
    found = rv.solve(commute(SLOPES), Drift(), start=[[0.2, 0.3, 0.5]], tol=1e-12)
    assert (found.status, found.profile.dims) == ("converged", ("state", "action"))
    assert found.path.path.dims == ("step", "state", "action")
    np.testing.assert_allclose(found.profile[0], SHARES, atol=1e-9)
    assert found.claim == "equilibrium"
    np.testing.assert_allclose(found.payoff, [-0.6], atol=1e-9)


@pytest.mark.slow
def test_batches_and_traces_accept_populations() -> None:
    games = [commute(SLOPES), commute(SLOPES[::-1])]
    start = games[0].space.check([[0.2, 0.3, 0.5]])
    one, two = solve_batch(games, [Drift()] * 2, [start] * 2, tol=1e-12)
    np.testing.assert_allclose(one.profile[0], SHARES, atol=1e-9)
    np.testing.assert_allclose(two.profile[0], SHARES[::-1], atol=1e-9)
    assert one.claim == two.claim == "equilibrium"
    assert rv.trace(games[0], Drift(), [[0.2, 0.3, 0.5]], steps=3).path.dims == ("step", "state", "action")


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("starts", [None, 3])
@pytest.mark.slow
def test_a_study_accepts_a_population(tmp_path: Path, starts: int | None) -> None:
    method = {"kind": "newton", "tol": 1e-12} | ({} if starts is None else {"starts": starts})
    study = rv.Study(
        name="roads",
        game={"family": "commute", "slopes": SLOPES},
        method=method,
        sweep={"game.slopes[0]": [1.0, 2.0]},
    )
    run = run_study(study, tmp_path / "run")
    data = run.dataset()
    batch = () if starts is None else ("batch",)
    assert data.profile.dims == ("slopes[0]", "algorithm", "replication", *batch, "state", "action")
    assert (data.claim == "equilibrium").all()
    shares = data.profile.sel({"slopes[0]": 1.0}).values.reshape(-1, 3)
    np.testing.assert_allclose(shares, [SHARES] * len(shares), atol=1e-9)
    assert certify(run) == 0  # the method certified it


@pytest.mark.usefixtures("registered")
def test_payoff_plots_require_payoffs() -> None:
    study = rv.Study(
        name="roads",
        game={"family": "commute"},
        method={"kind": "newton"},
        plots=[{"kind": "paths", "quantity": "payoff"}],
    )
    with pytest.raises(StudyError, match="draws the view 'path_payoffs', which this game does not have"):
        study.check()


class Table:
    """A learner whose profile is a policy over states, with its own payoffs and certificate."""

    def begin(self, world: Any, stream: np.random.SeedSequence) -> dict[str, np.ndarray]:
        return {"policy": np.zeros((2, 4, 3))}

    def advance(self, world: Any, session: dict[str, np.ndarray], steps: int) -> int:
        session["policy"][..., 1] = 1.0
        return steps

    def read(self, world: Any, session: dict[str, np.ndarray]) -> Record:
        proof = Certificate(np.zeros(2), np.zeros(2), "tight", "dynamic programming", 1e-6)
        dims = ("player", "state", "action")
        return {"profile": (dims, session["policy"]), "payoff": (("player",), np.ones(2))} | proof.record()


def test_a_policy_over_states_keeps_its_payoffs_and_certificate() -> None:
    found = rv.solve(cournot(2), Table(), max_steps=5)
    assert found.profile.dims == ("player", "state", "action")
    assert (found.payoff.values.tolist(), found.claim) == ([1.0, 1.0], "equilibrium")
    assert found.certificate.method == "dynamic programming"


@pytest.mark.slow
def test_the_commute_population_balances_its_environment() -> None:
    game = commute(SLOPES)
    assert isinstance(game, Commute)
    even = game.space.check([[1 / 3] * 3])
    load = game.environment(np.ones(1), even)
    np.testing.assert_allclose(game.balance(load, np.ones(1), even), 0.0, atol=1e-15)
    np.testing.assert_allclose(game.expect(load)(np.array([2.0])), 2.0)


@pytest.mark.usefixtures("registered")
def test_a_kind_with_several_classes_shows_the_options_of_all() -> None:
    from rivalry.cli.output import fitted
    from rivalry.cli.show import describe

    rows, parts = describe("newton")
    assert [row["name"] for row in rows] == ["rate"]
    assert "length of a step" in "".join(map(fitted, parts))
