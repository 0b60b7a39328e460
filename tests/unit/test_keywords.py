"""Unknown keywords are refused in one line that names the nearest known one, wherever a user types one."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

import rivalry as rv
from rivalry.core.profiles import basins
from tests.property.test_arguments import targets

GAME, CLIMB = rv.games.influencer(reach=[0.25] * 3), rv.methods.GradientAscent()
CHICKEN, START = rv.games.matrix("chicken"), [0.1, 0.4, 0.9]

MISSPELT: dict[str, Callable[[], Any]] = {
    "leaders: is no argument of race; write rv.transforms.stackelberg(game, leaders=[0])": (
        lambda: rv.games.race(leaders=[0])
    ),
    "alpha: is called safety_exponent here": lambda: rv.games.race(alpha=1.0),
    "mux: is no argument of precipice; known: enmity, information, max_capability, players": (
        lambda: rv.games.precipice(mux=1.0)
    ),
    "etta: is no argument of Hedge; did you mean 'eta'? known: action_grid, eta, play, rounds": (
        lambda: rv.methods.Hedge(etta=0.1)
    ),
    "over: method.rat is no option of GradientAscent; did you mean 'rate'?": (
        lambda: rv.sweep(GAME, {"method.rat": [0.1]}, CLIMB, START)
    ),
    "player: is no argument of strategies; known: at, ax, compare, data": (
        lambda: rv.plots.strategies(None, player=1)
    ),
}
# the rule is not for these
PLAIN = ["Certificate", "Game", "Solution", "Study", "Leadership", "Respond", "all_equilibria", "discretise"]
PLAIN += ["explore", "load_run", "load_study", "read_nfg", "view", "with_"]
CALLS: set[Any] = {
    getattr(room, name)
    for room in (rv, rv.transforms)
    for name in dir(room)
    if name not in PLAIN and not name.startswith("_") and callable(getattr(room, name))
}
CALLS |= {*targets().values(), basins, rv.Box.of, rv.Box.interval, rv.tables.tabulate, rv.tables.rollout}


@pytest.mark.parametrize("call", sorted(CALLS, key=lambda call: call.__qualname__))
def test_every_function_names_the_argument_that_is_misspelt(call: Callable[..., Any]) -> None:
    for name, parameter in inspect.signature(call).parameters.items():
        if len(name) < 5 or parameter.kind is parameter.VAR_POSITIONAL:
            continue
        slip = name[:-1] + 2 * name[-1]
        hint = f"^{slip}: is no argument of {call.__qualname__}; did you mean '{name}'"
        with pytest.raises(ValueError, match=hint):
            call(**{slip: 1})


@pytest.mark.parametrize("message", MISSPELT)
def test_a_misspelt_keyword_is_answered_with_the_nearest_one(message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        MISSPELT[message]()


def test_a_long_list_of_keywords_is_left_to_help() -> None:
    count = len(inspect.signature(rv.games.market).parameters)
    with pytest.raises(
        ValueError, match=rf"^mc: is no argument of market; its {count} arguments are in help"
    ):
        rv.games.market(mc=1.0)


@pytest.mark.slow
def test_arguments_of_environments_and_of_their_reset_are_named() -> None:
    pytest.importorskip("pettingzoo")
    from rivalry.envs import aec_env, parallel_env, single_agent_env

    rest = CHICKEN.pure("swerve", "swerve")
    with pytest.raises(ValueError, match=r"^others: is missing; PlayerEnv needs it$"):
        single_agent_env(CHICKEN, 0)
    with pytest.raises(ValueError, match=r"^perids: is no argument of GameEnv; did you mean 'periods'"):
        single_agent_env(CHICKEN, 0, rest, perids=3)
    for make in (aec_env, parallel_env):
        with pytest.raises(ValueError, match=rf"^game: is missing; {make.__name__} needs it$"):
            make()
    for env in (single_agent_env(CHICKEN, 0, rest), aec_env(CHICKEN), parallel_env(CHICKEN)):
        with pytest.raises(ValueError, match=r"^sed: is no argument of \w+\.reset; did you mean 'seed'"):
            env.reset(sed=1)
