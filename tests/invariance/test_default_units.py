"""Every method with its default options, on a game whose payoffs are in other units.

All payoffs, or those of one player, are multiplied by a factor: status, claim and limit stay. A method
without a row fails by its name.
"""

import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pytest

import rivalry as rv
from rivalry import methods
from rivalry.economies.learning.city_simulation import CitySimulation
from rivalry.families.extensive import Decision, Extensive
from rivalry.families.lq import lq
from rivalry.methods import METHODS
from rivalry.methods.design.design import RuleDesign
from rivalry.methods.populations.fictitious_play import PopulationFictitiousPlay
from rivalry.runtime.jax import jnp
from tests.invariance.games import DILEMMA, DOVES, PENNIES, START, SYMMETRIC
from tests.invariance.rewritten import Wording
from tests.invariance.test_boxes import START as INSIDE
from tests.invariance.test_boxes import Firms, Rivals, Varied
from tests.race_keys import race
from tests.road_population import RoadNetwork, open_spiel

UNITS = (1e-3, 1 / 60, 60.0, 1e3)
COMMON = tuple((unit, unit) for unit in UNITS)
UNLIKE = ((1e-3, 1.0), (1.0, 1 / 60), (60.0, 1.0), (1.0, 1e3))
CLOSE = 1e-6
Factors = tuple[float, float]


class Row(NamedTuple):
    """A game by the factors of its players' payoffs, a method with its default options, and what is compared.

    ``why_common`` says why payoffs have one unit for all players; it is empty where each may have its own.
    """

    game: Callable[[Factors], Any]
    method: Any  # or a function of the common factor, where an option is in units of payoff
    start: Any = None
    same: tuple[str, ...] = ()
    why_common: str = ""
    nightly: bool = False


def finite(tables: np.ndarray) -> Callable[[Factors], Any]:
    return lambda factors: rv.games.matrix(*(tables * np.reshape(factors, (2, 1, 1))))


def box(game: Any) -> Callable[[Factors], Any]:
    return lambda factors: Varied(game, Wording(factors=factors))


def roads(factors: Factors) -> RoadNetwork:
    return open_spiel(factors[0])


def routes(factors: Factors) -> Any:
    costs = [f"{10 * factors[0]}*x", f"{factors[0]}*x + {50 * factors[0]}"]
    return rv.games.routes({"from": ["s", "s"], "to": ["t", "t"], "cost": costs}, demand={"s>t": 6.0})


def bottleneck(factors: Factors) -> Any:
    rates = {"value_of_time": 6 * factors[0], "early": 4 * factors[0], "late": 9 * factors[0]}
    return rv.games.bottleneck(**rates, fast_share=0.5, slots=10)


def karma(factors: Factors) -> Any:
    return rv.games.karma(max_karma=4, mean_karma=2, agents=10, urgencies=[factors[0], 10 * factors[0]])


def city(factors: Factors) -> Any:
    keys = {"network": "stubs_2x2", "agents": 40, "max_karma": 4, "mean_karma": 2}
    return rv.games.city(**keys, urgencies=[factors[0], 10 * factors[0]])


def market(factors: Factors) -> Any:
    return rv.games.market(
        unit_cost=[10 * factors[0], 20 * factors[0]], intercept=100 * factors[0], slope=factors[0]
    )


def entry(factors: Factors) -> Any:
    def rule(history: tuple[str, ...]) -> Any:
        if history == ():
            return Decision(0, "entrant", ("in", "out"))
        if history == ("in",):
            return Decision(1, "incumbent", ("share", "fight"))
        pays = {"out": (1, 2), "share": (2, 1), "fight": (-1, -1)}[history[-1]]
        return tuple(float(pay * factor) for pay, factor in zip(pays, factors, strict=True))

    return Extensive.from_rules(rule)


def team_race(unit: float, **keys: Any) -> Any:
    prices = dict.fromkeys(("safety_price", "performance_price"), 0.05 * unit)
    return race(prize=unit, disaster_cost=unit, horizon=2, **prices, **keys)


def debt(factors: Factors) -> Any:
    costs = [[[factor]] for factor in factors]
    return lq(A=[[1]], B=[[[-1]], [[-1]]], R=costs, Q=costs, gamma=0.9, initial=[1])


def lake(factors: Factors) -> Any:
    gymnasium = pytest.importorskip("gymnasium")
    plain = gymnasium.make("FrozenLake-v1", is_slippery=False)
    paid = gymnasium.wrappers.TransformReward(plain, lambda reward: reward * factors[0])
    return rv.interop.from_gymnasium(paid)


SYMMETRY = "both players use one strategy"
TYPE = "there is one type of agents"
MONEY = "keys of the family are amounts of one money"
RIVALS = "exchangeable players have one unit of payoffs"
PARAMETER = jnp.asarray(0.5)

ROWS: dict[str, Row] = {
    "ActorCritic": Row(box(Firms()), methods.ActorCritic(updates=20), same=("profile",)),
    "AllEquilibria": Row(box(Firms()), methods.AllEquilibria(), same=("equilibria",)),
    "Branches": Row(
        box(Rivals(PARAMETER)),
        methods.Branches(parameter="a", low=0.2, high=3.0),
        same=("symmetric_loss_parameter", "fold_parameter", "branch_stable"),
        why_common=RIVALS,
        nightly=True,
    ),
    "CitySimulation": Row(city, CitySimulation(plays="coin", evaluation=500), why_common=TYPE, nightly=True),
    "ClosedForm": Row(market, methods.ClosedForm(), same=("profile",), why_common=MONEY),
    "ComparativeStatics": Row(
        box(Firms(jnp.asarray(1.0))), methods.ComparativeStatics(parameter="a"), INSIDE, ("profile", "slope")
    ),
    "CorrelatedEquilibrium": Row(
        finite(PENNIES),
        methods.CorrelatedEquilibrium(),
        same=("joint_distribution",),
        why_common="welfare is a sum of payoffs",
    ),
    "Design": Row(
        market,
        methods.Design(choices={"tax": [0.0, 0.2]}, objective="welfare", tries=1),
        same=("profile", "chosen_parameters"),
        why_common=MONEY,
    ),
    "Directional": Row(box(Firms()), methods.Directional(runs=2, periods=2000), same=("profile",)),
    "DepartureTimeEquilibrium": Row(
        bottleneck, methods.DepartureTimeEquilibrium(), same=("delay", "fast_arrivals"), why_common=TYPE
    ),
    "DoubleOracle": Row(box(Firms()), methods.DoubleOracle(), same=("mean_profile",)),
    "EnvironmentQLearning": Row(
        lake,
        methods.EnvironmentQLearning(episodes=50, gamma=0.9, evaluation=2),
        same=("policy",),
        why_common="one agent",
    ),
    "EvolutionaryStability": Row(
        finite(DOVES), methods.EvolutionaryStability(), same=("strategy",), why_common=SYMMETRY
    ),
    "Feedback": Row(
        lambda factors: team_race(
            factors[0],
            technology={
                "invest": True,
                "safety_investment_price": 0.01 * factors[0],
                "performance_investment_price": 0.01 * factors[0],
            },
        ),
        methods.Feedback(levels=5),
        same=("profile",),
        why_common=MONEY,
        nightly=True,
    ),
    "Fermi": Row(finite(SYMMETRIC), methods.Fermi(), same=("small_mutation",), why_common=SYMMETRY),
    "GradientFlow": Row(finite(DILEMMA), methods.GradientFlow(), START, ("profile",)),
    "Hedge": Row(finite(DILEMMA), methods.Hedge(), same=("profile",)),
    "LinearQuadratic": Row(debt, methods.LinearQuadratic(), same=("feedback",)),
    "Moran": Row(finite(SYMMETRIC), methods.Moran(), same=("small_mutation",), why_common=SYMMETRY),
    "Newton": Row(finite(PENNIES), methods.Newton(), START, ("profile",)),
    "OnlineMirrorDescent": Row(roads, methods.OnlineMirrorDescent(), [[0.3, 0.3, 0.4]], ("profile",), TYPE),
    "PeriodQLearning": Row(
        lambda factors: team_race(factors[0], contest={"ease_of_winning": 1.0}, end_on="win"),
        methods.PeriodQLearning(action_grid=2, epochs=500),
        same=("profile",),
        why_common=MONEY,
    ),
    "Periods": Row(
        lambda factors: team_race(factors[0]), methods.Periods(), same=("profile",), why_common=MONEY
    ),
    "PopulationFictitiousPlay": Row(roads, PopulationFictitiousPlay(), [[0.3, 0.3, 0.4]], ("profile",), TYPE),
    "PopulationNewton": Row(roads, methods.PopulationNewton(), [[0.3, 0.3, 0.4]], ("profile",), TYPE),
    "QLearning": Row(finite(DILEMMA), methods.QLearning(epochs=500, trials=3), same=("policy",)),
    "RepeatedQLearning": Row(finite(DILEMMA), methods.RepeatedQLearning(sessions=3), same=("policy",)),
    "Replicator": Row(finite(DILEMMA), methods.Replicator(), START, ("profile",)),
    "RuleDesign": Row(
        karma,
        lambda unit: RuleDesign(
            choices={"urgencies": [[unit, 5 * unit], [unit, 3 * unit]]},
            response_method={"kind": "simulation", "plays": "stake", "evaluation": 500},
        ),
        same=("chosen",),
        why_common=TYPE,
    ),
    "Simulation": Row(karma, methods.Simulation(evaluation=200), same=("policy",), why_common=TYPE),
    "SoftmaxPolicyGradient": Row(finite(DILEMMA), methods.SoftmaxPolicyGradient(), same=("profile",)),
    "SubgamePerfectEquilibria": Row(entry, methods.SubgamePerfectEquilibria(), same=("equilibria",)),
    "SystemOptimum": Row(routes, methods.SystemOptimum(), same=("flow", "price_of_anarchy"), why_common=TYPE),
    "Thresholds": Row(
        box(Rivals(PARAMETER)),
        methods.Thresholds("a", low=0.2, high=3.0),
        same=("crossing", "scan_stable"),
        why_common=RIVALS,
    ),
    "UncappedEquilibrium": Row(
        lambda factors: rv.games.karma(
            max_karma=2, mean_karma=1, gamma=0.5, urgencies=[factors[0], 5 * factors[0]]
        ),
        methods.UncappedEquilibrium(cut=0.01),
        same=("profile", "cap"),
        why_common=TYPE,
        nightly=True,
    ),
    "UserEquilibrium": Row(routes, methods.UserEquilibrium(), same=("flow",), why_common=TYPE),
    "VariationalEquilibrium": Row(box(Firms()), methods.VariationalEquilibrium(), INSIDE, ("profile",)),
}
WITHOUT: Mapping[str, str] = {
    **dict.fromkeys(
        (
            *("BestResponse", "Evaluate", "FictitiousPlay", "FiniteEquilibria", "GradientAscent"),
            *("LinearProgramme", "MixedCommitment", "MixedEquilibria", "PureEquilibria", "QuantalResponse"),
            *("RegretMatching", "RoundRobin", "SubgamePerfectPayoffs"),
        ),
        "has its default options in games.py, in units further apart and to 1e-9",
    ),
    **dict.fromkeys(
        ("CityQLearning", "PopulationQLearning"),
        "the inverse temperature is per unit of reward, as in the thesis that they follow",
    ),
    "StochasticUserEquilibrium": "theta is per unit of cost and has no default",
    **dict.fromkeys(("DQN", "PPO", "SAC"), "an optional library learns from draws"),
}
FAILING: Mapping[str, str] = {}


def cells() -> list[Any]:
    cells = []
    for name, row in ROWS.items():
        marks = [pytest.mark.nightly if row.nightly else pytest.mark.slow]
        if name in FAILING:
            marks.append(pytest.mark.xfail(strict=True, reason=FAILING[name]))
        cells.append(pytest.param(name, marks=marks))
    return cells


@pytest.mark.parametrize("name", cells())
def test_default_options_give_the_same_results_in_every_unit_of_payoffs(name: str) -> None:
    row = ROWS[name]

    def solved(factors: Factors) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the test compares the status
            method = row.method(factors[0]) if callable(row.method) else row.method
            return rv.solve(row.game(factors), method, row.start, seed=1)

    base = solved((1.0, 1.0))
    for factors in COMMON if row.why_common else (*COMMON, *UNLIKE):
        found = solved(factors)
        words = found.status, found.claim, found.end_state
        assert words == (base.status, base.claim, base.end_state), factors
        for result in row.same:
            ours, theirs = base.data[result].values, found.data[result].values
            np.testing.assert_allclose(theirs, ours, rtol=CLOSE, atol=CLOSE, err_msg=f"{result}, {factors}")


def test_each_method_that_accepts_a_game_has_a_row() -> None:
    names = {target.split(":")[1] for method in METHODS.values() for target in method.targets}
    assert names == set(ROWS) | set(WITHOUT)
    assert not set(ROWS) & set(WITHOUT)
