"""Results of a run per method and swept point."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy import ndarray

from rivalry.core.claims import NONE_EXISTS, PER_PERIOD, REFUTED, WITH_GAIN, ClaimFacts
from rivalry.core.results import gains_left_open
from rivalry.lab.answer.estimates import ENTRIES, FEWEST, SampleFacts, counted, estimates
from rivalry.lab.dimensions import DRAWS, REPEATED, SESSIONS, entries_of, own_dims, split
from rivalry.lab.discounted import PERIODS
from rivalry.lab.study.expect import same_value
from rivalry.lab.study.identity import StudyTables, Table, TableDict
from rivalry.lab.study.names import benchmark_quantity, has_noise, is_benchmark, with_controls
from rivalry.lab.study.words import REPLACED, ROLES, Words, answer_keys, quantities
from rivalry.results.reader import Arrays, Reader
from rivalry.results.table import UNKNOWN, Estimate, exactly, number_in_words
from rivalry.runtime.imports import pause_collection
from rivalry.schema.registry import load
from rivalry.text.display import (
    count_in_words,
    count_text,
    radius_in_words,
    ranges_in_words,
    undecided_in_words,
)

if TYPE_CHECKING:
    from xarray import DataArray, Dataset

CHOSEN_RULE = "rivalry.methods.design.tables:chosen_rule"
SETTLED = ("converged", "completed", NONE_EXISTS)
SCANS = {"window_low": "window_tried", "window_high": "window_tried", "fitted_lambda": "logit_lambda"}
"""Values tried, by the quantities that are infinite where they lie beyond."""
NO_SIZE = 1e-9  # a quantity with no larger number anywhere is a rounding error of 0
WHOSE = ("player", "firm", "bidder", "type", "agent", "team", *ROLES)
"""Beginnings of entries that are names of players."""
_PLAYER, _NUMBERED = re.compile(r"player (\d+)"), re.compile(r"\w+ \d+")
APART = 10_000_000  # more than the replications of a point
SMALL = 24  # numbers of the largest profile that is printed


@dataclass(eq=False, repr=False)
class PointResults:
    """The results of one method at one point; arrays are ``[result ...]`` over replications and starts.

    A report prints few of many points, so each part is computed when it is first used.
    """

    algorithm: str
    at: TableDict  # coordinates that vary, without method and replication
    index: tuple[int, ...]  # position along the dimensions of the sweep
    random: bool  # whether the method draws random numbers
    variables: Mapping[str, DataArray]
    _names: Sequence[str]  # of the study's quantities
    arrays: Mapping[str, ndarray]  # of the run's dataset, ``[result ...]``
    words: Words
    _numbers: ndarray  # of the results' seeds, negative where no other point has the same
    _table: Table  # of the method
    _sizes: dict[str, float]  # of quantities over all points, which share them

    @property
    def _count(self) -> int:
        return len(self.arrays["status"])

    @property
    def of_first(self) -> Arrays:
        """Variables of the first result."""
        return Arrays(self.arrays, lambda name: self.arrays[name][0])

    @cached_property
    def repeats(self) -> str:
        """``replications``, ``starts`` or empty."""
        if self._count == 1:
            return ""
        status = self.variables["status"]
        batched = "batch" in status.dims and self._count > status.sizes.get("replication", 1)
        return "starts" if batched else "replications"

    @cached_property
    def statuses(self) -> Counter[str]:
        """Statuses and their numbers."""
        return Counter(self.arrays["status"].tolist())

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
        return PER_PERIOD if PERIODS in self.arrays else self.facts("").unit

    @cached_property
    def at_stake(self) -> ndarray:
        """Changes of payoffs by own choices ``[result player]``, NaN where unknown."""
        return self.judged("at_stake")

    @cached_property
    def largest_gain(self) -> Estimate:
        """Largest gain of any player, with whose it is: of learners a mean over replications.

        Of equilibria the text is what no gain exceeds. Claims that state a gain have none.
        """
        if self.random and self.repeats == "replications" and self.regret.size:
            gains = np.fmax.reduce(self.regret, axis=1)
            regret = self.variables["regret"]
            variable = regret.isel({str(regret.dims[-1]): 0})
            sample = SampleFacts(self.repeats, True, self._scale("regret"), self.is_too_few("regret"))
            row = estimates(variable, gains, sample)
            return self._with_gainer(next(iter(row), Estimate("")))
        claims = self.claims.keys() - {""}
        gain = float(np.nanmax(self.regret, initial=0.0))
        if REFUTED in claims:
            prefix = "up to " if len(self.regret) > 1 else ""
            return self._with_gainer(exactly(f"{prefix}{number_in_words(gain)}", gain))
        if claims != {"equilibrium"}:
            return Estimate("")
        bound = self.largest_bound
        return exactly(f"at most {radius_in_words(bound)}" if bound > 0 else "0", gain)

    def _with_gainer(self, gain: Estimate) -> Estimate:
        """Gain with the player whose it is in all results, and whether it is an estimate from samples."""
        by_player = np.nan_to_num(self.regret, nan=-np.inf)
        leaders = {tuple(np.flatnonzero(row == row.max())) for row in by_player}
        remarks = []
        if by_player.shape[1] > 1 and len(leaders) == 1 and len(leader := leaders.pop()) == 1:
            remarks.append(self.players[leader[0]])
        remarks += ["estimated"] * self.estimated
        return gain._replace(text=f"{gain.text} ({', '.join(remarks)})") if remarks and gain.text else gain

    @cached_property
    def largest_bound(self) -> float:
        """Largest known bound of the gains of players; 0 where none is known."""
        return float(np.max(self.bound[np.isfinite(self.bound)], initial=0.0))

    @cached_property
    def _has_regret(self) -> ndarray:
        if "regret" not in self.arrays:
            return np.zeros(self._count, bool)
        return np.asarray(~np.isnan(self.arrays["regret"]).all(axis=-1))

    def judged(self, name: str) -> ndarray:
        """Numbers ``[result player]`` of certified results, per period as gains are; NaN where unknown."""
        numbers = self.arrays.get(name)
        if numbers is None:
            numbers = np.full_like(self.arrays.get("regret", np.zeros((self._count, 1))), np.nan)
        return np.asarray((numbers / self.periods)[self._has_regret])

    @cached_property
    def gain(self) -> float:
        """Largest gain that claims of small gains leave open, as a share of what own choice changes."""
        if not {"bound", "at_stake", "claim"} <= set(self.arrays):
            return 0.0
        parts = gains_left_open(self.arrays)[np.isin(self.arrays["claim"], WITH_GAIN)]
        return float(np.max(parts[np.isfinite(parts)], initial=0.0))

    @cached_property
    def estimated(self) -> bool:
        """True if some regrets are estimates from samples."""
        return "estimated" in self.arrays.get("coverage", ()) or "regret_error" in self.arrays

    @property
    def is_refuted(self) -> bool:
        """True for a profile that is no Nash equilibrium, beyond what sampling and learning could explain."""
        is_weaker = self.concept or self.estimated or self.random
        return REFUTED in self.claims and not is_weaker

    @cached_property
    def concept(self) -> str:
        """Solution concept other than Nash and mean field."""
        names = set(map(str, self.arrays.get("concept", ()))) - {"", "Nash", "mean field"}
        return names.pop() if len(names) == 1 else ""

    @cached_property
    def sessions(self) -> tuple[int, ...]:
        """Sessions in equilibrium, and all; empty without sessions, whose weakest decides the claim."""
        in_equilibrium = self.arrays.get("in_equilibrium", np.zeros(0))
        count = int(np.sum(in_equilibrium >= 0))
        return (int(np.sum(in_equilibrium == 1)), count) if count else ()

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
        if rows is None or self.variables[name].dims[-len(dims) :] != dims:
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
    def quantities(self) -> dict[str, tuple[Estimate, ...]]:
        """Numbers of the study's quantities that have a value here."""
        numbers = {name: self._all_estimates(name) for name in self._names}
        if self.rule_words:
            rules = self._rule or (Estimate(self.rule_words),)
            for name, rule in zip(("chosen_rule", "chosen_objective"), rules, strict=False):
                if name not in numbers:
                    continue
                if self.is_too_few(name):
                    rule = rule._replace(text=rule.text.partition(" ± ")[0], low=UNKNOWN, high=UNKNOWN)
                numbers[name] = (rule,)
        quantities = {}
        for name, row in numbers.items():
            labels = [f"{name} = {estimate.text}" for estimate in row]  # numbers that are labels, as of types
            if any(map(self.words.is_named, labels)):
                texts = zip(row, map(self.words.entry, labels), strict=True)
                row = tuple(estimate._replace(text=text) for estimate, text in texts)
            if entries := self._with_entries(row):
                quantities[name] = entries
        return quantities

    def _all_estimates(self, name: str) -> tuple[Estimate, ...]:
        """Numbers of a quantity, one per entry, or what they exceed where a scan has not found them."""
        range_of_search = None  # infinite numbers of other quantities are what they are
        if name in SCANS:
            scan = self.arrays[SCANS[name]][0]
            range_of_search = float(np.fmin.reduce(scan)), float(np.fmax.reduce(scan))
        variable, values = _without_constant(self.variables[name], self.arrays[name])
        return self._estimates_of(name, variable, values, self._half(name), range_of_search=range_of_search)

    def _estimates_of(
        self,
        name: str,
        variable: DataArray,
        values: ndarray,
        half: ndarray | None,
        range_of_search: tuple[float, float] | None = None,
        most: int = ENTRIES,
    ) -> tuple[Estimate, ...]:
        """Estimates of the values ``[result own ...]`` of a quantity, or of a part of it."""
        sample = SampleFacts(
            self.repeats,
            self._is_random(name),
            self._scale(name),
            self.is_too_few(name),
            self._numbers,
            range_of_search,
        )
        return estimates(variable, values, sample, half, most)

    def _with_entries(self, row: Sequence[Estimate]) -> tuple[Estimate, ...]:
        """Numbers with the names of their entries in words, without those that the study hides."""
        named = []
        for estimate in row:
            entry = self._entry_words(estimate.entry)
            if entry or not estimate.entry:
                named.append(estimate._replace(entry=entry))
        return tuple(named)

    def _quantity(self, name: str) -> tuple[DataArray, ndarray, list[str]]:
        """Quantity with its labels, its values ``[result own ...]``, and its own dimensions."""
        variable, values = self.variables[name], self.arrays[name]
        return variable, values, own_dims(variable, values)

    def converged_sessions(self, name: str) -> int:
        """Number of the independent runs of a quantity that ended at rest, or at the end of their course."""
        statuses = self.arrays["status"]
        shares = np.isin(statuses, SETTLED).astype(float)
        # learners of a fixed length do not converge and are complete
        of_sessions = self.arrays.get("converged_share", np.full(len(shares), np.nan))
        shares = np.where(np.isnan(of_sessions) | (statuses == "completed"), shares, of_sessions)
        count = max(self.sample_size(name), *self.sessions, 0)  # a share of sessions is one number of them
        return round(float(shares.mean()) * count)

    @property
    def runs_noun(self) -> str:
        """Independent runs of a method in words: learners have sessions."""
        return "sessions" if self.sessions else "runs"

    def is_too_few(self, name: str) -> bool:
        """True for a quantity that draws enter, of fewer converged sessions than a verdict needs."""
        return self._is_random(name) and self._half(name) is None and self.converged_sessions(name) < FEWEST

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
        coords = self.variables["status"].coords
        for name, target in at.items():
            if name != "algorithm" and name not in self.at and (name not in coords or coords[name].size > 1):
                continue  # a dimension of a quantity, or a key of another method
            coordinate = self.algorithm if name == "algorithm" else self.at.get(name)
            coordinate = coords[name].values.ravel()[0] if coordinate is None else coordinate
            targets = target if isinstance(target, list) else [target]
            if not any(same_value(coordinate, value) for value in targets):
                return False
        return True

    def numbers(self, name: str, at: Table) -> tuple[Estimate, ...]:
        """Quantity's numbers at coordinates of its own, one per entry; one if all are equal."""
        if name not in self.variables:
            return ()
        variable, values, dims = self._quantity(name)
        half = self._half(name)
        coordinates: list[str] = []
        for dim in [dim for dim in dims if dim in at]:
            labels = variable.coords[dim].values.tolist() if dim in variable.coords else []
            k = labels.index(at[dim]) if at[dim] in labels else int(at[dim])
            variable = variable.isel({dim: k})
            values = np.take(values, k, axis=1 + dims.index(dim))
            half = None if half is None else np.take(half, k, axis=1 + dims.index(dim))
            dims.remove(dim)
            coordinates += entries_of(variable.expand_dims({dim: [labels[k] if labels else k]}), [dim], [1])
        numbers = []
        for number in self._estimates_of(name, variable, values, half, most=values.size):
            parts = [*coordinates, *filter(None, [number.entry])]
            entry = ", ".join(parts)
            if self.words.is_named(entry):
                label = self._entry_words(entry)
            else:
                label = ", ".join(filter(None, map(self._entry_words, parts)))
            if label or not number.entry:  # else the study hides it
                numbers.append(number._replace(entry=label))
        return tuple(numbers)

    def entries(self, name: str) -> list[str]:
        """Names of the entries of a quantity, such as players, that have a number here."""
        variable, values, dims = self._quantity(name)
        if values.dtype.kind != "f" or "session" in dims:
            return []
        filled = ~np.isnan(values.reshape(len(values), -1)).all(axis=0)
        names = entries_of(variable, dims, values.shape[1:])
        return [self.words.entry(entry) for entry, is_filled in zip(names, filled, strict=True) if is_filled]

    @property
    def is_complete(self) -> bool:
        """True if a list has all equilibria."""
        return bool(np.all(self.arrays.get("complete", np.zeros(1)) == 1))

    def _is_random(self, name: str) -> bool:
        """True for a quantity that draws enter."""
        return self.random and has_noise(self._table, name)

    def _half(self, name: str) -> ndarray | None:
        """Half the widths of the intervals of a mean over runs in one cell, where they are stored."""
        half = self.arrays.get(_interval(name)) if self._count == 1 else None
        return half if half is not None and half.shape == self.arrays[name].shape else None

    def _scale(self, name: str) -> float:
        """Unit of a quantity: its largest number anywhere, 1 of shares, what own choices change."""
        variable = self.variables[name]
        if name not in self._sizes and variable.dtype.kind in "fiu":
            numbers = np.abs(variable.values[np.isfinite(variable.values)])
            size = float(numbers.max(initial=0.0))
            share = variable.attrs.get("units") == "1" or size < NO_SIZE
            self._sizes[name] = max(size, float(share))
        stake = self.at_stake if self.variables[name].attrs.get("units") == "payoff" else np.zeros(0)
        return max(self._sizes.get(name, 0.0), float(np.max(stake[np.isfinite(stake)], initial=0.0)))

    def _entry_words(self, entry: str) -> str:
        """Entry of a quantity as the study calls it, else as the results do."""
        match = _PLAYER.fullmatch(entry)
        names = np.ravel(self.arrays.get("player_name", np.array([[]]))[0])
        if match is None or self.words.is_named(entry) or int(match[1]) >= len(names):
            return self.words.entry(entry)
        name = str(names[int(match[1])])
        numbered = _NUMBERED.fullmatch(name) and name.partition(" ")[0] not in WHOSE
        return f"type {name}" if numbered else name or self.words.entry(entry)

    @cached_property
    def rule_words(self) -> str:
        """The rule that a search chose, by its choices among several values."""
        if not {"choice_name", "chosen_label"} <= self.arrays.keys() or self._count > 1:
            return ""
        names, labels = (self.arrays[name][0] for name in ("choice_name", "chosen_label"))
        ends = self.arrays["chosen_bound"][0] if "chosen_bound" in self.arrays else np.full(len(names), "")
        parts = []
        for k in self._choices:
            text = self.words.value(str(labels[k])) if labels[k] else self._chosen_number(k)
            if text.startswith(("[", "{")):  # a table of Python is told by its number among several
                text = f"number {int(self.arrays['chosen_parameters'][0][k]) + 1}"
            end = str(ends[k])  # of the values tried, where the best one is an end
            parts.append(f"{self.words.key(str(names[k]))} {text}" + (f" ({end})" if end else ""))
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
    def best_choice(self) -> str:
        """Best value of every design variable, with the end of those tried at which it is."""
        if "chosen_bound" not in self.arrays or "chosen_label" in self.arrays or self._count > 1:
            return ""
        names, ends = self.arrays["choice_name"][0], self.arrays["chosen_bound"][0]
        parts = []
        for k in self._choices:
            choice = f"{self.words.key(str(names[k]))} {self._chosen_number(k)}"
            parts.append(", ".join(filter(None, [choice, str(ends[k])])))
        return "; ".join(parts)

    @property
    def _choices(self) -> list[int]:
        """Numbers of the choices of which several values were tried."""
        choices = [int(k) for k in np.flatnonzero(self.arrays["choice_name"][0] != "")]
        if "parameters" not in self.arrays:
            return choices
        choice_values = self.arrays["parameters"][0]
        return [k for k in choices if len(np.unique(choice_values[~np.isnan(choice_values[:, k]), k])) > 1]

    @cached_property
    def completeness(self) -> str:
        """Number of equilibria of a list and its completeness, in words; empty without a list."""
        if self._count > 1:
            return ""
        arrays = self.of_first
        if "where_range" in arrays:
            present = ~np.isnan(arrays["where_range"]).any(axis=(1, 2))  # other points have more ranges
            record = {name: ((), arrays[name]) for name in ("where", "where_name")}
            return ranges_in_words(record | {name: ((), arrays[name][present]) for name in _OF_RANGES})
        if "branch_ending" in arrays:
            return _branches_in_words(arrays)
        count = int(arrays.get("equilibrium_count", -1))
        if count < 0:
            return ""
        if self.boxes >= 0:
            return count_in_words({name: ((), arrays[name]) for name in PROOFS if name in arrays})
        reason = str(arrays.get("complete_reason", ""))
        is_pure = reason.startswith(PURE)
        components = int(arrays.get("component_count", -1))
        if set(self.statuses) == {NONE_EXISTS}:
            return self.facts(NONE_EXISTS).word
        if is_pure:
            return f"{count}, complete in pure strategies"
        if self.is_complete and 0 < components < count:
            sets = count_text(components, "component")
            return f"{count} extreme equilibria of {sets}, infinitely many between"
        if self.is_complete:
            return f"{count}, complete"
        return ": ".join(filter(None, [f"at least {count}" if count else "none listed", reason]))

    @property
    def list_length(self) -> int:
        """Number of equilibria of a list; 0 without one."""
        return max(int(self.of_first.get("equilibrium_count", 0)), 0) if self._count == 1 else 0

    def payoffs_in_list(self, player: int) -> list[float]:
        """Player's payoffs in the equilibria of a list of several; empty without one."""
        payoffs = self.arrays.get("equilibrium_payoff")
        if payoffs is None or self._count > 1 or len(payoffs[0]) < 2:
            return []
        return [float(payoff) for payoff in payoffs[0][:, player] if np.isfinite(payoff)]

    @cached_property
    def boxes(self) -> int:
        """Boxes searched for a list of equilibria with proofs; -1 without one."""
        return int(self.arrays["boxes"][0]) if self._count == 1 and "boxes" in self.arrays else -1

    @property
    def undecided(self) -> list[str]:
        """Places of a list with proofs in which nothing is proved."""
        has_list = self._count == 1 and "undecided" in self.arrays
        return undecided_in_words({"undecided": ((), self.arrays["undecided"][0])}) if has_list else []

    @property
    def certified(self) -> bool:
        """True if any result has a certificate."""
        return set(self.claims) != {""}

    @property
    def results(self) -> int:
        """Number of results."""
        return self._count

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
        counts: Counter[str] = Counter()
        for claim, count in self.claims.items():
            counts[self.facts(claim).word] += count
        return counts

    def facts(self, claim: str) -> ClaimFacts:
        """Facts from which results with a claim are put into words."""
        absent = str(self.of_first.get("absent", ""))
        return ClaimFacts(claim, self.concept, absent=absent, share=self.gain)


ResultPoints = Sequence[PointResults]


def methods_of(rows: Iterable[PointResults]) -> list[str]:
    """Names of the methods of rows, in their order."""
    return list(dict.fromkeys(row.algorithm for row in rows))


def base_methods(study: Table) -> set[str]:
    """Names of a study's methods without its placebos."""
    return {str(table["name"]) for table in study["method"]}


def in_step(rows: Iterable[PointResults], name: str, key: str) -> bool:
    """True for a coordinate that another one fixes, as in a zip."""
    pairs = {(str(row.at[key]), str(row.at.get(name))) for row in rows if key in row.at}
    values = {value for _, value in pairs}
    return len(values) > 1 and len(pairs) == len({at for at, _ in pairs})


def differing_keys(rows: Sequence[PointResults], key: str = "") -> list[str]:
    """Keys in which rows differ beside one, one of those that vary together, as in a zip."""
    selected: list[str] = []
    for name in keys_of(rows):
        values = {str(row.at[name]) for row in rows if name in row.at}
        names = [*selected, key] if key else selected
        if len(values) > 1 and name != key and not any(in_step(rows, name, earlier) for earlier in names):
            selected.append(name)
    return selected


def keys_of(rows: Iterable[PointResults]) -> list[str]:
    """Keys of rows, in their order."""
    keys: dict[str, None] = {}
    for row in rows:
        keys |= dict.fromkeys(row.at)
    return list(keys)


def points_asked(study: StudyTables, points: ResultPoints) -> list[PointResults]:
    """Results of the study's answer: of its methods, at its point; all if there are none."""
    answer = answer_keys(study)
    rows = [point for point in points if point.algorithm in answer.get("methods", ())] or list(points)
    return [point for point in rows if point.is_at(answer.get("at", {}))] or rows


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
    """Return the finished results of a run by method and point, in the order of methods and of the sweep."""
    if "status" not in data:
        return []
    dims = [str(dim) for dim in data["status"].dims]
    repeated = [dim for dim in dims if dim in (*REPEATED, *DRAWS)]
    lead = [dim for dim in dims if dim not in repeated]
    swept = [axis for axis, dim in enumerate(lead) if data.sizes[dim] > 1 and dim != "algorithm"]
    coordinates = [_coordinates(data, dim) for dim in lead]
    variables = {str(name): data[name] for name in data.variables}
    names, words = quantities(study, data), Words(study)
    arrays = _arrays(study, data, variables, lead, repeated, words)
    tables = {str(table["name"]): table for table in with_controls(study["method"])}
    # all points and methods have the same seeds, or draws of the game
    paired = bool((study.get("replications") or {}).get("paired") or {*DRAWS} & {*dims})
    sizes: dict[str, float] = {}
    results, computed = list[PointResults](), set[tuple[str, str]]()
    for index in np.ndindex(*map(len, coordinates)):
        finished = np.flatnonzero(arrays["status"][index] != "")
        if not len(finished):
            continue
        at = TableDict()
        for of_dim, k in zip(coordinates, index, strict=True):
            at |= of_dim[k]
        algorithm = str(at.pop("algorithm", ""))
        keys = _own_keys(at, algorithm, study)
        keys = {name: value for name, value in keys.items() if words.key(name)}  # "" hides a key of a zip
        identity = algorithm, repr(keys)
        # a placebo is computed once for all values of the key that it replaces
        if identity in computed and len(keys) < len(at):
            continue
        computed.add(identity)
        table = tables.get(algorithm, {"kind": ""})
        point_arrays = _at_point(arrays, index, finished)
        along = tuple(index[axis] for axis in swept)
        random = _is_random(table, point_arrays)
        # labels below 0, which no other point has, are not paired
        seeds = finished if paired else finished - (len(results) + 1) * APART
        results.append(
            PointResults(
                algorithm, keys, along, random, variables, names, point_arrays, words, seeds, table, sizes
            )
        )
    algorithms = [str(name) for name in np.ravel(data["algorithm"].values)] if "algorithm" in data else [""]
    return sorted(results, key=lambda point: algorithms.index(point.algorithm))


def _is_random(table: Table, arrays: Mapping[str, ndarray]) -> bool:
    """True for a method that draws, but for a planner whose rules were judged at computed equilibria."""
    is_computed = table["kind"] == "design" and np.any(arrays.get("newton_steps", np.array([-1])) >= 0)
    return has_noise(table) and not is_computed


def _at_point(arrays: Arrays, index: tuple[int, ...], finished: ndarray) -> Arrays:
    """Variables ``[result own ...]`` of the finished results at one point."""
    is_complete = finished.size == arrays["status"][index].size
    rows = slice(None) if is_complete else finished
    return Arrays(arrays, lambda name: np.asarray(arrays[name][index][rows]))


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

    A placebo has a value of its own in place of the one that is swept.
    """
    base, _, control = algorithm.rpartition("-")
    other_methods = base_methods(study) - {algorithm, base}
    keys = {name: value for name, value in at.items() if name.partition(".")[0] not in other_methods}
    replaced = REPLACED.get(control, "")
    return {k: value for k, value in keys.items() if k.rpartition(".")[2].partition("[")[0] != replaced}


PROOFS = (
    *("equilibrium_count", "pure_count", "component_count", "isolated_count", "boxes", "complete"),
    *("undecided", "verdict", "equilibrium_set", "certified_bound"),
)
"""Variables on the proof of a list of equilibria."""
PURE = "every pure equilibrium"  # begins the reason for which a list of these is complete
_OF_RANGES = ("where_range", "where_count", "where_decided")


def _branches_in_words(arrays: Mapping[str, ndarray]) -> str:
    """Number of branches of equilibria followed, and where others cross; empty without any."""
    count = int((arrays["branch_ending"] != "").sum())
    if not count:
        return ""
    words = f"{count_text(count, 'branch', 'branches')} of equilibria followed in {arrays['parameter_name']}"
    values = arrays.get("unresolved_parameter", np.empty(0))
    crossings = ", ".join(f"{value:.6g}" for value in values[np.isfinite(values)])
    return f"{words}; others cross at {crossings} and were not followed" if crossings else words


def _without_blanks(values: ndarray, filled: ndarray) -> ndarray:
    """Values without the indices of each axis at which nothing is ``filled``."""
    axes = set(range(filled.ndim))
    used = [filled.any(axis=tuple(axes - {axis})) for axis in axes]
    return values[np.ix_(*used)]
