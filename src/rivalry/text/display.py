"""Text of games and results: one line, a small table of HTML, names, units and meanings of variables.

Attributes of variables are named as in the CF conventions.
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Context
from functools import cache, partial
from html import escape
from importlib import resources
from typing import Any, SupportsInt

import numpy as np
from numpy import ndarray

Variables = Mapping[str, Any]
LINE = 160  # characters of a game's text
EACH = 6  # most numbers that are printed one by one
ALMOST = 1e-12  # probabilities closer to 0 or 1 are rounding errors
ZERO = 5e-7  # smaller numbers in a strategy are printed as 0
BOUND_FLOOR = 1e-300  # bound that is printed
MIXED = 1e-3  # sums of rounded probabilities are this near to 1
SHORT = 6  # most actions of a strategy that are printed in full, and most places
_EXPONENT = re.compile(r"(?<=\d)e([+-])0*(?=\d)")
_MINUS = re.compile(r"(?<![\w.)\]-])-(?=\.?\d|inf)")

Description = tuple[str, dict[str, Any]]
"""A title, and the main parameters by name."""


class OneLineRepr:
    """A base class of games whose text is one line, from a title and the main parameters.

    ``print`` and notebooks add a line per note.
    """

    def _title_and_parameters(self) -> Description:
        raise NotImplementedError

    def text_notes(self) -> dict[str, str]:
        """Notes, by title, on what a file has and the game does not use, and on assumptions."""
        return {}

    def __hash__(self) -> int:
        """Return a hash of the settings: equal games have equal ones, and arrays have no hash."""
        fields: Iterable[Any] = dataclasses.fields(self) if dataclasses.is_dataclass(self) else ()
        return hash((type(self), *(getattr(self, f.name) for f in fields if f.metadata.get("static"))))

    def __repr__(self) -> str:
        try:
            title, parameters = self._title_and_parameters()
            words = ", ".join(f"{name} {parameter_text(value)}" for name, value in parameters.items())
        except (AttributeError, IndexError, TypeError, ValueError):  # traced, or a tree without its arrays
            return f"{type(self).__name__} without numbers, as inside a transformation of JAX"
        line = f"{title}: {words}" if words else title
        return line if len(line) <= LINE else f"{line[: LINE - 4].rstrip(', ')} ..."

    def __str__(self) -> str:
        return "\n".join([repr(self), *(f"{title}: {text}" for title, text in self.text_notes().items())])

    def _repr_html_(self) -> str:
        try:
            title, parameters = self._title_and_parameters()
            rows = {name: parameter_text(value) for name, value in parameters.items()} | self.text_notes()
        except (AttributeError, IndexError, TypeError, ValueError):
            return html_table(repr(self), {})
        return html_table(title, rows)


def parameter_text(value: Any) -> str:
    """Return a parameter as short text: one number where all entries agree, a range where they are many.

    >>> parameter_text(np.array([0.25, 0.25])), parameter_text([1.0, 2.5]), parameter_text(np.arange(50) / 10)
    ('0.25', '[1 2.5]', '0 to 4.9')
    """
    if isinstance(value, str):
        return value
    numbers = np.asarray(value, float).ravel()
    if not numbers.size:
        return "none"
    if np.all(numbers == numbers[0]):
        return f"{numbers[0]:.6g}"
    if numbers.size <= EACH and np.ndim(value) == 1:
        return list_in_words(numbers)
    return f"{numbers.min():.6g} to {numbers.max():.6g}"


def list_in_words(numbers: Iterable[float], in_full: bool = False) -> str:
    """Return numbers as text, each to six digits, or ``in_full``.

    >>> list_in_words([1.0, 0.25]), list_in_words([-0.0, 1e-9, 1234567.0])
    ('[1 0.25]', '[0 1e-09 1.23457e+06]')
    """
    return f"[{' '.join(_number(number + 0.0, in_full) for number in numbers)}]"


def _number(value: float, in_full: bool) -> str:
    """Return a number to six digits; ``in_full`` with the fewest digits that stand for this number alone."""
    text = f"{value:.6g}"
    return repr(float(value)) if in_full and float(text) != value else text


def typeset(text: str) -> str:
    """Return text with numbers as pages print them: a true minus sign, exponents without leading zeros.

    >>> typeset("-4.38e-08 to 2e+07"), typeset("(-.5, 1e-12) of cell 3-4")
    ('−4.38e−8 to 2e7', '(−.5, 1e−12) of cell 3-4')
    """
    text = _EXPONENT.sub(lambda match: "e−" if match[1] == "-" else "e", text)
    return _MINUS.sub("−", text)


def count_text(count: int, noun: str, plural: str = "") -> str:
    """Return a number of things.

    >>> count_text(1, "period"), count_text(3, "player")
    ('1 period', '3 players')
    """
    return f"{count} {noun if count == 1 else plural or noun + 's'}"


def html_table(title: str, rows: Mapping[str, str]) -> str:
    """Return a title and named rows as escaped HTML without scripts or colours.

    The colours are those of the page, so that the table can be read in light and in dark notebooks.

    >>> html_table("A < B", {"steps": "3"})
    '<div><strong>A &lt; B</strong><table><tr><th>steps</th><td>3</td></tr></table></div>'
    """
    lines = [f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in rows.items()]
    markup = f"<table>{''.join(lines)}</table>" if lines else ""
    return f"<div><strong>{escape(title)}</strong>{markup}</div>"


def solution_rows(record: Variables, claim: str) -> dict[str, str]:
    """Return the claim, the end state, and what no table shows, as text by name."""
    rows = {"claim": claim}
    rows |= equilibrium_rows(record)
    if ended := str(record.get("end_state", ((), ""))[1]):
        refuted = claim.startswith("not an equilibrium")  # a stable point of the dynamics need be none
        rows["ends in"] = ended.replace("_", " ") + ", no equilibrium" * refuted
    dims, array = record.get("profile", ((), np.zeros(())))
    if dims[:1] == ("state",):
        states, actions = array.shape
        rows["policy"] = f"{count_text(states, 'state')} × {count_text(actions, 'action')}"
    if "truncation" in record:
        rows["truncation"] = str(record["truncation"][1])
    if "profile" not in record and "end_payoff" in record:
        rows["payoff"] = f"mean of {count_text(len(record['end_payoff'][1]), 'session')} in final play"
    if "in_equilibrium" in record:  # the claim is that of the weakest session
        in_equilibrium = record["in_equilibrium"][1]
        rows["sessions"] = f"{int(in_equilibrium.sum())} of {len(in_equilibrium)} in equilibrium"
    return rows


def without_padding(record: Variables, profiles: ndarray) -> ndarray:
    """Profiles ``[.. player axis]`` of a record, NaN for entries that players cannot change."""
    mask = record.get("is_choice", ((), np.True_))[1]
    return np.where(mask, profiles, np.nan) if mask.shape == profiles.shape[-2:] else profiles


def strategy_by_axes(row: ndarray, axes: Sequence[str], in_full: bool) -> str:
    """Return a strategy with the names of its axes; unknown entries are left out, unless all are."""
    present = ~np.isnan(row)
    if present.any() and not present.all():
        axes = np.asarray(axes)[present] if len(axes) == len(row) else ()
        row = row[present]
    if len(axes) != len(row) or all(name == str(k) for k, name in enumerate(axes)):
        return list_in_words(row, True) if in_full and len(row) <= SHORT else strategy_in_words(row)
    pairs = zip(axes, row, strict=True)
    return ", ".join(
        f"{name} {_number(value, in_full)}" for name, value in pairs if len(row) <= SHORT or value
    )


def joint_action_names(joint: ndarray, actions: ndarray | None) -> list[str]:
    """Return the names of joint actions ``[joint player]``, by number where ``actions`` have no names.

    >>> joint_action_names(np.array([[0, 1], [1, 1]]), np.array([["stag", "hare"]] * 2))
    ['stag, hare', 'hare, hare']
    """
    if actions is None:
        return [", ".join(map(str, row)) for row in joint.tolist()]
    return [", ".join(str(names[k]) for names, k in zip(actions, row, strict=True)) for row in joint.tolist()]


def equilibrium_rows(record: Variables) -> dict[str, str]:
    """Return the number of equilibria and the other facts beside their table, as text by name."""
    if "where_range" in record:
        return {"equilibria": ranges_in_words(record)}
    if not {"equilibria", "complete"} <= record.keys():
        return {}
    if "absent" in record:  # the claim says so
        return {"search": str(record["complete_reason"][1])}
    text = f"{count_in_words(record)}{boxes_in_words([record.get('boxes', ((), -1))[1]])}"
    is_complete = bool(record["complete"][1])
    if not has_proofs(record) or not is_complete:
        text += f"; complete: {str(is_complete).lower()} ({record['complete_reason'][1]})"
    if "claim_scope" in record:
        text += f"; {record['claim_scope'][1]}"
    rows = {"equilibria": text}
    profiles, bounds = (record.get(name, ((), []))[1] for name in ("certified", "certified_bound"))
    if len(profiles):
        strategies = [list_in_words(profile[~np.isnan(profile)]) for profile in profiles]
        limit = bound_in_words(float(np.nanmax(bounds)), 2)
        rows["certified"] = f"{_shortened(strategies, 'certified')}, no gain above {limit}"
    if hulls := undecided_in_words(record):
        rows["undecided"] = _shortened(hulls, "undecided")
    return rows


def _shortened(texts: Sequence[str], name: str) -> str:
    """Return texts, the first of them if there are many, and the variable that has all."""
    further = f"; {len(texts) - SHORT} more in data.{name}" if len(texts) > SHORT else ""
    return f"{'; '.join(texts[:SHORT])}{further}"


def counts_in_words(record: Variables) -> str:
    """Return the numbers of equilibria for values of parameters, where they are proved.

    >>> three = {"where_count": ((), np.array([3, 0, 1])), "where_decided": ((), np.array([1, 0, 1]))}
    >>> counts_in_words(three)
    '1 to 3'
    >>> counts_in_words(three | {"where_decided": ((), np.zeros(3))})
    'at least 0'
    """
    count, decided = np.asarray(record["where_count"][1]), np.asarray(record["where_decided"][1]) == 1
    if not decided.any():
        return f"at least {count.min()}"
    low, high = count[decided].min(), count[decided].max()
    return f"exactly {low}" if low == high else f"{low} to {high}"


def ranges_in_words(record: Variables) -> str:
    """Return the numbers of equilibria over all ranges of parameters, and how many ranges are undecided."""
    decided = np.asarray(record["where_decided"][1]) == 1
    noun = "equilibrium" if (count := counts_in_words(record)) == "exactly 1" else "equilibria"
    width = np.min(np.ptp(record["where_range"][1], axis=2), axis=0)
    ends = map(partial(interval_in_words, inside=True), record["where"][1], width)
    where = " and ".join(
        f"{name} in {text}" for name, text in zip(record["where_name"][1], ends, strict=True)
    )
    boxes = boxes_in_words([record.get("boxes", ((), -1))[1]])
    if len(decided) == 1 and decided[0]:
        return f"{count} {noun} for every {where}, proved{boxes}"
    if decided.all():
        return f"{count} {noun} for {where}, proved{boxes}"
    unknown = count_text(int(np.sum(~decided)), "range is", "ranges are")
    proved = ", proved where decided," * bool(decided.any())
    return f"{count} {noun}{proved} for {where}; {unknown} undecided{boxes}"


def has_proofs(record: Variables) -> bool:
    """True for a list of equilibria from a search of boxes that proves each of them."""
    return "boxes" in record and int(record["boxes"][1]) >= 0  # -1 where other methods have no boxes


def boxes_in_words(counts: Iterable[SupportsInt]) -> str:
    """Return the number of boxes searched for lists of equilibria, in brackets; empty without boxes.

    >>> boxes_in_words([437, 37691]), boxes_in_words([-1])
    (' (437 to 37,691 boxes)', '')
    """
    box_counts = [count for count in map(int, counts) if count > 0]
    ends = list(dict.fromkeys([min(box_counts), max(box_counts)])) if box_counts else []
    return f" ({' to '.join(f'{end:,}' for end in ends)} box{'es' * (ends != [1])})" if ends else ""


def count_in_words(record: Variables) -> str:
    """Return the number of equilibria of a list in words: how many there are, where that is proved.

    Other lists state pure equilibria and components. Arrays may have the padding of a run's dataset.

    >>> count_in_words({"equilibrium_count": ((), 3), "pure_count": ((), 2), "component_count": ((), 3)})
    '3 equilibria listed, 2 of them in pure strategies, in 3 components'
    >>> count_in_words({"equilibrium_count": ((), 3), "component_count": ((), 2)})
    'infinitely many equilibria: 3 extreme equilibria listed, in 2 components'
    >>> proved = {"equilibrium_count": ((), 1), "boxes": ((), 437), "complete": ((), True)}
    >>> count_in_words(proved)
    'exactly 1 equilibrium, proved'
    >>> count_in_words(proved | {"complete": ((), False), "undecided": ((), np.zeros((3, 2, 1, 2)))})
    'at least 1 equilibrium; 3 places are undecided'
    """
    numbers = {name: int(value) for name, (_, value) in record.items() if name.endswith("_count")}
    count = numbers["equilibrium_count"]
    suffix = _pure_in_words(numbers.get("pure_count", -1), count)
    noun = f"equilibri{'um' if count == 1 else 'a'}"
    if has_proofs(record):
        return _proved_in_words(record, count, noun, suffix)
    if (parts := numbers.get("component_count", -1)) >= 0:
        suffix += f", in {count_text(parts, 'component')}"
    # a component of several extreme equilibria holds all between some of them
    infinite = "infinitely many equilibria: " if 0 <= parts < count else ""
    return f"{infinite}{count} {'extreme ' * bool(infinite)}{noun} listed{suffix}"


def _pure_in_words(pure: int, count: int) -> str:
    """Return the number of equilibria in pure strategies, after a comma; empty where it is unknown."""
    if pure < 0 or not count:
        return ""
    kinds = {0: ", in mixed strategies", count: ", in pure strategies"}
    return kinds.get(pure, f", {pure} of them in pure strategies")


def _proved_in_words(record: Variables, count: int, noun: str, suffix: str) -> str:
    complete = record["complete"][1] == 1
    points = int(np.sum(record["verdict"][1] != "")) if "verdict" in record else 0
    sets = 0 if points else len(record.get("equilibrium_set", ((), ()))[1])
    suffix = suffix * (not sets)  # of the list alone
    count, noun = count + sets, "equilibrium" if count + sets == 1 else "equilibria"
    precision = "exactly" if complete else "at least"
    if points:
        part = "all" if count == points else count or "none"
        details = f", {part} of them {noun if count > 1 else 'an equilibrium'}"
        if points == 1:
            details = f", which is {'an' if count else 'no'} equilibrium"
        if doubtful := int(np.sum(record["verdict"][1] == "undecided")):
            parts = (
                count_text(count, "is an equilibrium", "are equilibria"),
                count_text(points - count - doubtful, "is none", "are none"),
                count_text(doubtful, "is not decided", "are not decided"),
            )
            details = f": {', '.join(parts)}"
        text = f"{precision} {count_text(points, 'first-order point')}{details}"
    elif count:
        text = f"{precision} {count} {noun}{suffix}"
    elif certified := int(np.sum(~np.isnan(record.get("certified_bound", ((), []))[1]))):  # without padding
        profiles = count_text(
            certified, "profile is a certified equilibrium", "profiles are certified equilibria"
        )
        text = f"no equilibrium is proved; {profiles}"
    else:
        text = "no equilibrium in pure strategies" if complete else "no equilibrium found"
    if complete and sets:
        number = int(record["isolated_count"][1])
        isolated_text = f"{count_text(number, 'isolated equilibrium', 'isolated equilibria')} and " * (
            number > 0
        )
        return f"exactly {isolated_text}{count_text(sets, 'set')} of equilibria, proved"
    if complete:
        return f"{text}, proved"
    if sets:  # the list has ends of sets too
        number = int(record["isolated_count"][1])
        # it may lie on a curve that is undecided
        isolated_text = f" and {count_text(number, 'equilibrium', 'equilibria')} in none of them" * (
            number > 0
        )
        text = f"at least {count_text(sets, 'set')} of equilibria{isolated_text}"
    if places := len(record.get("undecided", ((), ()))[1]):
        return f"{text}; {count_text(places, 'place')} {'is' if places == 1 else 'are'} undecided"
    return text if sets else f"{text}; the list may lack some"


def undecided_in_words(record: Variables) -> list[str]:
    """Return the hulls of places in which nothing is proved, as intervals of all choices.

    >>> undecided_in_words({"undecided": ((), np.array([[[[0.25, 0.5]], [[0.1, 0.1 + 3e-8]]]]))})
    ['[0.25, 0.5] × [0.1, 0.10000003]']
    """
    hulls = record.get("undecided", ((), np.empty((0, 1, 1, 2))))[1]
    words = []
    for hull in hulls:
        rows = [row[np.isfinite(row).all(axis=-1)] for row in hull]  # without padding
        players = [" × ".join(map(interval_in_words, row)) for row in rows if len(row)]
        words.append((" × " if hull.shape[1] == 1 else " | ").join(players))
    return list(filter(None, words))


def interval_in_words(ends: ndarray, width: float | None = None, inside: bool = False) -> str:
    """Return an interval with as many digits as show a width, its own or a given one, rounded outward."""
    low, high = map(float, ends)
    if low == high:
        return f"{low:.6g}"
    width = high - low if width is None else width
    digits = int(np.clip(np.ceil(np.log10(max(abs(low), abs(high)) / width)) + 1, 4, 17))
    low_rounding, high_rounding = (ROUND_CEILING, ROUND_FLOOR) if inside else (ROUND_FLOOR, ROUND_CEILING)
    return f"[{_rounded(low, digits, low_rounding)}, {_rounded(high, digits, high_rounding)}]"


def verified_in_words(lines: Sequence[str], brief: bool = False) -> str:
    """Return the verdict of the independent checker on all proofs; brief: largest radius and files.

    Empty unless all were verified.

    >>> verified_in_words(["1 equilibrium: (0.5) within 2e-14; game 91f0; SHA-256 75ab"])
    'verified independently (1 equilibrium: (0.5) within 2e-14; game 91f0; SHA-256 75ab)'
    >>> verified_in_words(["1 equilibrium: (0.5) within 2e-14; game 91f0; SHA-256 75ab"], brief=True)
    'verified independently within 2e-14 (SHA-256 75ab)'
    """
    if not lines or not all(lines):
        return ""
    radii = [float(text) for line in lines for text in re.findall(r"\) within ([-+.e\d]+)", line)]
    within = f" within {radius_in_words(max(radii))}" if brief and radii else ""
    words = [line.rpartition("; ")[2] if brief else line for line in lines]
    return (
        f"verified independently{within} ({', '.join(words) if len(words) <= 3 else f'{len(words)} files'})"
    )


def radius_in_words(radius: float) -> str:
    """Return a proved distance with two digits, rounded up so that the printed one holds.

    >>> radius_in_words(7.81e-15), radius_in_words(0.0)
    ('7.9e-15', '0')
    """
    return bound_in_words(radius, 2)


def bound_in_words(bound: float, digits: int = 3, *, lower: bool = False) -> str:
    """Return a bound to some digits, rounded up, or a ``lower`` one down, so that the printed one holds.

    >>> bound_in_words(0.47801), bound_in_words(126.49), bound_in_words(0.2), bound_in_words(1806.25)
    ('0.479', '127', '0.2', '1810')
    >>> bound_in_words(5e-324), bound_in_words(np.inf)
    ('1e-300', 'none')
    >>> bound_in_words(0.47899, lower=True)
    '0.478'
    """
    if lower or not np.isfinite(bound):
        return _rounded(bound, digits, ROUND_FLOOR) if lower else "none"
    # numbers below the normal ones have no two digits
    return _rounded(BOUND_FLOOR if 0.0 < bound < BOUND_FLOOR else bound, digits, ROUND_CEILING)


def _rounded(value: float, digits: int, rounding: str) -> str:
    number = Context(prec=digits, rounding=rounding).create_decimal(repr(float(value)))
    return f"{float(number):.{max(digits, 12)}g}"


def strategy_in_words(row: ndarray) -> str:
    """Return a mixed strategy ``[action]`` as text; with many actions, only its support.

    >>> strategy_in_words(np.array([0.5, 0.5])), strategy_in_words(np.array([0.25, *[0.0] * 7, 0.75]))
    ('[0.5 0.5]', '(actions 0: 0.25, 8: 0.75)')
    >>> strategy_in_words(np.eye(8)[7]), strategy_in_words(np.array([0.0, 3.0, *[0.0] * 5, 5.0]))
    ('action 7', '(1: 3, 7: 5)')
    >>> strategy_in_words(np.array([0.0, 1.0])), strategy_in_words(np.array([1 / 3, 2 / 3, -1e-17]))
    ('[0 1]', '[0.333333 0.666667 0]')
    """
    if len(row) <= SHORT:
        return list_in_words(np.where(np.abs(row) < ZERO, 0.0, row))
    used = np.flatnonzero(row)
    mixed = bool(np.all(row[used] > 0)) and abs(float(np.nansum(row)) - 1.0) <= MIXED
    if mixed and len(used) == 1:
        return f"action {used[0]}"
    return f"({'actions ' * mixed}{', '.join(f'{k}: {row[k]:.6g}' for k in used)})"


def strategy_by_name(row: ndarray, names: Sequence[str] | ndarray) -> str:
    """Return a mixed strategy with the names of its actions; certain ones without a probability.

    >>> strategy_by_name(np.array([0.0, 1.0]), ["stag", "hare"])
    'hare'
    >>> strategy_by_name(np.array([0.25, 0.75]), ["stag", "hare"])
    'stag 0.25, hare 0.75'
    """
    used = [(str(name), p) for name, p in zip(names, row, strict=True) if abs(p) > ALMOST]
    return ", ".join(name if abs(p - 1.0) <= ALMOST else f"{name} {p:.6g}" for name, p in used)


KEYS = {
    "abstention": "weight of abstention",
    "algorithm": "method",
    "beta": "inverse temperature",
    "gamma": "discount factor",
    "payment": "payment rule",
}
"""Names of parameters of methods and of several families, and of those drawn without a study, in words, where
they are not the key with spaces; others are in `rivalry.schema.register.FamilyEntry`."""
COUNTED = ("players", "agents", "teams", "firms", "periods")  # parameters that are numbers of something
ENTRY = re.compile(r"^([^\[]*)\[(\d+)\]$")  # one entry of a parameter, that of a player
_TABLE = re.compile(r"^([^\[]*)((?:\[\d+\]){2,})$")  # one entry of a table, such as a payoff

PREFIXES = {
    "left_": "at the unstable points that the run left",
    "path_": "along the path",
}
"""Beginnings of names with what they add to the meaning of the rest."""


def key_in_words(name: str) -> str:
    """Return the name of a parameter, by its key or the coordinate of its sweep.

    >>> key_in_words("taste_spread"), key_in_words("unit_cost[1]"), key_in_words("players")
    ('taste spread', 'unit cost of player 1', 'number of players')
    >>> key_in_words("learning.gamma"), key_in_words("algorithm"), key_in_words("payoffs[0][1][1]")
    ('discount factor of learning', 'method', 'payoffs [0][1][1]')
    """
    if name in KEYS:
        return KEYS[name]
    if '"' in name:  # words of the user
        return name
    if match := ENTRY.match(name):
        return f"{key_in_words(match[1])} of player {match[2]}"
    if match := _TABLE.match(name):
        return f"{key_in_words(match[1])} {match[2]}"
    prefix, _, key = name.rpartition(".")
    if prefix:
        return f"{key_in_words(key)} of {key_in_words(prefix)}"
    return f"number of {key}" if key in COUNTED else key.replace("_", " ")


def with_unit(text: str, unit: str) -> str:
    """Return the name of a quantity with its unit, where that says more than the name.

    >>> with_unit("price per unit", "price"), with_unit("mean bid", "karma"), with_unit("share", "1")
    ('price per unit', 'mean bid (karma)', 'share')
    """
    return text if unit in ("", "1", "payoff") or unit in text else f"{text} ({unit})"


@cache
def variables() -> dict[str, dict[str, str]]:
    """Return unit, meaning and name in words of variables, as far as each has them."""
    return tomllib.loads(resources.files("rivalry.text").joinpath("variables.toml").read_text("utf-8"))


def attributes_of(name: str) -> dict[str, str]:
    """Return ``long_name``, and ``units`` and ``description`` where they are known, of a variable.

    >>> attributes_of("path_residual")["description"]
    'residual of the method at the last step, along the path'
    >>> attributes_of("turnout_rate")
    {'long_name': 'turnout rate'}
    """
    table = variables()
    exact = table.get(name, {})
    prefix = next((start for start in PREFIXES if name.startswith(start)), "")
    entry = exact if "meaning" in exact else table.get(name.removeprefix(prefix), {})
    attributes = {"long_name": exact.get("name", name.replace("_", " "))}
    if "unit" in entry:
        attributes["units"] = entry["unit"]
    if "meaning" in entry:
        added = "" if entry is exact else f", {PREFIXES[prefix]}"
        attributes["description"] = entry["meaning"] + added
    return attributes
