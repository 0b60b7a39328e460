"""The side of karma-game-library."""

import numpy as np
from karma_game_library import GameParameters, Policy, Simulator, StateDistribution, templates

from benchmarks.peers.clock import serve


def karma_episode(agents, mean_karma, steps):
    """Return the mean cost per agent and step; only urgent agents bid, any amount below the mean karma."""
    np.random.seed(1)  # noqa: NPY002, the library draws from it
    game = GameParameters(
        num_agents=agents,
        num_participants=2,
        num_types=1,
        num_urgencies=2,
        num_outcomes=2,
        num_average_karma=mean_karma,
        map_type_temp_preference={0: 1.0},
        lst_init_types=[0] * agents,
        lst_init_urgencies=[0, 1] * (agents // 2),
        lst_init_karmas=[mean_karma] * agents,
        func_cost=templates.cost.default,
        func_outcome=templates.outcome.highest_bid,
        func_payment=templates.payment.highest_bid_to_peer,
        func_urgency_transition=templates.urgency_transition.random,
        func_overflow_distribution=templates.overflow_distribution.none,
        func_karma_redistribution=templates.karma_redistribution.none,
    )
    policy = Policy(game)
    policy.prob_matrix[0, 0] = np.eye(mean_karma)[0]
    played = Simulator(game, StateDistribution(game), steady_state_init=False)
    for _ in range(steps):
        played.begin_epoch()
        for pair in played.peer_selection_random_exclusive_peer_groups(agents // 2):
            played.play_interaction(policy, pair)
        played.close_epoch()
    return played.get_total_cumulative_costs() / (agents * steps)


if __name__ == "__main__":
    serve("karma_game_library", globals())
