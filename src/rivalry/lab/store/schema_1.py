"""Stored files of schema 1 (version 0.1) in the words of today; the files themselves stay as they are.

The one place that knows what was renamed since. Studies with old names are refused where they are checked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np

from rivalry.core.results import Record
from rivalry.lab.study.points import flat, short_names
from rivalry.methods import METHODS

_KARMA = {"kbar": "mean_karma", "kmax": "max_karma"}

_MARKET = {
    "A": "market_size",
    "F": "fixed_cost",
    "Qmin": "price_flat_below",
    "a": "intercept",
    "a0": "outside_option",
    "b": "slope",
    "c": "unit_cost",
    "d": "convex_cost",
    "dep": "depreciation",
    "eta": "elasticity",
    "g_s": "substitution",
    "mu": "taste_spread",
    "phi": "adjustment_cost",
    "shock.chain": "shock.transitions",
    "shock.odds": "shock.probabilities",
    "xi": "grid_margin",
}
GAME_KEYS: dict[str, dict[str, str]] = {"city": _KARMA, "karma": _KARMA, "market": _MARKET}
"""By family; a key with dots is in a table."""

DEMAND_KEYS = {"differentiated": {"A": "intercept"}, "logit": {"a": "quality"}}
"""Letters of markets that meant something else with these demands."""

METHOD_KINDS = {
    "given": "evaluate",
    "mirror": "mirror_ascent",
    "omd": "online_mirror_descent",
    "plan_options": "commitment_with_switching_cost",
    "smoothing": "damped_fixed_point",
    "theory": "analytic_constants",
}
METHOD_KEYS = {
    "cap": "max_periods",
    "controls": "negative_controls",
    "eps": "exploration",
    "last": "average_last",
    "notes": "checkpoints",
    "p_update": "update_probability",
    "q0": "initial_q",
}
PLOTS: dict[str, str] = {}
VARIABLES: dict[str, dict[str, str]] = {}
"""Variables of cells, by family."""

DIMENSIONS = {"method": "algorithm"}  # xarray's ``sel`` has a keyword ``method``
COSTS = {"test": "seconds", "nightly": "minutes", "full": "hours"}
STATUS = {"settled": "converged", "budget spent": "iteration limit", "no answer": "not found"}
"""How computations ended, before and now."""

Names = Mapping[str, str]


def upgraded_head(head: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``study.json`` with today's names of dimensions, keys, methods and plots.

    Cells keep their identifiers, digests of tasks in the words of their time, which ``cell_schema`` records.
    """
    new = {**head, "study": upgraded_study(head["study"]), "cell_schema": 1}
    names = DIMENSIONS | _coordinates(head["study"])
    new["axes"] = _named(head["axes"], names)
    new["companions"] = {
        names.get(name, name): [names.get(dim, dim), values]
        for name, (dim, values) in head["companions"].items()
    }
    new["cells"] = [
        [id, _named(point, names), method, replication, _named(at, names)]
        for id, point, method, replication, at in head["cells"]
    ]
    return new


def upgraded_study(study: Mapping[str, Any]) -> dict[str, Any]:
    """Return a resolved study with today's names."""
    new = {**study, **_tables(study)}
    family = str((study.get("game") or {}).get("family"))
    names = DIMENSIONS | _coordinates(study) | VARIABLES.get(family, {})
    new["cost"] = COSTS.get(study["cost"], study["cost"])
    new["plots"] = [_plot(row, names) for row in study.get("plots", ())]
    new["expect"] = [_expectation(dict(row), names) for row in study.get("expect", ())]
    new["quick"] = {_key(key, study): value for key, value in flat(study.get("quick") or {}).items()}
    if study.get("base"):
        new["base"] = {**study["base"], **_tables(study["base"])}
    if "included" in study:
        new["included"] = {name: upgraded_study(part) for name, part in study["included"].items()}
    return new


def upgraded_record(record: Record, family: str) -> Record:
    """Return what a cell of a family stored with today's names and words."""
    names = VARIABLES.get(family, {})
    new = {names.get(name, name): entry for name, entry in record.items()}
    if "status" in new:
        dims, words = new["status"]
        known = STATUS if "residual" in record else STATUS | {"budget spent": "completed"}  # a learner's
        told = [known.get(word, word) for word in np.ravel(words).tolist()]
        new["status"] = (dims, np.array(told, dtype=np.str_).reshape(np.shape(words)))
    return new


def _tables(study: Mapping[str, Any]) -> dict[str, Any]:
    """The tables that determine results."""
    new: dict[str, Any] = {}
    if study.get("game"):
        new["game"] = _moved(study["game"], _game_keys(study))
    new["method"] = [
        _moved(table, _options(table.get("kind"))) | {"kind": METHOD_KINDS.get(table["kind"], table["kind"])}
        for table in study.get("method") or ()
    ]
    for name in ("sweep", "batch"):
        new[name] = {_key(key, study): value for key, value in (study.get(name) or {}).items()}
    return new


def _options(kind: object) -> Names:
    """The renamed keys of a kind of method; those of users' files keep theirs."""
    return METHOD_KEYS if METHOD_KINDS.get(str(kind), str(kind)) in METHODS else {}


def _game_keys(study: Mapping[str, Any]) -> Names:
    """The renamed keys of a study's family."""
    game = study.get("game") or {}
    own = DEMAND_KEYS.get(str(game.get("demand")), {}) if game.get("family") == "market" else {}
    return GAME_KEYS.get(str(game.get("family")), {}) | own


def _moved(table: Mapping[str, Any], keys: Names, prefix: str = "") -> dict[str, Any]:
    """A table whose renamed keys are moved; where a table takes a word's place, the word is its kind."""
    new: dict[str, Any] = {}
    for key, value in table.items():
        here = f"{prefix}{key}"
        *path, last = keys.get(here, here).removeprefix(prefix).split(".")
        inner = new
        for step in path:
            if not isinstance(inner.get(step), dict):
                inner[step] = {"kind": inner[step]} if step in inner else {}
            inner = inner[step]
        if isinstance(value, Mapping):
            value = {**(inner.get(last) or {}), **_moved(value, keys, f"{here}.")}
        if isinstance(inner.get(last), dict) and isinstance(value, str):
            inner[last]["kind"] = value
        else:
            inner[last] = value
    return new


def _key(key: str, study: Mapping[str, Any]) -> str:
    """A dotted key of a sweep, or of a quick form, such as ``game.reach[1]``."""
    head = re.match(r"(?:sweep\.|batch\.)?", key)
    prefix = head[0] if head else ""
    root, *rest = key[len(prefix) :].split(".")
    if root == "game" and rest:
        return f"{prefix}game.{_path(rest, _game_keys(study))}"
    if root == "method" and len(rest) > 1:
        kinds = {str(table.get("name")): table.get("kind") for table in study.get("method") or ()}
        return f"{prefix}method.{rest[0]}.{_path(rest[1:], _options(kinds.get(rest[0])))}"
    return key


def _path(steps: list[str], keys: Names) -> str:
    """A path of keys, of which a beginning may be renamed."""
    for count in range(len(steps), 0, -1):
        name, bracket, index = ".".join(steps[:count]).partition("[")
        if name in keys:
            return ".".join([keys[name] + bracket + index, *steps[count:]])
    return ".".join(steps)


def _coordinates(study: Mapping[str, Any]) -> dict[str, str]:
    """The coordinates of swept keys, before and now, where these differ."""
    keys = [k for t in ("sweep", "batch") for k in flat(study.get(t) or {}) if k != "zip"]
    old, new = short_names(keys), short_names([_key(key, study) for key in keys])
    both = [(old[key], new[_key(key, study)]) for key in keys]
    return {before: now for before, now in both if before != now}


def _named(table: Mapping[str, Any], names: Names) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in table.items()}


def _plot(row: Any, names: Names) -> Any:
    """A plot whose kind and whose options name coordinates and variables as today."""
    if isinstance(row, str):
        return PLOTS.get(row, row)
    new = {key: _words(value, names) for key, value in row.items()}
    if isinstance(row.get("at"), Mapping):
        new["at"] = _named(row["at"], names)
    if isinstance(row.get("kind"), str):
        new["kind"] = PLOTS.get(row["kind"], row["kind"])
    return new


def _words(value: Any, names: Names) -> Any:
    if isinstance(value, list):
        return [_words(one, names) for one in value]
    return names.get(value, value) if isinstance(value, str) else value


def _expectation(row: dict[str, Any], names: Names) -> dict[str, Any]:
    """An expectation with a tolerance for its published value; earlier rows had one for both references."""
    new = _named(row, {"over": "reduce"})
    new["quantity"] = names.get(row["quantity"], row["quantity"]) if "quantity" in row else None
    if isinstance(row.get("at"), Mapping):
        new["at"] = _named(row["at"], names)
    if row.get("quantity") == "status":
        for key in ("expected", "published", "equals"):
            if key in row:
                new[key] = STATUS.get(row[key], row[key])
    published = new.get("published")
    if published is None or isinstance(published, str | bool) or "published_tolerance" in new:
        return new
    if "tolerance" in new and "expected" not in new:
        new["published_tolerance"] = new.pop("tolerance")
        new["published_tolerance_reason"] = "the tolerance of the study"
    else:
        digit = int(Decimal(repr(published)).as_tuple().exponent)
        new["published_tolerance"] = 0.5 * 10.0**digit
        new["published_tolerance_reason"] = "half a unit of the last stored digit"
    return new
