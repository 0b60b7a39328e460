"""Games with a continuum of agents: values, best responses, stationary distributions, exploitability.

Terms (after Laurière et al. 2024):

- *distribution* ``mu``: the distribution of states, ``[state]``;
- *policy value* ``V^pi``: the value of following ``pi`` in a fixed population;
- *best-response value* ``V*``: the largest value in a fixed population;
- *population flow*: the map from ``mu`` to the distribution one step later, with the *stationary
  distribution* as its limit;
- *payoff*: ``J = sum mu V``;
- *exploitability*: ``sum mu (V* - V^pi)``.
"""

from rivalry.population.certificate import (
    PolicyEvaluation,
    evaluate_policy,
    population_certificate,
    record_of,
)
from rivalry.population.consistent import StationaryPopulation, stationary_population
from rivalry.population.operators import action_values, flow, softmax, stationary_distribution, uniform
from rivalry.population.oracles import first_distribution, push, state_types, transition_matrix, type_shares
from rivalry.population.values import best_response, policy_values

__all__ = [
    "PolicyEvaluation",
    "StationaryPopulation",
    "action_values",
    "best_response",
    "evaluate_policy",
    "first_distribution",
    "flow",
    "policy_values",
    "population_certificate",
    "push",
    "record_of",
    "softmax",
    "state_types",
    "stationary_distribution",
    "stationary_population",
    "transition_matrix",
    "type_shares",
    "uniform",
]
