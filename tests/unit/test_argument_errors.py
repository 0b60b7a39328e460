"""Wrong arguments from Python: one line that names the parameter, the value and the rule."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import pytest

import rivalry as rv
from rivalry.schema import validate

pytestmark = pytest.mark.slow

SLIPS = {
    "rv.solve(game, rv.methods.GradientAscent, start)": "is a class; write GradientAscent()",
    "rv.solve(chicken, rv.methods.RegretMatching)": "write RegretMatching()",
    "rv.solve(game, 'gradient_ascent', start)": "method: 'gradient_ascent' must be a method",
    "rv.solve('influencer', ascent, start)": "game: 'influencer' must be a game",
    "rv.solve(game, ascent, start, max_steps=-1)": "max_steps: -1 must be a whole number of at least 0",
    "rv.solve(game, ascent, start, max_steps=1.5)": "max_steps: 1.5 must be a whole number",
    "rv.solve(game, ascent, start, tol='small')": "tol: 'small' must be a number",
    "rv.solve(game, ascent, start, seed=-3)": "seed: -3 must be a whole number",
    "rv.solve(game, ascent, start, progress=3)": "progress: 3 must be a function",
    "rv.solve(chicken, matching, max_steps=1, seed='a')": "seed: 'a' must be",
    "rv.solve(chicken, matching, max_steps='many')": "max_steps: 'many' must be",
    "rv.solve(chicken, rv.methods.RegretMatching(regrets='none'), max_steps=1)": (
        "regrets: 'none' must be one of 'unconditional', 'conditional'"
    ),
    "rv.trace(game, ascent, start, steps=-1)": "steps: -1 must be",
    "rv.trace(game, ascent, start, steps=1, every=0)": "every: 0 must be a whole number of at least 1",
    "rv.sweep(game, {'reach': [0.1]}, rv.methods.Hedge(), start)": "start: Hedge takes none; leave it out",
    "rv.sweep(game, {'reach': []}, ascent, start)": "over['reach']: [] must be a list of at least one value",
    "rv.sweep(game, {'reach': 0.2}, ascent, start)": "over['reach']: 0.2 must be a list",
    "rv.certificate(game, [0.1, 0.2])": "profile: shape (2,) must be (3, 1)",
    "rv.certificate(game, [0.1, 0.2, 3])": "profile: player 2 is at 3; must be in [0, 1]",
    "rv.best_response(game, start, 7)": "player: 7 must be a whole number in 0..2",
    "rv.best_response(game, start, 'first')": "player: 'first' must be",
    "profiles.distance([0.1], [0.2, 0.3])": "y: shape (2,) must be that of x, (1,)",
    "rv.plots.paths(game)": "data: InfluencerGame must be a solution, a run or a dataset",
    "rv.plots.bifurcation(game)": "data: InfluencerGame must be a solution, a run or a dataset",
    "rv.plots.shares(rv.view(game, 'shares', start), 3)": "ax: 3 must be Matplotlib axes",
    "rv.plots.strategies(rv.solve(game, ascent, start).data)": "'profile' holds positions",
    "rv.all_equilibria(game, max_sec=3)": "all_equilibria; did you mean 'max_seconds'?",
    "rv.all_equilibria(NoSpace())": "game: NoSpace has payoffs and no strategies; must have `space`, as in",
    "rv.all_equilibria(3)": "game: 3 must be a game",
    "rv.solve(game, ascent, start, max_step=3)": "did you mean 'max_steps'?",
    "rv.methods.GradientAscent(rat=3)": "did you mean 'rate'?",
    "rv.games.influencer(reech=[0.2, 0.2])": "did you mean 'reach'?",
    "rv.certificate()": "game: is missing; certificate needs it",
    "rv.games.market(discount=0.9)": "discount: is called gamma here",
    "rv.games.race(disaster_cost='high')": "disaster_cost: 'high' must be a number",
    "rv.methods.RepeatedQLearning(discount=0.9)": "discount: is called gamma here",
    "rv.methods.RepeatedQLearning(learning_rate=0.1)": "learning_rate: is called step_size",
    "rv.run_study('tour')": "rv.load_study('tour')",
}

SCRIPT = """
import json, sys
import rivalry as rv
from rivalry.core import profiles
game, chicken, start = rv.games.influencer(reach=[0.25] * 3), rv.games.matrix("chicken"), [0.1, 0.4, 0.9]
ascent, matching = rv.methods.GradientAscent(), rv.methods.RegretMatching()
class NoSpace:
    def payoffs(self, x):
        return -x[:, 0]
found = {}
for code in json.load(sys.stdin):
    try:
        found[code] = f"no error: {eval(code)!r}"
    except ValueError as error:
        found[code] = str(error)
    except Exception as error:
        found[code] = f"{type(error).__name__}, not ValueError: {error}"
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def told() -> dict[str, str]:
    """The message of each wrong call in a fresh process, without the type checks of the tests."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT],
        input=json.dumps(list(SLIPS)),
        env={**os.environ, "MPLBACKEND": "agg"},
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("slip", SLIPS)
def test_wrong_arguments_give_one_line_with_the_rule(slip: str, told: dict[str, str]) -> None:
    assert SLIPS[slip] in told[slip]
    assert "\n" not in told[slip]


@pytest.mark.parametrize(
    ("room", "slip", "meant"),
    [(rv, "solv", "solve"), (rv.games, "matirx", "matrix"), (rv.plots, "path", "paths")],
)
def test_an_unknown_name_is_reported_with_the_nearest_one(room: object, slip: str, meant: str) -> None:
    with pytest.raises(AttributeError, match=f"did you mean '{meant}'"):
        getattr(room, slip)


def test_a_text_that_is_no_number_is_told_so_without_the_forms_of_lists() -> None:
    with pytest.raises(ValueError, match=r"^cost: 'high' must be a number$"):
        validate.refuse("cost", float | list[float] | list[list[float]], "high")
    with pytest.raises(ValueError, match=r"^disaster_cost: 'high' must be a number$"):
        rv.games.race(disaster_cost="high")
    with pytest.raises(ValueError, match=r"^cost: True must be a number or a list of numbers"):
        validate.refuse("cost", float | list[float] | list[list[float]], True)


def test_only_the_message_that_is_raised_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def count(value: Any) -> str:
        written.append(value)
        return repr(value)

    written: list[Any] = []
    monkeypatch.setattr(validate, "format_value", count)
    hint = Literal["uniform", "bimodal"] | float | list[float]
    validate.refuse("resource", hint, [0.5, 1.0])
    assert written == []
    with pytest.raises(ValueError, match=r"^resource: 'bimodel' must be one of 'uniform', 'bimodal' or"):
        validate.refuse("resource", hint, "bimodel")
    assert written == ["bimodel"]
