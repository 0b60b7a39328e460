"""One game per method, written as tables of payoffs, and what may be changed without changing the game."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

import rivalry as rv
from rivalry import methods

# each player mixes, and no two payoffs of a player are equal; all numbers are exact in binary
PENNIES = np.array([[[1.5, -1.0], [-0.75, 2.0]], [[-1.0, 1.25], [1.0, -1.5]]])
DILEMMA = np.array([[[3.0, 0.0], [5.0, 1.0]], [[3.5, 5.0], [0.0, 0.5]]])
SYMMETRIC = np.array([[[3.0, 1.0], [1.5, 2.0]], [[3.0, 1.5], [1.0, 2.0]]])
DOVES = np.array([[[-1.0, 4.0], [0.0, 2.0]], [[-1.0, 0.0], [4.0, 2.0]]])
ZERO_SUM = np.array([PENNIES[0], -PENNIES[0]])
START = np.array([[0.625, 0.375], [0.25, 0.75]])
UNLIKE, COMMON = ((1e-6, 1e6), (1e12, 1.0), (1.0, 1e-6)), ((1e-6, 1e-6), (1e6, 1e6), (1e12, 1e12))


class Row(NamedTuple):
    """A method with its game, and the changes that must change nothing else.

    ``method`` is a function of factors of the players' payoffs where options per unit of payoff are divided
    by them.
    """

    method: Any
    tables: np.ndarray = DILEMMA
    start: np.ndarray | None = None
    factors: tuple[tuple[float, float], ...] = UNLIKE  # of the players' payoffs
    same: tuple[str, ...] = ()  # results that do not change; rows of players, columns of actions
    payoffs: tuple[str, ...] = ()  # results per player, in units of payoff
    apart: Mapping[str, str] = {}  # change -> why it does not apply
    failing: Mapping[str, str] = {}  # change -> why results differ today
    slow: bool = False


UNIFORM = "a further action changes the uniform play from which the method begins"
RANGE = "a further action changes the range of payoffs"
AND_RANGE = ", and the range of payoffs"
DRAWN = "players draw one after the other, action by action"
TYPES = "mutants of a dominated type take part"
# where motions end on a cycle depends on the last digits: words are compared, not the profile
CYCLE = {"tables": PENNIES, "start": START, "factors": COMMON, "slow": True}

ROWS: dict[str, Row] = {
    "all_equilibria": Row(
        methods.FiniteEquilibria(), PENNIES, same=("equilibria",), apart={"dummy": "lists grow"}
    ),
    "best_response": Row(methods.BestResponse(), DILEMMA, START, same=("profile",)),
    "correlated_equilibrium": Row(
        methods.CorrelatedEquilibrium(),
        PENNIES,
        factors=COMMON,
        payoffs=("correlated_payoff",),
        apart={"unlike": "welfare is a sum of payoffs: the unit is common"},
    ),
    "evaluate": Row(methods.Evaluate(), PENNIES, START, same=("profile",)),
    "evolutionary_stability": Row(
        methods.EvolutionaryStability(),
        DOVES,
        factors=COMMON,
        same=("profile",),
        apart={"dummy": "an action that only one player has"},
    ),
    "fermi": Row(
        lambda a: methods.Fermi(population=20, selection=0.5 / a[0]),
        SYMMETRIC,
        factors=COMMON,
        same=("small_mutation",),
        apart={"dummy": TYPES},
    ),
    "fictitious_play": Row(
        methods.FictitiousPlay(),
        same=("profile",),
        apart=dict.fromkeys(("players", "actions", "dummy"), "the first period is drawn, player by player"),
    ),
    "gradient_ascent": Row(lambda a: methods.GradientAscent(rate=0.01 / a[0]), **CYCLE),
    "gradient_ascent at its usual rate": Row(
        methods.GradientAscent(), DILEMMA, START, same=("profile",), slow=True, apart={"dummy": RANGE}
    ),
    "gradient_flow": Row(methods.GradientFlow(), **CYCLE),
    "hedge": Row(
        lambda a: methods.Hedge(eta=list(0.125 / a), rounds=50),
        PENNIES,
        same=("profile",),
        apart={"dummy": UNIFORM},
    ),
    "hedge at its usual rate": Row(
        methods.Hedge(rounds=50), PENNIES, same=("profile",), apart={"dummy": UNIFORM + AND_RANGE}
    ),
    "linear_programme": Row(
        methods.LinearProgramme(),
        ZERO_SUM,
        factors=COMMON,
        same=("profile",),
        apart=dict.fromkeys(("constant", "dummy"), "payoffs must sum to zero"),
    ),
    "mixed_commitment": Row(
        methods.MixedCommitment(),
        PENNIES,
        same=("commitment",),
        payoffs=("commitment_payoff",),
        apart={"players": "the leader is a player by number"},
    ),
    "mixed_equilibria": Row(methods.MixedEquilibria(), PENNIES, same=("equilibria",)),
    "moran": Row(
        methods.Moran(population=20),
        SYMMETRIC,
        factors=COMMON,
        same=("small_mutation",),
        apart={"constant": "fitness has an absolute zero", "dummy": TYPES},
    ),
    "newton": Row(methods.Newton(), PENNIES, START, factors=COMMON, same=("profile",), slow=True),
    "pure_equilibria": Row(methods.PureEquilibria(), DILEMMA, same=("equilibria",)),
    "q_learning": Row(
        methods.QLearning(epochs=50, trials=3),
        factors=COMMON,
        same=("policy",),
        apart=dict.fromkeys(("players", "actions", "dummy"), DRAWN)
        | {"unlike": "rewards are divided by the largest of any player"}
        | {"constant": "rewards are divided by the largest, and values begin at 0"},
    ),
    "quantal_response": Row(
        lambda a: methods.QuantalResponse(max_lambda=20.0 / a[0]),
        PENNIES,
        factors=COMMON,
        same=("profile", "limit"),
        apart={"dummy": UNIFORM},
    ),
    "quantal_response to its usual end": Row(
        methods.QuantalResponse(), PENNIES, same=("profile", "limit"), apart={"dummy": UNIFORM}
    ),
    "regret_matching": Row(methods.RegretMatching(), DILEMMA, same=("profile",), apart={"dummy": UNIFORM}),
    "repeated_q_learning": Row(
        methods.RepeatedQLearning(sessions=4, exploration={"decay": 1e-3}),
        factors=((2.0**-20, 2.0**10), (2.0**40, 1.0), (1.0, 2.0**-20)),  # or learning magnifies rounding
        same=("policy",),
        payoffs=("end_payoff",),
        apart=dict.fromkeys(("players", "actions", "dummy"), DRAWN),
    ),
    "replicator in steps of the usual size": Row(
        methods.Replicator(form="mirror"),
        DILEMMA,
        START,
        same=("profile",),
        slow=True,
        apart={"dummy": RANGE},
    ),
    "replicator": Row(methods.Replicator(), **CYCLE),
    "round_robin": Row(
        methods.RoundRobin(["tit_for_tat", "alternator"], turns=20),
        SYMMETRIC,
        factors=COMMON,
        apart={"dummy": "strategies have two actions"},
    ),
    "softmax_policy_gradient": Row(
        lambda a: methods.SoftmaxPolicyGradient(rate=list(0.125 / a), rounds=50),
        PENNIES,
        same=("profile",),
        apart={"dummy": UNIFORM},
    ),
    "softmax_policy_gradient at its usual rate": Row(
        methods.SoftmaxPolicyGradient(rounds=50),
        PENNIES,
        same=("profile",),
        apart={"dummy": UNIFORM + AND_RANGE},
    ),
    "subgame_perfect_payoffs": Row(
        methods.SubgamePerfectPayoffs(discount=0.75), payoffs=("threat", "payoff_vertices")
    ),
}

POPULATION = "populations: units of payoffs and of the environment are changed in test_default_units.py"
WITHOUT: dict[str, str] = {
    "closed_form": "needs a family with a closed form; no row yet",
    "design": "needs a designer; no row yet",
    "feedback": "needs a game over periods; no row yet",
    "linear_quadratic": "needs a linear-quadratic game; no row yet",
    "online_mirror_descent": POPULATION,
    "periods": "needs a game over periods; no row yet",
    "rllib.dqn": "an optional library learns from draws",
    "rllib.ppo": "an optional library learns from draws",
    "rllib.sac": "an optional library learns from draws",
    "simulation": POPULATION,
    "uncapped_equilibrium": POPULATION,
    **dict.fromkeys(("user_equilibrium", "system_optimum", "stochastic_user_equilibrium"), POPULATION),
    "departure_time_equilibrium": POPULATION,
    "subgame_perfect_equilibria": "needs a game in extensive form; no row yet",
}


def solved(row: Row, tables: np.ndarray, factors: np.ndarray, start: np.ndarray | None) -> Any:
    """Return the solution of a game in other words."""
    method = row.method(factors) if callable(row.method) else row.method
    return rv.solve(rv.games.matrix(*tables), method, start, seed=1)
