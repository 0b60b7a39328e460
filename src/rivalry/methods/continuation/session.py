"""The state of a branch trace as plain arrays (rows, branches, cuts, events, orbits), and its record."""

from __future__ import annotations

from typing import Any

import numpy as np

from rivalry.core.method import Session
from rivalry.core.results import Record
from rivalry.methods.continuation.events import KINDS, STABLE
from rivalry.methods.continuation.groups import TOGETHER
from rivalry.methods.continuation.parametrised_game import Family
from rivalry.methods.continuation.switching import BranchCurve

# Endings of branches, by index; the first two mark branches that have not ended.
ENDINGS = (
    "waiting",
    "on its way",
    "the end of the range",
    "a bound of the space",
    "players meet",
    "comes back to its start",
    "known already",
    "its points are used up",
    "lost",
    "too many branches",
)
WAITING, WALKING, RANGE, BOUND, MEET, CLOSED, KNOWN, LONG, LOST, MANY = range(len(ENDINGS))
NONE = -1
SEARCHES = 2  # at both ends of the range
COVERAGES = ("", "lower bound", "bounded", "exact", "local")


def empty(players: int, axes: int, unknowns: int) -> Session:
    """Return an empty session; ``unknowns`` is the number of eigenvalues per profile."""
    # keys may share these empty arrays: `add` replaces them and never writes into them
    flat, whole = np.zeros(0), np.zeros(0, dtype=np.int64)
    profiles, spectra = np.zeros((0, players, axes)), np.zeros((0, unknowns))
    labels, each = np.zeros((0, unknowns), dtype=np.int64), np.zeros((0, players))
    return {
        "alike": np.full(players, NONE),
        "searched": np.zeros(1, dtype=np.int64),  # ends of the range already searched for equilibria
        "start": np.full((players, axes), np.nan),
        "row_branch": whole,
        "row_value": flat,
        "row_x": profiles,
        "row_tangent": np.zeros((0, unknowns + 1)),
        "row_real": spectra,
        "row_imag": spectra,
        "row_label": labels,
        "row_payoff": each,
        "row_regret": each,
        "row_coverage": whole,
        "branch_groups": np.zeros((0, players), dtype=np.int64),
        "branch_level": whole,
        "branch_event": whole,
        "branch_value": flat,
        "branch_x": profiles,
        "branch_tangent": np.zeros((0, unknowns + 1)),
        "branch_ending": whole,
        "length": np.zeros(1),  # of the next step of the current branch
        "cut_row": whole,
        "cut_label": whole,
        "cut_order": whole,
        "cuts_done": np.zeros(1, dtype=np.int64),
        "event_kind": whole,
        "event_branch": whole,
        "event_value": flat,
        "event_x": profiles,
        "event_real": spectra,
        "event_imag": spectra,
        "event_label": whole,
        "event_frequency": flat,
        "event_lyapunov": flat,
        "event_residual": flat,
        "events_done": np.zeros(1, dtype=np.int64),  # whose branches and cycles have been searched
        "orbit_hopf": whole,
        "orbit_value": flat,
        "orbit_period": flat,
        "orbit_stable": np.zeros(0, dtype=bool),
        "orbit_low": profiles,
        "orbit_high": profiles,
        "hopfs_done": np.zeros(1, dtype=np.int64),
    }


def add(session: Session, table: str, **values: Any) -> int:
    """Append a row to a table and return its index."""
    for name, value in values.items():
        key = f"{table}_{name}"
        old = session[key]
        new = np.asarray(value, dtype=old.dtype)
        if new.ndim and new.shape != old.shape[1:]:  # tangents are shorter where groups are larger
            new = np.pad(new, (0, old.shape[1] - len(new)))
        session[key] = np.concatenate([old, new[None]])
    return len(session[key]) - 1


def curve(session: Session, branch: int) -> BranchCurve:
    """Return the known part of a branch."""
    own = session["row_branch"] == branch
    return BranchCurve(session["branch_groups"][branch], session["row_x"][own], session["row_value"][own])


def record(family: Family, session: Session) -> Record:
    """Return the record of a session."""
    found: Record = {"parameter_name": ((), np.asarray(family.name))}
    found["alike"] = (("player",), session["alike"].copy())
    if session["searched"][0] == SEARCHES and not len(session["row_branch"]):
        found["status"] = ((), np.asarray("not found"))
    return found | _rows(family, session) | _events(family, session) | _orbits(session)


def _rows(family: Family, session: Session) -> Record:
    s = session
    # rows of one branch together, in the order they were found
    groups = s["branch_groups"][s["row_branch"]].reshape(-1, len(s["alike"]))
    ends = s["branch_ending"]
    return {
        "branch": (("row",), s["row_branch"].copy()),
        "branch_parameter": (("row",), s["row_value"].copy()),
        "branch_position": (("row", "player", "axis"), s["row_x"].copy()),
        "branch_group": (("row", "player"), groups),
        "branch_payoff": (("row", "player"), s["row_payoff"].copy()),
        "branch_eigenvalues_real": (("row", "eigenvalue"), s["row_real"].copy()),
        "branch_eigenvalues_imag": (("row", "eigenvalue"), s["row_imag"].copy()),
        "branch_moves": (("row", "eigenvalue"), words(s["row_label"])),
        "branch_stable": (("row",), stable(family, s["row_real"])),
        "branch_regret": (("row", "player"), s["row_regret"].copy()),
        "branch_coverage": (("row",), np.asarray(COVERAGES)[s["row_coverage"]]),
        "branch_ending": (("branch_id",), np.asarray(ENDINGS)[ends]),
        "branch_level": (("branch_id",), s["branch_level"].copy()),
        "branch_event": (("branch_id",), s["branch_event"].copy()),
    }


def _events(family: Family, session: Session) -> Record:
    s = session
    kinds = np.asarray(KINDS)[s["event_kind"]]
    found: Record = {
        "event_kind": (("event",), kinds),
        "event_parameter": (("event",), s["event_value"].copy()),
        "event_branch": (("event",), s["event_branch"].copy()),
        "event_position": (("event", "player", "axis"), s["event_x"].copy()),
        "event_eigenvalues_real": (("event", "eigenvalue"), s["event_real"].copy()),
        "event_eigenvalues_imag": (("event", "eigenvalue"), s["event_imag"].copy()),
        "event_moves": (("event",), words(s["event_label"])),
        "event_frequency": (("event",), s["event_frequency"].copy()),
        "event_lyapunov": (("event",), s["event_lyapunov"].copy()),
        "event_residual": (("event",), s["event_residual"].copy()),
    }
    for kind in KINDS:
        found[f"{kind}_parameter"] = ((kind,), s["event_value"][kinds == kind])
        found[f"{kind}_position"] = ((kind, "player", "axis"), s["event_x"][kinds == kind])
    hopf = kinds == "hopf"
    found["hopf_frequency"] = (("hopf",), s["event_frequency"][hopf])
    found["hopf_lyapunov"] = (("hopf",), s["event_lyapunov"][hopf])
    return found


def _orbits(session: Session) -> Record:
    s = session
    return {
        "orbit_hopf": (("orbit",), s["orbit_hopf"].copy()),
        "orbit_parameter": (("orbit",), s["orbit_value"].copy()),
        "orbit_period": (("orbit",), s["orbit_period"].copy()),
        "orbit_stable": (("orbit",), s["orbit_stable"].copy()),
        "orbit_low": (("orbit", "player", "axis"), s["orbit_low"].copy()),
        "orbit_high": (("orbit", "player", "axis"), s["orbit_high"].copy()),
    }


def words(labels: np.ndarray) -> np.ndarray:
    """Return the labels of eigenvalues in words.

    Examples
    --------
    >>> words(np.array([-1, 2])).tolist()
    ['moves groups', 'splits group 2']
    """
    known = np.asarray(["moves groups"] + [f"splits group {g}" for g in range(np.max(labels, initial=0) + 1)])
    return np.asarray(known[np.asarray(labels) - TOGETHER])


def stable(family: Family, real: np.ndarray) -> np.ndarray:
    """Return whether all real parts [row eigenvalue] are negative, by more than rounding."""
    unit = family.scale / float(np.max(family.width)) ** 2
    return np.asarray(np.all(real < -STABLE * unit, axis=1))
