"""Tables of economies: bids by karma and urgency, outcomes for society, and agents."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from rivalry.results.reader import Reader
from rivalry.results.table import Estimate, Row, Table, around, exactly

OUTCOMES = (
    *("efficiency", "access_fairness", "reward_fairness", "mean_relative_exploitability"),
    *("largest_relative_exploitability", "exploitability", "cap", "uncapped_bound"),
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
    names, several = reader.array("class_name"), len(means) > 1
    columns: dict[str, ndarray] = {"share of agents": np.nansum(shares, axis=(0, 1)) / np.nansum(shares)}
    for kind, urgency in np.argwhere(np.isfinite(means).any(axis=2)).tolist():
        owner = f", {kind if names is None else names[kind]}" * several
        word = reader.number(urgencies[kind, urgency]).text
        columns[f"mean bid at urgency {word}{owner}"] = means[kind, urgency]
    rows: list[Row] = []
    for karma in range(means.shape[2]):
        row: Row = {"karma": exactly(str(karma), float(karma))}
        entries = {name: column[karma] for name, column in columns.items() if np.isfinite(column[karma])}
        rows.append(row | {name: reader.number(value, 1.0) for name, value in entries.items()})
    shows = ("mean_bid", "karma_distribution", "distribution", "profile", "policy")
    # agents that only play given policies found none
    is_given = reader.array("agent_reward") is not None and reader.array("agent_payoff") is None
    title = "mean bids by karma"
    return Table(rows, "karma", title, () if is_given else shows, main=len(rows) - 1, path=True, beside=True)


def outcomes(reader: Reader) -> Table:
    """Return efficiency, fairness and what an agent could gain."""
    rows: list[Row] = []
    for name in OUTCOMES:
        values, error = reader.array(name), reader.array("regret_error")
        if values is None:
            continue
        kinds = reader.array("class_name")
        for k, value in enumerate(np.atleast_1d(values).tolist()):
            owner = f" of {k if kinds is None else kinds[k]}" * (np.size(values) > 1)
            number = reader.number(value)
            if name == "exploitability" and error is not None:
                number = around(value, float(error[k]))
            rows.append({"quantity": Estimate(f"{reader.names.quantity(name)}{owner}"), "value": number})
    return Table(rows, "quantities", "outcomes", OUTCOMES, beside=True)


def agents(reader: Reader) -> Table:
    """Return what every agent earned, and what it could gain."""
    kinds, classes = reader.array("agent_type"), reader.array("class_name")
    columns = {label: reader.array(name) for name, label in OF_AGENTS.items()}
    present = {label: column for label, column in columns.items() if column is not None}
    rows: list[Row] = []
    for k in np.flatnonzero(np.isfinite(next(iter(present.values())))).tolist():
        row: Row = {"agent": exactly(str(k), float(k))}
        if kinds is not None and classes is not None and len(classes) > kinds.max() > 0:
            row["type"] = Estimate(str(classes[kinds[k]]))
        rows.append(row | {label: reader.number(column[k]) for label, column in present.items()})
    return Table(rows, "agents", "agents", tuple(OF_AGENTS), beside=True)
