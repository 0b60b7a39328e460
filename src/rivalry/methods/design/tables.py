"""Tables of designs: the values that were tried, with what each achieves."""

from __future__ import annotations

import numpy as np

from rivalry.results.comparison import Ranking, difference_in_words, rank
from rivalry.results.reader import Reader
from rivalry.results.table import UNKNOWN, Draws, Estimate, Row, Table, exactly
from rivalry.text.statistics import format_interval

CHOSEN = "chosen"
SAME, DEFAULT = "cannot be told from the best", "the game as it is"
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
    return Table(rows, "trials", "trials", beside=True)


def rule_trials(reader: Reader) -> Table:
    """Return the trials of a design by learners or simulation: choices, objective with its interval."""
    reader.required("trial_objective")
    remarks, objectives, ranking = reader.array("trial_remark"), _objectives(reader), _ranking(reader)
    default = reader.array("default_trial")
    rows: list[Row] = []
    for k in _trials_made(reader).tolist():
        row = _choices(reader, k)
        if k in objectives:
            row["objective"] = objectives[k]
        if remarks is not None and remarks[k]:
            row["remark"] = Estimate(str(remarks[k]))
        marks = [SAME] * (k in ranking.unclear) + [DEFAULT] * (default is not None and k == int(default))
        row |= {CHOSEN: Estimate(", ".join(marks))} if marks else {}
        rows.append(row | _mark(k, reader.array("chosen")))
    return Table(rows, "trials", "trials", beside=True)


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


def _ranking(reader: Reader) -> Ranking:
    """The trials as they may be chosen, from the best on."""
    objectives, optimum = _objectives(reader), reader.array("chosen")
    if optimum is None or int(optimum) not in objectives:
        return Ranking([], [], [])
    statuses = reader.array("trial_status")
    trials = [k for k in objectives if statuses is None or statuses[k] in FINISHED]
    best_objective = objectives[int(optimum)]
    is_lowest = any(objectives[k].mean > best_objective.mean for k in trials)
    ranking = rank([{0: objectives[k]} for k in trials], ("higher", "lower")[is_lowest])
    return Ranking(*([trials[k] for k in group] for group in ranking))


def chosen_rule(reader: Reader, rule: str) -> tuple[Estimate, Estimate] | None:
    """Return a rule that a design chose with what cannot be told from it, and its objective."""
    ranking, objectives = _ranking(reader), _objectives(reader)
    if not ranking.best:
        return None
    best_objective = objectives[ranking.best[0]]
    default = reader.array("default_trial")
    rivals, count = len(ranking.unclear), len(ranking.unclear) + len(ranking.worse)
    seeds = "" if best_objective.draws is None else f" in {len(best_objective.draws.values)} runs of each"
    if np.isnan(best_objective.low):
        text = f"not decided: of single runs, whose differences may be noise, the best is that of {rule}"
    elif rivals and not ranking.worse:
        text = f"not decided: no rule can be told from another{seeds}; the best mean is that of {rule}"
    else:
        text = f"{rule}, which cannot be told from {rivals} of {count} others{seeds}" if rivals else rule
    if (
        default is not None
        and int(default) in {*ranking.unclear, *ranking.worse}
        and not np.isnan(best_objective.low)
    ):
        by = difference_in_words(best_objective, objectives[int(default)])
        doubt = ", which is not significant" * (int(default) in ranking.unclear)
        difference = f"differs from the game as it is by {by}{doubt}"
        # a sentence may list the rules of several designs
        text += f" (which {difference})" if text == rule else f"; it {difference}"
    return Estimate(text), best_objective._replace(draws=None)


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
