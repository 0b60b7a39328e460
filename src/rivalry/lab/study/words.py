"""Names of quantities, swept keys and methods in words: one name for each, wherever results are shown."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from rivalry.games import GAMES
from rivalry.lab.study.identity import Table
from rivalry.plots.families import DEFAULTS
from rivalry.plots.select import format_value
from rivalry.schema.construction import is_number
from rivalry.schema.keys import parse_key, write_key, write_name
from rivalry.schema.register import FamilyDefaults
from rivalry.text.display import KEYS, attributes_of, key_in_words, with_unit

if TYPE_CHECKING:
    from xarray import Dataset

CERTIFYING = (
    *("claim", "status", "coverage", "regret", "bound", "steps", "equilibria", "equilibrium_count"),
    *("complete", "distance", "tolerance", "nearest_method", "profile", "payoff"),
)
"""Quantities that have columns of their own beside those of the answer."""
LIST = "equilibria"  # a quantity that has rows of its own
IN_WORDS = {
    "COIN": "random allocation",
    "DICT": "allocation by true urgency",
    "TURN": "turn-taking",
    "PBP": "bids paid to the peer",
    "PBS": "bids paid to society",
    "ppo": "PPO",
    "dqn": "DQN",
    "sac": "SAC",
    "sarsa": "SARSA",
}
"""Methods and values whose own name with spaces says too little, in every study."""
CONTROLS = {
    "memoryless": "without memory",
    "gamma_zero": "with discount factor 0",
    "myopic_follower": "with a myopic follower",
    "random": "replaced by random play",
}
"""Words that a placebo adds to the name of its method."""
REPLACED = {"memoryless": "memory", "gamma_zero": "gamma"}
"""The key in place of whose value a placebo has its own."""
ROLES = ("leader", "follower")
CHOICE = ("choice",)  # the coordinates of a strategy where a family has no name for them
_PLAYER = re.compile(r"\b(?:player|seat) (\d+)\b")


def value_in_words(value: object, digits: int = 4) -> str:
    """Return a value; a number that is not short has four digits, or so many."""
    text = format_value(value)
    return f"{value:.{digits}g}" if isinstance(value, float) and float(text) != value else text


def distinct_digits(values: Iterable[Any]) -> int:
    """Number of digits, at least four, with which different numbers among values are printed differently.

    >>> distinct_digits([0.3, 0.4]), distinct_digits([0.39992, 0.39994]), distinct_digits(["PBS"])
    (4, 6, 4)
    """
    numbers = sorted({float(value) for value in values if is_number(value)})
    gaps = [(high - low) / max(abs(low), abs(high)) for low, high in pairwise(numbers)]
    return max(4, math.ceil(1 - math.log10(min(gaps, default=1.0))))


def value_label(key: str, value: object) -> str:
    """Return the name under which a study has words for a number.

    >>> value_label("reach", 0.5)
    'reach = 0.5'
    """
    return f"{key} = {value_in_words(value)}"


def answer_keys(study: Table) -> Table:
    """Table ``answer`` of a study, empty without one."""
    return study.get("answer") or {}


def condition_of(study: Table) -> Table:
    """Test that decides a study's question; empty without one."""
    return answer_keys(study).get("test") or {}


def quantities_of_answer(study: Table) -> Collection[str]:
    """Quantities that an author wants in the answer; empty where there is no such choice."""
    return answer_keys(study).get("quantities") or ()


def quantities(study: Table, data: Dataset) -> list[str]:
    """Return the quantities of a study's answer: its own, or those of its plots, expectations and family."""
    names = quantities_named(study)
    if quantities_of_answer(study):
        tested = str(condition_of(study).get("quantity"))  # a verdict has its number in the table
        return [name for name in dict.fromkeys([*names, tested]) if name in data and name != LIST]
    present = [name for name in names if name in data and name not in CERTIFYING]
    if "pooled_gain" in present:  # its mean, whose interval over replications alone would be a second one
        present = [name for name in present if name != "gain_mean"]
    present = [
        name for k, name in enumerate(present) if not any(_are_one(data, name, old) for old in present[:k])
    ]
    # of a list the profile is the first equilibrium alone
    return present or [name for name in ("profile", "payoff") if name in data and LIST not in data]


def _are_one(data: Dataset, name: str, mean_name: str) -> bool:
    """True for a quantity with the same numbers as its mean, as of a single type or like agents."""
    quantity, mean = (data[variable] for variable in (name, mean_name))
    long_names = {
        attributes_of(variable)["long_name"].removeprefix("mean ") for variable in (name, mean_name)
    }
    if len(long_names) == 2 or {quantity.dtype.kind, mean.dtype.kind} != {"f"}:
        return False
    # a mean over players, of whom points have different numbers, lacks an axis
    missing = set(quantity.dims) ^ set(mean.dims)
    wide, narrow = (quantity, mean) if missing <= set(quantity.dims) else (mean, quantity)
    if not missing <= set(wide.dims) or bool((wide.isnull().all(missing) != narrow.isnull()).any()):
        return False
    return bool((((wide - narrow) == 0.0) | wide.isnull()).all())


def quantities_named(study: Table) -> list[str]:
    """Return the names of what a study's answer may have, stored or not; see `quantities`."""
    if names := quantities_of_answer(study):
        return list(names)
    all_names = []
    for entry in study.get("plots", ()):
        options = entry if isinstance(entry, Mapping) else {}
        names_of_plot = options.get("quantities") or []
        all_names += [names_of_plot] if isinstance(names_of_plot, str) else list(names_of_plot)
        all_names += [options["quantity"]] if isinstance(options.get("quantity"), str) else []
    all_names += [str(row["quantity"]) for row in study.get("expect", ())]
    family = str((study.get("game") or {}).get("family"))
    all_names += DEFAULTS.get(family, FamilyDefaults()).metrics
    return list(dict.fromkeys(all_names))


def _roles(game: Table) -> dict[int, str]:
    """Return the roles of both players, by number, if one leads and one follows; else none."""
    stages = [list(stage) for stage in game.get("stages") or ()]
    leaders = list(game.get("leaders") or ())
    if len(leaders) == 1 and game.get("players", 2) == 2:
        stages = [leaders, [1 - leaders[0]]]
    if [len(stage) for stage in stages] != [1, 1]:
        return {}
    return {stage[0]: role for stage, role in zip(stages, ROLES, strict=True)}


def _choices(game: Table) -> list[list[str]]:
    """Return the names of each player's choices in a game by formulas, ``[player][choice]``."""
    choices = game.get("choices") or ()
    return [[names] if isinstance(names, str) else list(names) for names in choices]


def _axes_of_market(game: Table, swept: Table) -> tuple[str, ...]:
    """Return the name of a choice of firms: price or quantity, or choice where that differs by point."""
    if "game.choice" in swept or "game.demand" in swept:
        return CHOICE
    usual = "price" if game.get("demand") == "logit" else "quantity"
    return (str(game.get("choice") or usual),)


class Words:
    """Names in words of a study's quantities, keys, methods and values; its own ``[answer.words]`` first."""

    def __init__(self, study: Table) -> None:
        game = study.get("game") or {}
        name = game.get("family")
        family = GAMES.get(str(name))
        self._own: Mapping[str, str] = answer_keys(study).get("words") or {}
        self._methods = [str(table["name"]) for table in study.get("method", ())]
        self._swept = {**(study.get("sweep") or {}), **(study.get("batch") or {})}
        self._roles = _roles(game)
        self._keys = KEYS | dict(family.words if family else {})
        self._choices = _choices(game) if name == "continuous" else []
        self.axes = family.axes if family else CHOICE  # names of the coordinates of a strategy
        if name == "market":
            self.axes = _axes_of_market(game, self._swept)
        self.is_spatial = name == "influencer"  # strategies are positions
        self.player = family.player if family else "player"

    def quantity(self, name: str) -> str:
        """Return the name of a quantity.

        >>> Words({}).quantity("p_safe"), Words({}).quantity("total_quantity")
        ('probability of a safe win', 'total quantity')
        """
        # words for the name of a method are the method's
        label = None if name in self._methods else self._own.get(name)
        return label or attributes_of(name)["long_name"]

    def entry(self, entry: str) -> str:
        """Return the name of an entry of a quantity, with the player as the study calls it.

        >>> Words({"game": {"family": "market"}}).entry("player 1")
        'firm 1'
        >>> Words({"game": {"family": "market", "stages": [[0], [1]]}}).entry("seat 0")
        'leader'
        >>> Words({"answer": {"words": {"player 0": "the cautious"}}}).entry("player 0")
        'the cautious'
        >>> Words({"answer": {"words": {"state 0": ""}}}).entry("state 0")
        ''
        """
        entry_words = _PLAYER.sub(lambda match: self._player(int(match[1])), entry)
        return self._own.get(entry, entry_words)

    @cached_property
    def _digits(self) -> int:
        """Digits of swept numbers, so that no two points of a key have one text."""
        from rivalry.lab.study.points import flat, values

        forms = {key: form for key, form in flat(self._swept).items() if key != ("zip",)}
        digits = [distinct_digits(values(form, key, repeats=True)) for key, form in forms.items()]
        return max(digits, default=4)

    def _player(self, k: int) -> str:
        player_name = self._own.get(f"player {k}")
        return player_name or self._roles.get(k, f"{self.player} {k}")

    def key(self, name: str) -> str:
        """Return the name of a swept key, without the name of the study's only method.

        >>> words = Words({"answer": {"words": {"reach": "reach of influence"}}})
        >>> words.key("reach"), words.key("unit_cost[1]"), words.key("learning.gamma"), words.key("players")
        ('reach of influence', 'unit cost of player 1', 'discount factor of learning', 'number of players')
        >>> Words({"method": [{"name": "learning"}]}).key("learning.gamma"), words.key("resource.means[0]")
        ('discount factor', 'means of resource [0]')
        >>> race = Words({"game": {"family": "race"}})
        >>> race.key("cost.safety_price[1]"), race.key("beliefs[0].cost.safety_price")
        ('price of safety of player 1', 'price of safety as player 0 believes')
        >>> race.key('demand."s>t"'), race.key('classes."early birds".share')
        ('demand of s>t', 'share of early birds')
        """
        if name in self._own and name not in self._methods:  # whose words are the method's
            return self._own[name]
        if name in self._keys:
            return self._keys[name]
        try:
            parts = parse_key(name)
        except ValueError:  # of a result
            return key_in_words(name)
        match parts:
            case ["types" | "beliefs" as table, int(k), _, *_]:
                owner = f"of type {k}" if table == "types" else f"as {self._player(k)} believes"
                return f"{self.key(write_key(parts[2:]))} {owner}"
            case [*tables, str(), int(k)]:
                entries = write_key(parts[:-1])
                if tables and entries not in self._keys and write_key(tables) not in self._methods:
                    return f"{self.key(entries)} [{k}]"  # no player's
                player = self._player(k)
                return f"{self.key(entries)} of {'the ' * (player in ROLES)}{player}"
            case [*_, owner, str(label)]:
                table_name, owner = write_key(parts[:-1]), str(owner)
                if write_name(label) != label:  # a name of the user's
                    return f"{self.key(table_name)} of {label}"
                if self._methods == [table_name] or table_name == "parameters":
                    return self.key(label)
                if write_name(owner) == owner:
                    owner = self.method(table_name) if table_name in self._methods else self.key(table_name)
                return f"{self.key(label)} of {owner}"
        return key_in_words(name)

    def method(self, name: str) -> str:
        """Return the name of a method; that of a placebo says what it lacks.

        >>> Words({}).method("learning-memoryless"), Words({}).method("COIN")
        ('learning without memory', 'random allocation')
        >>> Words({"answer": {"words": {"pair": "a pair with memory"}}}).method("pair-memoryless")
        'a pair without memory'
        """
        base, _, control = name.rpartition("-")
        if name not in self._own and base and control in CONTROLS:
            added = CONTROLS[control]
            words, contrary = self.method(base), added.replace("without", "with")
            return words.replace(contrary, added) if contrary in words else f"{words} {added}"
        return self._own.get(name) or IN_WORDS.get(name) or name.replace("_", " ")

    def value(self, value: object) -> str:
        """Return a value of a swept key; numbers that are not short have `distinct_digits`, and no label.

        >>> Words({}).value(0.97), Words({}).value(0.0410204081632), Words({}).value("PBS")
        ('0.97', '0.04102', 'bids paid to society')
        """
        text = value_in_words(value, self._digits)
        if is_number(value):
            return text
        return self._own.get(text) or IN_WORDS.get(text) or text.replace("_", " ")

    def point(self, at: Table) -> str:
        """Return the name of a point ``at`` coordinates: its values, each with its key where that is needed.

        >>> Words({}).point({"reach": 0.25, "players": 3}), Words({}).point({"payment": "PBS"})
        ('reach 0.25, 3 players', 'bids paid to society')
        >>> Words({}).point({"reach": 0.25, "algorithm": "COIN"})
        'random allocation, reach 0.25'
        >>> Words({}).point({"players": 1}), Words({}).point({"players": 3})
        ('1 player', '3 players')
        >>> Words({"answer": {"words": {"price = 0.05": "half the price"}}}).point({"price": 0.05})
        'half the price'
        """
        method = [self.method(str(at["algorithm"]))] if "algorithm" in at else []
        at = {name: value for name, value in at.items() if name != "algorithm"}
        texts = {name: format_value(value) for name, value in at.items() if not is_number(value)}
        own_words = {*self._own, *IN_WORDS}
        says_all = {name for name, text in texts.items() if name == "name" or text in own_words}
        coordinates = [
            self.value(value) if name in says_all else self._coordinate(name, value)
            for name, value in at.items()
        ]
        return ", ".join([*method, *coordinates])

    def _coordinate(self, name: str, value: object) -> str:
        """Return a key with its value; a number of things before them."""
        key, text = self.key(name), self.value(value)
        if label := self._own.get(value_label(name, value)):
            return label
        things = key.removeprefix("number of ")
        if things == key or not text.isdigit():
            return f"{key} = {text}" if key[-1].isdigit() else f"{key} {text}"
        return f"{text} {things.removesuffix('s') if text == '1' else things}"

    def action(self, player: int, axis: int) -> str:
        """Return the study's name of an action, of one player or of all; empty without one.

        >>> Words({"answer": {"words": {"axis 0": "rock"}}}).action(1, 0)
        'rock'
        """
        return self._own.get(f"player {player}, axis {axis}", self._own.get(f"axis {axis}", ""))

    @property
    def choice(self) -> str:
        """Name of a strategy that is one number; empty where the family has none.

        >>> Words({"game": {"family": "market"}}).choice, Words({"game": {"family": "race"}}).choice
        ('quantity', '')
        """
        single = len(self.axes) == 1 and self.axes != CHOICE
        return self.axes[0].partition(" (")[0] if single else ""

    def coordinates(self, names: Iterable[object], count: int, player: int | None = None) -> list[str]:
        """Return the names of the ``count`` coordinates of a strategy; empty if nothing names so many.

        The result's own ``names`` come first, then those of the study and of the family. Games by formulas
        have names per ``player``.

        >>> race = Words({"game": {"family": "race"}})
        >>> race.coordinates([], 2), race.coordinates([0, 1, 2], 3), race.coordinates(["reach"], 1)
        (['safety input', 'performance input'], [], ['reach'])
        >>> game = Words({"game": {"family": "continuous", "choices": ["effort", ["price", "quality"]]}})
        >>> game.coordinates([], 2, player=0), game.coordinates([], 2, player=1)
        (['effort', ''], ['price', 'quality'])
        """
        if count == 1 and "profile" in self._own:
            return [self._own["profile"]]
        if player is not None and player < len(self._choices):
            choice_names = self._choices[player]
            return [*choice_names, *[""] * (count - len(choice_names))]
        of_results = [self.key(str(name)) for name in names if name and not str(name).isdigit()]
        of_study = [self._own[name] for k in range(count) if (name := f"axis {k}") in self._own]
        of_family = [] if self.axes == CHOICE else [name.partition(" (")[0] for name in self.axes]
        for candidate in (of_results, of_study, of_family):
            if len(candidate) == count:
                return candidate
        return []

    @property
    def choice_of_each(self) -> list[str]:
        """Name of each player's choice in a game by formulas; empty if a player has several."""
        names = [choices[0] for choices in self._choices if len(choices) == 1]
        return names if len(names) == len(self._choices) else []

    def is_named(self, name: str) -> bool:
        """True if the study has words for a method, a player or a value."""
        return name in self._own


def name_in_words(data: Dataset, study: Table, swept: Iterable[str]) -> None:
    """Give the variables of a run's dataset their names in words, and its swept coordinates too.

    Where values of a coordinate, such as methods, have names in words, ``value_names`` has one line each;
    so have the attributes ``player_names``, ``axis_names`` and, with one choice each, ``choice_names`` of the
    dataset.
    """
    words = Words(study)
    count = max(data.sizes.get(dim, 0) for dim in ("player", "seat"))
    names = [words.entry(f"player {k}") for k in range(count)]
    data.attrs["player_names"] = "\n".join(names)
    data.attrs["axis_names"] = "\n".join(words.axes)
    data.attrs["choice_names"] = "\n".join(words.choice_of_each)
    for name, variable in ((str(name), variable) for name, variable in data.variables.items()):
        attrs = variable.attrs
        if name not in swept:
            attrs["long_name"] = words.quantity(name)
            continue
        attrs["long_name"] = words.key(name)
        if variable.dtype.kind == "U":
            say = words.method if name == "algorithm" else words.value
            attrs["value_names"] = "\n".join(say(str(value)) for value in variable.values)


def heading(data: Dataset, name: str, words: Words) -> str:
    """Return a quantity's name with its unit, where that says more than the name."""
    return with_unit(words.quantity(name), data[name].attrs.get("units", ""))
