"""Policies of karma economies: chances of the bids 0..karma in every state, and what is wrong with others."""

from __future__ import annotations

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from rivalry.core.jax import put
from rivalry.core.space import Profile, Simplex

ROUNDING = 1e-8  # by how much chances may miss 1: they come from files with few digits


class Policies(Simplex):
    """Policies ``[state action]``; a state is (type, private state, karma), row-major.

    Also taken are ``[type private karma bid]`` and, of one type, ``[private karma bid]``.
    """

    stakes: Float[Array, "type private"] = eqx.field(kw_only=True)
    labels: tuple[tuple[str, ...], ...] = eqx.field(static=True, kw_only=True)  # [type private], or none
    types: tuple[str, ...] = eqx.field(static=True, kw_only=True)

    def check(self, x: object, name: str = "start") -> Profile:
        """Numbers as a policy, rows summing to 1 exactly.

        Raises `ValueError` for another shape, chances below 0, rows that do not sum to 1 to within 1e-8, and
        chances of bids above karma.
        """
        full, head = self._shaped(x, name), "policy" if name == "policy" else f"{name}: policy"
        bids = np.arange(full.shape[1])
        above = bids[None, :] > np.tile(bids, len(full) // len(bids))[:, None]
        for state, bid in np.argwhere(~np.isfinite(full) | (full < 0)):
            where = f"{head} puts {full[state, bid]:g} on bid {bid} at {self._state(state)}"
            raise ValueError(f"{where}; must be at least 0 and finite")
        for state, bid in np.argwhere(above & (full != 0)):
            where = f"{head} puts {full[state, bid]:g} on bid {bid} at {self._state(state)}"
            raise ValueError(f"{where}; must be 0: no bid is above karma")
        sums = full.sum(axis=1)
        for state in np.flatnonzero(np.abs(sums - 1) > ROUNDING):
            raise ValueError(f"{head} sums to {sums[state]:.10g} at {self._state(state)}; must sum to 1")
        return put(full / sums[:, None])

    def _shaped(self, x: object, name: str) -> np.ndarray:
        levels = self.shape[1]
        whole = (*self.stakes.shape, levels, levels)
        try:
            given = np.asarray(x, dtype=float)
        except (TypeError, ValueError):
            raise ValueError(f"{name}: must be numbers of shape {self.shape} (states, bids)") from None
        if given.shape not in (self.shape, whole, whole[1:] if whole[0] == 1 else whole):
            shapes = f"{self.shape} (states, bids), or {whole} (types, private states, karma, bids)"
            raise ValueError(f"{name}: shape {given.shape} must be {shapes}")
        return given.reshape(self.shape)

    def _state(self, state: int | np.integer) -> str:
        """A state in words: ``u=1, k=5``, with the type where there are several."""
        levels, stakes = self.shape[1], np.asarray(self.stakes)
        kind, private = divmod(int(state) // levels, stakes.shape[1])
        label = self.labels[kind][private : private + 1] if self.labels else ()
        parts = [f"type {self.types[kind]!r}"] if len(self.types) > 1 else []
        shown = f"u={stakes[kind, private]:g}" + "".join(f" ({word})" for word in label if word)
        return ", ".join([*parts, shown, f"k={int(state) % levels}"])
