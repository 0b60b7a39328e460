"""Discounted sums per period, where discount factors differ between the results that are compared."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from rivalry.core.results import labelled
from rivalry.lab.study.identity import StudyTables, Table, TableDict
from rivalry.lab.study.names import defaults
from rivalry.lab.study.words import Words, answer_keys, quantities

if TYPE_CHECKING:
    from xarray import DataArray, Dataset

SUMS = ("payoff", "exploitability", "payoff_regularised")
"""Quantities per player that are discounted sums in the games of `HORIZONS`."""
HORIZONS = {"karma": np.inf, "city": np.inf, "lq": np.inf, "race": 1}
"""Periods of the families whose payoffs are discounted sums, if a game states no ``horizon``."""
PER_PERIOD = "_per_period"  # what the name of a quantity gains
PERIODS = "discounted_periods"
"""Sums of the weights of all periods, of every player."""
RATE = re.compile(r"(?:types\[(?P<type>\d+)\]\.)?gamma(?:\[(?P<player>\d+)\])?")


def per_period(study: StudyTables, data: Dataset) -> tuple[Table, Dataset]:
    """Study and its data with discounted sums per period in place of sums with unlike factors.

    Where no quantity is such a sum, the data has the `PERIODS` by which gains are divided to be per period.

    A constant stream of 1 per period is worth 1 per period at all discount factors: sums are divided by the
    sum of the weights of all periods, which is ``1 / (1 - gamma)`` without a last one.
    """
    game = study.get("game") or {}
    if game.get("family") not in HORIZONS or not {"status", "player"} <= {*data, *data.dims}:
        return study, data
    names_of_answer = quantities(study, data)
    names = [name for name in names_of_answer if name in SUMS and "player" in data[name].dims]
    weights = _weights(game, data, data.sizes["player"])
    if weights is None or (names and set(weights.dims) == {"player"}):  # sums of one kind
        return study, data
    if "regret" in data:
        data = data.assign({PERIODS: weights.broadcast_like(data["regret"])})
    if not names:
        return study, data
    words, answer = Words(study), dict(answer_keys(study))
    new_names = {name: f"{name}{PER_PERIOD}" for name in names}
    renamed = {new: (data[name] / weights).transpose(*data[name].dims) for name, new in new_names.items()}
    for name, new in new_names.items():
        renamed[new].attrs = data[name].attrs | {"long_name": f"{words.quantity(name)} per period"}
    answer["quantities"] = [new_names.get(name, name) for name in names_of_answer]
    answer["words"] = dict(answer.get("words") or {}) | {
        new: f"{words.quantity(name)} per period" for name, new in new_names.items()
    }
    if "test" in answer:
        answer["test"] = _renamed(answer["test"], new_names)
    figures = [_plot_entry(entry, new_names) for entry in study.get("plots", ())]
    return {**study, "answer": answer, "plots": figures}, data.assign(renamed)


def _plot_entry(entry: Any, new_names: Mapping[str, str]) -> Any:
    """Entry of a study's plots with other names of quantities."""
    if not isinstance(entry, Mapping):
        return entry
    renamed = dict(entry)
    if "quantity" in renamed:
        renamed["quantity"] = new_names.get(str(renamed["quantity"]), renamed["quantity"])
    if "quantities" in renamed:
        names = renamed["quantities"]
        names = [names] if isinstance(names, str) else names
        renamed["quantities"] = [new_names.get(name, name) for name in names]
    return renamed


def _renamed(test: Table, new_names: Mapping[str, str]) -> TableDict:
    """Test of an answer with other names of quantities."""
    renamed = dict(test)
    for key in {"quantity", "above", "below", "equals"} & test.keys():
        renamed[key] = new_names.get(str(test[key]), test[key])
    if "than" in test:
        renamed["than"] = _renamed(test["than"], new_names)
    return renamed


def _weights(game: Table, data: Dataset, players: int) -> DataArray | None:
    """Sums of the weights of all periods, of every player at every point; None where unknown."""
    family = str(game["family"])
    options = defaults(family, [("game", "gamma")], game) | dict(game)
    types = [dict(entry) for entry in options.get("types") or ()]
    rates = np.full(players, np.nan)
    if len(types) not in (0, players) and any("gamma" in keys_of_type for keys_of_type in types):
        return None  # a player is of several types
    gamma = options.get("gamma", np.nan)
    if np.size(gamma) in (1, players):
        rates[:] = gamma
    for k, keys_of_type in enumerate(types[:players]):
        rates[k] = keys_of_type.get("gamma", rates[k])
    rate, index = labelled(rates, "player"), labelled(np.arange(players), "player")
    for name in map(str, data.coords):
        if match := RATE.fullmatch(name):
            rows = np.array([_numbers(v, players) for v in data[name].values.ravel().tolist()])
            values = labelled(rows, *map(str, data[name].dims or ("one",)), "player")
            values = values if data[name].dims else values.isel(one=0)
            index_text = match["type"] or match["player"]
            rate = values if index_text is None else values.where(index == int(index_text), rate)
    periods: Any = options.get("horizon", HORIZONS[family])
    if periods == 1 or "period_weights" in options or "horizon" in data.coords or bool(rate.isnull().any()):
        return None
    periods = float(periods)
    sums = 1 / (1 - rate) if np.isinf(periods) else sum(rate**t for t in range(int(periods)))
    sums = sums * rate ** float(options.get("discount_offset", 0))
    return sums if bool(np.isfinite(sums).all()) else None


def _numbers(value: Any, players: int) -> np.ndarray:
    """Discount factors of players from the value of a coordinate, which may be a list in words."""
    factors = np.asarray(json.loads(value) if isinstance(value, str) else value, float)
    return np.broadcast_to(factors, (players,)) if factors.size in (1, players) else np.full(players, np.nan)
