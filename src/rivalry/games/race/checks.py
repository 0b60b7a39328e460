"""Checks of what a race is made of: numbers per player and period, words, and custom functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rivalry.core.jax import jax, jnp, put
from rivalry.games.race import period

if TYPE_CHECKING:
    from rivalry.games.race.model import Race

POSITIVE = ("safety_exponent", "performance_exponent", "decisiveness", "ease_of_winning")
NOT_NEGATIVE = (
    *(
        "safety_productivity",
        "performance_productivity",
        "scale_penalty",
        "safety_weight",
        "disaster_cost",
        "safety_price",
        "performance_price",
        "safety_price_slope",
        "performance_price_slope",
        "price",
        "certified_price",
        "minimum",
        "fine",
    ),
    *(
        "safety_investment_price",
        "performance_investment_price",
        "safety_sharing_price",
        "performance_sharing_price",
        "performance_tax",
        "safety_subsidy",
        "liability",
    ),
)
SHARES = ("loser_weight", "safety_depreciation", "performance_depreciation", "gamma")
ROUNDING = 1e-6


def refusal(name: str, value: float) -> str:
    """Why a parameter may not take a value, or an empty text.

    >>> refusal("scale_penalty", -0.2), refusal("prize", -1.0)
    ('must be at least 0', '')
    """
    if not np.isfinite(value):
        return "must be finite"
    if name in POSITIVE and not value > 0:
        return "must be above 0"
    if name in NOT_NEGATIVE and not value >= 0:
        return "must be at least 0"
    return "must be in [0, 1]" if name in SHARES and not 0 <= value <= 1 else ""


def players_of(given: dict[str, Any], names: Iterable[str]) -> int:
    """How many play: as said, or as the longest list of numbers tells, or 2. Raises `ValueError`."""
    said = given["players"]
    if said is not None:
        if isinstance(said, bool) or not isinstance(said, int) or said < 2:
            raise ValueError(f"players: {said!r} must be a whole number, at least 2")
        return int(said)
    for name in names:
        value = given[name]
        if isinstance(value, list | tuple | np.ndarray) and np.ndim(np.asarray(value, dtype=object)) >= 1:
            row = value[0] if len(value) and isinstance(value[0], list | tuple | np.ndarray) else value
            length = len(row)
            if length < 2:
                raise ValueError(f"{name}: names {length} player; a race needs at least 2")
            return length
    return 2


def clashes(given: dict[str, Any]) -> None:
    """Two ways of saying one thing. Raises `ValueError`."""
    if given["period_weights"] is not None and np.any(np.asarray(given["gamma"], dtype=object) != 1.0):
        raise ValueError("gamma: clashes with period_weights, which take its place")
    if given["price"] is not None and given["cost"] in ("linear", "quadratic"):
        for name in ("safety_price", "performance_price"):
            if np.any(np.asarray(given[name], dtype=object) != 0.1):
                raise ValueError(
                    f"price: stands for safety_price and performance_price; leave out price, or {name}"
                )
    lists = [n for n, v in given.items() if n != "gamma" and isinstance(v, list | tuple | np.ndarray)]
    count = np.size(np.asarray(given["gamma"], dtype=object))
    if given["players"] is None and not lists and count > 2 and count == given["horizon"]:
        raise ValueError(
            f"gamma: {count} numbers may be players or periods; say players = {count}, or give one weight "
            "per period as period_weights"
        )


def number(name: str, value: Any, shape: tuple[int, ...] = ()) -> Any:
    """``value`` as numbers of one of two shapes: ``shape``, or one more row a period in front, as they are.

    Raises `ValueError` that names the first entry that may not be.
    """
    try:
        found = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: {value!r} must be numbers") from None
    for index, entry in np.ndenumerate(found):
        why = refusal(name, entry)
        if why:
            where = "".join(f"[{k}]" for k in index)
            raise ValueError(f"{name}{where}: {entry:g} {why}")
    return found


def per_player(name: str, value: Any, players: int, periods: int) -> Any:
    """``value`` as ``[player]``, or ``[period player]`` where it differs over time. Raises `ValueError`."""
    found = number(name, value)
    if found.ndim == 0:
        return put(np.broadcast_to(found, (players,)).copy())
    if found.ndim == 1:
        if len(found) != players:
            raise ValueError(f"{name}: {len(found)} numbers for {players} players; give one, or {players}")
        return put(found)
    if found.ndim == 2 and found.shape == (periods, players):
        return put(found)
    raise ValueError(
        f"{name}: shape {found.shape} must be ({players},), or ({periods}, {players}): one row per period"
    )


def alone(name: str, value: Any, periods: int) -> Any:
    """``value`` as one number, or ``[period]``. Raises `ValueError`."""
    found = number(name, value)
    if found.ndim == 0 or found.shape == (periods,):
        return put(found)
    raise ValueError(f"{name}: shape {found.shape} must be one number, or {periods}, one per period")


def disaster(value: Any, players: int, periods: int) -> tuple[Any, str]:
    """``d`` as numbers, and whether it goes by the victim or by the pair. Raises `ValueError`."""
    found = number("disaster_cost", value)
    pair = (players, players)
    if found.ndim == 2 and found.shape == pair and periods == players and periods > 1:
        raise ValueError(
            f"disaster_cost: shape {pair} may be one row per period or a matrix; give the matrix as "
            f"({periods}, {players}, {players})"
        )
    if found.ndim == 2 and found.shape == pair:
        return put(found), "pair"
    if found.ndim == 3:
        if found.shape != (periods, *pair):
            raise ValueError(f"disaster_cost: shape {found.shape} must be ({periods}, {players}, {players})")
        return put(found), "pair"
    return per_player("disaster_cost", value, players, periods), "victim"


def one_of(name: str, value: Any, known: Sequence[str]) -> str:
    """A word among ``known``. Raises `ValueError`."""
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name}: {value!r} is unknown; known: {', '.join(known)}")
    return value


def weighted(value: Any, players: int, periods: int) -> Any:
    """Weights of the risk: not negative, not all zero. Raises `ValueError`."""
    found = per_player("safety_weight", value, players, periods)
    if not np.all(np.asarray(found).sum(axis=-1) > 0):
        raise ValueError("safety_weight: sums to 0; at least one weight must be above 0")
    return found


# --- custom functions: tried once, before anything is computed with them -----------------------------------


def tried(race: Race) -> None:
    """Tries every part of one's own where all inputs are 1. Raises `ValueError` that names part and function.

    A part must be traceable by JAX, answer one number per player (production: two), and these must be finite
    costs, chances in [0, 1], for a contest adding up to at most 1. Parts of the package are not tried.
    """
    numbers, rules = race.numbers_at(0), race.rules
    one = jnp.ones(race.players)
    log_s, log_p = period.power(one, one, numbers)
    if not period.ours(rules.production):
        log_s, log_p = _pair(rules.production, one, one, numbers)
    z = log_s - jnp.where(numbers["scale_penalty"] > 0, numbers["scale_penalty"] * log_p, 0.0)
    z = jnp.where(jnp.isnan(z), 0.0, z)
    parts: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
        "contest": (rules.csf, (log_p, jnp.exp(log_p), numbers)),
        "risk": (rules.risk, (z, jax.nn.sigmoid(z), numbers)),
        "cost": (rules.cost, (one, one, z if rules.on == "odds" else log_s, numbers)),
    }
    for name, (part, given) in parts.items():
        if not period.ours(part):
            found = _per_player_numbers(name, part, _called(name, part, given), race.players)
            _in_range(name, part, found)
    if race.transition is not None:
        _passes_on(race)


def _label(name: str, part: Callable[..., Any]) -> str:
    return f"{name}: {getattr(part, '__name__', type(part).__name__)}"


def _called(name: str, part: Callable[..., Any], given: tuple[Any, ...]) -> Any:
    """What a part answers, traced first: what only numbers can go through would fail later."""
    try:
        jax.eval_shape(part, *given)
        return part(*given)
    except Exception as error:  # a user's function may raise anything; it is told as the user's, in one line
        first = "".join(str(error).strip().splitlines()[:1])
        told = f"{type(error).__name__}: {first}"
        hint = "; write it with jax.numpy, without if on values" if isinstance(error, _UNTRACED) else ""
        raise ValueError(f"{_label(name, part)} raised {told}{hint}") from None


_UNTRACED = (jax.errors.TracerBoolConversionError, jax.errors.TracerArrayConversionError)


def _per_player_numbers(name: str, part: Callable[..., Any], found: Any, players: int) -> np.ndarray:
    shape = getattr(found, "shape", None)
    if shape != (players,):
        got = type(found).__name__ if shape is None else f"shape {shape}"
        raise ValueError(f"{_label(name, part)} answers {got}; must be one number per player, ({players},)")
    return np.asarray(found, dtype=float)


def _in_range(name: str, part: Callable[..., Any], found: np.ndarray) -> None:
    label = f"{_label(name, part)} answers {found.tolist()} where all inputs are 1"
    if not np.isfinite(found).all():
        raise ValueError(f"{label}; must be finite")
    if name == "cost":
        return
    if (found < -ROUNDING).any() or (found > 1 + ROUNDING).any():
        raise ValueError(f"{label}; must be chances, in [0, 1]")
    if name == "contest" and found.sum() > 1 + ROUNDING:
        raise ValueError(f"{label}; chances to win must add up to at most 1")


def _pair(part: Callable[..., Any], *given: Any) -> tuple[Any, Any]:
    found = _called("production", part, given)
    if not isinstance(found, tuple | list) or len(found) != 2:
        raise ValueError(f"{_label('production', part)} must answer two arrays, ln s and ln p")
    for each in found:
        values = _per_player_numbers("production", part, each, len(given[0]))
        if np.isnan(values).any():
            raise ValueError(f"{_label('production', part)} answers {values.tolist()} where all inputs are 1")
    return found[0], found[1]


def _passes_on(race: Race) -> None:
    """Whether a transition answers every parameter that it is given."""
    numbers = race.numbers_at(0)
    row = jnp.zeros((race.players, len(race.columns))).at[:, :2].set(1.0)
    assert race.transition is not None
    after = _called("transition", race.transition, (numbers, row, jnp.asarray(0)))
    lost = [name for name in numbers if name not in after] if isinstance(after, dict) else list(numbers)
    if lost:
        raise ValueError(
            f"{_label('transition', race.transition)} leaves out {', '.join(lost[:3])}"
            f"{' and others' if len(lost) > 3 else ''}; begin its answer with {{**numbers, ...}}"
        )
    for name in numbers:
        if np.isnan(np.asarray(after[name], dtype=float)).any():
            raise ValueError(f"{_label('transition', race.transition)} makes {name} no number")
