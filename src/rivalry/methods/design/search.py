"""The outer search of a design: choices, their admissible values, trials, and the best of their answers.

A value is stored as a number, its *code*: in a range the value itself, in a list its position.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice, product
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
from annotated_types import Ge
from numpy import ndarray

from rivalry.core.method import BaseLearner, Session
from rivalry.core.results import Record, indexed
from rivalry.methods.q_learning.exploration import Table
from rivalry.schema.construction import variant
from rivalry.schema.registry import near
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
    def candidates(self) -> tuple[float, ...]:
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


def _range(name: str, form: Mapping[str, Any]) -> Choice:
    label = f"choices: {name}"
    if not {"from", "to"} <= set(form) <= {"from", "to", "count", "scale"}:
        raise ValueError(
            f"{label} has {', '.join(map(str, form))}; must have from, to, and may have count, scale"
        )
    low, high, count, scale = form["from"], form["to"], form.get("count"), form.get("scale", "linear")
    for key in ("from", "to"):
        if fault_of(float, form[key]) or not np.isfinite(form[key]):
            raise ValueError(f"{label}: {key} {form[key]!r} must be a finite number")
    if count is not None and fault_of(int, count, (Ge(2),)):
        raise ValueError(f"{label}: count {count!r} must be a whole number of at least 2")
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


class DesignSearch(BaseLearner):
    """Base class: a designer moves first, trial by trial, and takes the one with the best answer.

    A trial sets the choices to a row of the grid, or to what `propose` returns after it, and has the players
    answer once per seed.
    """

    choices: Annotated[Table, "the design variables: name = {from, to, count, scale}, or a list of values"]
    objective: Annotated[
        str | dict[str, float] | Callable[..., float], "a metric of the players, or a table of weights"
    ]
    spending: Annotated[
        dict[str, float] | None, "metrics subtracted from the objective, with their weights"
    ] = None
    maximise: Annotated[bool, "whether the objective is maximised; else it is minimised"] = True

    usual: ClassVar[str]  # how an array of a metric is made one number

    def __check_init__(self) -> None:
        choices_of(self.choices)
        if isinstance(self.objective, Mapping) and not self.objective:
            raise ValueError("objective: {} must have at least one measure")
        for option, weights in self._weights().items():
            for metric, weight in weights.items():
                if not np.isfinite(weight):
                    raise ValueError(f"{option}.{metric}: {weight!r} must be a finite number")

    def length(self, world: Any) -> int:
        """Return the number of answers of the players, at most."""
        return self._trials(world) * self._seeds(world)

    def advance(self, world: Any, session: Session, steps: int) -> int:
        """Have the players answer up to ``steps`` times."""
        seeds, begin = self._seeds(world), int(session["done"][0])
        for run in range(begin, min(begin + steps, self.length(world))):
            trial, seed = divmod(run, seeds)
            if seed == 0:
                codes = self.propose(world, session, trial)
                if codes is None:
                    break
                session["codes"][trial] = codes
            self._answer(world, session, trial, seed)
            session["done"][0] += 1
        return int(session["done"][0]) - begin

    def worth(self, record: Record) -> float:
        """Return the objective of a record, less spending."""
        spent = objective_value(self.spending or {}, record, self.usual)
        return objective_value(self._weights()["objective"], record, self.usual) - spent

    def check_measures(self, record: Record) -> None:
        """Raise `ValueError` for metrics that a record of the players lacks; an empty record passes."""
        plain = {key for key, (_, array) in record.items() if np.asarray(array).dtype.kind in "biuf"}
        for option, weights in self._weights().items():
            for name in weights if record else ():
                metric = _parts(name, self.usual)[1]
                if metric not in plain:
                    reason = f"{metric!r} is no metric of the players' record; {near(metric, plain)}"
                    raise ValueError(f"{option}: {reason}")

    def _weights(self) -> dict[str, Mapping[str, float]]:
        """Return the weights of metrics by the option that states them; none where it is a function."""
        gains = {self.objective: 1.0} if isinstance(self.objective, str) else self.objective
        return {
            "objective": gains if isinstance(gains, Mapping) else {},
            "spending": self.spending or {},
        }

    def _decision(
        self, choices: Sequence[Choice], numbers: ndarray, accepts: Callable[[Choice, float], bool]
    ) -> Record:
        """Return the chosen values, and for each whether it is an end of those tried."""
        pairs = zip(choices, numbers, strict=True)
        bounds = [bound_of(choice.candidates, value, partial(accepts, choice)) for choice, value in pairs]
        return indexed("choice", chosen_parameters=numbers.copy(), chosen_bound=np.asarray(bounds, "U18"))

    # Defined by subclasses.

    @abstractmethod
    def propose(self, world: Any, session: Session, trial: int) -> ndarray | None:
        """Return the codes ``[choice]`` of a trial, given those of earlier ones; None at the end."""

    @abstractmethod
    def _trials(self, world: Any) -> int:
        """Return the largest number of trials."""

    def _seeds(self, world: Any) -> int:
        """Return the number of answers of the players in a trial."""
        return 1

    @abstractmethod
    def _answer(self, world: Any, session: Session, trial: int, seed: int) -> None:
        """Have the players answer a trial once, and note its objective."""


def objective_value(weights: Mapping[str, float], record: Record, usual: str = "mean") -> float:
    """Return the weighted sum of metrics of a record.

    Each is the mean of its known entries or their ``min(..)``, or the ``sum(..)`` of all, as is ``usual``.

    Examples
    --------
    >>> objective_value({"reward": 1.0, "min(reward)": 2.0}, {"reward": (("agent",), np.array([-1.0, -3.0]))})
    -8.0
    """
    return float(sum(weight * reduced(record, name, usual) for name, weight in weights.items()))


def reduced(record: Record, name: str, usual: str = "mean") -> float:
    """Return a metric as one number; NaN where a record lacks it."""
    reduce, metric = _parts(name, usual)
    if metric not in record:  # not defined under this rule
        return np.nan
    array = np.asarray(record[metric][1], float)
    if reduce == "sum":
        return float(array.sum())
    finite = array[~np.isnan(array)]  # empty classes have no reward
    if not finite.size:
        return np.nan
    return float(finite.min() if reduce == "min" else finite.mean())


def _parts(name: str, usual: str) -> tuple[str, str]:
    """Return the reduction of a metric's entries to one number, and the metric's name."""
    match = re.fullmatch(r"(min|mean|sum)\((\w+)\)", name)
    return (match[1], match[2]) if match else (usual, name)
