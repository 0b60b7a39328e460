"""Initial action values of Q-learners as arrays, lists and files."""

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

import rivalry as rv
from rivalry.methods import EnvironmentQLearning, PeriodQLearning, QLearning, RepeatedQLearning
from tests.unit.test_environments import Grid, grid_values

SEED = np.random.SeedSequence(3)
GAME = rv.games.matrix([[3, 0], [5, 1]], [[3, 5], [0, 1]])
TABLES = np.arange(16.0).reshape(2, 4, 2)


def files(folder: Path) -> list[Any]:
    """The same tables as an array, lists, a file, an archive, and a file of CSV per player."""
    np.save(folder / "q.npy", TABLES)
    np.savez(folder / "all.npz", q=TABLES, other=TABLES[:1])
    for player in range(2):
        np.savetxt(folder / f"{player}.csv", TABLES[player], delimiter=",", header="cooperate,defect")
    csv = [str(folder / f"{player}.csv") for player in range(2)]
    return [TABLES, TABLES.tolist(), str(folder / "q.npy"), f"{folder / 'all.npz'}:q", csv]


@pytest.mark.parametrize("kind", [QLearning, RepeatedQLearning])
def test_tables_of_every_form_are_the_values_at_the_beginning(kind: Any, tmp_path: Path) -> None:
    options: dict[str, Any] = {"sessions": 3} if kind is RepeatedQLearning else {"trials": 3}
    if kind is QLearning:
        options["observation"] = "joint"
    for given in files(tmp_path):
        learner = kind(initial_q=given, **options)
        values = learner.begin(learner.world(GAME), SEED)["values"].reshape(3, 2, -1)
        np.testing.assert_array_equal(values, np.broadcast_to(TABLES.reshape(2, -1), (3, 2, 8)))


@pytest.mark.slow
def test_periods_have_rows_of_their_own() -> None:
    learner = PeriodQLearning(action_grid=2, reward="raw", epochs=1)
    world = learner.world(rv.games.race(horizon=2))
    shape = learner.begin(world, SEED)["values"].shape[1:]
    given = np.arange(float(np.prod(shape))).reshape(shape)
    begun = PeriodQLearning(action_grid=2, reward="raw", epochs=1, initial_q=given).begin(world, SEED)
    given[:, -1] = 0.0  # the end of play has no value
    np.testing.assert_array_equal(begun["values"][0], given)


def test_a_number_and_a_table_may_stand_side_by_side() -> None:
    learner = QLearning(observation="joint", initial_q=[7.0, TABLES[1].tolist()])
    values = learner.begin(learner.world(GAME), SEED)["values"][0]
    np.testing.assert_array_equal(values, [np.full((4, 2), 7.0), TABLES[1]])


def test_tables_of_trials_are_their_own() -> None:
    each = np.stack([TABLES, TABLES + 100.0])
    learner = QLearning(observation="joint", initial_q=each, trials=2)
    np.testing.assert_array_equal(learner.begin(learner.world(GAME), SEED)["values"], each)


@pytest.mark.slow
def test_learning_in_an_environment_goes_on_from_right_values() -> None:
    """At the values of value iteration nothing is left to learn, so that one episode is enough."""
    game, right = rv.interop.from_gymnasium(Grid()), grid_values(0.9)
    options: dict[str, Any] = {"gamma": 0.9, "exploration": 0.0, "evaluation": 2, "step_size": 1.0}
    found = rv.solve(game, EnvironmentQLearning(episodes=1, initial_q=[right], **options))
    assert found.payoff.values == pytest.approx(right[0].max())
    np.testing.assert_allclose(found.data.action_values.values[0], right)
    blank = rv.solve(game, EnvironmentQLearning(episodes=1, **options))
    assert blank.payoff.values != pytest.approx(right[0].max())


def test_a_study_names_a_file(tmp_path: Path) -> None:
    np.save(tmp_path / "q.npy", TABLES)
    text = f"""
title = "The prisoner's dilemma, further"
question = "Where does learning end?"
source = "own"
[game]
family = "matrix"
payoffs = [[[3, 0], [5, 1]], [[3, 5], [0, 1]]]
[[method]]
kind = "q_learning"
observation = "joint"
epochs = 1
episodes = 1
initial_q = "{tmp_path / "q.npy"}"
"""
    (tmp_path / "further.toml").write_text(text)
    study = rv.load_study(tmp_path / "further.toml")
    from rivalry.lab.study import build_method

    learner = build_method(study.cells()[0].task["method"])
    np.testing.assert_array_equal(learner.begin(learner.world(GAME), SEED)["values"][0], TABLES)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (TABLES[:, :3], r"^initial_q\[0\]: shape \(3, 2\) must be \(4, 2\) \[state action\]"),
        ([TABLES[0].tolist()], "^initial_q: 1 values must be 2, one per player"),
        ("mean_payoff", "^initial_q: 'mean_payoff' must be a number or a table"),
        ("nowhere.npy", "nowhere.npy"),
        ([[[np.nan, 0.0]] * 4, 0.0], r"^initial_q\[0\]: nan must be finite"),
    ],
)
def test_wrong_values_are_refused_in_one_line(given: Any, message: str) -> None:
    def begin() -> None:
        learner = QLearning(observation="joint", initial_q=given)
        learner.begin(learner.world(GAME), SEED)

    with pytest.raises(ValueError, match=message) as refusal:
        begin()
    assert "\n" not in str(refusal.value)


def test_environments_take_numbers_only_in_place_of_intervals() -> None:
    game = rv.interop.from_gymnasium(gymnasium.make("FrozenLake-v1"))
    with pytest.raises(ValueError, match=r"^initial_q\[0\]: must be a number or a table"):
        rv.solve(game, EnvironmentQLearning(initial_q=[{"kind": "uniform", "min": 0.0, "max": 1.0}]))
