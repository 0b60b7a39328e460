"""The check of a study builds and traces; it computes no equilibrium and plays nothing."""

import time
from importlib.util import find_spec

import pytest

import rivalry as rv
from rivalry.lab.study import studies
from tests.selection import slow_except

pytestmark = pytest.mark.slow

BUDGET = 3.0  # seconds of the thread: most need .1, under load up to 1; studies that computed took 10 and 37
# what is traced, compiled or tabulated because a bundled game or method does so when it is built
LONGER = {
    "liars_dice": 12.0,  # the tree of the game
    **dict.fromkeys(("lovett_fig1", "lovett_fig3", "lovett_fig11", "race_map"), 6.0),  # many games
    **dict.fromkeys(("all_equilibria_race", "calvano2020_n3", "calvano2020_n4", "calvano2021_n3"), 6.0),
    **dict.fromkeys(("brasic_recommendations", "karma_scaling", "klein2021", "market_makers"), 4.0),
    **dict.fromkeys(("braess", "karma_equilibrium", "race_leadership", "race_learning"), 4.0),
    "replicator_generations": 4.0,
}
DEFAULT = ("karma_agents", "karma_monotonicity", "karma_design")


@pytest.fixture(scope="module", autouse=True)
def _imports() -> None:
    rv.load_study("tour").check()


@pytest.mark.parametrize("name", slow_except(studies(), DEFAULT))
def test_a_check_of_a_bundled_study_computes_nothing(name: str) -> None:
    study = rv.load_study(name)
    if any(str(table["kind"]).startswith("rllib") for table in study.method) and find_spec("ray") is None:
        pytest.skip("needs ray")
    begin = time.thread_time()  # other threads still compile for earlier tests
    rv.load_study(name).quick_form()
    study.check()
    assert time.thread_time() - begin < LONGER.get(name, BUDGET)
