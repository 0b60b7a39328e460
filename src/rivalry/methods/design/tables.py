"""Tables of designs: the values that were tried, with what each achieves."""

from __future__ import annotations

import numpy as np

from rivalry.results.comparison import differ
from rivalry.results.letters import difference_column, letter_columns
from rivalry.results.reader import Reader
from rivalry.results.table import EMPTY, UNKNOWN, Draws, Estimate, Row, Table, exactly
from rivalry.text.statistics import format_interval

CHOSEN = "chosen"
DEFAULT = "the game as it is"
SHOWS = ("parameters", "objective", "trial_")
FINISHED = ("converged", "completed", "iteration limit")  # statuses of trials that may be chosen


def trials(reader: Reader) -> Table:
    """Return the trials of a design by equilibria: choices, objective, equilibria and claim."""
    objective, claims = reader.required("objective", "trial_claim")
    best, worst = reader.array("objective_best"), reader.array("objective_worst")
    equilibria, optimum = reader.array("trial_equilibria"), reader.array("chosen")
    rows: list[Row] = []
    for k in _trials_made(reader).tolist():
        row = _choices(reader, k) | {"objective": reader.number(objective[k])}
        if best is not None and worst is not None and best[k] != worst[k]:
            row["best equilibrium"] = reader.number(best[k])
            row["worst equilibrium"] = reader.number(worst[k])
        if equilibria is not None:
            row["equilibria"] = exactly(str(int(equilibria[k])), float(equilibria[k]))
        row["claim"] = Estimate(str(claims[k]))
        rows.append(row | _mark(k, optimum))
    return Table(rows, "trials", shows=SHOWS, beside=True)


def rule_trials(reader: Reader) -> Table:
    """Return the trials of a design by learners or simulation: choices, objective with its interval."""
    reader.required("trial_objective")
    trials, objectives = _trials_made(reader).tolist(), _objectives(reader)
    of_default = reader.array("default_trial")
    default = -1 if of_default is None else int(of_default)
    entries = [objectives.get(k, EMPTY) for k in trials]
    columns, notes = letter_columns({"objective": entries})
    if default in trials and default in objectives:
        columns["difference"] = difference_column(entries, trials.index(default))
        notes.append(f"difference: from {DEFAULT}")
    remarks = reader.array("trial_remark")
    rows: list[Row] = []
    for number, k in enumerate(trials):
        row = _choices(reader, k)
        row |= {name: column[number] for name, column in columns.items() if column[number].text}
        if remarks is not None and remarks[k]:
            row["remark"] = Estimate(str(remarks[k]))
        row |= {CHOSEN: Estimate(DEFAULT)} if k == default else {}
        rows.append(row | _mark(k, reader.array("chosen")))
    return Table(rows, "trials", shows=SHOWS, beside=True, remarks=tuple(notes))


def _objectives(reader: Reader) -> dict[int, Estimate]:
    """Estimates of the objective by trial, over the same seeds, of the trials that have one."""
    values, names = reader.array("trial_objective"), ("mean", "low", "high")
    means, lows, highs = (reader.array(f"trial_objective_{name}") for name in names)
    if values is None or means is None:
        return {}
    values = values[:, ~np.isnan(values).all(axis=0)]  # other designs may have more seeds
    objectives: dict[int, Estimate] = {}
    for k in np.flatnonzero(np.isfinite(means)):
        estimate = reader.number(means[k])._replace(low=UNKNOWN, high=UNKNOWN)
        if lows is not None and highs is not None and np.isfinite(highs[k]):
            text = format_interval(float(means[k]), float(highs[k] - lows[k]) / 2)
            estimate = Estimate(text, estimate.mean, float(lows[k]), float(highs[k]))
        seeds = np.arange(values.shape[1])
        objectives[int(k)] = estimate._replace(draws=Draws("seeds", seeds, values[k]))
    return objectives


def chosen_rule(reader: Reader, rule: str) -> tuple[Estimate, Estimate] | None:
    """Return a rule that a design chose, with what it cannot be told from, and its objective."""
    optimum, objectives = reader.array("chosen"), _objectives(reader)
    if optimum is None or int(optimum) not in objectives:
        return None
    best, statuses = objectives.pop(int(optimum)), reader.array("trial_status")
    compared = [row for k, row in objectives.items() if statuses is None or statuses[k] in FINISHED]
    rivals = sum(not differ(best, row) for row in compared)
    doubt = f"does not differ significantly from {rivals} of {len(compared)} other rules" if rivals else ""
    doubt = "of single runs" if np.isnan(best.low) else doubt
    return Estimate(f"{rule} ({doubt})" if doubt else rule), best._replace(draws=None)


def _trials_made(reader: Reader) -> np.ndarray:
    """Return the numbers of the trials that were made, in the order of their choices."""
    parameters = reader.array("parameters")
    if parameters is None:
        return np.empty(0, int)
    order = np.lexsort(parameters.T[::-1])
    return order[~np.isnan(parameters[order]).all(axis=1)]


def _choices(reader: Reader, trial: int) -> Row:
    """Return the values of the choices in a trial."""
    names, parameters = reader.required("choice_name", "parameters")
    labels = reader.array("parameter_label")
    row: Row = {}
    for k, name in enumerate(names):
        if not name:
            continue
        value = reader.number(parameters[trial, k])
        if labels is not None and labels[trial, k]:
            value = value._replace(text=str(labels[trial, k]))
        row[reader.names.key(str(name))] = value
    return row


def _mark(trial: int, optimum: np.ndarray | None) -> Row:
    """Return the mark of the trial that was chosen."""
    is_optimum = optimum is not None and trial == int(optimum)
    return {CHOSEN: Estimate("yes")} if is_optimum else {}
