"""Answers to the cases of karma reference files, through the package's public interface."""

import warnings
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import numpy as np

import rivalry as rv
from rivalry.economies.karma.transitions import redistribution_level
from rivalry.population import best_response, policy_values, push
from rivalry.runtime.jax import jax, put
from rivalry.studies import karma_theory
from rivalry.studies.karma_constants import change_matrix, constants, exact_baseline, kernel_constant
from rivalry.studies.karma_scaling import scaling_gap
from tests.reference import city
from tests.reference.games import function_of

Inputs = Mapping[str, Any]

SEEDS = 10


def answer(case: Mapping[str, Any]) -> dict[str, Any]:
    """What the package says to one case."""
    return function_of(case, KINDS)(case["inputs"])


def economy(inputs: Inputs, **more: Any) -> Any:
    """The economy of a case."""
    given: dict[str, Any] = {
        "max_karma": inputs["kmax"],
        "mean_karma": float(inputs.get("mean_karma", inputs["kmax"] / 2)),
        "payment": inputs["payment"],
        "tie": inputs["tie"],
        "overflow": inputs["overflow"],
    }
    if "types" in inputs:
        given["types"] = [
            {
                "urgencies": one["urgencies"],
                "chain": one["urgency_chain"],
                "gamma": one["discount"],
                "share": one["share"],
            }
            for one in inputs["types"]
        ]
    else:
        given |= {"urgencies": inputs["urgencies"], "chain": inputs["urgency_chain"]}
        given["gamma"] = inputs["discount"]
    return rv.games.karma(**(given | more))


def full_policy(game: Any, policy: Any) -> np.ndarray:
    """A case's policy, ``[u][k]`` lists of k+1 chances or a word, as ``[state action]``."""
    if isinstance(policy, str):
        return np.asarray(rv.oracles.named_start(game, policy))
    flat = [row for urgency in policy for row in urgency]
    full = np.array([[*row, *[0.0] * (game.space.shape[1] - len(row))] for row in flat])
    return full / full.sum(axis=1, keepdims=True)  # printed to eight digits


def _equilibrium(inputs: Inputs, **more: Any) -> tuple[Any, Any]:
    game = economy(inputs, **more)
    method = rv.methods.PopulationNewton(beta=inputs["beta"], exploration=inputs["eps"])
    found = rv.solve(game, method, start="uniform")
    assert found.status == "converged", found
    return game, found


def _told(game: Any, found: Mapping[str, Any]) -> dict[str, Any]:
    """A population's measures in the file's words."""
    payoff, gain = float(found["payoff"][0]), float(found["exploitability"][0])
    return {
        "efficiency": float(found["efficiency"]),
        "J": payoff,
        "J_greedy": payoff + gain,
        "exploitability": gain,
        "exploitability_rel": gain / abs(payoff),
        "level": float(found["level"]),
        "pbar": float(found["paid_to_society"]),
        "overflow": float(found["overflow"]),
        "mu_at_kmax": float(found["share_at_max_karma"]),
        "mean_bid": found["mean_bid"][0].tolist(),
        "mu": found["karma_distribution"][0].tolist(),
        "bid_distribution": found["bid_distribution"].tolist(),
    }


def _plain(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: np.asarray(array) for name, (_, array) in record.items()}


def _ragged(policy: np.ndarray, levels: int) -> list[Any]:
    by_urgency = policy.reshape(-1, levels, levels)
    return [[row[: k + 1].tolist() for k, row in enumerate(urgency)] for urgency in by_urgency]


def _mean_field(inputs: Inputs) -> dict[str, Any]:
    game, found = _equilibrium(inputs)
    record = _plain(found.record)
    return _told(game, record) | {"policy": _ragged(record["profile"], game.most + 1)}


def _types(inputs: Inputs) -> dict[str, Any]:
    _, found = _equilibrium(inputs)
    record = _plain(found.record)
    types = [
        {
            "J": float(record["payoff"][k]),
            "efficiency": float(record["type_efficiency"][k]),
            "exploitability_rel": float(record["relative_exploitability"][k]),
            "mean_karma": float(record["mean_karma"][k]),
            "win_rate": float(record["win_rate"][k]),
            "mean_bid": record["mean_bid"][k].tolist(),
        }
        for k in range(len(record["payoff"]))
    ]
    return {"efficiency": float(record["efficiency"]), "level": float(record["level"]), "types": types}


def _evaluation(inputs: Inputs) -> dict[str, Any]:
    game = economy(inputs)
    found = rv.solve(game, rv.methods.Evaluate(), start=full_policy(game, inputs["policy"]))
    return _told(game, _plain(found.record))


def _step(inputs: Inputs) -> dict[str, Any]:
    game = economy(inputs)
    mu, pi = np.ravel(inputs["mu"]), full_policy(game, inputs["policy"])
    flows, win, level, moved, values, best = jax.tree.map(np.asarray, _stepped(game, put(mu), put(pi)))
    shape = (len(inputs["urgencies"]), game.most + 1)
    return {
        "bid_distribution": (mu @ pi).tolist(),
        "win_probability": win[0].tolist(),
        "pbar": float(flows.paid),
        "overflow": float(flows.overflow),
        "level": float(level),
        "mu_next": moved.reshape(shape).tolist(),
        "V": values.reshape(shape).tolist(),
        "payoff": float(mu @ values),
        "best_response_payoff": float(mu @ best.values),
        "best_response_bid": best.action.reshape(shape).tolist(),
    }


@eqx.filter_jit
def _stepped(game: Any, mu: Any, pi: Any) -> Any:
    """All of a step in one program."""
    env = game.environment(mu, pi)
    moved, values = push(game, env, mu[:, None] * pi), policy_values(game, env, pi)
    return (
        game.flows(env, mu, pi),
        game.win_probabilities(env).win,
        env.level,
        moved,
        values,
        best_response(game, env, pi),
    )


def _level(inputs: Inputs) -> dict[str, Any]:
    return {"level": redistribution_level(inputs["post_payment_law"], inputs["surplus_per_head"])}


def _lipschitz(inputs: Inputs) -> dict[str, Any]:
    bids = np.arange(inputs["kmax"] + 1)[:, None]
    charge = np.broadcast_to(bids, (len(bids), len(bids)))
    found = constants(
        float(inputs["u_max"]),
        inputs["discount"],
        kernel_constant(charge, society=inputs["payment"] == "PBS"),
        L_pop=float(inputs["L_pop"]),
        dh=float(inputs["dh"]),
    )
    return found._asdict()


def _lasry_lions(inputs: Inputs) -> dict[str, Any]:
    table = change_matrix(inputs["bids"], inputs["bids_prime"], inputs["tie"])
    u, p = np.asarray(inputs["urgencies"]), np.asarray(inputs["law"])
    return {"S": float((u * p) @ table @ p)}


def _baseline(inputs: Inputs) -> dict[str, Any]:
    # the file's TURN is what taking turns comes to in the limit: nobody is ever served out of turn
    mechanism = {"TURN": "ROTATION"}.get(inputs["mechanism"], inputs["mechanism"])
    law = inputs["urgency_law"]
    return exact_baseline(mechanism, inputs["urgencies"], law, inputs["steps"])._asdict()


def _scaling(inputs: Inputs) -> dict[str, Any]:
    """|b(u, a k; second)/a - b(u, k; first)| of the two economies' mean bids."""
    bids = []
    for kbar, kmax in inputs["pair"]:
        case = dict(inputs) | {"mean_karma": kbar, "kmax": kmax}
        bids.append(_plain(_equilibrium(case)[1].record)["mean_bid"][0])
    gap = scaling_gap(*bids)
    return {"max": gap.max, "mean": gap.mean}


def _fairness(found: Any) -> dict[str, float]:
    names = ("efficiency", "reward_fairness", "access_fairness")
    return {name: float(found.record[name][1]) for name in names}


def _mean_of_seeds(game: Any, method: Any) -> dict[str, float]:
    """Means over ten seeds, as the cases' tolerances are for."""
    runs = [_fairness(rv.solve(game, method, seed=seed)) for seed in range(SEEDS)]
    return {name: float(np.mean([run[name] for run in runs])) for name in runs[0]}


def _finite(inputs: Inputs) -> dict[str, Any]:
    game = economy(inputs, agents=inputs["agents"])
    method = rv.methods.Simulation(
        plays=full_policy(game, inputs["policy"]).reshape(game.shape + game.shape[-1:])[0],
        evaluation=inputs["steps"],
        warm_up=inputs["warm_up"],
    )
    return _mean_of_seeds(game, method)


def _two_agents(inputs: Inputs) -> dict[str, Any]:
    names = ("gamma", "urgencies", "payment")
    given = {name: inputs[name] for name in names} | {
        "mean_karma": inputs["mean_karma"],
        "max_karma": inputs["max_karma"],
    }
    policy = np.asarray(inputs["policy"])
    method = rv.methods.Simulation(plays=policy / policy.sum(axis=-1, keepdims=True), evaluation=1000)
    record = _plain(rv.solve(rv.games.karma(**given, agents=2), method).record)
    assert str(record["coverage"]) == "tight"
    return {
        "payoff": float(record["payoff"][0]),
        "exploitability": float(record["regret"][0]),
        "relative_exploitability": float(record["relative_exploitability"][0]),
        "efficiency": float(record["stationary_efficiency"]),
    }


def _baseline_simulation(inputs: Inputs) -> dict[str, Any]:
    words = {"COIN": "coin", "DICT": "stake", "TURN": "turn"}
    game = rv.games.karma(
        urgencies=inputs["urgencies"],
        chain=inputs["urgency_chain"],
        agents=inputs["agents"],
        tie=inputs["tie"],
    )
    method = rv.methods.Simulation(
        plays=words[inputs["mechanism"]], evaluation=inputs["steps"], warm_up=inputs["warm_up"]
    )
    return _mean_of_seeds(game, method)


def _learning(inputs: Inputs) -> dict[str, Any]:
    how = inputs["learning"]
    stages = how["alpha_stages"]
    step_size = {"stages": stages} if stages else how["alpha"]
    method = rv.methods.PopulationQLearning(
        algorithm=how["algorithm"],
        target={"sarsa": "on_policy"}[how["update"]],
        step_size=step_size,
        exploration=how["eps"],
        beta=how["beta"],
        epoch=how["epoch"],
        initial_q=how["Q0"],
        update_probability=how["p_update"],
        training=inputs["training_steps"],
        evaluation=inputs["evaluation_steps"],
        evaluation_warm_up=inputs["evaluation_warm_up"],
        monitor_every=0,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "legal bids")
        found = _plain(rv.solve(economy(inputs, agents=inputs["agents"]), method, seed=0).record)
    payoff = abs(float(found["mean_agent_payoff"]))
    bare = abs(float(found["mean_agent_payoff_without_exploration"]))
    return {
        "efficiency": float(found["efficiency"]),
        "exploitability_rel": float(found["mean_exploitability"]) / payoff,
        "exploitability_rel_without_exploration": float(found["mean_exploitability_without_exploration"])
        / bare,
        "gap_to_mfe": float(found["mean_gap_to_equilibrium"]) / payoff,
        "gap_to_mfe_eps": float(found["mean_gap_to_equilibrium_eps"]) / payoff,
        "gap_to_mfe_without_exploration": float(found["mean_gap_to_equilibrium_without_exploration"]) / bare,
        "distance_to_mfe_e3": 1000 * float(found["mean_distance_to_equilibrium"]),
        "distance_to_mfe_eps_e3": 1000 * float(found["mean_distance_to_equilibrium_eps"]),
    }


def _contractivity(inputs: Inputs) -> dict[str, Any]:
    how = inputs["experiment"]
    assert (how["distance"], how["steps"]) == ("mean", karma_theory.MAP_STEPS)
    assert how["stop_below"] == karma_theory.CONVERGED
    method = karma_theory.Contractivity(
        beta=inputs["beta"],
        policies=how["policies"],
        generator=how["generator"],
        entropy_rule=how["entropy_rule"],
    )
    found = _plain(rv.solve(economy(inputs), method).record)
    return {
        "fraction_of_violations": float(found["violation_share"]),
        "mean_entropy_of_equilibrium": float(found["equilibrium_entropy"]),
    }


def _monotonicity(inputs: Inputs) -> dict[str, Any]:
    how = inputs["experiment"]
    method = karma_theory.Monotonicity(
        beta=inputs["beta"],
        policies=how["policies"],
        generator=how["generator"],
        entropy_rule=how["entropy_rule"],
    )
    found = _plain(rv.solve(economy(inputs), method).record)
    return {"fraction_J": float(found["violation_share"]), "fraction_J_h": float(found["violation_share_h"])}


KINDS = {
    **city.KINDS,
    "baseline_exact": _baseline,
    "baseline_simulation": _baseline_simulation,
    "contractivity_experiment": _contractivity,
    "finite_simulation": _finite,
    "generalised_monotonicity_experiment": _monotonicity,
    "learning_run": _learning,
    "lasry_lions_sum": _lasry_lions,
    "lipschitz": _lipschitz,
    "mean_field_equilibrium": _mean_field,
    "mean_field_equilibrium_types": _types,
    "policy_evaluation": _evaluation,
    "population_step": _step,
    "redistribution_level": _level,
    "scaling_law": _scaling,
    "two_agents": _two_agents,
}
