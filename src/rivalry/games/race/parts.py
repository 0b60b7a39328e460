"""Parts of a race that are a user's functions: tried once, before anything is computed with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from rivalry.core.jax import jax, jnp
from rivalry.games.race import period

if TYPE_CHECKING:
    from rivalry.games.race.game import Race

ROUNDING = 1e-6


def tried(race: Race) -> None:
    """Tries every part of one's own where all inputs are 1. Raises `ValueError` that names part and function.

    A part must be traceable by JAX, answer one number a player (production: two), and these must be finite
    costs, chances in [0, 1], for a contest adding up to at most 1. Parts of the package are not tried.
    """
    numbers, rules = race.numbers_at(0), race.rules
    one = jnp.ones(race.players)
    log_s, log_p = period.power(one, one, numbers)
    if not period.ours(rules.production):
        log_s, log_p = _pair(rules.production, one, one, numbers)
    z = log_s - jnp.where(numbers["theta"] > 0, numbers["theta"] * log_p, 0.0)
    z = jnp.where(jnp.isnan(z), 0.0, z)
    parts: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
        "csf": (rules.csf, (log_p, jnp.exp(log_p), numbers)),
        "risk": (rules.risk, (z, jax.nn.sigmoid(z), numbers)),
        "cost": (rules.cost, (one, one, z if rules.on == "odds" else log_s, numbers)),
    }
    for name, (part, given) in parts.items():
        if not period.ours(part):
            found = _numbers(name, part, _called(name, part, given), race.players)
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


def _numbers(name: str, part: Callable[..., Any], found: Any, players: int) -> np.ndarray:
    shape = getattr(found, "shape", None)
    if shape != (players,):
        got = type(found).__name__ if shape is None else f"shape {shape}"
        raise ValueError(f"{_label(name, part)} answers {got}; must be one number a player, ({players},)")
    return np.asarray(found, dtype=float)


def _in_range(name: str, part: Callable[..., Any], found: np.ndarray) -> None:
    label = f"{_label(name, part)} answers {found.tolist()} where all inputs are 1"
    if not np.isfinite(found).all():
        raise ValueError(f"{label}; must be finite")
    if name == "cost":
        return
    if (found < -ROUNDING).any() or (found > 1 + ROUNDING).any():
        raise ValueError(f"{label}; must be chances, in [0, 1]")
    if name == "csf" and found.sum() > 1 + ROUNDING:
        raise ValueError(f"{label}; chances to win must add up to at most 1")


def _pair(part: Callable[..., Any], *given: Any) -> tuple[Any, Any]:
    found = _called("production", part, given)
    if not isinstance(found, tuple | list) or len(found) != 2:
        raise ValueError(f"{_label('production', part)} must answer two arrays, ln s and ln p")
    for each in found:
        values = _numbers("production", part, each, len(given[0]))
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
