"""Sentences on what certificates claim, on lists of equilibria, and on events along branches."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

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
    Sentence,
    at_point,
    cases_along,
    points_asked,
)
from rivalry.lab.answer.checks import JudgedCell
from rivalry.lab.answer.grammar import (
    bracketed,
    capitalised,
    clauses,
    commas,
    count_of,
    joined,
    joined_cases,
    lowered,
    text_if,
)
from rivalry.lab.answer.places import base_methods, methods_of
from rivalry.lab.answer.points import NOT_AN_EQUILIBRIUM, PointResults
from rivalry.lab.study.words import LIST, ROLES, Words, quantities_of_answer
from rivalry.results.table import number_in_words
from rivalry.text.display import bound_in_words, verified_in_words

NAMED = 7  # results of methods that a sentence on claims names
WAY = 40  # characters of the longest description of a search
MOST = 5  # different lists of equilibria that are told one by one
SHORT, CHARACTERS = 3, 160  # equilibria whose strategies a sentence has, and the length of their text
EQUILIBRIUM = re.compile(r"the (?!.*(logit|approximated)).*equilibrium")  # in the name of a method
TEMPERATURE = " at beta "  # in the name of a concept
COMPLETE = " (complete list)"  # at the end of the words of a list
FIRST = "the first equilibrium listed"  # of a list, which a certificate is of
MOST_COUNTS = 3  # different numbers of sessions in a sentence
CORNERS = 8  # of a set of payoffs, in a sentence
EVENTS = {
    "symmetric_loss": "the symmetric equilibrium loses stability at {place}",
    "supercritical": "a supercritical Hopf bifurcation lies at {place}: a small stable cycle is born",
    "subcritical": "a subcritical Hopf bifurcation lies at {place}: the cycle that is born is unstable",
    "hopf": "a Hopf bifurcation lies at {place}",
    "fold": "a branch folds at {place}",
    "split": "branches split or cross at {place}",
}

_ADJECTIVES = {"equilibrium": "", "approximate equilibrium": "approximate ", "local equilibrium": "local "}
_PREDICATES = {  # of one profile, of several
    "small estimated gain": ("leaves a small estimated gain", "leave a small estimated gain"),
    "no deviation found": ("has no profitable deviation found", "have no profitable deviation found"),
    "not decided": ("is not decided", "are not decided"),
}
_VERBS = {"profile": ("is", "are"), "method": ("finds", "find"), "run": ("ends in", "end in")}
_MORE = {
    "local equilibrium": "no gain was found in a neighbourhood, and none beyond it was looked for",
    "not decided": "a payoff is not a number",
}


def without_maxima(results: Sequence[PointResults], judged: Sequence[JudgedCell]) -> list[Sentence]:
    """Return the sentence that there is no answer where payoffs rise beyond every range at every point.

    Profiles are then where a search ended, and numbers of them are of the range and not of the game. There is
    none where any result may be an equilibrium.
    """
    rows = [(row["claim"], properties["reasons"]) for row, properties in judged]
    if not rows or any(
        claim != "not an equilibrium" or not any(UNBOUNDED in reason for reason in reasons)
        for claim, reasons in rows
    ):
        return []
    place = "at any point" if any(point.at for point in results) else "in this game"
    reason = min(next(reason for reason in reasons if UNBOUNDED in reason) for _, reasons in rows)
    gain = reason.partition("assumed: ")[2].partition(",")[0]
    cause = reason.partition(f"{UNBOUNDED}{BECAUSE}")[2].partition(";")[0]
    rise = f"payoffs rise beyond every range that was tried ({gain}) and may have no maximum"
    since = f"{cause}, so that {rise}" if cause else rise
    text = f"No answer: no equilibrium was found {place}, since {since}."
    return [Sentence(text, count_of(len(rows), "certificate"))]


def on_claims(
    study: Mapping[str, Any],
    results: Sequence[PointResults],
    stated_points: Sequence[PointResults] = (),
    all_results: Sequence[PointResults] = (),
) -> list[Sentence]:
    """Return the sentence on what the certificates claim; none without certificates.

    Methods all of whose results are among ``stated_points`` are left out. Methods are named where
    ``all_results``, by default the results themselves, have others.
    """
    words, points = Words(study), _points_of_claims(study, results, stated_points)
    rows = [point for point in points if point.certified and not point.other_concept]
    other_concepts = [point for point in points if point.certified and point.other_concept]
    counts: Counter[str] = Counter()
    for point in rows:
        counts.update({claim: n for claim, n in point.claims.items() if claim})
    concept_clause = _on_concepts(other_concepts, rows, words)
    if not counts:
        basis = count_of(len(other_concepts), "certificate")
        return (
            [Sentence(f"{at_point(study, points, words, concept_clause)}.", basis)] if concept_clause else []
        )
    names = list(dict.fromkeys(point.algorithm for point in points))
    is_partial = {point.algorithm for point in all_results or results} != set(names)
    group = "other methods" if set(stated_points) & set(results) else "methods compared"
    label = f"the {len(names)} {group}"
    is_profile = _are_profiles(names, words)
    if is_profile or len(names) <= (NAMED if all_results else SHORT):
        label = joined_cases([words.method(name) for name in names])
    kind = _kind_of(rows, has_other_concept=bool(concept_clause))
    subject, prefix = _subject_of(points, rows, words), ""
    if concept_clause:
        place = {"profile": "at point", "run": "in run", "method": "with method"}[subject.of]
        place = place if subject.total > 1 else ""
        subject = subject._replace(name="it", is_plural=False, of="profile", things="", place=place)
    elif is_partial and (is_profile or subject.of == "method"):
        subject = _by_name(label, names, rows, words)
    elif is_partial:
        prefix = f"{by_methods(names, label, words)}, "
    sessions, claims = [point.sessions for point in rows], set(counts)
    if all(sessions) and {NOT_AN_EQUILIBRIUM} <= claims <= {"equilibrium", NOT_AN_EQUILIBRIUM}:
        sentence = _on_sessions(rows, kind, text_if(is_partial, f" with {label}"), words)
    elif len(claims) == 1:
        sentence = prefix + _on_one_claim(claims.pop(), rows, kind, subject, words)
    elif (
        len({str(point.at) for point in rows}) > 1
        and (courses := claim_courses(study, rows))
        and len(courses[0]) < CHARACTERS
    ):
        bound = _larger_bound(rows) if NOT_AN_EQUILIBRIUM in claims else ""
        sentence = (
            prefix + lowered(courses[0].removesuffix(".")) + text_if(bound, f"; no gain exceeds {bound}")
        )
    else:
        sentence = prefix + _claim_by_claim(rows, kind, subject, words, is_compared=len(names) > 1)
    if concept_clause:
        rest = capitalised(_of_rest(rows, other_concepts, words))
        sentence = f"{concept_clause}. {rest}, {lowered(sentence)}"
    is_said = claim_in_words(NOT_AN_EQUILIBRIUM, kind.concept) in concept_clause + sentence
    if kind.concept and not is_said and "computed as" not in sentence:
        sentence += f" (solution concept: {kind.concept})"
    sentence = capitalised(sentence) + _on_scopes(rows, words)
    roundings = sorted({word for point in rows for word in point.roundings})
    basis = count_of(counts.total(), "certificate")
    basis += text_if(roundings, f", bounds {' or '.join(roundings)}")
    return [Sentence(f"{at_point(study, points, words, sentence)}.", basis)]


def _points_of_claims(
    study: Mapping[str, Any], results: Sequence[PointResults], stated_points: Sequence[PointResults]
) -> list[PointResults]:
    """Return the points of methods, without negative controls, that have unstated certificates."""
    points = points_asked(study, results)
    bases = base_methods(study)
    points = [point for point in points if point.algorithm in bases] or points
    methods = {point.algorithm for point in points if point.certified and point not in stated_points}
    return [point for point in points if point.algorithm in methods]


def _are_profiles(methods: Sequence[str], words: Words) -> bool:
    """True for methods with the names of profiles or equilibria."""
    return all(words.is_profile(name) or EQUILIBRIUM.match(words.method(name)) for name in methods)


class _Kind(NamedTuple):
    """What profiles are claimed to be."""

    noun: str  # "equilibrium", "Nash equilibrium", "maximum"
    is_of_policies: bool = False
    concept: str = ""  # another one, of which the noun is not

    def predicate(self, claim: str, *, is_plural: bool = False, of: str = "profile", no: bool = False) -> str:
        """Return the predicate of a claim on one or several profiles, or on what methods find."""
        if claim not in _ADJECTIVES:
            return _PREDICATES[claim][is_plural]
        noun, verb = _ADJECTIVES[claim] + self.noun, _VERBS[of][is_plural]
        if no and of == "method":
            return f"{verb} no {noun}"
        negation = text_if(no, "not ")
        if not is_plural or self.is_of_policies or of != "profile":
            return f"{verb} {negation}a{text_if(noun[0] in 'aeiou', 'n')} {noun}"
        return f"{verb} {negation}{noun.replace('equilibrium', 'equilibria').replace('maximum', 'maxima')}"


def _kind_of(rows: Sequence[PointResults], *, has_other_concept: bool) -> _Kind:
    """Return what results are claimed to be: equilibria of a concept, maxima, learned policies."""
    if all(point.has_one_player for point in rows):
        return _Kind("maximum")
    concepts = {point.concept for point in rows}
    concept = concepts.pop() if len(concepts) == 1 else ""
    noun, _, policies = concept.partition(" of the learned")
    if noun.startswith("Nash"):
        return _Kind(noun, bool(policies))
    # gains are those of Nash equilibrium: a logit equilibrium leaves some
    is_logit = concept.startswith("logit") or (bool(concepts) and all("logit" in name for name in concepts))
    if is_logit or has_other_concept:
        return _Kind("Nash equilibrium", concept=concept)
    return _Kind(f"{concept.replace(' ', '-') if concept == 'mean field' else concept} equilibrium".lstrip())


class _Subject(NamedTuple):
    """The results of which a sentence on claims speaks: a name, or several things of a kind."""

    name: str
    is_plural: bool = False
    of: str = "profile"  # what predicates are of: a profile, methods that find one, runs that end in one
    total: int = 1
    things: str = ""  # that the sentence counts, empty of what has a name
    place: str = ""  # "at point" of several results of one name

    def quantified(self, quantifier: str) -> str:
        """Return the subject of a sentence on all, none or any of the things, and the name without them."""
        return _quantified(quantifier, self.total, self.things) if self.things else self.name

    def where(self, quantifier: str) -> str:
        """Return the places of all, none or any of the results of one name."""
        preposition, _, noun = self.place.partition(" ")
        return f"{preposition} {_quantified(quantifier, self.total, noun)}" if self.place else ""


def _by_name(label: str, methods: Sequence[str], rows: Sequence[PointResults], words: Words) -> _Subject:
    """Return the subject of a sentence on results of methods by their names."""
    of = "profile" if _are_profiles(methods, words) else "method"
    of = "equilibrium" if all(EQUILIBRIUM.match(words.method(name)) for name in methods) else of
    total = len({str(point.at) for point in rows})
    return _Subject(label, len(methods) > 1, of, total, place=text_if(total > 1, "at point"))


def _quantified(quantifier: str, count: int, noun: str) -> str:
    """Return all, none or any of several things.

    >>> _quantified("all", 5, "profile"), _quantified("none", 2, "point"), _quantified("any", 3, "run")
    ('all 5 profiles', 'neither point', 'any of the 3 runs')
    """
    if count == 2:
        return {"all": f"both {noun}s", "none": f"neither {noun}", "any": f"either {noun}"}[quantifier]
    return f"all {count} {noun}s" if quantifier == "all" else f"{quantifier} of the {count} {noun}s"


def _subject_of(points: Sequence[PointResults], rows: Sequence[PointResults], words: Words) -> _Subject:
    """Return the subject of a sentence on all results."""
    total = sum(point.claims.total() - point.claims[""] for point in rows)
    values = {(key, str(value)) for point in rows for key, value in point.at.items()}
    has_points = len(values) > len({key for key, _ in values})
    # nothing is claimed of results without a certificate
    certified = text_if(any(point.claims[""] for point in points), "certified ")
    is_learned = all(point.concept.endswith("of the learned policies") for point in rows)
    noun = rows[0].profile_noun
    name = "the learned policies" if is_learned else f"the {noun}"
    if any(point.list_length > 1 and point.results == 1 for point in rows):
        name = FIRST
    if total == 1:
        name = f"the only certified {'point' if values else 'result'}" if certified else name
        return _Subject(name, is_learned)
    of, place = "profile", f"at {certified}point"
    if any(point.results > 1 for point in rows):
        of, place = "run", f"in {certified}run"
    elif not has_points and not all(words.is_profile(point.algorithm) for point in rows):
        of, place = "method", f"with {certified}method"
    if is_learned or name == FIRST:
        return _Subject(name, is_learned, total=total, place=place)
    return _Subject(name, of=of, total=total, things=certified + (noun if of == "profile" else of))


def _on_one_claim(
    claim: str, rows: Sequence[PointResults], kind: _Kind, subject: _Subject, words: Words
) -> str:
    """Return the clauses on results that all have one claim."""
    at_all, at_any = (text_if(subject.place, f" {subject.where(word)}") for word in ("all", "any"))
    of = "profile" if subject.of == "equilibrium" else subject.of
    is_counted = bool(subject.things)
    apposition = ""
    if kind.concept and subject.name != "it":
        concept = claim_in_words(NOT_AN_EQUILIBRIUM, kind.concept)
        concept = concept.replace("equilibrium", "equilibria") if is_counted else f"a {concept}"
        apposition = f", computed as {concept},"
    name, any_name = (subject.quantified(word) + apposition for word in ("all", "any"))
    if claim == NOT_AN_EQUILIBRIUM:
        gain = _gain(rows, words, is_compared=len(methods_of(rows)) > 1)
        negation = not (subject.place or is_counted)
        predicate = kind.predicate("equilibrium", is_plural=subject.is_plural, of=of, no=negation)
        if not subject.place:
            return f"{subject.quantified('none')}{apposition} {predicate}: {gain}"
        verb, _, noun = predicate.partition(" ")
        return f"{subject.where('none')} {verb} {name} {noun}: {gain}"
    details = _claim_details(claim, rows)
    if claim == "not decided":
        predicate = kind.predicate("equilibrium", is_plural=subject.is_plural, of=of)
        start = "the data cannot tell" if all(point.estimated for point in rows) else "it is not decided"
        return f"{start} whether {any_name} {predicate}{at_any}: {details}"
    if claim == "no deviation found":
        of_all = text_if(is_counted, f" {('for', 'from')[of == 'profile']} {any_name}")
        return f"no profitable deviation{of_all} was found{at_any}; this is {details}"
    predicate = kind.predicate(claim, is_plural=is_counted or subject.is_plural, of=of)
    if claim != "equilibrium":
        return f"{name} {predicate}{at_all}: {details}"
    if subject.of == "equilibrium":
        predicate = f"{_VERBS['profile'][subject.is_plural]} confirmed"
    if name == FIRST:  # lists are of equilibria
        predicate = "is certified"
    return f"{name} {predicate}{at_all}; {_at_most(rows)}"


def _on_sessions(rows: Sequence[PointResults], kind: _Kind, of_methods: str, words: Words) -> str:
    """Return in how many sessions play is an equilibrium, and the largest gain in the others."""
    n, total = map(sum, zip(*(point.sessions for point in rows), strict=True))
    is_compared = len(methods_of(rows)) > 1
    count = f"{n or 'none'} of the {total} sessions{of_methods}"
    if n and is_compared:  # the share of a pool is that of no method
        count = _sessions_by_method(rows, words)
    play, verb = ("the learned policies", "are") if kind.is_of_policies else ("play", "is")
    order = f"{play} {verb}" if n else f"{verb} {play}"
    comma = text_if(n > 0 and (bool(of_methods) or is_compared), ",")
    noun = kind.predicate("equilibrium").removeprefix("is ")
    refuted = [point for point in rows if NOT_AN_EQUILIBRIUM in point.claims]
    gain = _gain(refuted, words, is_compared)
    return f"in {count}{comma} {order} {noun}{'; in the others ' if n else ': '}{gain}"


def by_methods(names: Sequence[str], label: str, words: Words) -> str:
    """Return methods as the place of a clause: in an equilibrium, at a profile, with an algorithm."""
    if all(EQUILIBRIUM.match(words.method(name)) for name in names):
        return f"in {label}"
    return f"{'at' if all(map(words.is_profile, names)) else 'with'} {label}"


def _claim_by_claim(
    rows: Sequence[PointResults], kind: _Kind, subject: _Subject, words: Words, *, is_compared: bool
) -> str:
    """Return the clauses on the results of each claim, the strongest first: which they are, or how many."""
    counts = sum((point.claims for point in rows), Counter[str]())
    total, parts = counts.total(), []
    is_named = len(methods_of(rows)) == total == len(rows) <= NAMED
    things = f"{subject.things or 'result'}s"
    for claim in (claim for claim in reversed(CLAIMS) if claim in counts):
        n, points = counts[claim], [point for point in rows if claim in point.claims]
        details = "" if claim == NOT_AN_EQUILIBRIUM else _claim_details(claim, points)
        details = bracketed(details)
        names = [point.algorithm for point in points]
        if is_named and claim == "equilibrium":
            confirmed = [name for name in names if EQUILIBRIUM.match(words.method(name))]
            names = [name for name in names if name not in confirmed]
            verb = _VERBS["profile"][len(confirmed) > 1]
            parts += [f"{joined(list(map(words.method, confirmed)))} {verb} confirmed"] if confirmed else []
        if not names:
            continue
        label = joined(list(map(words.method, names)))
        where = by_methods(names, label, words)
        if not is_named:
            where = f"in the other{text_if(n > 1, f' {n}')}" if parts else f"in {n} of the {total} {things}"
        if claim == NOT_AN_EQUILIBRIUM:
            parts.append(f"{where} {_gain(points, words, is_compared and not is_named)}")
        elif is_named and claim == "no deviation found":
            parts.append(f"{where} no profitable deviation was found{details}")
        elif is_named:
            is_profile = all(map(words.is_profile, names))
            predicate = kind.predicate(claim, is_plural=len(names) > 1, of=("method", "profile")[is_profile])
            name = f"{label} {predicate}"
            if len(names) == 1 and not is_profile:  # whose name may be a plural
                name = f"{where} the profile {kind.predicate(claim)}"
            parts.append(f"{name}{details}")
        else:
            predicate = kind.predicate(claim, is_plural=n > 1, of=subject.of)
            parts.append(f"{n} of the {total} {things} {predicate}{details}")
    return "; ".join(parts)


def _sessions_by_method(points: Sequence[PointResults], words: Words) -> str:
    """Return how many sessions of each method with sessions are in equilibrium; the range of many numbers."""
    methods: dict[str, list[str]] = {}
    for name in dict.fromkeys(point.algorithm for point in points):
        counts = [point.sessions for point in points if point.algorithm == name]
        n, total = map(sum, zip(*counts, strict=True))
        if total:
            methods.setdefault(f"{n} of the {total} sessions", []).append(words.method(name))
    if len(methods) > MOST_COUNTS:
        ends = sorted(methods, key=lambda count: float(count.partition(" ")[0]))
        return f"{ends[0].partition(' ')[0]} to {ends[-1]} of each method"
    return joined([f"{count} with {joined_cases(labels)}" for count, labels in methods.items()])


def _on_scopes(points: Sequence[PointResults], words: Words) -> str:
    """Clause on what claims are of, where that is not the whole game; per method where they differ."""
    methods: dict[str, dict[str, None]] = {}
    for point in points:
        methods.setdefault(point.scope, {})[point.algorithm] = None
    named = [(scope, list(names)) for scope, names in methods.items() if scope]
    if len(methods) == 1:
        return "".join(f"; claims are {scope}" for scope, _ in named)
    clauses = []
    for scope, names in named:
        clauses.append(f"for {joined(list(map(words.method, names)))} {scope}")
    return f"; claims are {joined(clauses)}" if clauses else ""


def claim_courses(study: Mapping[str, Any], results: Sequence[PointResults]) -> list[str]:
    """Return the sentence on where claims change along a key, per case; none without a key or a change."""
    words = Words(study)
    key, cases = cases_along(study, [point for point in results if point.certified], words)
    if not key or len(cases) > NAMED or all(point.claims == results[0].claims for point in results):
        return []
    texts, constant = [], dict[str, list[str]]()
    for label, case in cases.items():
        parts: list[str] = []
        if label and len({point.claim for point in case}) == 1:
            constant.setdefault(_at_every(case, words, words.key(key)), []).append(label)
            continue
        for claim, stretch in groupby(case, key=lambda point: point.claim):
            rows_of = list(stretch)
            ends = words.place({key: rows_of[0].at[key]}) if not parts else words.value(rows_of[0].at[key])
            end_value = words.value(rows_of[-1].at[key])
            if len(rows_of) > 2:
                ends = f"at all {len(rows_of)} points from {ends} to {end_value}"
            else:
                ends = f"at {ends}" + text_if(len(rows_of) == 2, f" and {end_value}")
            parts.append(f"{ends} {_clause(claim, rows_of, words)}")
        course = clauses(parts) if any(" and " in part for part in parts) else joined(parts)
        texts.append(text_if(label, f"for {label}: ") + course * (len(parts) <= NAMED))
    texts += [f"for {joined_cases(labels)} {clause}" for clause, labels in constant.items()]
    sentence = "; ".join(texts)
    return [f"{capitalised(sentence)}."] if all(text[-1:] not in (" ", "") for text in texts) else []


def _at_every(rows: Sequence[PointResults], words: Words, key: str) -> str:
    """Return the claim that all points along a key have, as a clause."""
    if rows[0].claim != "not an equilibrium":
        return f"{_clause(rows[0].claim, rows, words)} at every {key}"
    largest = max(_largest(point, player)[0] for point in rows for player in range(point.regret.shape[1]))
    return (
        f"it is no equilibrium at any {key} (gains of up to {number_in_words(largest)}{rows[0].per_period})"
    )


def _largest_gain(rows: Sequence[PointResults]) -> tuple[float, int, int, PointResults, bool]:
    """Largest gain, its result, player and point, and whether all players of the result gain as much."""
    largest, result, player, point = max(
        (_largest(point, player) for point in rows for player in range(point.regret.shape[1])),
        key=lambda gain: gain[0],
    )
    regrets = point.regret[result][~np.isnan(point.regret[result])]
    equal = len(regrets) > 1 and bool(np.all(np.abs(regrets - largest) <= 1e-6 * largest))
    return largest, result, player, point, equal


def _has_other_gainers(rows: Sequence[PointResults], player: int) -> bool:
    """True if other players gain in a result in which the player does not."""
    return any(r.any() and not r[player : player + 1].any() for point in rows for r in point.refuting)


def _clause(claim: str, rows: Sequence[PointResults], words: Words) -> str:
    """Return the claim of a stretch of points with one claim, as a clause."""
    if claim == "not an equilibrium":
        largest, _, player, point, equal = _largest_gain(rows)
        subject = _deviator(point, player, equal=equal)
        unequal = not equal and any(gains.sum() > 1 for point in rows for gains in point.refuting)
        if _has_other_gainers(rows, player) and not equal:
            subject, unequal = "some player", False
        amount = f"{text_if(len(rows) > 1, 'up to ')}{number_in_words(largest)}{point.per_period}"
        amount += text_if(unequal, ", others less")
        return f"{subject} could gain {amount}"
    if claim == "no deviation found":
        return "no profitable deviation was found by a search"
    if claim not in (*_ADJECTIVES, *_PREDICATES):
        return claim
    details = f" ({_claim_details(claim, rows)})" if claim in WITH_GAIN else ""
    kind = _kind_of(rows, has_other_concept=False)
    kind = kind if kind.concept else _Kind("equilibrium")
    return f"it {kind.predicate(claim)}{details}"


def _on_concepts(rows: Sequence[PointResults], other_results: Sequence[PointResults], words: Words) -> str:
    """Return the results of other concepts than Nash equilibrium, with their residuals and gains.

    They are not judged as Nash equilibria, of which their gains say how far they are. Of the
    ``other_results``, which are, some may be of the same concept.
    """
    parts, total = [], len(rows) + len(other_results)
    is_compared = len({point.algorithm for point in (*rows, *other_results)}) > 1
    groups: dict[str, dict[str, None]] = {}  # of concepts that differ in their temperatures alone
    for point in rows:
        groups.setdefault(point.other_concept.partition(TEMPERATURE)[0], {})[point.other_concept] = None
    for kind, concepts in groups.items():
        temperatures = [concept.partition(TEMPERATURE)[2] for concept in concepts]
        concept = f"{kind}{TEMPERATURE}{joined(temperatures)}" if temperatures[0] else kind
        points_of_concept = [point for point in rows if point.other_concept in concepts]
        equivalent = [
            *points_of_concept,
            *(
                point
                for point in other_results
                if claim_in_words(NOT_AN_EQUILIBRIUM, point.concept) in concepts
            ),
        ]
        residuals = [point.residual for point in equivalent if np.isfinite(point.residual)]
        exact = all(set(point.statuses) == {"converged"} for point in equivalent)
        is_singular = len(equivalent) in (1, total)
        count = f"{len(equivalent)} of {total} results"
        if len(equivalent) == total:
            count = "every result" if total > 1 else "it"
        elif len(equivalent) == 1 and is_compared and not equivalent[0].at:
            count = f"the result of {words.method(equivalent[0].algorithm)}"
        verb = ("is" if is_singular else "are") if exact else f"approximate{text_if(is_singular, 's')}"
        noun = f"a {concept}" if is_singular else concept.replace("equilibrium", "equilibria", 1)
        clause = f"{count} {verb} {noun}"
        clause += text_if(residuals, f" (residual {number_in_words(max(residuals))})")
        gains = [_largest(point, k) for point in points_of_concept for k in range(point.regret.shape[1])]
        largest, _, player, point = max(gains, key=lambda gain: gain[0])
        owner = "" if point.regret.shape[1] == 1 else f", of {_player_name(point, player)}"
        where = _bracketed_point(point, words, is_compared) * (len(equivalent) > 1)
        gain_clause = f"the largest gain from a deviation is {number_in_words(largest)}{point.per_period}"
        parts.append(f"{clause}; {gain_clause}{owner}{where}")
    text = "; ".join(parts)
    return capitalised(text)


def _of_rest(rows: Sequence[PointResults], other_points: Sequence[PointResults], words: Words) -> str:
    """Return the phrase for results that are not of another concept: those of a method, or at a point."""
    methods = {point.algorithm for point in rows}
    if len(methods) == 1 and methods.isdisjoint(point.algorithm for point in other_points):
        return f"for {words.method(rows[0].algorithm)}"
    if (
        len(rows) == 1
        and len(rows[0].at) == 1
        and len({point.algorithm for point in (*rows, *other_points)}) == 1
    ):
        return words.at(*next(iter(rows[0].at.items())))
    return "of the others"


def _at_most(rows: Sequence[PointResults]) -> str:
    """Return the largest bound of equilibria, rounded up, and how near an exact one is proved."""
    bounds = np.concatenate([point.bound.ravel() for point in rows])
    largest = float(np.max(bounds[np.isfinite(bounds)], initial=0.0))
    clause = _no_gain(rows, radius_in_words(largest) + rows[0].per_period) if largest > 0 else _no_gain(rows)
    if rows and not any(np.isnan(point.radius) for point in rows):
        radius = radius_in_words(max(point.radius for point in rows))
        clause += f", and an exact equilibrium is proved within {radius}"
        verified = verified_in_words([line for point in rows for line in point.verified], brief=True)
        clause += text_if(verified, f", {verified}")
    return clause


def _no_gain(rows: Sequence[PointResults], above: str = "") -> str:
    """Clause that nobody can gain more than a bound, or anything."""
    if rows and all(point.has_one_player for point in rows):
        return f"no other choice gives more{text_if(above, f' by over {above}')}"
    return f"no player can gain more than {above}" if above else "no player can gain by deviating"


def _claim_details(claim: str, rows: Sequence[PointResults]) -> str:
    """Return the details of a claim: the largest gain that it leaves open, the kind of search."""
    if claim == "equilibrium":
        return ""
    if claim in WITH_GAIN:
        return gain_in_words(max(point.gain for point in rows), claim)
    if claim == "not decided" and all(point.estimated for point in rows):
        return "the interval of the estimated gain holds 0 and gains that are not small"
    if claim == "no deviation found":
        ways = sorted({way for point in rows for way in point.searches if len(way) < WAY})
        return f"the result of a search{f' ({ways[0]})' if ways else ''}, not a proof"
    return _MORE[claim]


def _gain(rows: Sequence[PointResults], words: Words, is_compared: bool) -> str:
    """Return the largest gain found above the tolerance, whose it is and where, and what no gain exceeds.

    Where different players gain, each has its own largest gain and the number of results in which it gains.
    """
    largest, result, player, point, equal = _largest_gain(rows)
    subject = _deviator(point, player, equal=equal)
    # where another player is the one that gains, the largest gain is not that of all results
    other_gainers = _has_other_gainers(rows, player)
    could = "could gain"
    single = len(rows) == 1 and point.results == 1
    small = _small(point, player, result)
    estimated = text_if(point.estimated, "an estimated ")
    amount = f"{estimated}{number_in_words(largest)}{point.per_period}{small}"
    at = _bracketed_point(point, words, is_compared) * (len(rows) > 1)
    if in_sessions := bool(point.sessions):
        clause = f"{subject} {could} up to {amount}{at}"
    elif other_gainers and not equal:
        clause = f"some player {could}: {_by_player(rows, words, is_compared, amount)}"
        if all(point.exchangeable for point in rows):
            clause = f"some player {could}, at most {amount} ({_at_end(subject, at)})"
    elif single:
        gaining = int(point.refuting[result].sum())
        clause = f"{subject} {could} {amount}"
        if gaining > 1 and not equal:
            gainers = (
                "each player" if gaining == np.sum(~np.isnan(point.regret[result])) else f"{gaining} players"
            )
            clause = f"{gainers} {could}, {subject} most: {amount}"
    elif point.estimated:
        clause = f"{subject} {could} up to {amount}{at}"
    elif not equal and any(gains.sum() > 1 for r in rows for gains in r.refuting):
        all_gain = all(gains.all() for r in rows for gains in r.refuting if gains.any())
        players = "each player" if all_gain else "some player"
        clause = f"{players} {could}, at most {amount} ({_at_end(subject, at)})"
    else:
        clause = f"{subject} {could} up to {amount}{at}"
    bound = "" if small else _larger_bound(rows)
    if single and not in_sessions:
        return clause + text_if(bound, f" (proved: at most {bound})")
    return clause + text_if(bound, f"; no gain exceeds {bound}")


def _at_end(player: str, place: str) -> str:
    """Return a player and a point in brackets as one remark."""
    return "; ".join(filter(None, [player, place.strip(" ()")]))


def _larger_bound(rows: Sequence[PointResults]) -> str:
    """Return what no gain exceeds, where it is more than the largest gain found to the digits shown.

    It is empty where a bound is unknown or an estimate.
    """
    refuted = [point for point in rows if point.refuting.any()]
    bounds = np.concatenate([point.bound[point.refuting.any(axis=1)].ravel() for point in refuted])
    gains = np.concatenate([point.regret[point.refuting.any(axis=1)].ravel() for point in refuted])
    bounds, gains = bounds[~np.isnan(gains)], gains[~np.isnan(gains)]
    if any(point.estimated for point in refuted) or not np.all(np.isfinite(bounds)):
        return ""
    bound, gain = float(bounds.max()), float(gains.max())
    is_larger = bound > gain and number_in_words(bound) != number_in_words(gain)
    return bound_in_words(bound) if is_larger else ""


def _largest(point: PointResults, player: int) -> tuple[float, int, int, PointResults]:
    """Return a player's largest gain above the tolerance with the result, the player and the point."""
    gains = np.where(point.refuting[:, player], point.regret[:, player], -1.0)
    result = int(np.argmax(gains)) if len(gains) else 0
    return float(gains[result]) if len(gains) else -1.0, result, player, point


def _by_player(rows: Sequence[PointResults], words: Words, is_compared: bool, largest_amount: str) -> str:
    """Return every player's largest gain and where it is, the larger first."""
    gains_by_player: dict[str, list[tuple[float, PointResults]]] = {}
    for point in rows:
        for player in np.flatnonzero(point.refuting.any(axis=0)):
            gain, *_ = _largest(point, int(player))
            gains_by_player.setdefault(_player_name(point, int(player)), []).append((gain, point))
    parts: list[str] = []
    for name, gains in sorted(gains_by_player.items(), key=lambda pair: -max(gain for gain, *_ in pair[1])):
        gain, point = max(gains, key=lambda row: row[0])
        amount = number_in_words(gain) if parts else largest_amount
        up_to = text_if(len(gains) > 1, "up to ")
        parts.append(f"{name} {up_to}{amount}{_bracketed_point(point, words, is_compared)}")
    remainder = len(parts) - MOST
    return "; ".join(parts[:MOST]) + text_if(remainder > 0, f"; {count_of(remainder, 'other player')} less")


def _deviator(point: PointResults, player: int, *, equal: bool) -> str:
    """Return the players that could gain: each player, a player of a population, or one by name."""
    if equal or point.regret.shape[1] > 1:
        return "each player" if equal else _player_name(point, player)
    return "the player" if point.has_one_player else "a player"


def _player_name(point: PointResults, player: int) -> str:
    name = point.players[player]
    return f"the {name}" if name in ROLES else name


def _bracketed_point(point: PointResults, words: Words, is_compared: bool) -> str:
    """Return a point in brackets."""
    place = commas(words.method(point.algorithm) if is_compared else "", words.place(point.at))
    return f" ({place})" if place else ""


def _small(point: PointResults, player: int, result: int) -> str:
    """Return the reason for which a small gain counts; empty for other gains."""
    if point.payoff is None or point.payoff.shape != point.regret.shape:
        return ""
    columns = (point.regret, point.bound, point.at_stake, point.judged("payoff"))
    words = small_gain_in_words(*(float(rows[result, player]) for rows in columns))
    return f" ({words})" if words else ""


def on_lists(study: Mapping[str, Any], results: Sequence[PointResults]) -> list[Sentence]:
    """Return the sentence on lists of equilibria, or on events along branches; none without them."""
    words, results = Words(study), points_asked(study, results)
    rows = [point for point in results if point.counts_text]
    if not rows:
        return _corners(results)
    if events := list(dict.fromkeys(filter(None, (_events(point, words) for point in rows)))):
        return [Sentence(text, "branches followed numerically") for text in events[:1]]
    texts: dict[str, list[PointResults]] = {}
    for point in rows:
        texts.setdefault(point.list_words, []).append(point)
    boxes = boxes_in_words(point.boxes for point in rows).strip(" ()")
    basis = f"{boxes} searched" if boxes else "lists of equilibria"
    strategies = _strategies(rows[0]) if len(rows) == 1 else ""
    names = [] if strategies else [Sentence(text, basis) for text in _names(study, rows, words)]
    if len(texts) == 1:
        text = next(iter(texts))
        where = f"At each of {len(rows)} points " if len(rows) > 1 else ""
        clause = f"{where}{there_is(text)}{strategies}"
        if text.startswith("exactly") and len(rows) == 1:
            clause += "; there is no other"
        return [Sentence(f"{capitalised(clause)}.", basis), *names]
    ends = {text.partition("; ")[2] for text in texts}
    end = f"; {ends.pop()}" if len(ends) == 1 and any(ends) else ""  # said once
    suffix = COMPLETE if all(text.endswith(COMPLETE) for text in texts) else end
    end = "; all lists are complete" if suffix == COMPLETE else end
    parts = [
        f"{format_points(points, rows, words)} {there_is(text.removesuffix(suffix))}"
        for text, points in list(texts.items())[:MOST]
    ]
    clause = "; ".join(parts)
    remainder = len(rows) - sum(len(points) for points in list(texts.values())[:MOST])
    clause += (
        f"; {remainder} other points have other numbers"
        if remainder > 1
        else text_if(remainder, "; one has another")
    )
    return [Sentence(f"{capitalised(clause)}{end}.", basis), *names]


def there_is(count: str) -> str:
    """Return a clause that there are so many equilibria, as a list counts them.

    >>> there_is("exactly 1 equilibrium, proved"), there_is("infinitely many equilibria, in 1 component")
    ('there is exactly 1 equilibrium, proved', 'there are infinitely many equilibria, in 1 component')
    """
    if re.match(r"no exact|no equilibrium found|\d+ branch", count):  # a clause by itself
        return count
    is_single = re.match(r"(exactly |at least )?(1|no) (?!to )", count)
    return f"there {('are', 'is')[bool(is_single)]} {count}"


def _corners(points: Sequence[PointResults]) -> list[Sentence]:
    """Return the sentence on the few corners of a set of payoffs; none of other results."""
    corners = points[0].corners if len(points) == 1 else []
    is_short = 0 < len(corners) <= CORNERS
    return (
        [Sentence(f"The corners of the set of payoffs are {joined(corners)}.", f"{len(corners)} vertices")]
        if is_short
        else []
    )


def _strategies(point: PointResults) -> str:
    """Return the strategies of a short list, after a colon; empty for a long one."""
    texts = point.equilibria_in_words
    text = "; ".join(texts)
    return f": {text}" if 0 < len(texts) <= SHORT and len(text) <= CHARACTERS else ""


def _names(study: Mapping[str, Any], rows: Sequence[PointResults], words: Words) -> list[str]:
    """Return the sentence that names the equilibria of lists, if the study asks for it."""
    if LIST not in quantities_of_answer(study):
        return []
    parts = [
        text_if(len(rows) > 1, f"{format_points([point], rows, words)}, ") + point.equilibria_by_name
        for point in rows
        if point.equilibria_by_name
    ]
    return [f"Equilibria listed: {'; '.join(parts)}."] if parts else []


def format_points(points: Sequence[PointResults], results: Sequence[PointResults], words: Words) -> str:
    """Return the points that have the same list: ranges of one key, or a list of places."""
    is_compared = len(methods_of(results)) > 1
    keys = {name for point in points for name in point.at}
    if len(keys) == 1 and not is_compared:
        (key,) = keys
        numbers = all(isinstance(point.at[key], int | float) for point in points)
        order = [point.at[key] for point in results if key in point.at]
        if numbers:
            order = sorted(set(order))
            places = sorted({order.index(point.at[key]) for point in points})
            runs = [
                [k for _, k in part] for _, part in groupby(enumerate(places), lambda pair: pair[1] - pair[0])
            ]
            ends = [
                words.value(order[run[0]]) + (f" to {words.value(order[run[-1]])}" if len(run) > 1 else "")
                for run in runs
            ]
            return f"at {words.key(key)} {joined(ends)}"
        return f"for {joined([words.place({key: point.at[key]}) for point in points])}"
    texts = [
        words.case({**({"algorithm": point.algorithm} if is_compared else {}), **point.at})
        for point in points
    ]
    return f"for {joined(texts) if len(texts) <= MOST else f'{texts[0]} and {len(texts) - 1} other points'}"


def _events(point: PointResults, words: Words) -> str:
    """Return the events along the branches of a point, as one sentence."""
    if not point.events:
        return ""
    key = words.key(point.parameter)
    places: dict[str, list[str]] = {}
    for kind, at in point.events:
        places.setdefault(kind, []).append(number_in_words(at))
    parts = [
        EVENTS.get(kind, f"{kind.replace('_', ' ')} at {{place}}").format(
            place=f"{key} {joined(list(dict.fromkeys(numbers)))}"
        )
        for kind, numbers in places.items()
    ]
    text = "; ".join(parts)
    return f"{capitalised(text)}."
