"""Stored files of schema 1 (version 0.1), read under present names; the files themselves do not change.

Only this module and `rivalry.core.validate` list the names changed since. Studies with old names are rejected
where they are checked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np

from rivalry.core.results import Record
from rivalry.core.validate import RENAMED
from rivalry.lab.study.points import flat, short_names
from rivalry.methods import METHODS
from rivalry.plots import FORMER, FORMER_OPTIONS

_KARMA = {old: RENAMED[old] for old in ("kbar", "kmax")}
_LAWS = {old: RENAMED[old] for old in ("bid_law", "karma_law")}
_CITY = _KARMA | {old: RENAMED[old] for old in ("trip_law", "urgency_law")}

_RACE = {
    "A": "safety_productivity",
    "B": "performance_productivity",
    "alpha": "safety_exponent",
    "beta": "performance_exponent",
    "theta": "scale_penalty",
    "d": "disaster_cost",
    "no_win": "no_winner",
    "discount": "period_weights",
    "csf": "contest",
    "m": "contest.decisiveness",
    "kappa": "contest.ease_of_winning",
    "w": "risk.safety_weight",
    "lam": "risk.loser_weight",
    "win_a": "reward.prize",
    "win_b": "reward.prize_per_performance",
    "lose_a": "reward.loser_prize",
    "lose_b": "reward.loser_prize_per_performance",
    "lose_index": "reward.loser_prize_basis",
    "keep_prize": "reward.prize_survives",
    "r_s": "cost.safety_price",
    "r_p": "cost.performance_price",
    "r2_s": "cost.safety_price_slope",
    "r2_p": "cost.performance_price_slope",
    "r": "cost.price",
    "r_certified": "cost.certified_price",
    "s_min": "cost.minimum",
    "margin": "cost.margin",
    "fine": "cost.fine",
    "on": "cost.measured_by",
    "tax": "cost.performance_tax",
    "subsidy": "cost.safety_subsidy",
    "invest": "technology.invest",
    "share": "technology.share",
    "r_inv_s": "technology.safety_investment_price",
    "r_inv_p": "technology.performance_investment_price",
    "r_share_s": "technology.safety_sharing_price",
    "r_share_p": "technology.performance_sharing_price",
    "dep_s": "technology.safety_depreciation",
    "dep_p": "technology.performance_depreciation",
    "spill": "technology.spillover",
    "share_units": "technology.sharing_unit",
}
_RACE_VARIABLES = {
    "xs": "safety_input",
    "xp": "performance_input",
    "inv_s": "safety_investment",
    "inv_p": "performance_investment",
    "share_s": "safety_sharing",
    "share_p": "performance_sharing",
    "p": "performance",
    "sigma": "technology_safety",
    "q": "win_probability",
    "S": "p_safe_given_win",
    "safe": "p_safe",
    "disaster": "p_disaster",
    "no_win": "p_no_winner",
    "win_safe": "p_safe_last_win",
    "period_safe": "period_p_safe",
    "period_disaster": "period_p_disaster",
    "period_no_win": "period_p_no_winner",
    "win_probability": "period_win_probability",
    "A": "safety_stock",
    "B": "performance_stock",
    "believed_A": "believed_safety_stock",
    "believed_B": "believed_performance_stock",
    "landscape_xs": "landscape_safety_input",
    "landscape_xp": "landscape_performance_input",
}

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
GAME_KEYS: dict[str, dict[str, str]] = {
    "city": _CITY,
    "karma": _KARMA,
    "market": _MARKET,
    "precipice": {"mu": "max_capability"},
    "race": _RACE,
}
"""Renamed keys by family; a dotted key is in a table."""

DEMAND_KEYS = {"differentiated": {"A": "intercept"}, "logit": {"a": "quality"}}
"""Letters of markets with another meaning under these demands."""

LISTS = ("beliefs", "types")  # keys with a list of tables, whose keys are those of the game
GAMES_KEYS = ("choices", "parameter")  # options of methods that name keys of the game

METHOD_KINDS = {old: new for old, new in RENAMED.items() if new in METHODS}
METHOD_KEYS = {old: new for old, new in RENAMED.items() if old not in METHOD_KINDS | _CITY | _LAWS}
VARIABLES: dict[str, dict[str, str]] = {
    "city": _LAWS | {"place": "place"},  # a position along a path
    "karma": _KARMA | _LAWS,
    "precipice": {"safe": "p_safe"},
    "race": _RACE_VARIABLES,
}
"""Renamed variables of cells, by family."""

COMMON = {
    "alike": "exchangeable",
    "follower_replies": "follower_best_response",
    "inner_equilibria": "unconstrained_equilibria",
    "inner_profile": "unconstrained_profile",
    "kept": "admissible",
    "period_places": "period_grid",
    "place": "grid_point",
    "places": "action_grid",
    "reply_distance": "best_response_distance",
    "reply_radius": "best_response_radius",
    "reply_to_leader": "response_to_leader",
    "reply_to_state": "response_to_state",
    "settled_share": "converged_share",
    "unsettled": "excluded",
}
"""Renamed variables and dimensions of all families."""

LEARNER_VARIABLES = {
    "continued": "resumed",
    "trained_gain": "trained_best_response_gain",
    "trained_gain_band": "trained_best_response_gain_band",
    **{
        f"explored_{name}": f"exploring_{name}"
        for name in (
            *("access_fairness", "choice", "efficiency", "exploitability", "grid_regret"),
            *("mean_relative_exploitability", "mixture", "payoff", "policy", "regret", "return"),
            *("reward_fairness", "spread", "trips_per_step"),
        )
    },
}
"""Renamed variables of deep learners, in all families."""

DIMENSIONS = {"method": "algorithm"}  # xarray's ``sel`` has a keyword ``method``
BATCH = {"lane": "batch"}  # dimension of starts; road lanes of a city keep the name
COSTS = {"test": "seconds", "nightly": "minutes", "full": "hours"}
STATUS = {"settled": "converged", "budget spent": "iteration limit", "no answer": "not found"}
"""Statuses of computations, before and now."""

Names = Mapping[str, str]


def upgrade_head(head: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``study.json`` with present names of dimensions, keys, methods and plots.

    Cells keep their identifiers, which are digests of tasks under old names; ``cell_schema`` records this.
    """
    new = {**head, "study": upgrade_study(head["study"]), "cell_schema": 1}
    names = DIMENSIONS | _coordinates(head["study"])
    new["axes"] = _rename(head["axes"], names)
    new["companions"] = {
        names.get(name, name): [names.get(dim, dim), values]
        for name, (dim, values) in head["companions"].items()
    }
    new["cells"] = [
        [id, _rename(point, names), method, replication, _rename(at, names)]
        for id, point, method, replication, at in head["cells"]
    ]
    return new


def upgrade_study(study: Mapping[str, Any]) -> dict[str, Any]:
    """Return a resolved study with present names."""
    new = {**study, **_tables(study)}
    family = str((study.get("game") or {}).get("family"))
    keys = {old: new for old, new in _game_keys(study).items() if "." not in new}
    names = DIMENSIONS | COMMON | keys | LEARNER_VARIABLES | VARIABLES.get(family, {}) | _coordinates(study)
    if any("starts" in table for table in study.get("method") or ()):
        names |= BATCH
    new["cost"] = COSTS.get(study["cost"], study["cost"])
    new["plots"] = [_plot(row, names) for row in study.get("plots", ())]
    new["expect"] = [_expectation(dict(row), names) for row in study.get("expect", ())]
    quick = {_key(key, study): value for key, value in flat(study.get("quick") or {}).items()}
    if "quick" in study:  # which the first versions did not store
        new["quick"] = {
            key: _of_game(value, _game_keys(study)) if key.rpartition(".")[2] in GAMES_KEYS else value
            for key, value in quick.items()
        }
    if study.get("base"):
        new["base"] = {**study["base"], **_tables(study["base"])}
    if "included" in study:
        new["included"] = {name: upgrade_study(part) for name, part in study["included"].items()}
    return new


def upgrade_record(record: Record, family: str) -> Record:
    """Return a stored cell of a family with present names and words."""
    names = COMMON | LEARNER_VARIABLES | VARIABLES.get(family, {})
    if "lane" in record or record.get("regret", ((),))[0][:1] == ("lane",):
        names = names | BATCH  # a batch stores its coordinate; certificates of one are without it
    new = {
        names.get(name, name): (tuple(names.get(dim, dim) for dim in dims), array)
        for name, (dims, array) in record.items()
    }
    if "status" in new:
        dims, words = new["status"]
        known = STATUS if "residual" in record else STATUS | {"budget spent": "completed"}  # a learner's
        renamed = [known.get(word, word) for word in np.ravel(words).tolist()]
        new["status"] = (dims, np.array(renamed, dtype=np.str_).reshape(np.shape(words)))
    return new


def _tables(study: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tables that determine results, with present names."""
    new: dict[str, Any] = {}
    if study.get("game"):
        new["game"] = _rename_keys(study["game"], _game_keys(study))
    new["method"] = [_method(table, _game_keys(study)) for table in study.get("method") or ()]
    for name in ("sweep", "batch"):
        new[name] = {_key(key, study): value for key, value in (study.get(name) or {}).items()}
    return new


def _method(table: Mapping[str, Any], game: Names) -> dict[str, Any]:
    new = _rename_keys(table, _options(table.get("kind")))
    new["kind"] = METHOD_KINDS.get(table["kind"], table["kind"])
    if str(new["kind"]).startswith("rllib.") and new.get("moves") == "lived":
        new["moves"] = "native"
    if isinstance(new.get("response_method"), Mapping):
        new["response_method"] = _method(new["response_method"], game)
    for option in GAMES_KEYS:
        if option in new and _options(table.get("kind")):
            new[option] = _of_game(new[option], game)
    return new


def _of_game(value: Any, game: Names) -> Any:
    """Return a method's option that names keys of the game, each renamed by its field in any table."""
    fields = {old: new.rpartition(".")[2] for old, new in game.items()}
    return _rename(value, fields) if isinstance(value, Mapping) else _words(value, fields)


def _options(kind: object) -> Names:
    """Return the renamed keys of a kind of method; kinds in user files keep theirs."""
    return METHOD_KEYS if METHOD_KINDS.get(str(kind), str(kind)) in METHODS else {}


def _game_keys(study: Mapping[str, Any]) -> Names:
    """Return the renamed keys of a study's family."""
    game = study.get("game") or {}
    own = DEMAND_KEYS.get(str(game.get("demand")), {}) if game.get("family") == "market" else {}
    return GAME_KEYS.get(str(game.get("family")), {}) | own


def _rename_keys(table: Mapping[str, Any], keys: Names, prefix: str = "") -> dict[str, Any]:
    """Return a table with renamed keys moved; a word replaced by a table becomes the table's ``kind``."""
    new: dict[str, Any] = {}
    for key, value in table.items():
        here = f"{prefix}{key}"
        *path, last = keys[here].removeprefix(prefix).split(".") if here in keys else [key]
        target = new
        for step in path:
            if not isinstance(target.get(step), dict):
                target[step] = {"kind": target[step]} if step in target else {}
            target = target[step]
        if isinstance(value, Mapping):
            value = {**(target.get(last) or {}), **_rename_keys(value, keys, f"{here}.")}
        elif here in LISTS and isinstance(value, list):
            value = [_rename_keys(one, keys) if isinstance(one, Mapping) else one for one in value]
        if isinstance(target.get(last), dict) and isinstance(value, str):
            target[last]["kind"] = value
        else:
            target[last] = value
    return new


def _key(key: str, study: Mapping[str, Any]) -> str:
    """Return the present name of a dotted key of a sweep or quick form, such as ``game.reach[1]``."""
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
    """Return a path of keys, with its longest renamed beginning replaced."""
    if len(steps) > 1 and steps[0].partition("[")[0] in LISTS:
        return f"{steps[0]}.{_path(steps[1:], keys)}"
    for count in range(len(steps), 0, -1):
        name, bracket, index = ".".join(steps[:count]).partition("[")
        if name in keys:
            return ".".join([keys[name] + bracket + index, *steps[count:]])
    return ".".join(steps)


def _coordinates(study: Mapping[str, Any]) -> dict[str, str]:
    """Return the coordinates of swept keys, before and now, where these differ."""
    keys = [k for t in ("sweep", "batch") for k in flat(study.get(t) or {}) if k != "zip"]
    old, new = short_names(keys), short_names([_key(key, study) for key in keys])
    both = [(old[key], new[_key(key, study)]) for key in keys]
    return {before: now for before, now in both if before != now}


def _rename(table: Mapping[str, Any], names: Names) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in table.items()}


def _plot(row: Any, names: Names) -> Any:
    """Return a plot with present names of its kind, and of coordinates and variables in its options."""
    if isinstance(row, str):
        return dict(FORMER[row]) if row in FORMER else row
    new = {key: _words(value, names) for key, value in row.items()}
    if isinstance(row.get("at"), Mapping):
        new["at"] = _rename(row["at"], names)
    kind = new.pop("kind", "")
    new = {"kind": kind} | dict(FORMER.get(kind, {})) | new
    for option in FORMER_OPTIONS.keys() & new.keys() if kind in FORMER else ():
        new |= FORMER_OPTIONS[option] if new.pop(option) else {}
    return new


def _words(value: Any, names: Names) -> Any:
    if isinstance(value, list):
        return [_words(one, names) for one in value]
    return names.get(value, value) if isinstance(value, str) else value


def _expectation(row: dict[str, Any], names: Names) -> dict[str, Any]:
    """Return an expectation with a separate tolerance for its published value, which old rows lacked."""
    new = _rename(row, {"over": "reduce"})
    new["quantity"] = names.get(row["quantity"], row["quantity"]) if "quantity" in row else None
    if isinstance(row.get("at"), Mapping):
        new["at"] = _rename(row["at"], names)
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
