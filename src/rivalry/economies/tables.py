"""Tables of economies: bids by karma and urgency, outcomes for society, and agents."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from rivalry.results.reader import Reader
from rivalry.results.table import Table

OUTCOMES = (
    *("efficiency", "access_fairness", "reward_fairness", "mean_relative_exploitability"),
    *("largest_relative_exploitability", "exploitability"),
)
OF_AGENTS = {
    "agent_reward": "reward per step",
    "agent_wins": "steps won",
    "agent_admitted": "steps in which it was admitted",
    "agent_payoff": "payoff",
    "agent_exploitability": "gain of a best response",
    "gap_to_equilibrium": "gain over the equilibrium policy",
}


def bids(reader: Reader) -> Table:
    """Return the mean bid at every karma, by type and urgency, and the share of agents that hold it."""
    means, urgencies, shares = reader.required("mean_bid", "urgency", "karma_distribution")
    names, share = reader.array("class_name"), np.nansum(shares, axis=(0, 1)) / np.nansum(shares)
    columns: dict[str, ndarray] = {"karma": np.arange(means.shape[2]), "share of agents": share}
    for kind, urgency in np.argwhere(np.isfinite(means).any(axis=2)).tolist():
        owner = f", {names[kind]}" if names is not None and len(means) > 1 else ""
        word = reader.number(urgencies[kind, urgency]).text
        columns[f"mean bid at urgency {word}{owner}"] = means[kind, urgency]
    rows = reader.rows(columns)
    shows = ("mean_bid", "karma_distribution", "distribution", "profile", "policy")
    # agents that only play given policies found none
    is_given = reader.array("agent_reward") is not None and reader.array("agent_payoff") is None
    title = "mean bids by karma"
    return Table(
        rows, "levels of karma", title, () if is_given else shows, main=len(rows) - 1, path=True, beside=True
    )


def outcomes(reader: Reader) -> Table:
    """Return efficiency, fairness and the gain that an agent could have."""
    names = reader.array("class_name")
    rows = reader.quantities(OUTCOMES, () if names is None else names.tolist())
    return Table(rows, "quantities", "outcomes", OUTCOMES, beside=True)


def agents(reader: Reader) -> Table:
    """Return the payoffs and possible gains of agents; print has some of them, in rising order of gains."""
    kinds, classes = reader.array("agent_type"), reader.array("class_name")
    columns: dict[str, ndarray | None] = {}
    if kinds is not None and classes is not None and len(classes) > kinds.max() > 0:
        columns["type"] = classes[kinds]
    columns |= {label: reader.array(name) for name, label in OF_AGENTS.items()}
    (payoff,), gain = reader.required("agent_payoff"), reader.array("agent_exploitability")
    order = np.argsort(-payoff if gain is None else gain, kind="stable")
    numbers = np.flatnonzero(np.isfinite(payoff)) if reader.numbers else order[np.isfinite(payoff[order])]
    rows = reader.rows({"agent": np.arange(len(payoff)), **columns}, numbers.tolist())
    return Table(rows, "agents", "agents", tuple(OF_AGENTS), main=len(rows) - 1, path=True, beside=True)
