"""Sentences on what certificates claim, on lists of equilibria, and on events along branches."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from rivalry.core.assumed_range import BECAUSE, UNBOUNDED
from rivalry.core.results import (
    CLAIMS,
    WITH_GAIN,
    boxes_in_words,
    claim_in_words,
    gain_in_words,
    radius_in_words,
    small_gain_in_words,
)
from rivalry.lab.answer.cases import (
    Row,
    Sentence,
    at_point,
    differing_keys,
    falls,
    points_asked,
    swept_key,
)
from rivalry.lab.answer.checks import JudgedCell
from rivalry.lab.answer.estimates import number_in_words
from rivalry.lab.answer.grammar import joined, lowered
from rivalry.lab.answer.points import NOT_AN_EQUILIBRIUM, PointResults
from rivalry.lab.study.words import LIST, ROLES, Words
from rivalry.text.display import bound_in_words, verified_in_words

NAMED = 7  # results of methods that a sentence on claims names
WAY = 40  # characters of the longest description of a search
MOST = 5  # different lists of equilibria that are told one by one
SHORT, CHARACTERS = 3, 160  # equilibria whose strategies a sentence has, and the length of their text
FIRST = "The first of them"  # of a list, which a certificate is of
CORNERS = 8  # of a set of payoffs, in a sentence
EVENTS = {
    "symmetric_loss": "the symmetric equilibrium loses stability at {place}",
    "supercritical": "a supercritical Hopf bifurcation lies at {place}: a small stable cycle is born",
    "subcritical": "a subcritical Hopf bifurcation lies at {place}: the cycle that is born is unstable",
    "hopf": "a Hopf bifurcation lies at {place}",
    "fold": "a branch folds at {place}",
    "split": "branches split or cross at {place}",
}

_ALL = {  # of one result, of several
    "approximate equilibrium": (
        "{only} is an approximate equilibrium",
        "Every {noun} is an approximate equilibrium",
    ),
    "small estimated gain": (
        "{only} leaves a small estimated gain",
        "Every {noun} leaves a small estimated gain",
    ),
    "no deviation found": (
        "No profitable deviation was found",
        "No profitable deviation was found {at} any {noun}",
    ),
    "local equilibrium": ("{only} is a local equilibrium", "Every {noun} is a local equilibrium"),
    "not decided": ("{only} is not decided", "No {noun} is decided"),
}
_SOME = {
    "equilibrium": ("is an equilibrium", "are equilibria"),
    "approximate equilibrium": ("is an approximate equilibrium", "are approximate equilibria"),
    "small estimated gain": ("leaves a small estimated gain", "leave a small estimated gain"),
    "no deviation found": ("has no profitable deviation found", "have no profitable deviation found"),
    "local equilibrium": ("is a local equilibrium", "are local equilibria"),
    "not decided": ("is not decided", "are not decided"),
}
_MORE = {
    "local equilibrium": "no gain was found in a neighbourhood, and none beyond it was looked for",
    "not decided": "a payoff is not a number",
}


def without_maxima(found: Sequence[PointResults], judged: Sequence[JudgedCell]) -> list[Sentence]:
    """Return the sentence that there is no answer where payoffs rise beyond every range at every point.

    Profiles are then where a search ended, and numbers of them are of the range and not of the game. There is
    none where any result may be an equilibrium.
    """
    rows = [(row["claim"], about["reasons"]) for row, about in judged]
    if not rows or any(
        claim != "not an equilibrium" or not any(UNBOUNDED in reason for reason in reasons)
        for claim, reasons in rows
    ):
        return []
    place = "at any point" if any(one.at for one in found) else "in this game"
    reason = min(next(reason for reason in reasons if UNBOUNDED in reason) for _, reasons in rows)
    gain = reason.partition("assumed: ")[2].partition(",")[0]
    cause = reason.partition(f"{UNBOUNDED}{BECAUSE}")[2].partition(";")[0]
    rise = f"payoffs rise beyond every range that was tried ({gain}) and may have no maximum"
    since = f"{cause}, so that {rise}" if cause else rise
    text = f"No answer: no equilibrium was found {place}, since {since}."
    return [Sentence(text, f"{len(rows)} certificate{'s' * (len(rows) > 1)}")]


def on_claims(
    study: Mapping[str, Any], found: Sequence[PointResults], stated: Sequence[PointResults] = ()
) -> list[Sentence]:
    """Return the sentence on what the certificates claim; none without certificates.

    Methods all of whose results are ``stated`` elsewhere are left out.
    """
    words, asked = Words(study), points_asked(study, found)
    bases = {str(table["name"]) for table in study["method"]}  # others are negative controls
    asked = [one for one in asked if one.algorithm in bases] or asked
    methods_left = {one.algorithm for one in asked if one.certified and one not in stated}
    asked = [one for one in asked if one.algorithm in methods_left]
    rows = [one for one in asked if one.certified and not one.other_concept]
    others = [one for one in asked if one.certified and one.other_concept]
    counts: Counter[str] = Counter()
    for one in rows:
        counts.update({claim: n for claim, n in one.claims.items() if claim})
    beside = _on_concepts(others, rows, words)
    if not counts:
        basis = f"{len(others)} certificate{'s' * (len(others) > 1)}"
        return [Sentence(f"{at_point(study, asked, words, beside)}.", basis)] if beside else []
    total = counts.total()
    noun = (
        "run"
        if any(one.results > 1 for one in rows)
        else "point"
        if any(one.at for one in rows)
        else "result"
    )
    if any(one.claims[""] for one in asked):  # nothing is claimed of results without a certificate
        noun = f"certified {noun}"
    methods = dict.fromkeys(one.algorithm for one in asked)
    several = len(methods) > 1
    concepts = list(dict.fromkeys(one.concept for one in rows if one.concept))
    nash = {one.concept[:4] for one in rows} == {"Nash"} and len(concepts) == 1
    # gains are those of Nash equilibrium: a logit equilibrium leaves some
    logit = (bool(concepts) and all("logit" in concept for concept in concepts)) or bool(beside and not nash)
    kind = f"a {concepts[0]}" if nash else f"a{' Nash' if logit else 'n'} equilibrium"
    kind = "a maximum" if all(one.has_one_player for one in rows) else kind
    at = "at" if noun.endswith("point") else "in"
    only = "The result" if len(asked) < len(found) else "It"
    only = f"The only {noun}" if noun.startswith("certified") else only
    only = FIRST if any(one.list_length > 1 and one.results == 1 for one in rows) else only
    only = "It" if beside else only
    sessions = [one.sessions for one in rows]
    if all(sessions) and {"not an equilibrium"} <= set(counts) <= {"equilibrium", "not an equilibrium"}:
        n, total_sessions = map(sum, zip(*sessions, strict=True))
        plural = kind.removeprefix("an ").removeprefix("a ").replace("equilibrium", "equilibria", 1)
        plural = plural.replace("maximum", "maxima")
        some = f"is {kind}" if n == 1 else f"are {plural}"
        start = f"{n} of {total_sessions} sessions {some}" if n else f"No session is {kind}"
        where = " in the others" * bool(n)
        own = [one for one in rows if "not an equilibrium" in one.claims]
        said = f"{start}; the largest gain found{where} is {_gain(own, words, several)}"
    elif len(counts) == 1 and next(iter(counts)) == "equilibrium":
        start = f"{only} is {kind}" if total == 1 else f"Every {noun} is {kind}"
        start = f"{only} is certified" if only == FIRST and total == 1 else start  # lists are of equilibria
        said = f"{start}; {_at_most(rows)}"
    elif len(counts) == 1 and next(iter(counts)) == "not an equilibrium":
        start = f"{only} is not {kind}" if total == 1 else f"No {noun} is {kind}"
        said = f"{start}: {_gain(rows, words, several)}"
    elif len(counts) == 1:
        claim = next(iter(counts))
        said = f"{_ALL[claim][total > 1].format(noun=noun, only=only, at=at)}: {_more(claim, rows)}"
    else:
        parts: list[str] = []
        named = noun == "result" and total == len(rows) <= NAMED
        for claim in (claim for claim in reversed(CLAIMS) if claim in counts):
            n, own = counts[claim], [one for one in rows if claim in one.claims]
            where = f"for {joined([words.method(one.algorithm) for one in own])}"
            more = "" if claim == "not an equilibrium" else _more(claim, own)
            more = f" ({more})" * bool(more)
            if claim == "not an equilibrium":
                where = where if named else f"{at} {n} of {total} {noun}s"
                parts.append(f"{where} {_gain(own, words, several and not named)}")
            elif named and claim == "no deviation found":
                parts.append(f"{where} no profitable deviation was found{more}")
            elif named:
                kinds = kind if nash and claim == "equilibrium" else _SOME[claim][0].partition(" ")[2]
                verb = _SOME[claim][0].partition(" ")[0]
                parts.append(f"{where} {'it' if n == 1 else 'each'} {verb} {kinds}{more}")
            else:
                are = _SOME[claim][n > 1]
                if nash and claim == "equilibrium":
                    are = (
                        f"is {kind}" if n == 1 else f"are {concepts[0].replace('equilibrium', 'equilibria')}"
                    )
                parts.append(f"{n} of {total} {noun}s {are}{more}")
        said = "; ".join(parts)
        said = f"{said[:1].upper()}{said[1:]}"
    if logit:
        said = re.sub(r"(approximate|are) equilibri", r"\1 Nash equilibri", said)
        said = said.replace("an equilibrium", "a Nash equilibrium")
    repeated = bool(concepts) and claim_in_words(NOT_AN_EQUILIBRIUM, concepts[0]) in beside
    if len({one.concept for one in rows}) == 1 and concepts and not nash and not repeated:
        said += f" (solution concept: {concepts[0]})"
    if beside:
        said = f"{beside}; {_of_rest(rows, others, words)}, {lowered(said)}"
    roundings = sorted({word for one in rows for word in one.roundings})
    basis = f"{total} certificate{'s' * (total != 1)}" + (
        f", bounds {' or '.join(roundings)}" if roundings else ""
    )
    if {one.algorithm for one in found} - set(methods) and not said.startswith("For "):  # each is named
        names = [words.method(name) for name in methods]
        which = "other methods" if set(stated) & set(found) else "methods named"
        who = joined(names) if len(names) < 3 else f"the {len(names)} {which}"
        said = f"For {who}, {said[0].lower()}{said[1:]}"
    return [Sentence(f"{at_point(study, asked, words, said)}.", basis)]


def claim_courses(study: Mapping[str, Any], found: Sequence[PointResults]) -> list[str]:
    """Return the sentence on where claims change along a key, per case; none without a key or a change."""
    words = Words(study)
    rows = [Row(one.algorithm, one.at, (), False) for one in found if one.certified]
    key = swept_key(study, rows)
    by = differing_keys(rows, key)
    cases: dict[str, list[PointResults]] = {}
    for one in found:
        if one.certified and key in one.at:
            place = {k: one.at[k] for k in by if k in one.at}
            several = {"algorithm": one.algorithm} if len({row.method for row in rows}) > 1 else {}
            cases.setdefault(words.place({**several, **place}), []).append(one)
    if not key or len(cases) > NAMED or all(one.claims == found[0].claims for one in found):
        return []
    texts, constant = [], dict[str, list[str]]()
    for label, own in cases.items():
        own.sort(key=lambda one: one.at[key], reverse=falls(study, key))
        parts: list[str] = []
        if label and len({one.claim for one in own}) == 1:
            constant.setdefault(_at_every(own, words, words.key(key)), []).append(label)
            continue
        for claim, each in groupby(own, key=lambda one: one.claim):
            rows_of = list(each)
            ends = words.place({key: rows_of[0].at[key]}) if not parts else words.value(rows_of[0].at[key])
            last = words.value(rows_of[-1].at[key])
            ends = f"from {ends} to {last}" if len(rows_of) > 1 else f"at {ends}"
            parts.append(f"{ends} {_clause(claim, rows_of, words)}")
        texts.append(f"for {label}: " * bool(label) + (joined(parts) if len(parts) <= NAMED else ""))
    texts += [f"for {joined(labels)} {clause}" for clause, labels in constant.items()]
    said = "; ".join(texts)
    return [f"{said[:1].upper()}{said[1:]}."] if all(text[-1:] not in (" ", "") for text in texts) else []


def _at_every(rows: Sequence[PointResults], words: Words, key: str) -> str:
    """Return the claim that all points along a key have, as a clause."""
    if rows[0].claim != "not an equilibrium":
        return f"{_clause(rows[0].claim, rows, words)} at every {key}"
    most = max(_largest(one, who)[0] for one in rows for who in range(one.regret.shape[1]))
    return f"it is no equilibrium at any {key} (gains of up to {number_in_words(most)})"


def _clause(claim: str, rows: Sequence[PointResults], words: Words) -> str:
    """Return what a stretch of points with one claim is, as a clause."""
    if claim == "not an equilibrium":
        most, result, player, one = max(
            (_largest(own, who) for own in rows for who in range(own.regret.shape[1])),
            key=lambda gain: gain[0],
        )
        own = one.regret[result][~np.isnan(one.regret[result])]
        same = len(own) > 1 and bool(np.all(np.abs(own - most) <= 1e-6 * most))
        who = _whose(one, player, same=same)
        others = not same and any(gains.sum() > 1 for own in rows for gains in own.refuting)
        amount = f"{'up to ' * (len(rows) > 1)}{number_in_words(most)}{', others less' * others}"
        return f"{who} could gain {amount}"
    if claim == "no deviation found":
        return "no profitable deviation was found by a search"
    some = _SOME.get(claim)
    return f"it {some[0]}" if some else claim


def _on_concepts(rows: Sequence[PointResults], rest: Sequence[PointResults], words: Words) -> str:
    """Return which results are of other concepts than Nash equilibrium, to which residual, with their gains.

    They are not judged as Nash equilibria, of which their gains say how far they are. Of the ``rest``, which
    are, some may be of the same concept.
    """
    parts, total = [], len(rows) + len(rest)
    several = len({one.algorithm for one in (*rows, *rest)}) > 1
    for concept in dict.fromkeys(one.other_concept for one in rows):
        own = [one for one in rows if one.other_concept == concept]
        same = [*own, *(one for one in rest if claim_in_words(NOT_AN_EQUILIBRIUM, one.concept) == concept)]
        residuals = [one.residual for one in same if np.isfinite(one.residual)]
        exact = all(set(one.statuses) == {"converged"} for one in same)
        alone = len(same) in (1, total)
        count = f"{len(same)} of {total} results"
        if len(same) == total:
            count = "every result" if total > 1 else "it"
        elif len(same) == 1 and several and not same[0].at:
            count = f"the result of {words.method(same[0].algorithm)}"
        verb = ("is" if alone else "are") if exact else f"approximate{'s' * alone}"
        noun = f"a {concept}" if alone else concept.replace("equilibrium", "equilibria", 1)
        said = f"{count} {verb} {noun}"
        said += f" (residual {number_in_words(max(residuals))})" * bool(residuals)
        gains = [_largest(one, k) for one in own for k in range(one.regret.shape[1])]
        most, _, player, one = max(gains, key=lambda gain: gain[0])
        who = "" if one.regret.shape[1] == 1 else f", of {_who(one, player)}"
        where = _beside(one, words, several) * (len(same) > 1)
        apart = f"the largest gain, a distance from Nash equilibrium, is {number_in_words(most)}"
        parts.append(f"{said}; {apart}{who}{where}")
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}"


def _of_rest(rows: Sequence[PointResults], others: Sequence[PointResults], words: Words) -> str:
    """Return which results are not of another concept: those of a method, or at a point."""
    methods = {one.algorithm for one in rows}
    if len(methods) == 1 and methods.isdisjoint(one.algorithm for one in others):
        return f"for {words.method(rows[0].algorithm)}"
    if len(rows) == 1 and len(rows[0].at) == 1 and len({one.algorithm for one in (*rows, *others)}) == 1:
        return words.at(*next(iter(rows[0].at.items())))
    return "of the others"


def _at_most(rows: Sequence[PointResults]) -> str:
    """Return the largest bound of equilibria, rounded up, and how near an exact one is proved."""
    bounds = np.concatenate([one.bound.ravel() for one in rows])
    most = float(np.max(bounds[np.isfinite(bounds)], initial=0.0))
    said = _no_gain(rows, radius_in_words(most)) if most > 0 else _no_gain(rows)
    if rows and not any(np.isnan(one.radius) for one in rows):
        radius = radius_in_words(max(one.radius for one in rows))
        said += f", and an exact equilibrium is proved within {radius}"
        verified = verified_in_words([line for one in rows for line in one.verified], brief=True)
        said += f", {verified}" * bool(verified)
    return said


def _no_gain(rows: Sequence[PointResults], above: str = "") -> str:
    """Return that nobody can gain more than a bound, or anything."""
    if rows and all(one.has_one_player for one in rows):
        return f"no other choice gives more{f' by over {above}' * bool(above)}"
    return f"no player can gain more than {above}" if above else "no player can gain by deviating"


def _more(claim: str, rows: Sequence[PointResults]) -> str:
    """Return what belongs to a claim: the largest gain that it leaves open, how a search was made."""
    if claim == "equilibrium":
        return ""
    if claim in WITH_GAIN:
        return gain_in_words(max(one.gain for one in rows), claim)
    if claim == "not decided" and all(one.estimated for one in rows):
        return "the interval of the estimated gain holds 0 and gains that are not small"
    if claim == "no deviation found":
        ways = sorted({way for one in rows for way in one.searches if len(way) < WAY})
        return f"the result of a search{f' ({ways[0]})' if ways else ''}, not a proof"
    return _MORE[claim]


def _gain(rows: Sequence[PointResults], words: Words, several: bool) -> str:
    """Return the largest gain found above the tolerance, whose it is and where, and what no gain exceeds.

    Where different players gain, each has its own largest gain and the number of results in which it gains.
    """
    most, result, player, one = max(
        (_largest(own, who) for own in rows for who in range(own.regret.shape[1])), key=lambda found: found[0]
    )
    own = one.regret[result][~np.isnan(one.regret[result])]
    same = len(own) > 1 and bool(np.all(np.abs(own - most) <= 1e-6 * most))
    who = _whose(one, player, same=same)
    # where another player is the one that gains, the largest gain is not that of all results
    others = any(gains.any() and not gains[player : player + 1].any() for r in rows for gains in r.refuting)
    could, estimate = "could gain", "by an estimate, " * one.estimated
    single = len(rows) == 1 and one.results == 1
    small = _small(one, player, result)
    amount = f"{number_in_words(most)}{small}"
    at = _beside(one, words, several) * (len(rows) > 1)
    joint = " and" if single else ";"
    if in_sessions := bool(one.sessions):
        said, joint = f"{amount}, of {who}{at}", ";"
    elif others and not same:
        said, joint = f"{estimate}some player {could}: {_by_player(rows, words, several, amount)}", ";"
        if all(each.exchangeable for each in rows):
            said = f"{estimate}some player {could}; the largest gain found is {amount}, of {who}{at}"
    elif single:
        gaining = int(one.refuting[result].sum())
        said = f"{estimate}{who} {could} {amount}"
        if gaining > 1 and not same:
            each = "each player" if gaining == len(own) else f"{gaining} players"
            said, joint = f"{estimate}{each} {could}, {who} most: {amount}", ";"
    elif one.estimated:
        said = f"{estimate}{who} {could} up to {amount}{at}"
    elif not same and any(gains.sum() > 1 for r in rows for gains in r.refuting):
        every = all(gains.all() for r in rows for gains in r.refuting if gains.any())
        some = "each player" if every else "some player"
        said = f"{some} {could}; the largest gain found is {amount}, of {who}{at}"
    else:
        said = f"{who} {could}; the largest gain found is {amount}{at}"
    bounds = np.concatenate([each.bound[each.refuting.any(axis=1)].ravel() for each in rows])
    known = np.concatenate([each.regret[each.refuting.any(axis=1)].ravel() for each in rows])
    highest = bounds[~np.isnan(known)]
    if small or one.estimated or not np.all(np.isfinite(highest)) or highest.max() < most:
        return said
    if in_sessions and highest.max() <= most * (1 + 1e-6):  # dynamic programming finds the largest gain
        return said
    return f"{said}{joint} no gain exceeds {bound_in_words(float(highest.max()))}"


def _largest(one: PointResults, player: int) -> tuple[float, int, int, PointResults]:
    """Return a player's largest gain above the tolerance with the result, the player and the point."""
    gains = np.where(one.refuting[:, player], one.regret[:, player], -1.0)
    result = int(np.argmax(gains)) if len(gains) else 0
    return float(gains[result]) if len(gains) else -1.0, result, player, one


def _by_player(rows: Sequence[PointResults], words: Words, several: bool, first: str) -> str:
    """Return every player's largest gain, the larger first, and in how many results it gains."""
    total = sum(one.results for one in rows)
    found: dict[str, list[tuple[float, int, PointResults]]] = {}
    for one in rows:
        for player in np.flatnonzero(one.refuting.any(axis=0)):
            gain, *_ = _largest(one, int(player))
            count = int(one.refuting[:, player].sum())
            found.setdefault(_who(one, int(player)), []).append((gain, count, one))
    parts: list[str] = []
    for who, own in sorted(found.items(), key=lambda pair: -max(gain for gain, *_ in pair[1])):
        gain, _, one = max(own, key=lambda row: row[0])
        count = sum(n for _, n, _ in own)
        amount = number_in_words(gain) if parts else first
        where = f"{count} of {total}, at most" if count > 1 else "one,"
        parts.append(f"{who} at {where} {amount}{_beside(one, words, several)}")
    rest = len(parts) - MOST
    return "; ".join(parts[:MOST]) + f"; {rest} other player{'s' * (rest > 1)} less" * (rest > 0)


def _whose(one: PointResults, player: int, *, same: bool) -> str:
    """Return who could gain: each player, a player of a population, or one by name."""
    if same or one.regret.shape[1] > 1:
        return "each player" if same else _who(one, player)
    return "the player" if one.has_one_player else "a player"


def _who(one: PointResults, player: int) -> str:
    name = one.players[player]
    return f"the {name}" if name in ROLES else name


def _beside(one: PointResults, words: Words, several: bool) -> str:
    """Return a point in brackets."""
    place = ", ".join(filter(None, [words.method(one.algorithm) if several else "", words.place(one.at)]))
    return f" ({place})" if place else ""


def _small(one: PointResults, player: int, result: int) -> str:
    """Return why a small gain counts; empty for other gains."""
    if one.payoff is None or one.payoff.shape != one.regret.shape:
        return ""
    about = (one.regret, one.bound, one.at_stake, one.payoff)
    words = small_gain_in_words(*(float(rows[result, player]) for rows in about))
    return f" ({words})" if words else ""


def on_lists(study: Mapping[str, Any], found: Sequence[PointResults]) -> list[Sentence]:
    """Return the sentence on lists of equilibria, or on events along branches; none without them."""
    words, found = Words(study), points_asked(study, found)
    rows = [one for one in found if one.counts_text]
    if not rows:
        return _corners(found)
    if events := list(dict.fromkeys(filter(None, (_events(one, words) for one in rows)))):
        return [Sentence(text, "branches followed numerically") for text in events[:1]]
    texts: dict[str, list[PointResults]] = {}
    for one in rows:
        texts.setdefault(one.list_words, []).append(one)
    boxes = boxes_in_words(one.boxes for one in rows).strip(" ()")
    basis = f"{boxes} searched" if boxes else "lists of equilibria"
    strategies = _strategies(rows[0]) if len(rows) == 1 else ""
    names = [] if strategies else [Sentence(text, basis) for text in _names(study, rows, words)]
    if len(texts) == 1:
        text = next(iter(texts))
        where = f"At each of {len(rows)} points: " if len(rows) > 1 else ""
        said = f"{where}{text}{strategies}"
        if text.startswith("exactly") and len(rows) == 1:
            said += "; there is no other"
        return [Sentence(f"{said[:1].upper()}{said[1:]}.", basis), *names]
    parts = [f"{format_points(own, rows, words)}: {text}" for text, own in list(texts.items())[:MOST]]
    said = "; ".join(parts)
    left = len(rows) - sum(len(own) for own in list(texts.values())[:MOST])
    said += f"; {left} other points have other numbers" if left > 1 else "; one has another" * left
    return [Sentence(f"{said[:1].upper()}{said[1:]}.", basis), *names]


def _corners(found: Sequence[PointResults]) -> list[Sentence]:
    """Return the sentence on the few corners of a set of payoffs; none of other results."""
    corners = found[0].corners if len(found) == 1 else []
    few = 0 < len(corners) <= CORNERS
    return [Sentence(f"The corners are {joined(corners)}.", f"{len(corners)} vertices")] if few else []


def _strategies(one: PointResults) -> str:
    """Return the strategies of a short list, after a colon; empty for a long one."""
    texts = one.equilibria_in_words
    text = "; ".join(texts)
    return f": {text}" if 0 < len(texts) <= SHORT and len(text) <= CHARACTERS else ""


def _names(study: Mapping[str, Any], rows: Sequence[PointResults], words: Words) -> list[str]:
    """Return the sentence that names the equilibria of lists, if the study asks for it."""
    if LIST not in ((study.get("answer") or {}).get("quantities") or ()):
        return []
    parts = [
        f"{format_points([one], rows, words)}, " * (len(rows) > 1) + one.equilibria_by_name
        for one in rows
        if one.equilibria_by_name
    ]
    return [f"Equilibria listed: {'; '.join(parts)}."] if parts else []


def format_points(own: Sequence[PointResults], found: Sequence[PointResults], words: Words) -> str:
    """Return the points that have the same list: ranges of one key, or a list of places."""
    several = len({one.algorithm for one in found}) > 1
    keys = {name for one in own for name in one.at}
    if len(keys) == 1 and not several:
        (key,) = keys
        numbers = all(isinstance(one.at[key], int | float) for one in own)
        order = [one.at[key] for one in found if key in one.at]
        if numbers:
            order = sorted(set(order))
            places = sorted({order.index(one.at[key]) for one in own})
            runs = [
                [k for _, k in part] for _, part in groupby(enumerate(places), lambda pair: pair[1] - pair[0])
            ]
            ends = [
                words.value(order[run[0]]) + (f" to {words.value(order[run[-1]])}" if len(run) > 1 else "")
                for run in runs
            ]
            return f"for {words.key(key)} {', '.join(ends)}"
        return f"for {joined([words.place({key: one.at[key]}) for one in own])}"
    texts = [
        ", ".join(filter(None, [words.method(one.algorithm) if several else "", words.place(one.at)]))
        for one in own
    ]
    return f"for {joined(texts) if len(texts) <= MOST else f'{texts[0]} and {len(texts) - 1} other points'}"


def _events(one: PointResults, words: Words) -> str:
    """Return the events along the branches of a point, as one sentence."""
    if not one.events:
        return ""
    key = words.key(one.parameter)
    places: dict[str, list[str]] = {}
    for kind, at in one.events:
        places.setdefault(kind, []).append(number_in_words(at))
    parts = [
        EVENTS.get(kind, f"{kind.replace('_', ' ')} at {{place}}").format(
            place=f"{key} {joined(list(dict.fromkeys(numbers)))}"
        )
        for kind, numbers in places.items()
    ]
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}."
