"""Validation of the parameters of karma economies: numbers, words, types, and the number of agents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.economies.karma.chains import SHARES_ROUNDING, checked_chain, stationary
from rivalry.economies.kernels.shapes import NO_REWARDS, ONLY_LOSSES
from rivalry.families.formula import parse
from rivalry.runtime.jax import floats
from rivalry.schema.registry import near
from rivalry.schema.validate import Options, as_numbers, check_entries, whole_number

AGENTS = 100
OWN = (
    "urgencies",
    "chain",
    "served_chain",
    "reward",
    "private_names",
    "gamma",
)  # keys of the game that a type may have of its own
KEYS = ("name", *OWN, "share", "count", "initial_karma", "max_karma")
"""Keys of the table of a type."""


class Types(NamedTuple):
    """The types of agents; those with fewer private states are padded with states that are never reached."""

    names: tuple[str, ...]
    share: ndarray  # [type], of the population
    sizes: tuple[int, ...]  # number of private states per type
    stakes: ndarray  # [type private]
    chain: ndarray  # [type private private]
    served_chain: ndarray  # [type private private]
    rewards: ndarray  # [outcome type private] of being refused and served, or none: minus the stake and 0
    gamma: ndarray  # [type]
    private_names: tuple[tuple[str, ...], ...]  # [type private], or none
    initial: list[Any]  # [type]: karma of each agent of the type, a number for all, or None


def refusal(name: str, value: float, max_karma: float = np.inf) -> str:
    """Reason why a parameter may not take a value, or an empty string; ``max_karma`` is the largest karma.

    >>> refusal("gamma", 1.0), refusal("mean_karma", 25.0, max_karma=20), refusal("urgencies", 5.0)
    ('must be in [0, 1)', 'must be in [0, max_karma = 20]', '')
    """
    if not np.isfinite(value):
        return "must be finite"
    if name == "gamma" and not 0 <= value < 1:
        return "must be in [0, 1)"
    if name == "mean_karma" and not 0 <= value <= max_karma:
        return f"must be in [0, max_karma = {max_karma:g}]"
    if name in ("urgencies", "stakes", "tax") and not value >= 0:
        return "must be at least 0"
    if name == "share" and not 0 < value <= 1:
        return "must be in (0, 1]: a type has agents"
    return ""


def numbers(name: str, value: object, *, dims: int = 0, max_karma: float = np.inf) -> ndarray:
    """Return a parameter's value as an array of ``dims`` dimensions. Raises `ValueError`."""
    array = as_numbers(value, name, "a number" if dims == 0 else "numbers")
    if isinstance(value, bool | str) or array.ndim != dims or not array.size:
        form = ("one number", "a list of numbers, at least one", "a table of numbers")[dims]
        raise ValueError(f"{name}: {value!r} must be {form}")
    plain = name.split(".")[-1]
    check_entries(name, array, lambda entry: refusal(plain, entry, max_karma))
    return array


def tabulated(name: str, rule: object, **columns: ndarray) -> Any:
    """Return the values of a formula or function at columns of the numbers that it names, as one column.

    Any other rule is returned as it is.

    >>> tabulated("tax", "max(karma - 2, 0)", karma=np.arange(4)).tolist()
    [0.0, 0.0, 0.0, 1.0]
    """
    if isinstance(rule, str):
        values = parse(rule, columns, name, tests=True)(
            {key: floats(column) for key, column in columns.items()}
        )
    elif callable(rule):
        values = np.vectorize(rule, otypes=[float])(**columns)
    else:
        return rule
    return np.broadcast_to(floats(values), next(iter(columns.values())).shape)


def tax_of(tax: object, max_karma: int) -> ndarray:
    """Return the tax at every karma level, ``[karma]``, from a rate or a list. Raises `ValueError`."""
    holdings = np.arange(max_karma + 1.0)
    tax = tabulated("tax", tax, karma=holdings)
    if np.ndim(tax) == 0:  # type: ignore[arg-type]
        rate = float(numbers("tax", tax))
        if rate > 1:
            raise ValueError(f"tax: {rate:g} must be a rate in [0, 1], or a list of one amount a karma level")
        return rate * holdings
    due = numbers("tax", tax, dims=1)
    if len(due) != max_karma + 1:
        raise ValueError(
            f"tax: {len(due)} amounts must be {max_karma + 1}, one for each karma 0..{max_karma}"
        )
    for k in np.flatnonzero(due > holdings):
        raise ValueError(f"tax[{k}]: {due[k]:g} must be in [0, {k}], the karma there is to take")
    return due


def types_of(options: Options) -> tuple[Types, int | None]:
    """Return the types of agents, and the number of agents if given. Raises `ValueError`."""
    tables, shares, count = tables_of_types(options, KEYS, OWN)
    stakes, sizes = stakes_of(tables)
    chains, private_names = np.zeros((2, *stakes.shape, stakes.shape[1])), []
    rewards = stakes * ONLY_LOSSES
    for k, (size, (where, table)) in enumerate(zip(sizes, tables.items(), strict=True)):
        if table.get("max_karma", options["max_karma"]) != options["max_karma"]:
            entry = f"{where}max_karma: {table['max_karma']!r}"
            raise ValueError(f"{entry} must be max_karma = {options['max_karma']}, the same for all types")
        chains[:, k, :size, :size] = _own_chains(table, where, stakes[k, :size])
        chains[:, k, size:, 0] = 1.0
        if table["reward"] is not None:
            rewards[:, k, :size] = _own_rewards(table["reward"], f"{where}reward", stakes[k, :size])
        names = table["private_names"]
        if names is not None and (isinstance(names, str) or len(names) != size):
            rule = f"must be {size} labels, one for each of the urgencies"
            raise ValueError(f"{where}private_names: {names!r} {rule}")
        private_names.append(tuple(map(str, names or ())))
    labels = tuple(private_names) if any(private_names) else ()
    initial = [table.get("initial_karma") for table in tables.values()]
    names = tuple(table["name"] for table in tables.values())
    if not np.any(rewards[1] > rewards[0]):
        raise ValueError("reward: must be larger at served = 1 at some urgency: nobody would bid")
    if np.array_equal(rewards, stakes * ONLY_LOSSES):  # also where a formula says so
        rewards = NO_REWARDS
    discounts = discounts_of(tables)
    return Types(
        names, shares, sizes, stakes, chains[0], chains[1], rewards, discounts, labels, initial
    ), count


def _own_chains(table: Options, where: str, urgencies: ndarray) -> tuple[ndarray, ndarray]:
    """Return the chains ``[private private]`` of a type after losing and after winning."""
    size = len(urgencies)
    rules = {"chain": np.full(size, 1 / size) if table["chain"] is None else table["chain"]}
    rules["served_chain"] = rules["chain"] if table["served_chain"] is None else table["served_chain"]
    pair = {"urgency": np.repeat(urgencies, size), "next_urgency": np.tile(urgencies, size)}
    chains = []
    for served, (name, rule) in enumerate(rules.items()):
        chances = tabulated(f"{where}{name}", rule, **pair, served=np.full(size**2, served))
        matrix = checked_chain(chances if chances is rule else chances.reshape(size, size), f"{where}{name}")
        if len(matrix) != size:
            rows = f"{len(matrix)} rows must be {size}"
            raise ValueError(f"{where}{name}: {rows}, one for each of the urgencies")
        chains.append(matrix)
    both = "chain" if table["served_chain"] is None else "chain and served_chain, in the mean"
    stationary((chains[0] + chains[1]) / 2, f"{where}{both}")
    return chains[0], chains[1]


def _own_rewards(rule: object, name: str, urgencies: ndarray) -> ndarray:
    """Return a type's rewards of being refused and served, ``[outcome private]``. Raises `ValueError`."""
    served, urgency = np.indices((2, len(urgencies))).reshape(2, -1)
    amounts = tabulated(name, rule, urgency=urgencies[urgency], served=served)
    if amounts is rule:
        raise ValueError(f"{name}: {rule!r} must be a formula or function of urgency and served (1, or 0)")
    refused, served = numbers(name, amounts, dims=1).reshape(2, -1)
    for k in np.flatnonzero(served < refused):
        raise ValueError(
            f"{name}: {served[k]:g} when served at urgency {urgencies[k]:g} must be at least {refused[k]:g}, "
            "that of being refused"
        )
    return np.stack([refused, served])


def stakes_of(tables: Mapping[str, Options]) -> tuple[ndarray, tuple[int, ...]]:
    """Return urgencies ``[type urgency]``, padded with 0, and their numbers. Raises `ValueError`."""
    rows = [numbers(f"{where}urgencies", table["urgencies"], dims=1) for where, table in tables.items()]
    sizes = tuple(map(len, rows))
    stakes = np.array([np.pad(row, (0, max(sizes) - len(row))) for row in rows])
    # one type in a hurry is enough: agents of another may travel only to collect karma
    if not np.any(stakes > 0):
        raise ValueError(f"urgencies: {rows[0].tolist()} must not all be 0: nobody would bid")
    return stakes, sizes


def discounts_of(tables: Mapping[str, Options]) -> ndarray:
    """Return discount factors ``[type]``. Raises `ValueError`."""
    return np.array([float(numbers(f"{where}gamma", table["gamma"])) for where, table in tables.items()])


def tables_of_types(
    options: Options, keys: Sequence[str], inherited: Sequence[str]
) -> tuple[dict[str, dict[str, Any]], ndarray, int | None]:
    """Return the tables of ``types``, their shares of the population, and the number of agents if given.

    Every table has a name and all ``inherited`` keys, by default as the game has them; its key is its place
    in messages. Without types there is one, of all agents. Raises `ValueError`.
    """
    defaults = {name: options[name] for name in inherited}
    tables: Any = options["types"]
    count = None if options["agents"] is None else whole_number("agents", options["agents"], 1)
    if tables is None:
        return {"": {"name": "agents", **defaults}}, np.ones(1), count
    if not isinstance(tables, list | tuple) or not tables:
        raise ValueError(f"types: {tables!r} must be a list of tables, at least one")
    for k, table in enumerate(tables):
        check_keys(f"types[{k}]", table, keys)
    shares, counted = shares_of(tables)
    if count is not None and counted is not None and count != counted:
        raise ValueError(f"agents: {count} must be {counted}, the sum of the types' counts")
    names = [str(table.get("name", f"type {k}")) for k, table in enumerate(tables)]
    for k, name in enumerate(names):
        if name in names[:k]:
            raise ValueError(f"types[{k}].name: {name!r} must differ from those of the other types")
    complete = {f"types[{k}].": {**defaults, **table, "name": names[k]} for k, table in enumerate(tables)}
    return complete, np.array(shares), counted if count is None else count


def any_bid(game: Any) -> bool:
    """True if legal bids are all amounts up to an agent's karma, which rises by 1 from state to state."""
    legal = np.asarray(game.legal)
    states, actions = legal.shape
    triangle = np.tri(actions, dtype=bool)
    return states % actions == 0 and np.array_equal(legal, np.tile(triangle, (states // actions, 1)))


def require_all_bids(game: Any, reason: str) -> None:
    """Raise `ValueError` where not all amounts up to an agent's karma are legal bids."""
    if not any_bid(game):
        raise ValueError(f"bids: must be all amounts up to an agent's karma: {reason}")


def check_keys(where: str, table: object, keys: Sequence[str]) -> None:
    """Raise `ValueError` where ``table`` is not a table or has unknown keys."""
    if not isinstance(table, Mapping):
        raise ValueError(f"{where}: {table!r} must be a table")
    for key in table:
        if key not in keys:
            raise ValueError(f"{where}.{key}: is unknown; {near(str(key), keys)}")


def shares_of(tables: Sequence[Options]) -> tuple[list[float], int | None]:
    """Return the types' shares, equal by default, and the sum of their counts if given."""
    given_keys = [name for name in ("share", "count") if any(name in table for table in tables)]
    if not given_keys:
        return [1 / len(tables)] * len(tables), None
    (name, *further) = given_keys
    missing = next((k for k, table in enumerate(tables) if name not in table), None)
    if further:
        raise ValueError("types: share clashes with count; give one of them, in every type")
    if missing is not None:
        raise ValueError(f"types[{missing}].{name}: is missing; every type must have one, or none")
    if name == "count":
        counts = [whole_number(f"types[{k}].count", table["count"], 1) for k, table in enumerate(tables)]
        return [count / sum(counts) for count in counts], sum(counts)
    shares = [float(numbers(f"types[{k}].share", table["share"])) for k, table in enumerate(tables)]
    if abs(sum(shares) - 1) > SHARES_ROUNDING:
        raise ValueError(f"types: shares {shares} sum to {sum(shares):.10g}; must sum to 1")
    return [share / sum(shares) for share in shares], None
