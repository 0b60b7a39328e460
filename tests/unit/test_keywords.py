"""Unknown keywords are refused in one line that names the nearest known one, wherever a user types one."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

import rivalry as rv
from rivalry.core.profiles import basins

GAME, CLIMB = rv.games.influencer(reach=[0.25] * 3), rv.methods.GradientAscent()
CHICKEN, START = rv.games.matrix("chicken"), [0.1, 0.4, 0.9]

MISSPELT: dict[str, Callable[[], Any]] = {
    "leaders: is no argument of race; write rv.transforms.stackelberg(game, leaders=[0])": (
        lambda: rv.games.race(leaders=[0])
    ),
    "reech: is no argument of influencer; did you mean 'reach'?": lambda: rv.games.influencer(reech=[0.2]),
    "netwrk: is no argument of city; did you mean 'network'?": lambda: rv.games.city(netwrk="ring"),
    "alpha: is called safety_exponent here": lambda: rv.games.race(alpha=1.0),
    "mux: is no argument of precipice; known: enmity, information, max_capability, players": (
        lambda: rv.games.precipice(mux=1.0)
    ),
    "etta: is no argument of Hedge; did you mean 'eta'? known: action_grid, eta, play, rounds": (
        lambda: rv.methods.Hedge(etta=0.1)
    ),
    "strt: is no argument of solve; did you mean 'start'?": lambda: rv.solve(GAME, CLIMB, strt=START),
    "max_step: is no argument of solve; did you mean 'max_steps'?": (
        lambda: rv.solve(GAME, CLIMB, START, max_step=3)
    ),
    "step: is no argument of trace; did you mean 'steps'? known: every, game, method, rng, seed, start, "
    "steps": lambda: rv.trace(GAME, CLIMB, START, step=3),
    "over: method.rat is no option of GradientAscent; did you mean 'rate'?": (
        lambda: rv.sweep(GAME, {"method.rat": [0.1]}, CLIMB, START)
    ),
    "tolerence: is no argument of certificate; did you mean 'tolerance'? "
    "known: game, points, proof, tolerance, x": (
        lambda: rv.certificate(CHICKEN, CHICKEN.pure(0, 0), tolerence=0.1)
    ),
    "playr: is no argument of best_response; did you mean 'player'? known: game, player, points, x": (
        lambda: rv.best_response(CHICKEN, CHICKEN.pure(0, 0), playr=1)
    ),
    "sed: is no argument of check_game; did you mean 'seed'? known: game, seed": (
        lambda: rv.check_game(CHICKEN, sed=1)
    ),
    "sed: is no argument of check_method; did you mean 'seed'? known: game, method, seed": (
        lambda: rv.check_method(CLIMB, sed=1)
    ),
    "worker: is no argument of run_study; did you mean 'workers'? known: executor, out, progress, study, "
    "workers": lambda: rv.run_study("matrix_classics", worker=2),
    "perids: is no argument of repeat; did you mean 'periods'? known: game, memory, periods": (
        lambda: rv.transforms.repeat(CHICKEN, perids=3)
    ),
    "leader: is no argument of stackelberg; did you mean 'leaders'? known: game, leaders, respond": (
        lambda: rv.transforms.stackelberg(CHICKEN, leader=[0])
    ),
    "relaton: is no argument of compare; did you mean 'relation'? known: claims, left, margin, quantity, "
    "relation, right": lambda: rv.compare(None, relaton="<"),
    "widht: is no argument of basins; did you mean 'width'? known: exchangeable, profiles, width, within": (
        lambda: basins([], widht=1.0)
    ),
    "playres: is no argument of Box.of; did you mean 'players'? known: bounds, coordinates, players, "
    "zero_threshold": lambda: rv.Box.of([[0, 1]], playres=2),
    "plyers: is no argument of Box.interval; did you mean 'players'? known: assumed, high, low, players": (
        lambda: rv.Box.interval(0, 1, plyers=2)
    ),
    "lows: is no argument of Box; did you mean 'low'?": lambda: rv.Box(lows=0.0),
    "size: is no argument of Simplex; did you mean 'sizes'? known: min_share, sizes": (
        lambda: rv.Simplex(size=(2, 2))
    ),
    "round: is no argument of Followers; did you mean 'rounds'? known: points, rounds, tol": (
        lambda: rv.transforms.Followers(round=3)
    ),
    "action_gird: is no argument of tabulate; did you mean 'action_grid'? known: action_grid, game, "
    "max_table_bytes, observation, play, walk": lambda: rv.tables.tabulate(CHICKEN, action_gird=3),
    "polices: is no argument of rollout; did you mean 'policies'? known: policies, start, tabulated": (
        lambda: rv.tables.rollout(None, polices=[])
    ),
    "player: is no argument of strategies; known: actions, at, ax, compare, data": (
        lambda: rv.plots.strategies(None, player=1)
    ),
}


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


def test_a_misspelt_option_of_an_environment() -> None:
    pytest.importorskip("pettingzoo")
    from rivalry.envs import parallel_env

    with pytest.raises(
        ValueError, match=r"^perids: is no argument of parallel_env; did you mean 'periods'\?"
    ):
        parallel_env(CHICKEN, perids=3)


@pytest.mark.slow
def test_arguments_of_environments_and_of_their_reset_are_named() -> None:
    pytest.importorskip("pettingzoo")
    from rivalry.envs import aec_env, parallel_env, single_agent_env

    rest = CHICKEN.pure("swerve", "swerve")
    with pytest.raises(ValueError, match=r"^others: is missing; PlayerEnv needs it$"):
        single_agent_env(CHICKEN, 0)
    with pytest.raises(ValueError, match=r"^perids: is no argument of parallel_env; did you mean 'periods'"):
        single_agent_env(CHICKEN, 0, rest, perids=3)
    for make in (aec_env, parallel_env):
        with pytest.raises(ValueError, match=rf"^game: is missing; {make.__name__} needs it$"):
            make()
    for env in (single_agent_env(CHICKEN, 0, rest), aec_env(CHICKEN), parallel_env(CHICKEN)):
        with pytest.raises(ValueError, match=r"^sed: is no argument of \w+\.reset; did you mean 'seed'"):
            env.reset(sed=1)
