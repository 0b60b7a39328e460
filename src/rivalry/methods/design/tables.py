"""Tables of designs: the values that were tried, with what each achieves."""

from __future__ import annotations

import numpy as np

from rivalry.results.reader import Reader
from rivalry.results.table import Estimate, Row, Table, exactly
from rivalry.text.statistics import format_interval

CHOSEN = "chosen"


def trials(reader: Reader) -> Table | None:
    """Return the trials of a design by equilibria: choices, objective, equilibria and claim."""
    objective, claims = reader.array("objective"), reader.array("trial_claim")
    best, worst = reader.array("objective_best"), reader.array("objective_worst")
    equilibria, optimum = reader.array("trial_equilibria"), reader.array("chosen")
    if objective is None or claims is None:
        return None
    rows: list[Row] = []
    for k in _trials_made(reader):
        row = _choices(reader, k) | {"objective": reader.number(float(objective[k]))}
        if best is not None and worst is not None and best[k] != worst[k]:
            row["best equilibrium"] = reader.number(float(best[k]))
            row["worst equilibrium"] = reader.number(float(worst[k]))
        if equilibria is not None:
            row["equilibria"] = exactly(str(int(equilibria[k])), float(equilibria[k]))
        row["claim"] = Estimate(str(claims[k]))
        rows.append(row | _mark(k, optimum))
    return Table(rows, "trials", "trials", beside=True)


def rule_trials(reader: Reader) -> Table | None:
    """Return the trials of a design by learners or simulation: choices, objective with its interval."""
    mean, low, high = (reader.array(f"trial_objective_{name}") for name in ("mean", "low", "high"))
    remarks, optimum = reader.array("trial_remark"), reader.array("chosen")
    if mean is None:
        return None
    rows: list[Row] = []
    for k in _trials_made(reader):
        objective = reader.number(float(mean[k]))
        if low is not None and high is not None and high[k] > low[k]:
            half = float(high[k] - low[k]) / 2
            text = format_interval(float(mean[k]), half)
            objective = Estimate(text, objective.mean, float(low[k]), float(high[k]))
        row = _choices(reader, k) | {"objective": objective}
        if remarks is not None and remarks[k]:
            row["remark"] = Estimate(str(remarks[k]))
        rows.append(row | _mark(k, optimum))
    return Table(rows, "trials", "trials", beside=True)


def _trials_made(reader: Reader) -> np.ndarray:
    """Return the numbers of the trials that were made, in the order of their choices."""
    parameters = reader.array("parameters")
    if parameters is None:
        return np.empty(0, dtype=int)
    order = np.lexsort(parameters.T[::-1])
    return np.asarray(order[~np.isnan(parameters[order]).all(axis=1)])


def _choices(reader: Reader, trial: int) -> Row:
    """Return the values of the choices in a trial."""
    names, parameters, labels = (
        reader.array(name) for name in ("choice_name", "parameters", "parameter_label")
    )
    assert names is not None
    assert parameters is not None
    row: Row = {}
    for k, name in enumerate(names):
        if not name:
            continue
        value = reader.number(float(parameters[trial, k]))
        if labels is not None and labels[trial, k]:
            value = value._replace(text=str(labels[trial, k]))
        row[reader.names.key(str(name))] = value
    return row


def _mark(trial: int, optimum: np.ndarray | None) -> Row:
    """Return the mark of the trial that was chosen."""
    is_optimum = optimum is not None and trial == int(optimum)
    return {CHOSEN: Estimate("yes")} if is_optimum else {}
