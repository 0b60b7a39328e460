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

from rivalry.population.certificate import PolicyEvaluation as PolicyEvaluation
from rivalry.population.certificate import evaluate_policy as evaluate_policy
from rivalry.population.certificate import population_certificate as population_certificate
from rivalry.population.certificate import record_of as record_of
from rivalry.population.consistent import StationaryPopulation as StationaryPopulation
from rivalry.population.consistent import stationary_population as stationary_population
from rivalry.population.operators import action_values as action_values
from rivalry.population.operators import flow as flow
from rivalry.population.operators import softmax as softmax
from rivalry.population.operators import stationary_distribution as stationary_distribution
from rivalry.population.operators import uniform as uniform
from rivalry.population.oracles import first_distribution as first_distribution
from rivalry.population.oracles import push as push
from rivalry.population.oracles import state_types as state_types
from rivalry.population.oracles import transition_matrix as transition_matrix
from rivalry.population.oracles import type_shares as type_shares
from rivalry.population.values import best_response as best_response
from rivalry.population.values import policy_values as policy_values
