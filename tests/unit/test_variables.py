"""Names, units and meanings of variables, and coordinates of players and axes, in labelled datasets."""

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.results import collect, dataset
from rivalry.schema.annotations import meaning_of, signature_of
from rivalry.text.display import attributes_of, variables

CHICKEN = rv.games.matrix("chicken")


@pytest.mark.slow
def test_every_variable_of_a_solution_has_a_name_and_a_meaning() -> None:
    game = rv.games.influencer(reach=[0.25] * 3)
    for found in (
        rv.solve(CHICKEN, rv.methods.MixedEquilibria()),
        rv.solve(game, rv.methods.GradientAscent(), start=[0.1, 0.4, 0.9]),
    ):
        for name, variable in found.data.variables.items():
            assert variable.attrs["long_name"], name
            assert variable.attrs["description"], name
        assert found.data.payoff.attrs["units"] == found.data.regret.attrs["units"] == "payoff"
        assert found.payoff.attrs == found.data.payoff.attrs
    assert found.path.path_step.attrs["units"] == "steps"


@pytest.mark.slow
def test_axes_and_players_have_the_names_that_the_game_gives_them() -> None:
    found = rv.solve(CHICKEN, rv.methods.Evaluate(), CHICKEN.pure("swerve", "straight"))
    assert found.profile.sel(axis="straight").values.tolist() == [0.0, 1.0]
    assert found.data.support.sel(axis="swerve").values.tolist() == [True, False]
    path = rv.trace(CHICKEN, rv.methods.GradientAscent(), CHICKEN.pure(0, 1), steps=2)
    assert path.axis.values.tolist() == ["swerve", "straight"]
    ragged = rv.games.matrix([[1, 2, 3]], [[1, 2, 3]])
    other = rv.solve(ragged, rv.methods.Evaluate(), [[1, 0, 0], [0, 0, 1]])
    assert other.profile.axis.values.tolist() == ["0", "1", "2"]


@pytest.mark.slow
def test_a_sweep_has_names_units_and_the_axes_of_the_game() -> None:
    found = rv.sweep(
        rv.games.market(), {"slope": [1.0, 2.0]}, rv.methods.GradientAscent(), [[10.0], [10.0]], max_steps=5
    )
    assert found.profile.sel(axis="quantity", slope=2.0).dims == ("player",)
    assert found.payoff.attrs["units"] == "payoff"
    assert found.price.attrs["description"] == "price per unit"
    assert found.slope.attrs["long_name"] == "slope"
    hints = signature_of(rv.games.market)[1]
    assert found.slope.attrs["description"] == meaning_of(hints["slope"]) != ""


def test_names_that_do_not_fit_a_dimension_are_left_out() -> None:
    record = {
        "payoff": (("player",), np.array([1.0, 2.0])),
        "player_name": (("player",), np.array(["a", "b"])),
    }
    assert "player" not in dataset(record, {"player": ("a", "b", "c"), "axis": ("x",)}).coords
    assert dataset(record, {"player": ("a", "b")}).payoff.sel(player="b").item() == 2.0


def test_attributes_of_truth_values_are_kept() -> None:
    data = collect([({"a": 1}, {"complete": ((), np.asarray(True))})], {"a": [1]})
    assert data.complete.attrs["flag_meanings"] == "false true"
    assert (data.complete.attrs["long_name"], data.a.attrs["long_name"]) == ("complete", "a")


def test_meanings_are_phrases() -> None:
    for name in (name for name, known in variables().items() if "meaning" in known):
        attributes = attributes_of(name)
        phrase = attributes["description"]
        assert not phrase.endswith("."), name
        assert phrase != attributes["long_name"], name
        left = attributes_of(f"left_{name}")["description"]
        assert left == f"{phrase}, at the unstable points that the run left", name
