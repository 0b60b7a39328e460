"""Parts of sentences: lists, numbers of things, capitals."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rivalry.lab.study.words import ROLES


def text_if(condition: object, text: str) -> str:
    """Text where a condition holds, else an empty one."""
    return text if condition else ""


def bracketed(text: str) -> str:
    """Remark in brackets after a space; empty without one."""
    return text_if(text, f" ({text})")


def commas(*parts: str) -> str:
    """Parts that are not empty, with commas between.

    >>> commas("karma", "", "reach 0.5")
    'karma, reach 0.5'
    """
    return ", ".join(filter(None, parts))


def count_of(count: int, noun: str) -> str:
    """Number of things.

    >>> count_of(1, "point"), count_of(2, "branch")
    ('1 point', '2 branches')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {plural(noun)}"


def and_more(count: int) -> str:
    """Number of things that a list leaves out; empty if there are none."""
    return text_if(count > 0, f" and {count} more")


def role_with_article(player: str) -> str:
    """Player, a leader or follower with an article."""
    return f"the {player}" if player in ROLES else player


def joined(parts: Iterable[str], conjunction: str = "and") -> str:
    """Parts as a list in words.

    >>> joined(["a", "b", "c"]), joined(["a", "b"])
    ('a, b, and c', 'a and b')
    """
    parts = list(parts)
    if any("," in part for part in parts) and len(parts) > 1:
        return f"{'; '.join(parts[:-1])}; {conjunction} {parts[-1]}"
    if len(parts) < 3:
        return f" {conjunction} ".join(parts)
    return f"{', '.join(parts[:-1])}, {conjunction} {parts[-1]}"


def joined_cases(labels: Sequence[str]) -> str:
    """Names of cases as a list, with the words before their numbers once.

    >>> joined_cases(["step size 0.5", "step size 0.1"]), joined_cases(["karma", "coin"])
    ('step sizes 0.5 and 0.1', 'karma and coin')
    >>> joined_cases(["with a reach of 1", "with a reach of 2"])
    'with a reach of 1 and 2'
    """
    ends = list(filter(None, (re.fullmatch(r"(.*[a-z]) (-?\d[\d.,e-]*)", label) for label in labels)))
    starts = {end[1] for end in ends}
    if not 1 < len(labels) == len(ends) or len(starts) > 1:
        return joined(labels)
    start = starts.pop()
    start = start if start.endswith(" of") else plural(start)
    return f"{start} {joined(end[2] for end in ends)}"


def plural(noun: str) -> str:
    """Plural of a noun.

    >>> plural("strategy"), plural("mix"), plural("price")
    ('strategies', 'mixes', 'prices')
    """
    if noun.endswith("y"):
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("x", "s", "ch")) else f"{noun}s"


def clauses(parts: Sequence[str]) -> str:
    """Clauses as a list, with a comma before the last where one of two has its own "and".

    >>> clauses(["the price is 1", "the output 2"]), clauses(["x is 1 and 2", "y is 3"])
    ('the price is 1 and the output 2', 'x is 1 and 2, and y is 3')
    """
    if len(parts) == 2 and " and " in parts[0] and not any("," in part for part in parts):
        return ", and ".join(parts)
    return joined(parts)


def capitalised(text: str) -> str:
    """Text with its first letter in upper case."""
    return f"{text[:1].upper()}{text[1:]}"


def lowered(text: str) -> str:
    """Sentence as it goes on after a colon.

    >>> lowered("It is an equilibrium."), lowered("Q-learners gain 0.8.")
    ('it is an equilibrium.', 'Q-learners gain 0.8.')
    """
    return text if re.match(r"[A-Z]\W?[A-Z]|[A-Z]-", text) else f"{text[:1].lower()}{text[1:]}"


def with_one_preposition(text: str) -> str:
    """Sentence in which names of cases that begin with a preposition have no other before it.

    >>> with_one_preposition("The welfare is 0.4 for under a tax and 0.1 for without an instrument.")
    'The welfare is 0.4 under a tax and 0.1 without an instrument.'
    """
    text = re.sub(r"\b(?:for|with|of) (?=(?:under|with|without|in the) )", "", text)
    return re.sub(r"\b(?:For|With) (?=(?:under|with|without) )(\w)", lambda match: match[1].upper(), text)


def with_separators(text: str) -> str:
    """Sentence with commas in numbers of five digits and more.

    >>> with_separators("It lasts 980000 ± 100000 periods, of 1234.56789 each, at 1e-10000.")
    'It lasts 980,000 ± 100,000 periods, of 1234.56789 each, at 1e-10000.'
    """
    return re.sub(r"(?<![\w.,-])\d{5,}\b(?!,\d)", lambda match: f"{int(match[0]):,}", text)


def with_pronoun(text: str) -> str:
    """Sentence in which a clause on a profile that is named does not name it again.

    >>> with_pronoun("For the published profile the profile is an equilibrium.")
    'For the published profile it is an equilibrium.'
    """
    return re.sub(r"(\b(?:[Ff]or|[Ww]ith) [^,;]* profile,? )the (?:\w+ )?profile is", r"\1it is", text)
