"""Answers to the cases of karma reference files, through the package's public interface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import rivalry as rv
from rivalry._jax import put
from rivalry.games.karma.baselines import exact_baseline
from rivalry.games.karma.lasry_lions import lasry_lions_sum
from rivalry.games.karma.lipschitz import constants
from rivalry.games.karma.redistribution import checked_level
from rivalry.population import best_response, policy_values, push

Inputs = Mapping[str, Any]


class NotAnswered(Exception):
    """A kind that the package does not have."""


def answer(case: Mapping[str, Any]) -> dict[str, Any]:
    """What the package says to one case."""
    kind = case["kind"]
    if kind not in KINDS:
        raise NotAnswered(f"kind {kind!r}")
    return KINDS[kind](case["inputs"])


def economy(inputs: Inputs, **more: Any) -> Any:
    """The economy of a case."""
    given: dict[str, Any] = {
        "kmax": inputs["kmax"],
        "kbar": float(inputs.get("mean_karma", inputs["kmax"] / 2)),
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
        return np.asarray(game.named_start(policy))
    flat = [row for urgency in policy for row in urgency]
    full = np.array([[*row, *[0.0] * (game.space.shape[1] - len(row))] for row in flat])
    return full / full.sum(axis=1, keepdims=True)  # printed to eight digits


def _equilibrium(inputs: Inputs, **more: Any) -> tuple[Any, Any]:
    game = economy(inputs, **more)
    method = rv.methods.PopulationNewton(beta=inputs["beta"], eps=inputs["eps"])
    found = rv.solve(game, method, start="uniform")
    assert found.status == "settled", found
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
        "mu_at_kmax": float(found["share_at_kmax"]),
        "mean_bid": found["mean_bid"][0].tolist(),
        "mu": found["karma_law"][0].tolist(),
        "bid_distribution": found["bid_law"].tolist(),
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
    found = rv.solve(game, rv.methods.Given(), start=full_policy(game, inputs["policy"]))
    return _told(game, _plain(found.record))


def _step(inputs: Inputs) -> dict[str, Any]:
    game = economy(inputs)
    mu, pi = put(np.ravel(inputs["mu"])), put(full_policy(game, inputs["policy"]))
    env = game.environment(mu, pi)
    flows, best = game.flows(env, mu, pi), best_response(game, env, pi)
    values = np.asarray(policy_values(game, env, pi))
    shape = (len(inputs["urgencies"]), game.most + 1)
    return {
        "bid_distribution": (mu @ pi).tolist(),
        "win_probability": np.asarray(game.odds(env).win)[0].tolist(),
        "pbar": float(flows.paid),
        "overflow": float(flows.overflow),
        "level": float(env.level),
        "mu_next": np.reshape(push(game, env, mu[:, None] * pi), shape).tolist(),
        "V": values.reshape(shape).tolist(),
        "payoff": float(mu @ values),
        "best_response_payoff": float(mu @ np.asarray(best.values)),
        "best_response_bid": np.reshape(best.action, shape).tolist(),
    }


def _level(inputs: Inputs) -> dict[str, Any]:
    return {"level": checked_level(inputs["post_payment_law"], inputs["surplus_per_head"])}


def _lipschitz(inputs: Inputs) -> dict[str, Any]:
    found = constants(
        float(inputs["u_max"]),
        inputs["discount"],
        inputs["payment"],
        kmax=inputs["kmax"],
        L_pop=float(inputs["L_pop"]),
        dh=float(inputs["dh"]),
    )
    return found._asdict()


def _lasry_lions(inputs: Inputs) -> dict[str, Any]:
    names = ("urgencies", "law", "bids", "bids_prime")
    return {"S": float(lasry_lions_sum(*(inputs[name] for name in names), tie=inputs["tie"]))}


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
    factor = inputs["pair"][1][1] // inputs["pair"][0][1]
    gap = np.abs(bids[1][:, ::factor] / factor - bids[0])
    return {"max": float(gap.max()), "mean": float(gap.mean())}


KINDS = {
    "baseline_exact": _baseline,
    "lasry_lions_sum": _lasry_lions,
    "lipschitz": _lipschitz,
    "mean_field_equilibrium": _mean_field,
    "mean_field_equilibrium_types": _types,
    "policy_evaluation": _evaluation,
    "population_step": _step,
    "redistribution_level": _level,
    "scaling_law": _scaling,
}
