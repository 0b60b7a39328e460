"""Plain sentences on results: what each method found over each range of a sweep, and what is claimed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from rivalry.core.results import (
    Claim,
    boxes_in_words,
    gain_in_words,
    radius_in_words,
    small_gain_in_words,
)
from rivalry.lab.report.answers import Answer, number_in_words, runs_of
from rivalry.methods import METHODS
from rivalry.plots.metrics import metric_label
from rivalry.plots.select import format_value

MOST = 6  # ranges of one method that have a sentence each; more are counted
LONG = 90  # characters of a profile that a sentence does not repeat from the table
DYNAMICS = "rivalry.methods.dynamics."

_PLAYERS = {
    "converged": "the players converge",
    "iteration limit": "the players reach the iteration limit",
    "cycling": "the players cycle, last",
    "completed": "the players end",
    "not found": "no profile is found",
}
_SEARCH = {
    "converged": "it converges",
    "iteration limit": "it stops at its iteration limit",
    "cycling": "it cycles, last",
    "completed": "it completes its steps",
    "not found": "it finds no profile",
}
_CLAIMS: Mapping[Claim | str, str] = {
    "equilibrium": "an equilibrium",
    "approximate equilibrium": "an approximate equilibrium",
    "no deviation found": "no profitable deviation was found",
    "local equilibrium": "a local equilibrium: no gain was found in a neighbourhood",
    "not an equilibrium": "not an equilibrium",
    "not decided": "not decided, since a payoff is not a number",
    "": "no certificate",
}

_COUNTED = {  # of one point, of several points
    "equilibrium": ("is an equilibrium", "are equilibria"),
    "approximate equilibrium": ("is an approximate equilibrium", "are approximate equilibria"),
    "no deviation found": ("has no profitable deviation found", "have no profitable deviation found"),
    "local equilibrium": ("is a local equilibrium", "are local equilibria"),
    "not an equilibrium": ("is not an equilibrium", "are not equilibria"),
    "not decided": ("is not decided", "are not decided"),
    "no certificate": ("has no certificate", "have no certificate"),
}


def sentences(
    study: Mapping[str, Any], found: Sequence[Answer], most: int = MOST
) -> list[tuple[str, list[str]]]:
    """Return the sentences on every method, one per range of points with equal claims and statuses.

    With more than ``most`` ranges, points are counted instead.
    ``found`` are the results in the order of `rivalry.lab.report.answers.answers`.
    """
    kinds = {str(table["name"]): str(table["kind"]) for table in study["method"]}
    texts = []
    for algorithm, group in groupby(found, key=lambda one: one.algorithm):
        base = next((kinds[name] for name in (algorithm, algorithm.rpartition("-")[0]) if name in kinds), "")
        texts.append((algorithm, _on_method(list(group), base, most)))
    return texts


def _on_method(rows: Sequence[Answer], kind: str, most: int) -> list[str]:
    ranges = [rows[first : last + 1] for first, last in runs_of(rows)]
    return [_summary(rows)] if len(ranges) > most else [_sentence(part, kind) for part in ranges]


def headline(study: Mapping[str, Any], found: Sequence[Answer]) -> str:
    """Return one sentence on a method of a study, named where there are several.

    It is the first of those that found a profile at most points.
    """
    texts = sentences(study, found, most=1)
    if not texts:
        return ""
    missed = Counter(one.algorithm for one in found if "not found" in one.statuses)
    method, (words,) = min(texts, key=lambda text: missed[text[0]])
    return words if len(texts) == 1 else f"{method}: {words}"


def _sentence(part: Sequence[Answer], kind: str) -> str:
    """Return the sentence on consecutive answers with equal claims and statuses."""
    one = part[0]
    clauses = [" ".join(filter(None, [_repeats(part), _outcome(part, kind)]))]
    if _certified(part):
        clauses[0] += f": {_claims(part)}"
    elif not one.counts_text and set(one.statuses) != {"not found"}:
        clauses[0] += " (no certificate)"
    if concepts := list(dict.fromkeys(one.concept for one in part if one.concept)):
        residual = np.fmax.reduce([one.residual for one in part])
        known = f", residual {residual:.2g}" if np.isfinite(residual) else ""
        clauses.append(f"solution concept: {' to '.join(concepts[:: max(len(concepts) - 1, 1)])}{known}")
    if not one.counts_text and (not _certified(part) or not _place(part)):
        clauses += _metrics(part)
    lead, text = _range(part), "; ".join(clauses)
    text = f"For {lead}, {text}" if lead else text
    return f"{text[0].upper()}{text[1:]}."


def _certified(part: Sequence[Answer]) -> bool:
    return set(part[0].claims) != {""}


def _range(part: Sequence[Answer]) -> str:
    """Return the coordinates of answers in words; words of a sweep are the same for all of them."""
    words = []
    for name, first in part[0].at.items():
        ends = list(dict.fromkeys(format_value(value) for value in (first, part[-1].at[name])))
        words.append(f"{name} = {' to '.join(ends)}")
    return ", ".join(words) + (f" ({len(part)} points)" if len(part) > 2 else "")


def _repeats(part: Sequence[Answer]) -> str:
    """Return how many replications or starts a sentence describes; empty for one."""
    one = part[0]
    if not one.repeats:
        return ""
    if len(one.statuses) == 1:
        return f"in all {one.results} {one.repeats}"
    return f"of {one.results} {one.repeats} {one.status}" if len(part) == 1 else f"in some {one.repeats}"


def _outcome(part: Sequence[Answer], kind: str) -> str:
    """Return what the method did, and the profile at the ends of the range."""
    one, place = part[0], _place(part)
    if one.counts_text:
        words = one.counts_text + boxes_in_words(answer.boxes for answer in part)
        of_points = "the first equilibrium is" if "first-order" in words else "the first"
        which = "it is" if words.startswith("exactly 1 ") else of_points
        return f"{words}; {which} {place}" if place else words
    if len(one.statuses) > 1:
        return place
    (status,) = one.statuses
    if kind == "evaluate":
        return f"the profile given {place}".strip()
    entry = METHODS.get(kind)
    dynamic = entry is not None and entry.targets[0].startswith(DYNAMICS)
    words = (_PLAYERS if dynamic else _SEARCH).get(status, status)
    if status == "converged" and kind == "closed_form":
        return f"the solution is {place}" if place else "a solution is given"
    if status == "not found" and place and _certified(part):  # the last profile has a certificate
        return f"{'the players do' if dynamic else 'it does'} not converge, last {place}"
    if status == "not found" or not place:
        return words
    if status == "converged":
        return f"{words} {place.replace('at ', 'to ', 1)}"
    return f"{words} {place}"


def _place(part: Sequence[Answer]) -> str:
    """Return the profile at the ends of the range; empty where none is printed."""
    ends = list(dict.fromkeys(text for one in (part[0], part[-1]) if (text := one.profile_words)))
    several = part[0].repeats == "starts" and len(ends) > 1  # "different profiles" is no end of a range
    if not ends or several or max(map(len, ends)) > LONG:
        return ""
    mean = "the mean " if part[0].repeats == "replications" and any("±" in end for end in ends) else ""
    every = " for every player" if all(end.startswith("each ") for end in ends) else ""
    ends = [end.removeprefix("each ") for end in ends] if every else ends
    between = not ends[1:] and not all(_same_place(one, part[0]) for one in part)
    others = " at both ends of the range, with other profiles between" if between else ""
    return f"at {mean}{f'profiles from {ends[0]} to {ends[1]}' if ends[1:] else ends[0]}{every}{others}"


def _same_place(one: Answer, other: Answer) -> bool:
    """Return whether an answer has the printed profile of another, or none."""
    if one.profile is not None and other.profile is not None and np.array_equal(one.profile, other.profile):
        return True  # printing thousands takes longer than comparing them
    return one.profile_words in ("", other.profile_words)


def _claims(part: Sequence[Answer]) -> str:
    """Return what the certificates claim, with the largest gains."""
    known = [claim for claim in _CLAIMS if claim in part[0].claims]
    words = []
    for claim in known:
        text = _CLAIMS[claim]
        if claim == "approximate equilibrium":
            text += f", {gain_in_words(max(one.gain for one in part))}"
        elif claim == "equilibrium" and not any(np.isnan(one.radius) for one in part):
            text += f", and an exact one is proved within {radius_in_words(max(one.radius for one in part))}"
        elif claim == "no deviation found":
            ways = sorted({way for one in part for way in one.searches})
            text += f" ({', '.join(ways[:2])})" if ways else ""
        elif claim == "not an equilibrium":
            text += f", {_gain(part)}"
        if len(known) > 1:
            count = f"{part[0].claims[claim]} of {part[0].results}" if len(part) == 1 else "some"
            text = f"in {count} {text}"
        words.append(text)
    return "; ".join(words)


def _gain(part: Sequence[Answer]) -> str:
    """Return the largest gain above the tolerance, the player that has it, and where."""
    one = max(part, key=lambda one: np.max(one.regret, where=one.refuting, initial=-1.0))
    result, player = np.unravel_index(
        int(np.argmax(np.where(one.refuting, one.regret, -1.0))), one.regret.shape
    )
    row = one.regret[result][~np.isnan(one.regret[result])]
    most = float(one.regret[result, player])
    same = len(row) > 1 and bool(np.all(np.abs(row - most) <= 1e-6 * most))
    who = "each player" if same else _player(one, int(player), int(result))
    could = "could by an estimate gain" if one.estimated else "could gain"
    gain = number_in_words(most) + _small_gain(one, int(player), int(result))
    if len(part) == 1:
        return f"{who} {could} {'up to ' if one.repeats else ''}{gain}"
    place = ", ".join(f"{name} = {format_value(value)}" for name, value in one.at.items())
    return f"{who} {could} {gain} at {place}, the largest gain in this range"


def _small_gain(one: Answer, player: int, result: int) -> str:
    """Return why a small gain counts; empty for other gains."""
    if one.payoff is None or one.payoff.shape != one.regret.shape:
        return ""
    about = (one.regret, one.bound, one.at_stake, one.payoff)
    words = small_gain_in_words(*(float(rows[result, player]) for rows in about))
    return f" ({words})" if words else ""


def _player(one: Answer, player: int, result: int) -> str:
    """Return a player's name, with its position on a line."""
    if one.regret.shape[1] == 1:
        return "a player"
    name = one.players[player] if player < len(one.players) else f"player {player}"
    if one.profile is None or one.profile.shape[2] != 1 or one.profile.shape[:2] != one.regret.shape:
        return name
    positions = one.profile[result, :, 0]
    return f"{name} (at {number_in_words(positions[player], np.nanmax(np.abs(positions)))})"


def _metrics(part: Sequence[Answer], most: int = 2) -> list[str]:
    """Return the first metrics at the ends of the range, in words."""
    first, last = part[0].metrics, part[-1].metrics
    words: list[str] = []
    for name in first:
        if name in last and len(words) < most:
            ends = list(dict.fromkeys([first[name], last[name]]))
            values = ends[0] if len(ends) == 1 else f"from {ends[0]} to {ends[1]}"
            if len(ends) == 1 and {one.metrics.get(name, ends[0]) for one in part} != set(ends):
                values += " at both ends of the range, with other values between"
            words.append(f"{metric_label(name).replace('_', ' ')} {values}")
    return words


def _summary(rows: Sequence[Answer]) -> str:
    """Return one sentence that counts points by claim and status, with the largest gain found.

    Points with lists of equilibria that are proved are counted by these.
    """
    if all(one.boxes >= 0 for one in rows):
        counts = Counter(one.counts_text for one in rows).most_common(MOST)
        lists = [f"{n} {'has' if n == 1 else 'have'} {text}" for text, n in counts]
        lists += ["the others have other numbers"] * (sum(n for _, n in counts) < len(rows))
        return f"Of {len(rows)} points, {'; '.join(lists)}{boxes_in_words(one.boxes for one in rows)}."
    groups = Counter((one.claim, one.status) for one in rows)
    parts = []
    for (claim, status), n in groups.most_common(MOST):
        words = _COUNTED.get(claim, (f"has: {claim}", f"have: {claim}"))[n > 1]
        parts.append(f"{n} {words} ({status})")
    parts += [f"{len(groups) - MOST} other combinations"] if len(groups) > MOST else []
    text = f"Of {len(rows)} points, {' and '.join(filter(None, [', '.join(parts[:-1]), parts[-1]]))}"
    refuted = [one for one in rows if "not an equilibrium" in one.claims]
    return f"{text}; {_gain(refuted)}." if refuted else f"{text}."
