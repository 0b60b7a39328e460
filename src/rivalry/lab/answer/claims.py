"""Sentences on what certificates claim, on lists of equilibria, and on events along branches."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain, groupby
from typing import NamedTuple

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
from rivalry.lab.answer.grammar import (
    bracketed,
    capitalised,
    clauses,
    commas,
    count_of,
    joined,
    joined_cases,
    lowered,
    role_with_article,
    text_if,
)
from rivalry.lab.answer.places import (
    base_methods,
    grouped,
    grouped_by_method,
    keys_of,
    methods_of,
    places_of,
    varying,
)
from rivalry.lab.answer.points import NOT_AN_EQUILIBRIUM, PointResults, ResultPoints
from rivalry.lab.checks import JudgedCell
from rivalry.lab.study.identity import StudyTables
from rivalry.lab.study.words import LIST, Words, quantities_of_answer
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


def without_maxima(results: ResultPoints, judged: Sequence[JudgedCell]) -> list[Sentence]:
    """Sentence that there is no answer where payoffs rise beyond every range at every point.

    Profiles are then where a search ended, and numbers of them are of the range and not of the game. There is
    none where any result may be an equilibrium.
    """
    reasons = []
    for row, properties in judged:
        unbounded = [reason for reason in properties["reasons"] if UNBOUNDED in reason]
        if row["claim"] != NOT_AN_EQUILIBRIUM or not unbounded:
            return []
        reasons.append(min(unbounded))
    if not reasons:
        return []
    place = "at any point" if any(point.at for point in results) else "in this game"
    reason = min(reasons)
    gain = reason.partition("assumed: ")[2].partition(",")[0]
    cause = reason.partition(f"{UNBOUNDED}{BECAUSE}")[2].partition(";")[0]
    rise = f"payoffs rise beyond every range that was tried ({gain}) and may have no maximum"
    since = text_if(cause, f"{cause}, so that ") + rise
    text = f"No answer: no equilibrium was found {place}, since {since}."
    return [Sentence(text, count_of(len(reasons), "certificate"))]


def on_claims(
    study: StudyTables,
    results: ResultPoints,
    stated_points: ResultPoints = (),
    all_results: ResultPoints = (),
) -> list[Sentence]:
    """Sentence on what the certificates claim; none without certificates.

    Methods all of whose results are among ``stated_points`` are left out. Methods are named where
    ``all_results``, by default the results themselves, have others.
    """
    words, points = Words(study), _points_of_claims(study, results, stated_points)
    rows = [point for point in points if point.certified and not point.other_concept]
    other_concepts = [point for point in points if point.certified and point.other_concept]
    concept_clause = _on_concepts(other_concepts, rows, words)
    total = sum(_certificates(point) for point in rows)
    if not total:
        basis = count_of(len(other_concepts), "certificate")
        sentence = f"{at_point(study, points, words, concept_clause)}."
        return [Sentence(sentence, basis)] if concept_clause else []
    names = methods_of(points)
    group = "other methods" if {*stated_points} & {*results} else "methods compared"
    label = f"the {len(names)} {group}"
    if _are_profiles(names, words) or len(names) <= (NAMED if all_results else SHORT):
        label = joined_cases([words.method(name) for name in names])
    if set(methods_of(all_results or results)) == {*names}:
        label = ""
    kind = _kind_of(rows, has_other_concept=bool(concept_clause))
    sentence = _on_results(study, points, rows, label, kind, words, is_rest=bool(concept_clause))
    if concept_clause:
        rest = capitalised(_of_rest(rows, other_concepts, words))
        sentence = f"{concept_clause}. {rest}, {lowered(sentence)}"
    is_said = claim_in_words(NOT_AN_EQUILIBRIUM, kind.concept) in sentence
    if kind.concept and not is_said and "computed as" not in sentence:
        sentence += f" (solution concept: {kind.concept})"
    sentence = capitalised(sentence) + _on_scopes(rows, words)
    roundings = sorted({*chain.from_iterable(point.roundings for point in rows)})
    basis = count_of(total, "certificate") + text_if(roundings, f", bounds {' or '.join(roundings)}")
    return [Sentence(f"{at_point(study, points, words, sentence)}.", basis)]


def _certificates(point: PointResults) -> int:
    """Number of results of a point with a certificate."""
    return point.claims.total() - point.claims[""]


def _on_results(
    study: StudyTables,
    points: ResultPoints,
    rows: ResultPoints,
    label: str,
    kind: _Kind,
    words: Words,
    *,
    is_rest: bool,
) -> str:
    """Clauses on the claims of all rows, by the ``label`` of their methods where others have results too."""
    names, subject, prefix = methods_of(points), _subject_of(points, rows, words), ""
    if is_rest:
        place = {"profile": "at point", "run": "in run", "method": "with method"}[subject.of]
        subject = _Subject("it", total=subject.total, place=text_if(subject.total > 1, place))
    elif label and (_are_profiles(names, words) or subject.of == "method"):
        subject = _by_name(label, names, rows, words)
    elif label:
        prefix = f"{by_methods(names, label, words)}, "
    claims = {*chain.from_iterable(point.claims for point in rows)} - {""}
    is_of_sessions = all(point.sessions for point in rows)
    if is_of_sessions and {NOT_AN_EQUILIBRIUM} <= claims <= {"equilibrium", NOT_AN_EQUILIBRIUM}:
        return _on_sessions(rows, kind, text_if(label, f" with {label}"), words)
    if len(claims) == 1:
        return prefix + _on_one_claim(claims.pop(), rows, kind, subject, words)
    courses = claim_courses(study, rows) if len(places_of(rows)) > 1 else []
    if not courses or len(courses[0]) >= CHARACTERS:
        return prefix + _claim_by_claim(rows, kind, subject, words, is_compared=len(names) > 1)
    bound = _larger_bound(rows) if NOT_AN_EQUILIBRIUM in claims else ""
    return f"{prefix}{lowered(courses[0].removesuffix('.'))}{text_if(bound, f'; no gain exceeds {bound}')}"


def _points_of_claims(
    study: StudyTables, results: ResultPoints, stated_points: ResultPoints
) -> list[PointResults]:
    """Points of methods, without negative controls, that have unstated certificates."""
    points, bases = points_asked(study, results), base_methods(study)
    points = [point for point in points if point.algorithm in bases] or points
    methods = methods_of(point for point in points if point.certified and point not in stated_points)
    return [point for point in points if point.algorithm in methods]


def _are_profiles(methods: Sequence[str], words: Words) -> bool:
    """True for methods with the names of profiles or equilibria."""
    return all(words.is_profile(name) or EQUILIBRIUM.match(words.method(name)) for name in methods)


class _Kind(NamedTuple):
    """Kind of profiles that claims are about."""

    noun: str  # "equilibrium", "Nash equilibrium", "maximum"
    is_of_policies: bool = False
    concept: str = ""  # another one, of which the noun is not

    def predicate(self, claim: str, *, is_plural: bool = False, of: str = "profile", no: bool = False) -> str:
        """Predicate of a claim on one or several profiles, or on what methods find."""
        if claim not in _ADJECTIVES:
            return _PREDICATES[claim][is_plural]
        noun, verb = _ADJECTIVES[claim] + self.noun, _VERBS[of][is_plural]
        if no and of == "method":
            return f"{verb} no {noun}"
        negation = text_if(no, "not ")
        if not is_plural or self.is_of_policies or of != "profile":
            return f"{verb} {negation}a{text_if(noun[0] in 'aeiou', 'n')} {noun}"
        return f"{verb} {negation}{noun.replace('equilibrium', 'equilibria').replace('maximum', 'maxima')}"


def _kind_of(rows: ResultPoints, *, has_other_concept: bool) -> _Kind:
    """Kind of equilibria or maxima that results are claimed to be."""
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
    return _Kind(f"{concept.replace('mean field', 'mean-field')} equilibrium".lstrip())


class _Subject(NamedTuple):
    """The results of which a sentence on claims speaks: a name, or several things of a kind."""

    name: str
    is_plural: bool = False
    of: str = "profile"  # what predicates are of: a profile, methods that find one, runs that end in one
    total: int = 1
    things: str = ""  # that the sentence counts, empty of what has a name
    place: str = ""  # "at point" of several results of one name

    def quantified(self, quantifier: str) -> str:
        """Subject of a sentence on all, none or any of the things, and the name without them."""
        return _quantified(quantifier, self.total, self.things) if self.things else self.name

    def where(self, quantifier: str) -> str:
        """Places of all, none or any of the results of one name."""
        preposition, _, noun = self.place.partition(" ")
        return f"{preposition} {_quantified(quantifier, self.total, noun)}" if self.place else ""


def _by_name(label: str, methods: Sequence[str], rows: ResultPoints, words: Words) -> _Subject:
    """Subject of a sentence on results of methods by their names."""
    of = "profile" if _are_profiles(methods, words) else "method"
    of = "equilibrium" if all(EQUILIBRIUM.match(words.method(name)) for name in methods) else of
    total = len(places_of(rows))
    return _Subject(label, len(methods) > 1, of, total, place=text_if(total > 1, "at point"))


def _quantified(quantifier: str, count: int, noun: str) -> str:
    """All, none or any of several things.

    >>> _quantified("all", 5, "profile"), _quantified("none", 2, "point"), _quantified("any", 3, "run")
    ('all 5 profiles', 'neither point', 'any of the 3 runs')
    """
    if count == 2:
        return {"all": f"both {noun}s", "none": f"neither {noun}", "any": f"either {noun}"}[quantifier]
    return f"all {count} {noun}s" if quantifier == "all" else f"{quantifier} of the {count} {noun}s"


def _subject_of(points: ResultPoints, rows: ResultPoints, words: Words) -> _Subject:
    """Subject of a sentence on all results."""
    total = sum(_certificates(point) for point in rows)
    # nothing is claimed of results without a certificate
    certified = text_if(any(point.claims[""] for point in points), "certified ")
    is_learned = all(point.concept.endswith("of the learned policies") for point in rows)
    noun = rows[0].profile_noun
    name = "the learned policies" if is_learned else f"the {noun}"
    if any(point.list_length > 1 and point.results == 1 for point in rows):
        name = FIRST
    if total == 1:
        noun = "point" if keys_of(rows) else "result"
        name = f"the only certified {noun}" if certified else name
        return _Subject(name, is_learned)
    of, place = "profile", f"at {certified}point"
    if any(point.results > 1 for point in rows):
        of, place = "run", f"in {certified}run"
    elif not varying(rows) and not all(words.is_profile(point.algorithm) for point in rows):
        of, place = "method", f"with {certified}method"
    if is_learned or name == FIRST:
        return _Subject(name, is_learned, total=total, place=place)
    return _Subject(name, of=of, total=total, things=certified + (noun if of == "profile" else of))


def _on_one_claim(claim: str, rows: ResultPoints, kind: _Kind, subject: _Subject, words: Words) -> str:
    """Clauses on results that all have one claim."""
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
        preposition = "from" if of == "profile" else "for"
        of_all = text_if(is_counted, f" {preposition} {any_name}")
        return f"no profitable deviation{of_all} was found{at_any}; this is {details}"
    predicate = kind.predicate(claim, is_plural=is_counted or subject.is_plural, of=of)
    if claim != "equilibrium":
        return f"{name} {predicate}{at_all}: {details}"
    if subject.of == "equilibrium":
        predicate = f"{_VERBS['profile'][subject.is_plural]} confirmed"
    if name == FIRST:  # lists are of equilibria
        predicate = "is certified"
    return f"{name} {predicate}{at_all}; {_at_most(rows)}"


def _on_sessions(rows: ResultPoints, kind: _Kind, of_methods: str, words: Words) -> str:
    """Number of sessions in which play is an equilibrium, and the largest gain in the others."""
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
    gain = f"; in the others {gain}" if n else f": {gain}"
    return f"in {count}{comma} {order} {noun}{gain}"


def by_methods(names: Sequence[str], label: str, words: Words) -> str:
    """Methods as the place of a clause: in an equilibrium, at a profile, with an algorithm."""
    if all(EQUILIBRIUM.match(words.method(name)) for name in names):
        return f"in {label}"
    return f"at {label}" if all(map(words.is_profile, names)) else f"with {label}"


def _claim_by_claim(
    rows: ResultPoints, kind: _Kind, subject: _Subject, words: Words, *, is_compared: bool
) -> str:
    """Clauses on the results of each claim, the strongest first: which they are, or how many."""
    counts = sum((point.claims for point in rows), Counter[str]())
    is_named = len(methods_of(rows)) == counts.total() == len(rows) <= NAMED
    parts: list[str] = []
    for claim in (claim for claim in reversed(CLAIMS) if claim in counts):
        points = [point for point in rows if claim in point.claims]
        if is_named:
            parts += _on_named(claim, points, kind, words)
            continue
        n, things = counts[claim], f"of the {counts.total()} {subject.things or 'result'}s"
        if claim == NOT_AN_EQUILIBRIUM:
            rest = "in the other" + text_if(n > 1, f" {n}")
            where = rest if parts else f"in {n} {things}"
            parts.append(f"{where} {_gain(points, words, is_compared)}")
        else:
            predicate = kind.predicate(claim, is_plural=n > 1, of=subject.of)
            parts.append(f"{n} {things} {predicate}{bracketed(_claim_details(claim, points))}")
    return "; ".join(parts)


def _on_named(claim: str, points: ResultPoints, kind: _Kind, words: Words) -> list[str]:
    """Clauses on the results of methods with one claim, by the names of the methods."""
    parts, labels = [], {name: words.method(name) for name in methods_of(points)}
    if claim == "equilibrium":
        confirmed = [label for label in labels.values() if EQUILIBRIUM.match(label)]
        labels = {name: label for name, label in labels.items() if label not in confirmed}
        verb = _VERBS["profile"][len(confirmed) > 1]
        parts = [f"{joined(confirmed)} {verb} confirmed"] if confirmed else []
    if not labels:
        return parts
    names, label = list(labels), joined(labels.values())
    where, is_profile = by_methods(names, label, words), all(map(words.is_profile, names))
    if claim == NOT_AN_EQUILIBRIUM:
        return [f"{where} {_gain(points, words, is_compared=False)}"]
    if claim == "no deviation found":
        text = f"{where} no profitable deviation was found"
    elif len(names) == 1 and not is_profile:  # whose name may be a plural
        text = f"{where} the profile {kind.predicate(claim)}"
    else:
        of = "profile" if is_profile else "method"
        text = f"{label} {kind.predicate(claim, is_plural=len(names) > 1, of=of)}"
    return [*parts, text + bracketed(_claim_details(claim, points))]


def _sessions_by_method(points: ResultPoints, words: Words) -> str:
    """Sessions of each method with sessions that are in equilibrium."""
    methods: dict[str, list[str]] = {}
    for name, group in grouped_by_method(points).items():
        n, total = map(sum, zip(*(point.sessions for point in group), strict=True))
        if total:
            methods.setdefault(f"{n} of the {total} sessions", []).append(words.method(name))
    return joined(f"{count} with {joined_cases(labels)}" for count, labels in methods.items())


def _on_scopes(points: ResultPoints, words: Words) -> str:
    """Clause on what claims are of, where that is not the whole game; per method where they differ."""
    scopes, parts = grouped(points, lambda point: point.scope), []
    for scope in filter(None, scopes):
        names = joined(map(words.method, methods_of(scopes[scope])))
        parts.append(text_if(len(scopes) > 1, f"for {names} ") + scope)
    return text_if(parts, f"; claims are {joined(parts)}")


def claim_courses(study: StudyTables, results: ResultPoints) -> list[str]:
    """Sentence on where claims change along a key, per case; none without a key or a change."""
    words = Words(study)
    key, cases = cases_along(study, [point for point in results if point.certified], words)
    if not key or len(cases) > NAMED or all(point.claims == results[0].claims for point in results):
        return []
    texts, constant = [], dict[str, list[str]]()
    for label, case in cases.items():
        if label and len({point.claim for point in case}) == 1:
            constant.setdefault(_at_every(case, words, words.key(key)), []).append(label)
            continue
        parts: list[str] = []
        for claim, stretch in groupby(case, key=lambda point: point.claim):
            points = list(stretch)
            start, end = words.place({key: points[0].at[key]}), words.value(points[-1].at[key])
            if parts:
                start = words.value(points[0].at[key])
            ends = f"at {start}" + text_if(len(points) == 2, f" and {end}")
            if len(points) > 2:
                ends = f"at all {len(points)} points from {start} to {end}"
            parts.append(f"{ends} {_clause(claim, points)}")
        if len(parts) > NAMED:
            return []
        course = clauses(parts) if any(" and " in part for part in parts) else joined(parts)
        texts.append(text_if(label, f"for {label}: ") + course)
    texts += [f"for {joined_cases(labels)} {clause}" for clause, labels in constant.items()]
    return [f"{capitalised('; '.join(texts))}."]


def _at_every(rows: ResultPoints, words: Words, key: str) -> str:
    """Claim that all points along a key have, as a clause."""
    if rows[0].claim != NOT_AN_EQUILIBRIUM:
        return f"{_clause(rows[0].claim, rows)} at every {key}"
    size = number_in_words(_largest_gain(rows).size)
    return f"it is no equilibrium at any {key} (gains of up to {size}{rows[0].per_period})"


class Gain(NamedTuple):
    """Largest gain of a player from a deviation, above the tolerance, and the result that it is in."""

    size: float  # -1 without one
    result: int
    player: int
    point: PointResults

    @property
    def is_of_all(self) -> bool:
        """True if all players of the result gain as much."""
        regrets = self.point.regret[self.result]
        regrets = regrets[~np.isnan(regrets)]
        return len(regrets) > 1 and bool(np.all(np.abs(regrets - self.size) <= 1e-6 * self.size))

    @property
    def name(self) -> str:
        """The player by name."""
        return role_with_article(self.point.players[self.player])

    @property
    def deviators(self) -> str:
        """Players that could gain: each player, a player of a population, or one by name."""
        if self.is_of_all:
            return "each player"
        if len(self.point.players) > 1:
            return self.name
        return "the player" if self.point.has_one_player else "a player"

    @property
    def text(self) -> str:
        """The size with its unit."""
        return f"{number_in_words(self.size)}{self.point.per_period}"


def _gains(rows: ResultPoints) -> list[Gain]:
    """Largest gain of every player at every point."""
    gains = []
    for point in rows:
        for player, regrets in enumerate(point.regret.T):
            sizes = np.append(np.where(point.refuting[:, player], regrets, -1.0), -1.0)
            result = int(np.argmax(sizes))
            gains.append(Gain(float(sizes[result]), result, player, point))
    return gains


def _largest_gain(rows: ResultPoints) -> Gain:
    """Largest gain of any player at any point."""
    return max(_gains(rows), key=lambda gain: gain.size)


def _refuting(rows: ResultPoints) -> list[np.ndarray]:
    """Masks of the players that gain, of every result."""
    return list(chain.from_iterable(point.refuting for point in rows))


def _has_other_gainers(rows: ResultPoints, player: int) -> bool:
    """True if other players gain in a result in which the player does not."""
    return any(gainers.any() and not gainers[player : player + 1].any() for gainers in _refuting(rows))


def _has_equal(rows: ResultPoints, gain: Gain) -> bool:
    """True if another player's largest gain is as large."""
    sizes = [rival.size for rival in _gains(rows) if rival.player != gain.player]
    return max(sizes, default=-1.0) >= (1 - 1e-6) * gain.size


def _clause(claim: str, rows: ResultPoints) -> str:
    """Claim of a stretch of points with one claim, as a clause."""
    if claim == NOT_AN_EQUILIBRIUM:
        gain = _largest_gain(rows)
        amount = text_if(len(rows) > 1, "up to ") + gain.text
        if gain.is_of_all:
            return f"{gain.deviators} could gain {amount}"
        if _has_other_gainers(rows, gain.player) or _has_equal(rows, gain):
            return f"some player could gain {amount}"
        is_unequal = any(gainers.sum() > 1 for gainers in _refuting(rows))
        return f"{gain.deviators} could gain {amount}{text_if(is_unequal, ', others less')}"
    if claim == "no deviation found":
        return "no profitable deviation was found by a search"
    if claim not in (*_ADJECTIVES, *_PREDICATES):
        return claim
    kind = _kind_of(rows, has_other_concept=False)
    kind = kind if kind.concept else _Kind("equilibrium")
    details = _claim_details(claim, rows) if claim in WITH_GAIN else ""
    return f"it {kind.predicate(claim)}{bracketed(details)}"


def _on_concepts(rows: ResultPoints, other_results: ResultPoints, words: Words) -> str:
    """Results of other concepts than Nash equilibrium, with their residuals and gains.

    They are not judged as Nash equilibria, of which their gains say how far they are. Of the
    ``other_results``, which are, some may be of the same concept.
    """
    # concepts that differ in their temperatures alone are one
    kinds = grouped(rows, lambda point: point.other_concept.partition(TEMPERATURE)[0])
    parts = []
    for kind, points in kinds.items():
        concepts = list(dict.fromkeys(point.other_concept for point in points))
        temperatures = [concept.partition(TEMPERATURE)[2] for concept in concepts]
        concept = kind + text_if(temperatures[0], f"{TEMPERATURE}{joined(temperatures)}")
        equivalent = list(points)
        for point in other_results:
            if claim_in_words(NOT_AN_EQUILIBRIUM, point.concept) in concepts:
                equivalent.append(point)
        is_compared = len(methods_of((*rows, *other_results))) > 1
        clause = _of_concept(concept, equivalent, len(rows) + len(other_results), words, is_compared)
        gain = _largest_gain(points)
        owner = text_if(len(gain.point.players) > 1, f", of {gain.name}")
        where = text_if(len(equivalent) > 1, _bracketed_point(gain.point, words, is_compared))
        parts.append(f"{clause}; the largest gain from a deviation is {gain.text}{owner}{where}")
    return capitalised("; ".join(parts))


def _of_concept(concept: str, points: ResultPoints, total: int, words: Words, is_compared: bool) -> str:
    """Clause on how many results are, or approximate, equilibria of a concept, with their residual."""
    is_exact = all(set(point.statuses) == {"converged"} for point in points)
    is_singular = len(points) in (1, total)
    subject = f"{len(points)} of {total} results"
    if len(points) == total:
        subject = "every result" if total > 1 else "it"
    elif len(points) == 1 and is_compared and not points[0].at:
        subject = f"the result of {words.method(points[0].algorithm)}"
    verbs, noun = ("are", "approximate"), concept.replace("equilibrium", "equilibria", 1)
    if is_singular:
        verbs, noun = ("is", "approximates"), f"a {concept}"
    residuals = [point.residual for point in points if np.isfinite(point.residual)]
    residual = text_if(residuals, f" (residual {number_in_words(max(residuals, default=0.0))})")
    return f"{subject} {verbs[not is_exact]} {noun}{residual}"


def _of_rest(rows: ResultPoints, other_points: ResultPoints, words: Words) -> str:
    """Phrase for results that are not of another concept: those of a method, or at a point."""
    (method, *further), other_methods = methods_of(rows), methods_of(other_points)
    if not further and method not in other_methods:
        return f"for {words.method(method)}"
    if len(rows) == len(rows[0].at) == 1 and {*other_methods} <= {method}:
        return words.at(*next(iter(rows[0].at.items())))
    return "of the others"


def _at_most(rows: ResultPoints) -> str:
    """Largest bound of equilibria, rounded up, and how near an exact one is proved."""
    largest = max(point.largest_bound for point in rows)
    bound = text_if(largest > 0, radius_in_words(largest) + rows[0].per_period)
    clause = f"no player can gain more than {bound}" if bound else "no player can gain by deviating"
    if all(point.has_one_player for point in rows):
        clause = "no other choice gives more" + text_if(bound, f" by over {bound}")
    if not any(np.isnan(point.radius) for point in rows):
        radius = radius_in_words(max(point.radius for point in rows))
        clause += f", and an exact equilibrium is proved within {radius}"
        verified = verified_in_words(list(chain.from_iterable(point.verified for point in rows)), brief=True)
        clause += text_if(verified, f", {verified}")
    return clause


def _claim_details(claim: str, rows: ResultPoints) -> str:
    """Details of a claim: the largest gain that it leaves open, the kind of search."""
    if claim == "equilibrium":
        return ""
    if claim in WITH_GAIN:
        return gain_in_words(max(point.gain for point in rows), claim)
    if claim == "not decided" and all("lower bound" in point.arrays.get("coverage", ()) for point in rows):
        return "what a deviation gained in play is within its noise, and another may gain more"
    if claim == "not decided" and all(point.estimated for point in rows):
        return "the interval of the estimated gain holds 0 and gains that are not small"
    if claim == "no deviation found":
        ways = sorted(chain.from_iterable(point.searches for point in rows))
        way = next((way for way in ways if len(way) < WAY), "")
        return f"the result of a search{bracketed(way)}, not a proof"
    return _MORE[claim]


def _gain(rows: ResultPoints, words: Words, is_compared: bool) -> str:
    """Largest gain found above the tolerance, whose it is and where, and what no gain exceeds."""
    gain = _largest_gain(rows)
    small = bracketed(_small(gain))
    amount = f"{text_if(gain.point.estimated, 'an estimated ')}{gain.text}{small}"
    bound = "" if small else _larger_bound(rows)
    if len(rows) == 1 and gain.point.results == 1 and not gain.point.sessions:
        return _gain_of_one(gain, amount) + text_if(bound, f" (proved: at most {bound})")
    clause = _gain_of_several(gain, rows, amount, words, is_compared)
    return clause + text_if(bound, f"; no gain exceeds {bound}")


def _gain_of_one(gain: Gain, amount: str) -> str:
    """Clause on who could gain in a single result."""
    gaining = int(gain.point.refuting[gain.result].sum())
    if gaining < 2 or gain.is_of_all:
        return f"{gain.deviators} could gain {amount}"
    players = np.sum(~np.isnan(gain.point.regret[gain.result]))
    gainers = "each player" if gaining == players else f"{gaining} players"
    most = "up to" if _has_equal([gain.point], gain) else f"{gain.deviators} most:"
    return f"{gainers} could gain {most} {amount}"


def _gain_of_several(gain: Gain, rows: ResultPoints, amount: str, words: Words, is_compared: bool) -> str:
    """Clause on who could gain in several results."""
    at = text_if(len(rows) > 1, _bracketed_point(gain.point, words, is_compared))
    gainers = [players for players in _refuting(rows) if players.any()]
    is_of_others = _has_other_gainers(rows, gain.player)
    is_shared = not gain.point.estimated and any(players.sum() > 1 for players in gainers)
    if gain.point.sessions or gain.is_of_all or not (is_of_others or is_shared):
        return f"{gain.deviators} could gain up to {amount}{at}"
    subject = "each player" if all(players.all() for players in gainers) else "some player"
    remark = "; ".join(filter(None, [gain.deviators, at.strip(" ()")]))
    return f"{subject} could gain, at most {amount} ({remark})"


def _larger_bound(rows: ResultPoints) -> str:
    """Bound that no gain exceeds, where it is more than the largest gain found to the digits shown.

    It is empty where a bound is unknown or an estimate.
    """
    refuted = [point for point in rows if point.refuting.any()]
    bounds = np.concatenate([point.bound[point.refuting.any(axis=1)].ravel() for point in refuted])
    gains = np.concatenate([point.regret[point.refuting.any(axis=1)].ravel() for point in refuted])
    bounds, gains = bounds[~np.isnan(gains)], gains[~np.isnan(gains)]
    if any(point.estimated for point in refuted) or not np.isfinite(bounds).all():
        return ""
    bound, gain = float(bounds.max()), float(gains.max())
    is_larger = bound > gain and number_in_words(bound) != number_in_words(gain)
    return bound_in_words(bound) if is_larger else ""


def _bracketed_point(point: PointResults, words: Words, is_compared: bool) -> str:
    """Point in brackets, with its method where several are compared."""
    return bracketed(commas(text_if(is_compared, words.method(point.algorithm)), words.place(point.at)))


def _small(gain: Gain) -> str:
    """Reason for which a small gain counts; empty for other gains."""
    point = gain.point
    if point.payoff is None or point.payoff.shape != point.regret.shape:
        return ""
    columns = (point.regret, point.bound, point.at_stake, point.judged("payoff"))
    return small_gain_in_words(*(float(rows[gain.result, gain.player]) for rows in columns))


def on_lists(study: StudyTables, results: ResultPoints) -> list[Sentence]:
    """Sentence on lists of equilibria, or on events along branches; none without them."""
    words, results = Words(study), points_asked(study, results)
    rows = [point for point in results if point.counts_text]
    if not rows:
        return _corners(results)
    for events in filter(None, (_events(point, words) for point in rows)):
        return [Sentence(events, "branches followed numerically")]
    boxes = boxes_in_words(point.boxes for point in rows).strip(" ()")
    basis = f"{boxes} searched" if boxes else "lists of equilibria"
    strategies = _strategies(rows[0]) if len(rows) == 1 else ""
    names = [] if strategies else [Sentence(text, basis) for text in _names(study, rows, words)]
    lists = grouped(rows, lambda point: point.list_words)
    text = next(iter(lists))
    if len(lists) > 1:
        text = _different_lists(lists, rows, words)
    elif len(rows) > 1:
        text = f"At each of {len(rows)} points {there_is(text)}"
    else:
        is_exact = text.startswith("exactly")
        text = f"{there_is(text)}{strategies}{text_if(is_exact, '; there is no other')}"
    return [Sentence(f"{capitalised(text)}.", basis), *names]


def _different_lists(lists: Mapping[str, ResultPoints], rows: ResultPoints, words: Words) -> str:
    """Clauses on lists with different numbers, each with its points; what all share is said once."""
    ends = {text.partition("; ")[2] for text in lists}
    suffix = end = text_if(len(ends) == 1 and any(ends), f"; {min(ends)}")
    if all(text.endswith(COMPLETE) for text in lists):
        suffix, end = COMPLETE, "; all lists are complete"
    parts, remainder = [], len(rows)
    for text, points in list(lists.items())[:MOST]:
        parts.append(f"{format_points(points, rows, words)} {there_is(text.removesuffix(suffix))}")
        remainder -= len(points)
    if remainder:
        parts.append(f"at {count_of(remainder, 'further point')} there are other numbers")
    return "; ".join(parts) + end


def there_is(count: str) -> str:
    """Clause that there are so many equilibria, as a list counts them.

    >>> there_is("exactly 1 equilibrium, proved"), there_is("infinitely many equilibria, in 1 component")
    ('there is exactly 1 equilibrium, proved', 'there are infinitely many equilibria, in 1 component')
    """
    if re.match(r"no exact|no equilibrium found|\d+ branch", count):  # a clause by itself
        return count
    is_single = re.match(r"(exactly |at least )?(1|no) (?!to )", count)
    return f"there is {count}" if is_single else f"there are {count}"


def _corners(points: ResultPoints) -> list[Sentence]:
    """Sentence on the few corners of a set of payoffs; none of other results."""
    corners = points[0].corners if len(points) == 1 else []
    if not 0 < len(corners) <= CORNERS:
        return []
    text = f"The corners of the set of payoffs are {joined(corners)}."
    return [Sentence(text, f"{len(corners)} vertices")]


def _strategies(point: PointResults) -> str:
    """Strategies of a short list, after a colon; empty for a long one."""
    texts = point.equilibria_in_words
    text = "; ".join(texts)
    return f": {text}" if 0 < len(texts) <= SHORT and len(text) <= CHARACTERS else ""


def _names(study: StudyTables, rows: ResultPoints, words: Words) -> list[str]:
    """Sentence that names the equilibria of lists, if the study asks for it."""
    if LIST not in quantities_of_answer(study):
        return []
    parts = []
    for point in rows:
        place = text_if(len(rows) > 1, f"{format_points([point], rows, words)}, ")
        parts += [place + point.equilibria_by_name] if point.equilibria_by_name else []
    return [f"Equilibria listed: {'; '.join(parts)}."] if parts else []


def format_points(points: ResultPoints, results: ResultPoints, words: Words) -> str:
    """Points that have the same list: ranges of one key, or a list of places."""
    is_compared, keys = len(methods_of(results)) > 1, keys_of(points)
    if len(keys) == 1 and not is_compared:
        values = [point.at[keys[0]] for point in points]
        if not all(isinstance(value, int | float) for value in values):
            return f"for {joined(words.place(point.at) for point in points)}"
        order = sorted({point.at[keys[0]] for point in results if keys[0] in point.at})
        places = sorted({order.index(value) for value in values})
        ends = []
        for _, part in groupby(enumerate(places), lambda pair: pair[1] - pair[0]):
            run = [words.value(order[place]) for _, place in part]
            ends.append(run[0] + text_if(len(run) > 1, f" to {run[-1]}"))
        return f"at {words.key(keys[0])} {joined(ends)}"
    texts = []
    for point in points:
        method = {"algorithm": point.algorithm} if is_compared else {}
        texts.append(words.case(method | point.at))
    if len(texts) > MOST:
        return f"for {texts[0]} and {len(texts) - 1} other points"
    return f"for {joined(texts)}"


def _events(point: PointResults, words: Words) -> str:
    """Events along the branches of a point, as one sentence."""
    if not point.events:
        return ""
    parts = []
    for kind, events in grouped(point.events, lambda event: event[0]).items():
        places = dict.fromkeys(number_in_words(at) for _, at in events)
        template = EVENTS.get(kind, f"{kind.replace('_', ' ')} at {{place}}")
        parts.append(template.format(place=f"{words.key(point.parameter)} {joined(places)}"))
    return f"{capitalised('; '.join(parts))}."
