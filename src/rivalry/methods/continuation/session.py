"""The state of a branch trace as plain arrays (rows, branches, cuts, events, orbits), and its record."""

from __future__ import annotations

import numpy as np

from rivalry.core.method import Session
from rivalry.core.results import Record, scalar
from rivalry.methods.continuation.events import KINDS, STABLE
from rivalry.methods.continuation.groups import TOGETHER
from rivalry.methods.continuation.parametrised_game import ParametrisedGame
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
    "not followed",
)
WAITING, GROWING, RANGE, BOUND, MEET, CLOSED, KNOWN, LONG, LOST, MANY, BEYOND = range(len(ENDINGS))
UNFINISHED = (LONG, LOST, MANY, BEYOND)
NONE = -1
SEARCHES = 2  # at both ends of the range
COVERAGES = ("", "lower bound", "bounded", "tight", "local")
COPIED = (  # entries of the record, their dimensions, the columns of the session
    ("branch", "row", "row_branch"),
    ("branch_parameter", "row", "row_value"),
    ("branch_position", "row player axis", "row_x"),
    ("branch_payoff", "row player", "row_payoff"),
    ("branch_eigenvalues_real", "row eigenvalue", "row_real"),
    ("branch_eigenvalues_imag", "row eigenvalue", "row_imag"),
    ("branch_regret", "row player", "row_regret"),
    ("branch_level", "branch_id", "branch_level"),
    ("branch_event", "branch_id", "branch_event"),
    ("event_parameter", "event", "event_value"),
    ("event_branch", "event", "event_branch"),
    ("event_row", "event", "event_row"),
    ("event_position", "event player axis", "event_x"),
    ("event_eigenvalues_real", "event eigenvalue", "event_real"),
    ("event_eigenvalues_imag", "event eigenvalue", "event_imag"),
    ("event_frequency", "event", "event_frequency"),
    ("event_lyapunov", "event", "event_lyapunov"),
    ("event_residual", "event", "event_residual"),
    ("orbit_hopf", "orbit", "orbit_hopf"),
    ("orbit_parameter", "orbit", "orbit_value"),
    ("orbit_period", "orbit", "orbit_period"),
    ("orbit_stable", "orbit", "orbit_stable"),
    ("orbit_low", "orbit player axis", "orbit_low"),
    ("orbit_high", "orbit player axis", "orbit_high"),
)


def empty(players: int, axes: int, unknowns: int) -> Session:
    """Return an empty session; ``unknowns`` is the number of eigenvalues per profile."""
    columns: list[tuple[tuple[int, ...], type, str]] = [  # by the shape of an entry
        ((), int, "row_branch row_coverage branch_level branch_event branch_ending orbit_hopf"),
        ((), int, "cut_row cut_label cut_order event_kind event_branch event_label event_born event_row"),
        ((), float, "row_value branch_value event_value orbit_value orbit_period"),
        ((), float, "event_frequency event_lyapunov event_residual"),
        ((), bool, "orbit_stable cut_lost"),
        ((players,), int, "branch_groups"),
        ((players,), float, "row_payoff row_regret"),
        ((players, axes), float, "row_x branch_x event_x orbit_low orbit_high"),
        ((unknowns,), int, "row_label"),
        ((unknowns,), float, "row_real row_imag event_real event_imag"),
        ((unknowns + 1,), float, "row_tangent branch_tangent event_tangent"),
    ]
    session: Session = {}
    for shape, dtype, names in columns:
        session |= {name: np.zeros((0, *shape), dtype) for name in names.split()}
    # tasks done: ends of the range searched for equilibria, cuts located, events whose branches were searched
    for name in ("searched", "cuts_done", "events_done", "hopfs_done"):
        session[name] = np.array([0])
    session["length"] = np.zeros(1)  # of the next step of the current branch
    session["alike"] = np.full(players, NONE)
    session["start"] = np.full((players, axes), np.nan)
    return session


def add(session: Session, table: str, **values: object) -> int:
    """Append a row to a table and return its index."""
    for name, value in values.items():
        key = f"{table}_{name}"
        old = session[key]
        new = np.asarray(value, old.dtype)
        if new.ndim and new.shape != old.shape[1:]:  # tangents are shorter where groups are larger
            new = np.pad(new, (0, old.shape[1] - len(new)))
        session[key] = np.concatenate([old, new[None]])
    return len(session[key]) - 1


def curve(session: Session, branch: int, event: int, near: float) -> BranchCurve:
    """Return the known part of a branch; where its players meet it goes on to an ``event`` that is near."""
    rows = session["row_branch"] == branch
    x, value = session["row_x"][rows], session["row_value"][rows]
    if event != NONE and session["branch_ending"][branch] == MEET:
        end, end_value = session["event_x"][event], session["event_value"][event]
        if abs(value[-1] - end_value) <= near:
            x, value = np.append(x, end[None], axis=0), np.append(value, end_value)
    return BranchCurve(session["branch_groups"][branch], x, value)


def record(family: ParametrisedGame, session: Session) -> Record:
    """Return the record of a session, with copies of its arrays."""
    s = {name: array.copy() for name, array in session.items()}
    stable_below = -STABLE * (float(np.min(family.scales)) / float(np.max(family.width[family.mask])) ** 2)
    record_: Record = {
        "parameter_name": scalar(family.name),
        "exchangeable": (("player",), s["alike"]),
    }
    # crossings that could not be located, and events from which no branch was born
    not_located = s["row_value"][s["cut_row"][s["cut_lost"]]]
    unresolved = np.append(not_located, s["event_value"][s["event_born"] == 0])
    not_followed = s["branch_value"][s["branch_ending"] == BEYOND]
    if s["searched"][0] == SEARCHES and not len(s["row_branch"]):
        record_["status"] = scalar("not found")
    elif len(unresolved) or np.isin(s["branch_ending"], UNFINISHED).any():
        record_["status"] = scalar("completed")
    record_ |= {name: (tuple(dims.split()), s[column]) for name, dims, column in COPIED}
    return {
        **record_,
        **_events_of_kinds(s),
        "branch_group": (("row", "player"), s["branch_groups"][s["row_branch"]]),
        "branch_moves": (("row", "eigenvalue"), words(s["row_label"])),
        "branch_stable": (("row",), np.all(s["row_real"] < stable_below, axis=1)),
        "branch_coverage": (("row",), np.asarray(COVERAGES)[s["row_coverage"]]),
        "branch_ending": (("branch_id",), np.asarray(ENDINGS)[s["branch_ending"]]),
        "unresolved_parameter": (("unresolved",), np.unique(unresolved)),
        "unfollowed_parameter": (("unfollowed",), np.unique(not_followed)),
    }


def _events_of_kinds(s: Session) -> Record:
    """Entries of events in words, and those of each kind."""
    kinds = np.asarray(KINDS)[s["event_kind"]]
    record_: Record = {
        "event_kind": (("event",), kinds),
        "event_moves": (("event",), words(s["event_label"])),
    }
    for kind in KINDS:
        record_[f"{kind}_parameter"] = ((kind,), s["event_value"][kinds == kind])
        record_[f"{kind}_position"] = ((kind, "player", "axis"), s["event_x"][kinds == kind])
    for name in ("frequency", "lyapunov"):
        record_[f"hopf_{name}"] = (("hopf",), s[f"event_{name}"][kinds == "hopf"])
    return record_


def words(labels: np.ndarray) -> np.ndarray:
    """Return the labels of eigenvalues in words.

    Examples
    --------
    >>> words(np.array([-1, 2])).tolist()
    ['moves groups', 'splits group 2']
    """
    labels_in_words = np.asarray(
        ["moves groups"] + [f"splits group {g}" for g in range(np.max(labels, initial=0) + 1)]
    )
    return labels_in_words[np.asarray(labels) - TOGETHER]
