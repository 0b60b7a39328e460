"""Choices of a designer of rules: keywords of a game's factory, and the admissible values of each.

A value is stored as a number, its *code*: in a range the value itself, in a list its position.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice, product
from typing import Any, NamedTuple

import numpy as np
from annotated_types import Ge
from numpy import ndarray

from rivalry.core.results import Record
from rivalry.schema.construction import variant
from rivalry.schema.validate import fault_of, limit

SCALES = ("linear", "log")
AT_END = 1e-6  # of the range of values tried: an optimum this near an end is at the end
COMBINATIONS = 200  # tried with a value before it is reported as refused


class Choice(NamedTuple):
    """A keyword and its values: a list, or where that is empty a range, of integers or of reals."""

    name: str
    values: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    points: int | None = None  # number of grid values
    log: bool = False
    is_integer: bool = False

    def grid(self) -> ndarray:
        """Return the codes of the grid. Raise `ValueError` for a range without a count."""
        if self.values:
            return np.arange(len(self.values), dtype=float)
        if self.points is None:
            raise ValueError(f"choices: {self.name} needs a count, or the design a number of trials")
        spaced = (np.geomspace if self.log else np.linspace)(self.low, self.high, self.points)
        return np.unique(np.round(spaced)) if self.is_integer else spaced

    def sample(self, rng: np.random.Generator) -> float:
        """Draw a code uniformly, in a range on its scale."""
        if self.values or self.points is not None:
            return float(rng.choice(self.grid()))
        if self.log:
            code = float(np.exp(rng.uniform(np.log(self.low), np.log(self.high))))
            return float(round(code)) if self.is_integer else min(max(code, self.low), self.high)
        if self.is_integer:
            return float(rng.integers(int(self.low), int(self.high) + 1))
        return float(rng.uniform(self.low, self.high))

    def value(self, code: float) -> Any:
        """Return the keyword's value."""
        if self.values:
            return self.values[int(code)]
        return int(code) if self.is_integer else float(code)

    @property
    def plain(self) -> bool:
        """True if all values are numbers."""
        return all(isinstance(value_, int | float) and not isinstance(value_, bool) for value_ in self.values)

    def number(self, code: float) -> float:
        """Return the value if all values are numbers, else its position in the list."""
        return float(self.value(code)) if self.plain else float(code)

    def code(self, number: float) -> float:
        """Return the code of a value given as a number."""
        return float(self.values.index(number)) if self.values and self.plain else number

    def label(self, code: float) -> str:
        """Return the value in words."""
        return in_words(self.value(code))

    @property
    def tried(self) -> tuple[float, ...]:
        """Return the numbers tried, or the ends of a range; none of words."""
        if not self.plain:
            return ()
        codes = np.array([self.low, self.high]) if not self.values and self.points is None else self.grid()
        return tuple(map(self.number, codes.tolist()))

    def ends(self) -> tuple[float, ...]:
        """Return codes that test whether the game accepts the values: all of a list, a range's ends."""
        return tuple(np.arange(len(self.values), dtype=float)) if self.values else (self.low, self.high)


def in_words(value: object) -> str:
    """Return a value of a keyword in words: of tables the name, or all entries.

    >>> in_words([{"name": "patient", "gamma": 0.9}, {"name": "impatient", "gamma": 0.5}]), in_words(True)
    ('patient and impatient', 'yes')
    >>> in_words({"gamma": 0.9, "share": 0.5}), in_words([1, 2.5]), in_words(None)
    ('gamma 0.9, share 0.5', '1 and 2.5', 'none')
    """
    if isinstance(value, Mapping):
        return str(
            value.get("name") or ", ".join(f"{key} {in_words(value_)}" for key, value_ in value.items())
        )
    if isinstance(value, list | tuple):
        return " and ".join(map(in_words, value))
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def choices_of(table: Mapping[str, Any]) -> tuple[Choice, ...]:
    """Return the choices of a method's table. Raise `ValueError` if it is invalid.

    Examples
    --------
    >>> [one] = choices_of({"mean_karma": {"from": 1, "to": 9, "count": 3}})
    >>> [one.value(code) for code in one.grid()]
    [1, 5, 9]
    """
    if not table:
        raise ValueError(f"choices: {table!r} must be a table with at least one choice")
    return tuple((_range if isinstance(form, Mapping) else _list)(name, form) for name, form in table.items())


def check_weights(**options: object) -> None:
    """Raise `ValueError` for a weight of metrics, in a table, that is not finite."""
    for option, weights in options.items():
        for metric, weight in weights.items() if isinstance(weights, Mapping) else ():
            if not np.isfinite(weight):
                raise ValueError(f"{option}.{metric}: {weight!r} must be a finite number")


def _list(name: str, form: object) -> Choice:
    form = form.tolist() if isinstance(form, ndarray) else form
    if not isinstance(form, Sequence) or isinstance(form, str) or not form:
        raise ValueError(f"choices: {name} is {form!r}; must be a list of values, or {{from, to, count}}")
    for k, value in enumerate(form):
        if value in form[:k]:
            raise ValueError(f"choices: {name}[{k}]: {value!r} is there twice")
        if isinstance(value, float) and not np.isfinite(value):
            raise ValueError(f"choices: {name}[{k}]: {value} must be finite")
    return Choice(name, tuple(form))


def check_ends(option: str, form: Mapping[str, Any]) -> None:
    """Raise `ValueError` unless a range is from a finite number to another, with a count above 1 if any."""
    for key in ("from", "to"):
        if fault_of(float, form[key]) or not np.isfinite(form[key]):
            raise ValueError(f"{option}: {key} {form[key]!r} must be a finite number")
    if "count" in form and fault_of(int, form["count"], (Ge(2),)):
        raise ValueError(f"{option}: count {form['count']!r} must be a whole number of at least 2")


def _range(name: str, form: Mapping[str, Any]) -> Choice:
    label = f"choices: {name}"
    if not {"from", "to"} <= set(form) <= {"from", "to", "count", "scale"}:
        raise ValueError(
            f"{label} has {', '.join(map(str, form))}; must have from, to, and may have count, scale"
        )
    low, high, count, scale = form["from"], form["to"], form.get("count"), form.get("scale", "linear")
    check_ends(label, form if count is not None else {"from": low, "to": high})
    if scale not in SCALES:
        raise ValueError(f"{label}: scale {scale!r} must be one of {', '.join(SCALES)}")
    if not low < high:
        raise ValueError(f"{label}: from {low:g} must be below to {high:g}")
    if scale == "log" and low <= 0:
        raise ValueError(f"{label}: from {low:g} must be above 0 on a log scale")
    integers = isinstance(low, int) and isinstance(high, int)
    limit(f"choices.{name}.count", count or 0)
    if (
        integers and count and scale == "linear"
    ):  # as in a sweep, where from 1, to 4 and count 3 give 1, 2.5, 4
        integers = (high - low) % (count - 1) == 0
    return Choice(name, (), float(low), float(high), count, scale == "log", integers)


def check_values(game: object, choices: Sequence[Choice]) -> None:
    """Raise `ValueError` for a value that the game refuses with every combination of the other choices."""
    for option in choices:
        remaining = [choice for choice in choices if choice is not option]
        rows = islice(product(*(choice.ends() for choice in remaining)), COMBINATIONS)
        combinations_of_values = [set_to(remaining, np.array(codes)) for codes in rows]
        for code in option.ends():
            reason = _refusal(game, {option.name: option.value(code)})
            if reason and all(
                _refusal(game, setting | {option.name: option.value(code)})
                for setting in combinations_of_values
            ):
                raise ValueError(f"choices: {reason}")


def _refusal(game: object, changes: dict[str, Any]) -> str:
    """Return the reason why the game refuses the changes, or an empty string."""
    try:
        variant(game, **changes)
    except ValueError as error:
        return str(error)
    return ""


def accepts(game: object, choice: Choice, settings: Mapping[str, Any], number: float) -> bool:
    """True for a further number of a choice that a game accepts beside the other choices."""
    integers = choice.is_integer or all(isinstance(value, int) for value in choice.values or (0.5,))
    return not _refusal(game, {**settings, choice.name: round(number) if integers else number})


def bound_of(values: Sequence[float] | ndarray, value: float, accepts: Callable[[float], bool]) -> str:
    """Return at which end of the values tried the chosen one is; empty inside.

    It is empty too where the game ``accepts`` no value beyond: that end is the game's, not the author's.

    >>> bound_of([1e-8, 1e-7, 1.0], 1e-7, lambda value: True)
    ''
    >>> [bound_of([0.0, 1.0], one, lambda value: value >= 0) for one in (1.0, 0.0)]
    ['the largest tried', '']
    """
    ordered = np.unique(values)
    if len(ordered) < 2:
        return ""
    sides = ((ordered[0], ordered[1], "the smallest tried"), (ordered[-1], ordered[-2], "the largest tried"))
    for end, inside, word in sides:
        extension = 2 * end - inside
        if extension * end < 0:  # of a positive quantity
            extension = end * end / inside
        # on a logarithmic scale the next value may be far closer to an end than a part of the range
        if abs(value - end) <= AT_END * min(np.ptp(ordered), 1e3 * abs(inside - end)) and accepts(
            float(extension)
        ):
            return word
    return ""


def grid_of(choices: Sequence[Choice]) -> ndarray:
    """Return every combination of codes, ``[trial choice]``; the last choice varies fastest."""
    return np.array(list(product(*(choice.grid() for choice in choices))), float)


def set_to(choices: Sequence[Choice], codes: ndarray) -> dict[str, Any]:
    """Return the keywords for the codes ``[choice]``."""
    return {choice.name: choice.value(float(code)) for choice, code in zip(choices, codes, strict=True)}


def choice_record(choices: Sequence[Choice], codes: ndarray) -> Record:
    """Return the record of codes ``[trial choice]``: numbers, and labels."""
    columns = list(zip(choices, codes.T.tolist(), strict=True))
    numbers = np.array([list(map(choice.number, column)) for choice, column in columns], float)
    labels = np.array([list(map(choice.label, column)) for choice, column in columns], str)
    return {
        "choice_name": (("choice",), np.asarray([choice.name for choice in choices])),
        "parameters": (("trial", "choice"), numbers.T),
        "parameter_label": (("trial", "choice"), labels.T),
    }
