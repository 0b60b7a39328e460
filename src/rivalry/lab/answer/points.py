"""Results of a run per method and swept point."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, cached_property, partial
from itertools import chain
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy import ndarray

from rivalry.core.results import (
    WITH_GAIN,
    claim_in_words,
    count_in_words,
    gains_left_open,
    radius_in_words,
    split_method,
    strategy_by_name,
    strategy_in_words,
    undecided_in_words,
)
from rivalry.lab.answer.estimates import counted, estimates
from rivalry.lab.answer.grammar import clauses, count_of, joined, role_with_article, text_if
from rivalry.lab.answer.places import base_methods
from rivalry.lab.dimensions import REPEATED, SESSIONS, entries_of, own_dims, split
from rivalry.lab.discounted import PERIODS
from rivalry.lab.study.expect import same_value
from rivalry.lab.study.identity import StudyTables, Table, TableDict
from rivalry.lab.study.names import benchmark_quantity, has_noise, is_benchmark, with_controls
from rivalry.lab.study.words import REPLACED, ROLES, Words, quantities
from rivalry.results import TABLES
from rivalry.results.reader import Arrays, Reader
from rivalry.results.table import Estimate, exactly, number_in_words
from rivalry.runtime.imports import pause_collection
from rivalry.schema.registry import load
from rivalry.text.display import ranges_in_words
from rivalry.text.statistics import format_chance, format_interval, half_width

if TYPE_CHECKING:
    from xarray import DataArray, Dataset

CHOSEN_RULE = "rivalry.methods.design.tables:chosen_rule"
NONE_EXISTS = "none exists"
NOT_AN_EQUILIBRIUM = "not an equilibrium"
SCANS = {"window_low": "window_tried", "window_high": "window_tried", "fitted_lambda": "logit_lambda"}
"""Values tried, by the quantities that are infinite where they lie beyond."""
NO_SIZE = 1e-9  # a quantity with no larger number anywhere is a rounding error of 0
WHOSE = ("player", "firm", "bidder", "type", "agent", "team", *ROLES)
"""Beginnings of entries that sentences name."""
_PLAYER, _NUMBERED = re.compile(r"player (\d+)"), re.compile(r"\w+ \d+")
APART = 10_000_000  # more than the replications of a point
SMALL = 24  # numbers of the largest profile that is printed


class PointResults:
    """The results of one method at one point; arrays are ``[result ...]`` over replications and starts.

    A report prints few of many points, so each part is computed when it is first used.
    """

    def __init__(
        self,
        algorithm: str,
        at: TableDict,
        index: tuple[int, ...],
        random: bool,
        variables: Mapping[str, DataArray],
        names: Sequence[str],
        arrays: Mapping[str, ndarray],
        words: Words,
        numbers: ndarray | None,
        table: Table = MappingProxyType({"kind": ""}),
        sizes: dict[str, float] | None = None,
    ) -> None:
        self.algorithm = algorithm
        self.at = at  # coordinates that vary, without method and replication
        self.index = index  # position along the dimensions of the sweep
        self.random = random  # whether the method draws random numbers
        self._variables, self._names, self.words = variables, names, words
        self.arrays = arrays  # of the run's dataset, ``[result ...]``
        self._numbers = numbers  # of the results' seeds, where others have the same
        self._table = table  # of the method
        self._sizes = {} if sizes is None else sizes  # of quantities over all points, which share them
        self._count = len(arrays["status"])

    @property
    def of_first(self) -> Arrays:
        """Variables of the first result."""
        return Arrays(self.arrays, lambda name: self.arrays[name][0])

    def variable(self, name: str) -> DataArray | None:
        """One of these in the dataset, with its labels; None where it is missing."""
        return self._variables.get(name)

    @cached_property
    def repeats(self) -> str:
        """``replications``, ``starts`` or empty."""
        if self._count == 1:
            return ""
        status = self._variables["status"]
        batched = "batch" in status.dims and self._count > status.sizes.get("replication", 1)
        return "starts" if batched else "replications"

    @cached_property
    def statuses(self) -> Counter[str]:
        """Statuses and their numbers; of a list that proves that there is nothing to find, `NONE_EXISTS`."""
        statuses = Counter(self.arrays["status"].tolist())
        if "not found" in statuses and self.is_proved_absent:
            statuses[NONE_EXISTS] = statuses.pop("not found")
        return statuses

    @cached_property
    def claims(self) -> Counter[str]:
        """Claims and their numbers; an empty claim is a result without certificate."""
        return (
            Counter(self.arrays["claim"].tolist()) if "claim" in self.arrays else Counter({"": self._count})
        )

    @cached_property
    def regret(self) -> ndarray:
        """Regrets ``[result player]``, empty without certificates."""
        return self.judged("regret")

    @cached_property
    def bound(self) -> ndarray:
        """Bounds ``[result player]``, NaN where unknown."""
        return self.judged("bound")

    @cached_property
    def periods(self) -> ndarray:
        """Sums of the weights of periods ``[result player]`` by which gains are divided, or 1."""
        return self.arrays.get(PERIODS, np.ones(1))

    @property
    def per_period(self) -> str:
        """The unit of gains in words."""
        return text_if(PERIODS in self.arrays, " per period")

    @cached_property
    def at_stake(self) -> ndarray:
        """Payoffs at stake ``[result player]``, NaN where unknown."""
        return self.judged("at_stake")

    @property
    def has_one_player(self) -> bool:
        """True if the game is a choice of a single player, and not of a population."""
        profile = self._variables.get("profile")
        strategies = profile is not None and profile.dims[-2:] == ("player", "axis")
        return strategies and self.regret.shape[1] == 1 and not self.words.has_roles

    @property
    def profile_noun(self) -> str:
        """A result in words: learned or not."""
        if self.has_one_player:
            return "choice"
        return f"{text_if(self.random, 'learned ')}profile"

    @cached_property
    def largest_gain(self) -> Estimate:
        """Largest gain of any player: a mean over replications of learners, else that of all results.

        Of equilibria the text is what no gain exceeds. Claims that state a gain have none.
        """
        if not (self.random and self.repeats == "replications" and self.regret.size):
            return self._gain_or_bound()
        gains = np.fmax.reduce(self.regret, axis=1)
        regret = self._variables["regret"]
        variable = regret.isel({str(regret.dims[-1]): 0})
        row = estimates(variable, gains, self.repeats, random=True, scale=self._scale("regret"))
        return next(iter(row), Estimate(""))

    @cached_property
    def largest_bound(self) -> float:
        """Largest known bound of the gains of players; 0 where none is known."""
        return float(np.max(self.bound[np.isfinite(self.bound)], initial=0.0))

    def _gain_or_bound(self) -> Estimate:
        claims = self.claims.keys() - {""}
        gain = float(np.nanmax(self.regret, initial=0.0))
        if NOT_AN_EQUILIBRIUM in claims:
            return exactly(f"{text_if(len(self.regret) > 1, 'up to ')}{number_in_words(gain)}", gain)
        if claims != {"equilibrium"}:
            return Estimate("")
        bound = self.largest_bound
        return exactly(f"at most {radius_in_words(bound)}" if bound > 0 else "0", gain)

    @cached_property
    def refuting(self) -> ndarray:
        """Mask of regrets ``[result player]`` above the tolerance."""
        return _refuting(self.arrays)[self._has_regret] if "regret" in self.arrays else np.zeros((0, 1), bool)

    @cached_property
    def _has_regret(self) -> ndarray:
        if "regret" not in self.arrays:
            return np.zeros(self._count, bool)
        return np.asarray(~np.isnan(self.arrays["regret"]).all(axis=-1))

    def judged(self, name: str) -> ndarray:
        """Numbers ``[result player]`` of results with a certificate, per period as gains are."""
        unknown = self.arrays.get("regret", np.zeros((self._count, 1))) if name not in self.arrays else None
        numbers = self.arrays[name] if unknown is None else np.full_like(unknown, np.nan)
        return np.asarray((numbers / self.periods)[self._has_regret])

    @cached_property
    def gain(self) -> float:
        """Largest gain that claims of small gains leave open, as a fraction of the payoff at stake."""
        if not {"bound", "at_stake", "claim"} <= set(self.arrays):
            return 0.0
        parts = gains_left_open(self.arrays)[np.isin(self.arrays["claim"], WITH_GAIN)]
        return float(np.max(parts[np.isfinite(parts)], initial=0.0))

    @cached_property
    def searches(self) -> tuple[str, ...]:
        """Methods by which regrets were computed."""
        methods = self.arrays.get("certificate_method", ())
        return tuple(sorted({split_method(str(text))[0] for text in methods} - {""}))

    @cached_property
    def estimated(self) -> bool:
        """True if some regrets are estimates from samples."""
        return "estimated" in self.arrays.get("coverage", ()) or "regret_error" in self.arrays

    @cached_property
    def concept(self) -> str:
        """Solution concept other than Nash and mean field."""
        names = set(map(str, self.arrays.get("concept", ()))) - {"", "Nash", "mean field"}
        return names.pop() if len(names) == 1 else ""

    @cached_property
    def scope(self) -> str:
        """Part of the game that the claims are of; empty for the whole game."""
        return " or ".join(sorted(set(map(str, self.arrays.get("claim_scope", ()))) - {""}))

    @property
    def other_concept(self) -> str:
        """The equilibrium concept, not a Nash one, of results that are no Nash equilibria; else empty."""
        words = claim_in_words(NOT_AN_EQUILIBRIUM, self.concept)
        return words if words != NOT_AN_EQUILIBRIUM and NOT_AN_EQUILIBRIUM in self.claims else ""

    @cached_property
    def residual(self) -> float:
        """Largest residual of the equations of that concept; NaN where unknown."""
        return float(np.fmax.reduce(self.arrays.get("concept_residual", np.array([np.nan]))))

    @cached_property
    def sessions(self) -> tuple[int, ...]:
        """Sessions in equilibrium, and all; empty without sessions, whose weakest decides the claim."""
        in_equilibrium = self.arrays.get("in_equilibrium", np.zeros(0))
        return (
            (int(np.sum(in_equilibrium == 1)), int(np.sum(in_equilibrium >= 0)))
            if in_equilibrium.size
            else ()
        )

    @cached_property
    def profile(self) -> ndarray | None:
        """Profiles ``[result player axis]``; None where too large to print."""
        return self._printable("profile", ("player", "axis"))

    @cached_property
    def payoff(self) -> ndarray | None:
        """Payoffs ``[result player]``."""
        return self._printable("payoff", ("player",))

    def _printable(self, name: str, dims: tuple[str, ...]) -> ndarray | None:
        """Numbers ``[result *dims]`` without padding; None where they are missing or too large to print."""
        rows = self.arrays.get(name)
        if rows is None or self._variables[name].dims[-len(dims) :] != dims:
            return None
        rows = _without_blanks(rows, ~np.isnan(rows))
        return rows if len(rows) and rows[0].size <= SMALL else None

    @cached_property
    def players(self) -> tuple[str, ...]:
        """Names of the players."""
        return tuple(self._entry_words(f"player {k}") for k in range(self.regret.shape[1]))

    @cached_property
    def actions(self) -> ndarray | None:
        """Names ``[player axis]``; None where a strategy is no mixture of named actions."""
        names, profile = self.arrays.get("action_name"), self.profile
        if names is None or profile is None:
            return None
        named = names[(names != "").any(axis=(1, 2))][:1]
        named = _without_blanks(named, named != "")
        return named[0] if named.shape[1:] == profile.shape[1:] and len(named) else None

    @cached_property
    def axes(self) -> str:
        """Names of a strategy's coordinates, in brackets; empty where they have none."""
        if self.profile is None or self.actions is not None or (count := self.profile.shape[2]) < 2:
            return ""
        names = self.words.coordinates(np.ravel(self.arrays.get("axis_name", np.array([[]]))[0]), count)
        return f" ({', '.join(names)})" if names else ""

    @cached_property
    def quantities(self) -> dict[str, tuple[Estimate, ...]]:
        """Numbers of the study's quantities that have a value here."""
        numbers = {name: self._estimates(name) for name in self._names}
        if self.rule_words:
            names = ("chosen_rule", "chosen_objective")
            for name, rule in zip(names, self._rule or (Estimate(self.rule_words),), strict=False):
                numbers |= {name: (rule,)} if name in numbers else {}
        for name, row in numbers.items():
            labels = [f"{name} = {estimate.text}" for estimate in row]  # numbers that are labels, as of types
            if any(map(self.words.is_named, labels)):
                texts = zip(row, map(self.words.who, labels), strict=True)
                numbers[name] = tuple(estimate._replace(text=text) for estimate, text in texts)
        return {name: named for name, row in numbers.items() if (named := self._with_entries(row))}

    def _estimates(self, name: str) -> tuple[Estimate, ...]:
        """Numbers of a quantity, one per entry, or what they exceed where a scan has not found them."""
        range_of_search = None  # infinite numbers of other quantities are what they are
        if name in SCANS:
            scan = self.arrays[SCANS[name]][0]
            range_of_search = float(np.fmin.reduce(scan)), float(np.fmax.reduce(scan))
        return estimates(
            *_without_constant(self._variables[name], self.arrays[name]),
            self.repeats,
            random=self._is_random(name),
            range_of_search=range_of_search,
            seeds=self._numbers,
            scale=self._scale(name),
            half=self._half(name),
        )

    def _with_entries(self, row: Sequence[Estimate]) -> tuple[Estimate, ...]:
        """Numbers with the names of their entries in words, without those that the study hides."""
        named = []
        for estimate in row:
            entry = self._entry_words(estimate.entry)
            named += [estimate._replace(entry=entry)] if entry or not estimate.entry else []
        return tuple(named)

    @cached_property
    def texts(self) -> dict[str, list[str]]:
        """Numbers of the study's quantities as they are printed."""
        return {name: list(map(attrgetter("text"), rows)) for name, rows in self.quantities.items()}

    def _quantity(self, name: str) -> tuple[DataArray, ndarray, list[str]]:
        """Quantity with its labels, its values ``[result own ...]``, and its own dimensions."""
        variable, values = self._variables[name], self.arrays[name]
        return variable, values, own_dims(variable, values)

    def sample_size(self, name: str) -> int:
        """Number of results, or sessions of all results, that a quantity is a mean over."""
        _, values, dims = self._quantity(name)
        if values.dtype.kind not in "fi" or not set(dims) & set(SESSIONS):
            return self.results
        filled = ~np.isnan(values) if values.dtype.kind == "f" else values != -1
        axes = tuple(1 + k for k, dim in enumerate(dims) if dim not in SESSIONS)
        return int(filled.any(axis=axes).sum())

    def is_at(self, at: Table) -> bool:
        """True for results at a point; a list has several values of a coordinate."""
        coords = self._variables["status"].coords
        for name, target in at.items():
            if name != "algorithm" and name not in self.at and (name not in coords or coords[name].size > 1):
                continue  # a dimension of a quantity, or a key of another method
            coordinate = self.algorithm if name == "algorithm" else self.at.get(name)
            coordinate = coords[name].values.ravel()[0] if coordinate is None else coordinate
            targets = target if isinstance(target, list) else [target]
            if not any(same_value(coordinate, value) for value in targets):
                return False
        return True

    def is_at_point(self, point: PointResults) -> bool:
        """True for results of the same method and point."""
        return self.algorithm == point.algorithm and self.at == point.at

    def numbers(self, name: str, at: Table) -> tuple[Estimate, ...]:
        """Quantity's numbers at coordinates of its own, one per entry; one if all are equal."""
        if name not in self._variables:
            return ()
        variable, values, dims = self._quantity(name)
        half = self._half(name)
        coordinates: list[str] = []
        for dim in [dim for dim in dims if dim in at]:
            labels = variable.coords[dim].values.tolist() if dim in variable.coords else []
            k = labels.index(at[dim]) if at[dim] in labels else int(at[dim])
            variable, values = variable.isel({dim: k}), np.take(values, k, axis=1 + dims.index(dim))
            half = None if half is None else np.take(half, k, axis=1 + dims.index(dim))
            dims.remove(dim)
            coordinates += entries_of(variable.expand_dims({dim: [labels[k] if labels else k]}), [dim], [1])
        entry_numbers: list[Estimate] = []
        sizes = dict(zip(dims, values.shape[1:], strict=True))
        for dim in SESSIONS:
            sizes.pop(dim, None)  # their mean is the number of an entry
        names = entries_of(variable, list(sizes), list(sizes.values()))
        for entry, index in zip(names, np.ndindex(*sizes.values()), strict=True):
            indices = dict(zip(sizes, index, strict=True))
            place = (slice(None), *(indices.get(dim, slice(None)) for dim in dims))
            part_values, width = values[place], None if half is None else half[place]
            random, scale = self._is_random(name), self._scale(name)
            row = estimates(
                variable.isel(indices),
                part_values,
                self.repeats,
                random=random,
                seeds=self._numbers,
                scale=scale,
                half=width,
            )
            parts = [*coordinates, *filter(None, [entry])] if len(names) > 1 else coordinates
            entry_text = ", ".join(parts)
            label = ", ".join(filter(None, map(self._entry_words, parts)))
            label = self._entry_words(entry_text) if self.words.is_named(entry_text) else label
            entry_numbers += [row._replace(entry=label) for row in row if label or not parts]
        equal = len(entry_numbers) > 1 and len({(row.text, row.mean) for row in entry_numbers}) == 1
        entry_name = ", ".join(map(self._entry_words, coordinates))
        return (entry_numbers[0]._replace(entry=entry_name),) if equal else tuple(entry_numbers)

    def entries(self, name: str) -> list[str]:
        """Names of the entries of a quantity, such as players, that have a number here."""
        variable, values, dims = self._quantity(name)
        if values.dtype.kind != "f" or "session" in dims:
            return []
        filled = ~np.isnan(values.reshape(len(values), -1)).all(axis=0)
        names = entries_of(variable, dims, values.shape[1:])
        return [self.words.who(entry) for entry, is_filled in zip(names, filled, strict=True) if is_filled]

    @property
    def is_complete(self) -> bool:
        """True if a list has all equilibria."""
        return "exactly" in self.list_words or bool(np.all(self.arrays.get("complete", np.zeros(1)) == 1))

    @property
    def is_proved_absent(self) -> bool:
        """True if a complete list has no equilibrium."""
        count, complete = (
            self.arrays.get(name, np.array([-1])) for name in ("equilibrium_count", "complete")
        )
        words = self.list_words
        is_excluded = words.startswith("no equilibrium") and (
            "proved" in words or "profiles checked" in words
        )
        return bool(np.all(count == 0) and (np.all(complete == 1) or is_excluded))

    def _is_random(self, name: str) -> bool:
        """True for a quantity that draws enter."""
        return self.random and has_noise(self._table, name)

    def _half(self, name: str) -> ndarray | None:
        """Half the widths of the intervals of a mean over runs in one cell, where they are stored."""
        half = self.arrays.get(_interval(name)) if self._count == 1 else None
        return half if half is not None and half.shape == self.arrays[name].shape else None

    def _scale(self, name: str) -> float:
        """Unit of a quantity: its largest number anywhere, 1 of shares, the stake."""
        variable = self._variables[name]
        if name not in self._sizes and variable.dtype.kind in "fiu":
            numbers = np.abs(variable.values[np.isfinite(variable.values)])
            size = float(numbers.max(initial=0.0))
            share = variable.attrs.get("units") == "1" or size < NO_SIZE
            self._sizes[name] = max(size, float(share))
        stake = self.at_stake if self._variables[name].attrs.get("units") == "payoff" else np.zeros(0)
        return max(self._sizes.get(name, 0.0), float(np.max(stake[np.isfinite(stake)], initial=0.0)))

    def _entry_words(self, entry: str) -> str:
        """Entry of a quantity as the study calls it, else as the results do."""
        match = _PLAYER.fullmatch(entry)
        names = np.ravel(self.arrays.get("player_name", np.array([[]]))[0])
        if match is None or self.words.is_named(entry) or int(match[1]) >= len(names):
            return self.words.who(entry)
        name = str(names[int(match[1])])
        numbered = _NUMBERED.fullmatch(name) and name.partition(" ")[0] not in WHOSE
        return f"type {name}" if numbered else name or self.words.who(entry)

    @cached_property
    def rule_words(self) -> str:
        """The rule that a search chose, by its choices among several values."""
        if not {"choice_name", "chosen_label"} <= self.arrays.keys() or self._count > 1:
            return ""
        names, labels = (self.arrays[name][0] for name in ("choice_name", "chosen_label"))
        parts = []
        for k in self._choices:
            text = self.words.value(str(labels[k])) if labels[k] else self._chosen_number(k)
            if text.startswith(("[", "{")):  # a table of Python is told by its number among several
                text = f"number {int(self.arrays['chosen_parameters'][0][k]) + 1}"
            parts.append(f"{self.words.key(str(names[k]))} {text}")
        return ", ".join(parts)

    @cached_property
    def _rule(self) -> tuple[Estimate, Estimate] | None:
        """The rule that a search chose, as far as it can be told from others, and its objective."""
        arrays = dict(self.of_first)
        if not self.random and "trial_objective_mean" in arrays:  # single runs without draws are exact
            ends = ("trial_objective_low", "trial_objective_high")
            arrays |= dict.fromkeys(ends, arrays["trial_objective_mean"])
        return load(CHOSEN_RULE)(Reader(arrays), self.rule_words)

    def _chosen_number(self, choice: int) -> str:
        return number_in_words(float(self.arrays["chosen_parameters"][0][choice]))

    @cached_property
    def bound_of_search(self) -> str:
        """The design variables whose best value is an end of those tried, in words."""
        if "chosen_bound" not in self.arrays or (self._rule and self._rule[0].text.startswith("not decided")):
            return ""
        names, ends, values = (
            self.arrays[name] for name in ("choice_name", "chosen_bound", "chosen_parameters")
        )
        parts = [
            f"{self.words.key(str(names[row, k]))} {number_in_words(values[row, k])}, {ends[row, k]}"
            for row, k in zip(*np.nonzero(ends != ""), strict=True)
        ]
        return "; ".join(dict.fromkeys(parts))

    @cached_property
    def best_choice(self) -> str:
        """The best value of every design variable, with the end of those tried at which it is."""
        if "chosen_bound" not in self.arrays or "chosen_label" in self.arrays or self._count > 1:
            return self.bound_of_search
        names, ends = self.arrays["choice_name"][0], self.arrays["chosen_bound"][0]
        return "; ".join(
            f"{self.words.key(str(names[k]))} {self._chosen_number(k)}" + text_if(ends[k], f", {ends[k]}")
            for k in self._choices
        )

    @property
    def _choices(self) -> list[int]:
        """Numbers of the choices of which several values were tried."""
        choices = [int(k) for k in np.flatnonzero(self.arrays["choice_name"][0] != "")]
        if "parameters" not in self.arrays:
            return choices
        choice_values = self.arrays["parameters"][0]
        return [k for k in choices if len(np.unique(choice_values[~np.isnan(choice_values[:, k]), k])) > 1]

    @property
    def instruments(self) -> tuple[str, ...]:
        """Names of the choices of a search among which there are several values; empty without one."""
        is_single_search = self._count == 1 and "choice_name" in self.arrays
        return tuple(str(self.arrays["choice_name"][0][k]) for k in self._choices) if is_single_search else ()

    @cached_property
    def counts_text(self) -> str:
        """Equilibria listed, or branches followed, in words."""
        if self._count == 1 and "where_range" in self.arrays:
            return self._ranges_text
        if self._count > 1 or not {"equilibrium_count", "branch_ending"} & self.arrays.keys():
            return ""
        return _count_phrase(self.of_first)

    @property
    def _ranges_text(self) -> str:
        """Numbers of equilibria that are proved for all values of parameters in ranges, in words."""
        arrays = self.of_first
        filled = ~np.isnan(arrays["where_range"]).any(axis=(1, 2))  # other points have more ranges
        record = {name: ((), arrays[name]) for name in ("where", "where_name")}
        record |= {name: ((), arrays[name][filled]) for name in _OF_RANGES}
        texts = [ranges_in_words(record)]
        table = load(TABLES["where_range"])(Reader(arrays))
        for row in table.rows if len(table.rows) > 1 else ():
            *places, count = row.items()
            where = " and ".join(f"{name} in {entry.text}" for name, entry in places)
            texts.append(f"{count[1].text}: {where}")
        further = len(texts) - 1 - RANGES
        suffix = f"; ... and {further} more ranges, in data.where_range" if further > 0 else ""
        return "; ".join(texts[: RANGES + 1]) + suffix

    @property
    def list_words(self) -> str:
        """The list of equilibria in a sentence: how many are pure, and whether it is complete."""
        counts = {name: int(self.arrays[name][0]) for name in COUNTS if name in self.arrays}
        count, pure = counts.get("equilibrium_count", -1), counts.get("pure_count", -1)
        if self.boxes >= 0 or count < 0 or not self.counts_text:
            return self.counts_text
        parts = counts.get("component_count", -1)
        kinds = {-1: "", 0: " in mixed strategies", count: " in pure strategies"}
        is_continuum = 0 < parts < count  # equilibria of a continuum: its extreme ones are listed
        words = f"{count} {text_if(is_continuum, 'extreme ')}{_noun(count)}"
        words += kinds.get(pure, f", {pure} of them in pure strategies") if count else ""
        if is_continuum:
            places = f"in {count_of(parts, 'connected component')}"
            words = f"infinitely many equilibria, {places}, with {words}"
        reason = str(self.arrays.get("complete_reason", [""])[0])
        if reason.startswith("every pure equilibrium"):
            return f"{self._pure_words(count)}; mixed strategies were not searched"
        if self.arrays.get("complete", [0])[0] == 1:
            return f"{words} (complete list)"
        words, alternatives = (words, "are others") if count else ("no equilibrium listed", "is one")
        return f"{words}; whether there {alternatives} is not decided{text_if(reason, f': {reason}')}"

    def _pure_words(self, count: int) -> str:
        """Number of pure equilibria, of how many profiles that were all checked."""
        names = self.arrays.get("action_name", np.array([[[""]]]))[0]
        profiles = int(np.prod((names != "").sum(axis=1))) if (names != "").any(axis=1).all() else 0
        checked = f" (all {profiles:,} profiles checked)" if profiles else " (all profiles checked)"
        return f"{count or 'no'} {_noun(max(count, 1))} in pure strategies{checked}"

    @property
    def equilibria_by_name(self) -> str:
        """Every equilibrium of a list, by the names of actions; empty without names."""
        rows, names = self.arrays.get("equilibria"), self.arrays.get("action_name")
        if self._count > 1 or rows is None or names is None or not np.any(names[0] != ""):
            return ""
        equilibria = [np.nan_to_num(row) for row in rows[0] if not np.isnan(row).all()]
        return ", ".join(map(self._in_list, equilibria)) or "none"

    def _in_list(self, row: ndarray) -> str:
        """Equilibrium of a list: what all play where they mix alike, else strategies."""
        texts = _by_name(row, self.arrays["action_name"][0])
        equal = len(set(texts)) == 1 and texts[0].startswith("[")
        return self.play_in_words(row) if equal else f"({', '.join(texts)})"

    def play_in_words(self, row: ndarray) -> str:
        """Choices of players at a profile ``[player axis]`` of named actions, as a clause."""
        texts = dict[int, str]()
        for k, (strategy, names) in enumerate(zip(row, self.arrays["action_name"][0], strict=False)):
            if not np.isnan(strategy).all():
                texts[k] = mix_in_words(np.nan_to_num(strategy), names)
        return self._by_player(texts, "play")

    def _by_player(self, texts: Mapping[int, str], verb: str) -> str:
        """Clause on the strategies of players by number; those with the same share one."""
        players: dict[str, list[int]] = {}
        for k, text in texts.items():
            players.setdefault(text, []).append(k)
        if len(players) == 1 < len(texts):
            subject = f"both players {verb}" if len(texts) == 2 else f"every player {verb}s"
            return f"{subject} {next(iter(players))}"
        parts: list[str] = []
        for text, group in players.items():
            names = [self._entry_words(f"player {k}") for k in group]
            names = [role_with_article(name) for name in names]
            parts.append(f"{joined(names)} {verb}{text_if(len(group) == 1, 's')} {text}")
        return clauses(parts)

    @cached_property
    def choices_in_words(self) -> str:
        """Choices of players of whom some have several, by name; empty without names, and for mixtures."""
        if self.profile is None or len(self.profile) > 1 or self.actions is not None:
            return ""
        rows = self.profile[0]
        is_mixture = np.all(np.abs(np.nansum(rows, axis=1) - 1.0) < 1e-6)
        if rows.shape[1] < 2 or is_mixture:
            return ""
        axes = np.ravel(self.arrays.get("axis_name", np.array([[]]))[0])
        size, texts = float(np.nanmax(np.abs(rows), initial=0.0)), dict[int, str]()
        for k, row in enumerate(rows):
            names = self.words.coordinates(axes, len(row), k)
            pairs = [pair for pair in zip(names, row.tolist(), strict=False) if not np.isnan(pair[1])]
            if not all(name for name, _ in pairs) or not pairs:
                return ""
            texts[k] = joined([f"{name} = {number_in_words(value, size)}" for name, value in pairs])
        return self._by_player(texts, "choose")

    def is_first_of_several(self, name: str) -> bool:
        """True for a quantity of players that is that of the first equilibrium of a list."""
        variable = self.variable(name)
        return variable is not None and "player" in variable.dims and self.list_length > 1

    def payoffs_in_list(self, player: int) -> list[float]:
        """Player's payoffs in the equilibria of a list of several; empty without one."""
        payoffs = self.arrays.get("equilibrium_payoff")
        if payoffs is None or self.list_length < 2:
            return []
        return [float(payoff) for payoff in payoffs[0][:, player] if np.isfinite(payoff)]

    @property
    def list_length(self) -> int:
        """Number of equilibria of a list; 0 without one."""
        return len(self._profiles_in_list)

    @cached_property
    def _profiles_in_list(self) -> list[ndarray]:
        rows = self.arrays.get("equilibria")
        if self._count > 1 or rows is None or rows.ndim != 4:
            return []
        return [row for row in rows[0] if not np.isnan(row).all()]

    @property
    def equilibria_in_words(self) -> list[str]:
        """Strategies of every equilibrium of a list; empty where they are long.

        What is 0 within the radius of a proof is 0.
        """
        rows = self._profiles_in_list
        if any(np.isfinite(row).sum() > SMALL for row in rows):
            return []
        radii = np.nan_to_num(np.ravel(self.arrays.get("radius", np.zeros((1, len(rows))))[0]))
        pairs = zip(rows, radii[: len(rows)], strict=False)
        rows = [np.where(np.abs(row) <= r, 0.0, row) for row, r in pairs]
        if "action_name" in self.arrays and np.any(self.arrays["action_name"][0] != ""):
            return list(map(self._strategies_in_list, rows))
        return [profile_in_words(row, self.actions) for row in rows]

    def _strategies_in_list(self, row: ndarray) -> str:
        """An equilibrium of a list by the names of actions: of mixed strategies what each player plays."""
        is_pure = np.all((row == 0) | (row == 1) | np.isnan(row))
        return self._in_list(np.nan_to_num(row)) if is_pure else self.play_in_words(row)

    @property
    def corners(self) -> list[str]:
        """Corners of a set of payoffs, in brackets."""
        rows = self.arrays.get("payoff_vertices")
        if self._count > 1 or rows is None:
            return []
        corners = rows[0][np.isfinite(rows[0]).all(axis=1)]
        size = float(np.abs(corners).max(initial=0.0))
        return ["(" + ", ".join(_numbers(row, size)) + ")" for row in corners]

    @cached_property
    def events(self) -> list[tuple[str, float]]:
        """Kinds of events along branches with the parameter there."""
        if not self._followed:
            return []
        kinds, at = (self.arrays[name][0] for name in ("event_kind", "event_parameter"))
        slopes = self.arrays.get("event_lyapunov", np.full((1, len(kinds)), np.nan))[0]
        events = []
        for kind, x, slope in zip(kinds, at, slopes, strict=True):
            name = _hopf_kind(float(slope)) if kind == "hopf" else str(kind)
            events += [(name, float(x))] if kind else []
        return events

    @property
    def parameter(self) -> str:
        """The parameter in which branches are followed."""
        return str(self.arrays["parameter_name"][0]) if self._followed else ""

    @property
    def _followed(self) -> bool:
        return self._count == 1 and "event_kind" in self.arrays

    @property
    def roundings(self) -> list[str]:
        """Kinds of rounding of bounds, in words."""
        return sorted(set(map(str, self.arrays.get("rounding", ()))) - {""})

    @cached_property
    def boxes(self) -> int:
        """Boxes searched for a list of equilibria with proofs; -1 without one."""
        return int(self.arrays["boxes"][0]) if self._count == 1 and "boxes" in self.arrays else -1

    @property
    def undecided(self) -> list[str]:
        """Places of a list with proofs in which nothing is proved."""
        has_list = self._count == 1 and "undecided" in self.arrays
        return undecided_in_words({"undecided": ((), self.arrays["undecided"][0])}) if has_list else []

    @cached_property
    def radius(self) -> float:
        """Largest distance to an exact equilibrium; NaN where one is not proved everywhere."""
        unknown = np.full(self._count, np.nan)
        radii = self.arrays.get("certificate_radius", unknown)[self.arrays["claim"] == "equilibrium"]
        return float(np.max(radii)) if len(radii) else float("nan")

    @property
    def verified(self) -> list[str]:
        """Reports of an independent program on the files of proofs of the equilibria."""
        verifications = self.arrays.get("verified_proof", np.full(len(self.arrays["claim"]), ""))
        return [str(text) for text in verifications[self.arrays["claim"] == "equilibrium"]]

    @property
    def certified(self) -> bool:
        """True if any result has a certificate."""
        return set(self.claims) != {""}

    @property
    def results(self) -> int:
        """Number of results."""
        return sum(self.statuses.values())

    @property
    def status(self) -> str:
        """Statuses in words, counted where they differ."""
        return counted(self.statuses)

    @property
    def claim(self) -> str:
        """Claims in words, counted where they differ; of another concept than Nash, that concept."""
        return counted(self.claims_in_words)

    @property
    def claims_in_words(self) -> Counter[str]:
        """Claims in words and their numbers."""
        claim_of_absence = {"": self.list_words.partition(";")[0]} if self.is_proved_absent else {}
        pairs = self.claims.items()
        return Counter(
            {claim_of_absence.get(claim) or claim_in_words(claim, self.concept): n for claim, n in pairs}
        )

    @cached_property
    def profile_words(self) -> str:
        """The profile, or the mean over replications; empty where it is too large or starts differ."""
        if self.profile is None:
            return ""
        initial_profile = self.profile[0]
        single = len(self.profile) == 1 and not np.isnan(initial_profile).all()
        size = 0.0 if single else np.nanmax(np.abs(initial_profile), initial=0.0)
        if single or np.allclose(self.profile, initial_profile, rtol=1e-4, atol=1e-6 * size, equal_nan=True):
            return profile_in_words(initial_profile, self.actions, plain=bool(self.axes))
        if self.repeats == "starts":
            return f"{len(np.unique(self.profile.round(4), axis=0))} different profiles"
        mean, half = self.profile.mean(axis=0), half_width(self.profile)
        rows: list[list[str]] = []
        for k, numbers in enumerate(zip(mean.tolist(), half.tolist(), strict=True)):
            columns = zip(*numbers, strict=True)
            if self.actions is not None:
                texts = zip(self.actions[k], map(format_chance, *numbers), strict=True)
                rows.append([f"{name} {text}" for name, text in texts if name])
            else:
                rows.append([format_interval(*pair) for pair in columns if not np.isnan(pair[0])])
        return _rows(rows)


ResultPoints = Sequence[PointResults]


def _interval(mean: str) -> str:
    """Name of half the width of the interval of a mean; empty for other quantities."""
    return f"{mean.removesuffix('_mean')}_interval" if mean.endswith("_mean") else ""


def _without_constant(variable: DataArray, values: ndarray) -> tuple[DataArray, ndarray]:
    """Quantity ``[result own ...]`` without own dimensions along which nothing changes.

    Players and axes stay, and so does a quantity with one such dimension, whose entries are told as one.
    """
    dims = own_dims(variable, values)
    for dim in [dim for dim in dims if dim not in (*SESSIONS, "player", "axis")]:
        axis = 1 + dims.index(dim)
        constant = values.dtype.kind in "fi" and np.all(values == np.take(values, [0], axis=axis))
        if len(dims) > 1 and values.size and constant:
            variable, values = variable.isel({dim: 0}), np.take(values, 0, axis=axis)
            dims.remove(dim)
    return variable, values


def mix_in_words(row: ndarray, names: Sequence[str] | ndarray) -> str:
    """Mixed strategy in words, by the names of its actions.

    >>> mix_in_words(np.array([0.25, 0.75]), ["stag", "hare"]), mix_in_words(np.eye(2)[0], ["stag", "hare"])
    ('stag with probability 0.25 and hare with 0.75', 'stag')
    >>> mix_in_words(np.full(3, 1 / 3), ["rock", "paper", "scissors"])
    'rock, paper, and scissors with probability 0.3333 each'
    """
    used = [(str(name), number_in_words(p, 1.0)) for name, p in zip(names, row, strict=True) if round(p, 4)]
    if len(used) == 1:
        return used[0][0]
    if len({text for _, text in used}) == 1:
        return f"{joined([name for name, _ in used])} with probability {used[0][1]} each"
    lead, *further = (f"{name} with {text}" for name, text in used)
    return joined([lead.replace(" with ", " with probability ", 1), *further])


def profile_in_words(rows: ndarray, actions: ndarray | None = None, *, plain: bool = False) -> str:
    """Profile ``[player axis]`` as text, with the names of ``actions`` if any; padding is left out.

    ``plain`` numbers are of named coordinates, which are no probabilities.

    >>> profile_in_words(np.array([[0.25], [0.75]])), profile_in_words(np.array([[0.5], [0.5]]))
    ('(0.25, 0.75)', 'each 0.5')
    >>> profile_in_words(np.array([[1.0, 0.0], [0.5, 0.5]]))
    '[1 0], [0.5 0.5]'
    >>> profile_in_words(np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([["stag", "hare"]] * 2))
    'stag, [stag 0.5, hare 0.5]'
    """
    if actions is not None:
        return _all_texts(_by_name(rows, actions))
    filled_rows = [row[~np.isnan(row)] for row in rows if not np.all(np.isnan(row))]
    mixed = all(len(row) > 1 and row.min() >= 0 and abs(row.sum() - 1) < 1e-6 for row in filled_rows)
    if plain or not mixed:
        size = max((np.abs(row).max() for row in filled_rows), default=0.0)
        return _rows([_numbers(row, size) for row in filled_rows])
    texts = [strategy_in_words(np.round(row, 4)) for row in filled_rows]
    return _all_texts(texts)


def _by_name(rows: ndarray, actions: ndarray) -> list[str]:
    """Text of every player's strategy by the names of its actions."""
    texts = []
    for row, names in zip(rows, actions, strict=True):
        text = strategy_by_name(np.round(row, 4), names)
        texts.append(f"[{text}]" if "," in text else text)
    return texts


def _numbers(row: Iterable[float], size: float) -> list[str]:
    """Texts of numbers, with the digits of the largest."""
    return [number_in_words(value, size) for value in row]


def _noun(count: int) -> str:
    """Equilibria in the singular or the plural."""
    return "equilibrium" if count == 1 else "equilibria"


def _all_texts(texts: Sequence[str]) -> str:
    """Players' texts, or the one that all have."""
    return f"each {texts[0]}" if len(texts) > 1 and len(set(texts)) == 1 else ", ".join(texts)


def _rows(rows: Sequence[Sequence[str]]) -> str:
    """Player's numbers per row as text."""
    if all(len(row) == 1 for row in rows):
        texts = list(chain.from_iterable(rows))
        return f"({', '.join(texts)})" if len(set(texts)) > 1 else _all_texts(texts)
    texts = []
    for row in rows:
        texts.append(f"({', '.join(row)})" if len(row) > 1 else row[0])
    return _all_texts(texts)


def tested(test: Table) -> list[str]:
    """Quantities that a study's test names, and those at a benchmark."""
    limits = [reference_quantity(test, key) for key in ("above", "below", "equals")]
    names = dict.fromkeys([test.get("quantity"), (test.get("than") or {}).get("quantity"), *limits])
    return [name for name in names if name]


def reference_quantity(test: Table, key: str) -> str:
    """Quantity of the same row that a test compares with; empty of a number or a word."""
    limit = test.get(key)
    if is_benchmark(limit):
        return benchmark_quantity(str(limit), str(test["quantity"]))
    return limit if isinstance(limit, str) and key != "equals" else ""


@pause_collection()
def points_of(study: StudyTables, data: Dataset) -> list[PointResults]:
    """Finished results of a run by method and point, in the order of the sweep."""
    if "status" not in data:
        return []
    lead = [str(dim) for dim in data["status"].dims if dim not in REPEATED]
    repeated = [str(dim) for dim in data["status"].dims if dim in REPEATED]
    names, words = quantities(study, data), Words(study)
    paired = bool((study.get("replications") or {}).get("paired"))  # all points and methods have these seeds
    variables = {str(name): data[name] for name in data.variables}
    arrays = _arrays(study, data, variables, lead, repeated, words)
    places = {dim: _coordinates(data, dim) for dim in lead}
    swept = [dim for dim in lead if data.sizes[dim] > 1 and dim != "algorithm"]
    tables = {str(table["name"]): table for table in with_controls(study["method"])}
    sizes: dict[str, float] = {}
    results, keys_counted = list[PointResults](), set[tuple[str, str]]()
    for index in np.ndindex(*(data.sizes[dim] for dim in lead)):
        finished = np.flatnonzero(arrays["status"][index] != "")
        if len(finished):
            rows = slice(None) if finished.size == arrays["status"][index].size else finished
            arrays_at_point = Arrays(
                arrays, partial(lambda index, rows, name: np.asarray(arrays[name][index][rows]), index, rows)
            )
            positions, at = dict(zip(lead, index, strict=True)), TableDict()
            for dim, k in positions.items():
                at |= places[dim][k]
            along = tuple(positions[dim] for dim in swept)
            algorithm = str(at.pop("algorithm", ""))
            keys = _own_keys(at, algorithm, study)
            keys = {name: value for name, value in keys.items() if words.key(name)}  # "" hides a key of a zip
            if len(keys) < len(at) and (algorithm, repr(keys)) in keys_counted:
                continue  # a negative control at another value of the key that it replaces
            keys_counted.add((algorithm, repr(keys)))
            table = tables.get(algorithm, {"kind": ""})
            random, seeds = has_noise(table), finished if paired else finished - (len(results) + 1) * APART
            point = PointResults(
                algorithm, keys, along, random, variables, names, arrays_at_point, words, seeds, table, sizes
            )
            if table["kind"] == "design" and np.any(arrays_at_point.get("newton_steps", np.array([-1])) >= 0):
                point.random = False  # by default a planner's rules are judged at computed equilibria
            results.append(point)
    algorithms = [str(name) for name in np.ravel(data["algorithm"].values)] if "algorithm" in data else [""]
    return sorted(results, key=lambda point: algorithms.index(point.algorithm))


def _arrays(
    study: StudyTables,
    data: Dataset,
    variables: Mapping[str, DataArray],
    lead: Sequence[str],
    repeated: Sequence[str],
    words: Words,
) -> Arrays:
    """Variables ``[lead ... result ...]``, with the study's names of actions.

    Entries of strategies that are no choices, as of players with fewer than others, are unknown.
    """
    plain = Arrays(variables, cache(lambda name: split(data, name, lead, repeated)))
    actions = plain.get("action_name")
    if actions is None and "profile" in variables:
        named = _named_actions(study, plain["profile"], words)
        actions = None if named is None else np.broadcast_to(named, plain["profile"].shape)
    filled = _choices(study, actions, plain.get("is_choice"))

    def array(name: str) -> ndarray:
        """Variable without padding."""
        if name == "action_name" and actions is not None:
            return actions
        values, dims = plain[name], variables[name].dims
        of_players = dims[-2:-1] == ("player",) and values.dtype.kind == "f"
        has_shape = filled.size > 0 and values.shape[-filled.ndim :] == filled.shape
        return np.where(filled, values, np.nan) if of_players and has_shape else values

    return Arrays([*variables, *(["action_name"] if actions is not None else [])], cache(array))


def _choices(study: StudyTables, actions: ndarray | None, is_choice: ndarray | None) -> ndarray:
    """Mask ``[... player axis]`` of entries of strategies that are choices; empty where all are."""
    if is_choice is not None:
        return is_choice != 0
    if actions is not None:
        is_named = actions != ""
        return is_named | ~is_named.any(axis=-1, keepdims=True)
    game = study.get("game") or {}
    choices = game.get("choices") if game.get("family") == "continuous" else None
    sizes = [np.size(names) for names in choices or ()]
    return np.arange(max(sizes, default=0)) < np.array(sizes)[:, None]


def _named_actions(study: StudyTables, profiles: ndarray | None, words: Words) -> ndarray | None:
    """Names ``[player axis]`` that a study has for the actions of mixed strategies; None without.

    Places on a simplex are no mixtures of actions.
    """
    if profiles is None or profiles.ndim < 2 or words.is_spatial:
        return None
    filled = ~np.isnan(profiles)
    sums = np.nansum(profiles, axis=-1)[filled.any(axis=-1)]
    if not sums.size or np.nanmin(profiles) < -NO_SIZE or np.abs(sums - 1.0).max() > 1e-6:
        return None
    shape = profiles.shape[-2:]
    names = np.array([words.action(*index) for index in np.ndindex(*shape)]).reshape(shape)
    return names if np.all((names != "").sum(axis=1) > 1) else None


def _coordinates(data: Dataset, dim: str) -> list[TableDict]:
    """Coordinates of every point of a dimension that varies; those of a zip share one."""
    if data.sizes[dim] < 2 and dim != "algorithm":
        return [{}]
    names = [str(name) for name in data.coords if data[name].dims == (dim,)]
    names = [name for name in names if name != "point" or len(names) == 1]
    values = {name: data[name].values.tolist() for name in names} or {dim: list(range(data.sizes[dim]))}
    return [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]


def _own_keys(at: Table, algorithm: str, study: StudyTables) -> TableDict:
    """Coordinates without keys of other methods, at whose first value a method is computed.

    A negative control has a value of its own in place of the one that is swept.
    """
    base, _, control = algorithm.rpartition("-")
    other_methods = base_methods(study) - {algorithm, base}
    keys = {name: value for name, value in at.items() if name.partition(".")[0] not in other_methods}
    replaced = REPLACED.get(control, "")
    return {k: value for k, value in keys.items() if k.rpartition(".")[2].partition("[")[0] != replaced}


def _refuting(arrays: Mapping[str, ndarray]) -> ndarray:
    """Mask of regrets ``[result player]`` above the tolerance; if that is unknown, above 0.

    Of an estimate it is the lower end of its interval.
    """
    allowed = arrays.get("tolerance", np.zeros(len(arrays["regret"]))).reshape(len(arrays["regret"]), -1)
    # beside cells with a number per player, one number for all players fills the first entry alone
    error = np.nan_to_num(arrays["regret_error"], posinf=np.inf) if "regret_error" in arrays else 0.0
    return arrays["regret"] - error > np.where(np.isnan(allowed), allowed[:, :1], allowed)


PROOFS = (
    *("boxes", "complete", "undecided", "verdict", "equilibrium_set", "isolated_count", "certified_bound"),
)
"""Variables on the proof of a list of equilibria."""
COUNTS = ("equilibrium_count", "pure_count", "component_count", "isolated_count")
_OF_RANGES = ("where_range", "where_count", "where_decided")
RANGES = 4  # of parameters, whose numbers of equilibria are told one by one


def _hopf_kind(coefficient: float) -> str:
    """Kind of a Hopf bifurcation by its first Lyapunov coefficient."""
    if coefficient < 0:
        return "supercritical"
    return "subcritical" if coefficient > 0 else "hopf"


def _count_phrase(arrays: Table) -> str:
    """Numbers of equilibria listed, or of branches followed with their events, in words."""
    counts = {name: ((), arrays[name]) for name in COUNTS if arrays.get(name, -1) >= 0}
    if "equilibrium_count" in counts:
        proofs = {name: ((), arrays[name]) for name in PROOFS if name in arrays}
        words = count_in_words(counts | proofs)
        is_complete = (
            arrays.get("complete") == 1 and arrays.get("boxes", -1) < 0
        )  # a list with proofs says so itself
        return f"{words} (the list is complete)" if is_complete else words
    if "branch_ending" not in arrays or not (count := int((arrays["branch_ending"] != "").sum())):
        return ""
    name = str(arrays["parameter_name"])
    words = f"{count_of(count, 'branch')} of equilibria followed in {name}"
    values = arrays.get("unresolved_parameter", np.empty(0))
    missed = ", ".join(f"{value:.6g}" for value in values[np.isfinite(values)])
    return f"{words}; others cross at {missed} and were not followed" if missed else words


def _without_blanks(values: ndarray, filled: ndarray) -> ndarray:
    """Values without the indices of each axis at which nothing is ``filled``."""
    axes = set(range(filled.ndim))
    used = [filled.any(axis=tuple(axes - {axis})) for axis in axes]
    return values[np.ix_(*used)]
