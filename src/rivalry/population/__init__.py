"""Games of a continuum: values, best responses, stationary laws, exploitability.

Words (after Laurière et al. 2024): the *distribution* mu is the law of states, ``[state]``; the *policy
value* V^pi is what following pi is worth while the rest stays as it is, the *best-response value* V* the most
that can be had there; the *population flow* moves mu by a step, and the *stationary law* is its limit; the
*payoff* is ``J = sum mu V`` and the *exploitability* ``sum mu (V* - V^pi)``.
"""

from rivalry.population.certificate import Judged, judged, population_certificate, record_of
from rivalry.population.consistent import Settled, settled
from rivalry.population.operators import action_values, flow, law, softmax, uniform
from rivalry.population.oracles import first_distribution, push, state_types, transition_matrix, type_shares
from rivalry.population.values import best_response, policy_values

__all__ = [
    "Judged",
    "Settled",
    "action_values",
    "best_response",
    "first_distribution",
    "flow",
    "judged",
    "law",
    "policy_values",
    "population_certificate",
    "push",
    "record_of",
    "settled",
    "softmax",
    "state_types",
    "transition_matrix",
    "type_shares",
    "uniform",
]
