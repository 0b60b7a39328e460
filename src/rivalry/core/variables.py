"""Names, units and meanings of the variables of datasets, as attributes in the CF conventions' sense."""

from __future__ import annotations

ONE, PAYOFF, STEPS, KARMA = "1", "payoff", "steps", "karma"
"""Units: none, those of the game's payoffs, steps of a method, units of karma."""

DESCRIBED: dict[str, tuple[str, str]] = {
    "access_fairness": (ONE, "minus the standard deviation of the agents' shares of steps in which they won"),
    "action_name": ("", "name of an action"),
    "algorithm": ("", "name of the method in its study"),
    "alike": (ONE, "players with equal numbers are exchangeable"),
    "at_stake": (PAYOFF, "payoff that a player can win or lose by its own choice while the others stay"),
    "average_play": (ONE, "probabilities of a player's actions, the mean over all rounds"),
    "axis": ("", "coordinate of a strategy, by the name that the game gives it"),
    "beta": (ONE, "inverse temperature of the logit choice"),
    "best_values": (PAYOFF, "value of every state under a best response"),
    "bid_law": (ONE, "distribution of bids"),
    "bound": (PAYOFF, "proven upper bound on a player's unilateral gain; infinite where nothing is proved"),
    "certificate_method": ("", "how the regret was computed"),
    "claim": ("", "the strongest statement that the certificate supports"),
    "complete": (ONE, "whether it is proved that no equilibrium is missing"),
    "complete_reason": ("", "why the list of equilibria is complete or not"),
    "component": (ONE, "number of the connected component to which an extreme equilibrium belongs"),
    "component_count": (ONE, "number of connected components of equilibria"),
    "concept": ("", "solution concept of the method, if it is not Nash equilibrium"),
    "concept_residual": ("", "residual of the equations of the solution concept"),
    "conditional_regret": (
        PAYOFF,
        "internal regret per round: gain from replacing one action by another",
    ),
    "consumer_surplus": (PAYOFF, "consumer surplus per period"),
    "converged": (ONE, "whether the method converged"),
    "correlated_regret": (PAYOFF, "external regret per round: gain from playing one action throughout"),
    "cost": (PAYOFF, "cost of the inputs"),
    "coverage": ("", "whether the regret is exact, bounded, a lower bound, local or estimated"),
    "cycle_high": ("strategy", "largest value of each coordinate over a cycle"),
    "cycle_length": (STEPS, "number of periods of the cycle in which greedy play ends"),
    "cycle_low": ("strategy", "smallest value of each coordinate over a cycle"),
    "degenerate": (ONE, "whether the game is degenerate"),
    "deviation_gain": (PAYOFF, "gain from a deviation"),
    "discount": (ONE, "discount factor per period"),
    "distribution": (ONE, "stationary distribution over states"),
    "efficiency": (PAYOFF, "mean reward per agent and step"),
    "eigenvalues_imag": (
        "",
        "imaginary parts of the eigenvalues of the Jacobian of own gradients",
    ),
    "eigenvalues_real": (
        "",
        "real parts of the eigenvalues of the Jacobian of own gradients",
    ),
    "end_action": ("strategy", "choice of every player, the mean over the cycle in which greedy play ends"),
    "end_payoff": (PAYOFF, "payoff of every player, the mean over the cycle in which greedy play ends"),
    "end_state": ("", "kind of limit set: stable point, unstable point, cycle, moving or boundary"),
    "entropy": ("nats", "entropy of the policy, the mean over all states"),
    "equilibria": (ONE, "strategies of all equilibria that were found"),
    "equilibrium_count": (ONE, "number of equilibria that were found"),
    "equilibrium_payoff": (PAYOFF, "payoffs at all equilibria that were found"),
    "exploitability": (PAYOFF, "gain of a best response against the population"),
    "exploration": (ONE, "probability of a random action"),
    "extreme_count": (ONE, "number of extreme equilibria"),
    "gamma_channels": ("", "how the discount factor affects outcomes"),
    "gradient_norm": ("payoff per strategy", "largest entry of the players' own gradients"),
    "hhi": (ONE, "Herfindahl-Hirschman index of market shares, 0 to 10 000"),
    "identified": (ONE, "whether payoffs depend on this coordinate of a strategy"),
    "industry_profit": (PAYOFF, "sum of the firms' profits per period"),
    "inner_equilibria": ("", "equilibria in the coordinates in which a reparametrised box is searched"),
    "inner_profile": ("", "profile in the coordinates in which a reparametrised box is searched"),
    "joint_play": (ONE, "empirical distribution of joint actions, row-major"),
    "karma_drift": (KARMA, "difference between the mean karma of the population and that of the game"),
    "karma_law": (ONE, "joint distribution of types, private states and karma"),
    "level": (KARMA, "level up to which the surplus is redistributed"),
    "market_share": (ONE, "share of total quantity"),
    "max_imag_eigenvalue": ("", "largest imaginary part of an eigenvalue"),
    "max_real_eigenvalue": ("", "largest real part of an eigenvalue; negative at a stable point"),
    "mean_bid": (KARMA, "mean bid in each private state and at each karma"),
    "mean_karma": (KARMA, "mean karma per agent"),
    "mean_price": ("price", "price per unit, weighted by quantities"),
    "mixture": (ONE, "probabilities of the strategies in `places`"),
    "overflow": (KARMA, "karma per agent and step in excess of what agents can hold"),
    "p_disaster": (ONE, "probability of a disaster"),
    "p_no_winner": (ONE, "probability that nobody wins"),
    "p_safe": (ONE, "probability of a safe win"),
    "p_safe_given_win": (ONE, "probability of no disaster if the player wins"),
    "paid_to_society": (KARMA, "karma per agent and step that winners pay to society"),
    "path": ("strategy", "profile along the path; for a population its policy"),
    "payoff": (PAYOFF, "payoff of every player at the profile"),
    "performance": (ONE, "performance that the inputs produce"),
    "performance_input": ("input", "input to performance"),
    "period": ("", "period of the cycle, in steps or in the time of the dynamic"),
    "places": ("strategy", "strategies among which a player mixes or chooses"),
    "player": ("", "player, by the name that the game gives it"),
    "player_name": ("", "name of a player or a type of agents"),
    "policy": (ONE, "probability of every action in every state, or the greedy action of every state"),
    "population_drift": (ONE, "largest inconsistency of the population's environment"),
    "population_residual": (ONE, "residual of the equations of the stationary population"),
    "price": ("price", "price per unit"),
    "profile": ("strategy", "strategy of every player; for a population its policy"),
    "profit": (PAYOFF, "profit per period"),
    "profit_gain": (ONE, "profit gain: 0 at the Nash equilibrium, 1 at the joint maximum"),
    "pure_count": (ONE, "number of pure equilibria"),
    "quantity": ("quantity", "quantity sold per period"),
    "rate_limit": ("", "largest rate at which gradient steps still converge to the end"),
    "regret": (PAYOFF, "largest unilateral gain that was found"),
    "relative_exploitability": (ONE, "exploitability as a fraction of the size of the payoff"),
    "replication": (ONE, "number of the replication"),
    "residual": ("", "residual of the method at the last step"),
    "resource_total": (PAYOFF, "resource over all points"),
    "revenue": (PAYOFF, "taxes and expected liabilities less subsidies"),
    "reward_fairness": (PAYOFF, "minus the standard deviation of the agents' mean rewards"),
    "rounding": ("", "rounding of the bound: exact, outward or floating point"),
    "safety_input": ("input", "input to safety"),
    "settled_share": (ONE, "share of sessions in which greedy policies became stable"),
    "share_at_max_karma": (ONE, "share of agents with the largest karma that an agent can hold"),
    "status": ("", "how the computation ended"),
    "steps": (STEPS, "number of steps taken"),
    "stopped_by": ("", "rule that ended the computation"),
    "support": (ONE, "whether an action has positive probability"),
    "symmetric_position": ("strategy", "position of the symmetric equilibrium"),
    "symmetric_stable": (ONE, "whether the symmetric profile is stable"),
    "technology_safety": (ONE, "probability that a player's technology is safe"),
    "threshold": ("", "parameter of influence at which the symmetric profile loses stability"),
    "tolerance": (PAYOFF, "largest regret and bound of an equilibrium"),
    "total_quantity": ("quantity", "quantity sold per period by all firms"),
    "type_efficiency": (PAYOFF, "mean reward per agent and step of every type"),
    "urgency": (PAYOFF, "cost of losing in each private state"),
    "values": (PAYOFF, "value of every state under the policy"),
    "visits": (ONE, "number of visits of every state"),
    "welfare": (PAYOFF, "sum of all payoffs, with consumer surplus in markets"),
    "win_probability": (ONE, "probability of winning"),
    "win_rate": (ONE, "share of steps in which an agent wins"),
}
"""Unit and meaning by name; an empty unit for text and for numbers without a fixed unit."""

PREFIXES = {
    "left_": "at the unstable points that the run left",
    "path_": "along the path",
}
"""Beginnings of names with what they add to the meaning of the rest."""


def attributes_of(name: str) -> dict[str, str]:
    """Return ``long_name``, and ``units`` and ``description`` where they are known, of a variable.

    >>> attributes_of("path_residual")["description"]
    'residual of the method at the last step, along the path'
    >>> attributes_of("turnout_rate")
    {'long_name': 'turnout rate'}
    """
    found = {"long_name": name.replace("_", " ")}
    if name == "path_step":
        return found | {"units": STEPS, "description": "number of steps taken up to each row of the path"}
    if name == "path_time":
        return found | {"units": "time", "description": "time of the dynamic at each row of the path"}
    prefix = next((start for start in PREFIXES if name.startswith(start)), "")
    units, words = DESCRIBED.get(name) or DESCRIBED.get(name.removeprefix(prefix), ("", ""))
    if not words:
        return found
    added = f", {PREFIXES[prefix]}" if prefix and name not in DESCRIBED else ""
    return found | ({"units": units} if units else {}) | {"description": words + added}
