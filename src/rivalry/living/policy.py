"""Data of the view ``policy``: bids by karma held, the distribution of karma, and what one agent could gain.

Takes karma economies, and records of them with ``policy [player private karma bid]``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rivalry.core.game import is_population
from rivalry.core.results import NO_CERTIFICATE, Certificate, NamesByDimension, Record
from rivalry.lab.study.identity import TableDict
from rivalry.text.display import bound_in_words, typeset

SNAPSHOTS = 12  # most policies of a path
DIGITS = 4  # of probabilities
DIMS = ("player", "private", "karma", "bid")


def view_of(game: object, profile: np.ndarray | None) -> tuple[str, str, TableDict] | None:
    """Return title, text and data of a policy ``[state action]`` in its own population; None elsewhere."""
    if not is_population(game) or profile is None:
        return None
    from rivalry.population import record_of  # loads JAX
    from rivalry.runtime.jax import put

    record, proof = record_of(game, put(profile), 1e-6)
    entries = record | (proof.record() if proof else {})
    return view_of_record(game, entries | {"profile": (("state", "action"), profile)}, {})


def view_of_record(
    game: object, record: Record, names: NamesByDimension
) -> tuple[str, str, TableDict] | None:
    """Return title, text and data of a record with a policy of bids; None for other records.

    Data: ``types``, their names; ``urgency [type private]``; ``entries``, a policy each: ``label``, ``policy
    [type private karma bid]``, ``mean_bid`` and ``karma [type private karma]``, the joint distribution (None
    where it is not stored), ``gain [type]``, the exploitability, and ``relative [type]``, the same as a part
    of the payoff, ``payoff [type]``, ``claim``, its ``word`` and a ``sentence``. A path of policies gives an
    entry per step; ``start`` is the number of the result's own.
    """
    if "policy" not in record or record["policy"][0] != DIMS:
        return None
    policy = record["policy"][1]
    types, urgencies = policy.shape[:2]
    urgency = (
        record["urgency"][1] if "urgency" in record else np.arange(1.0, urgencies + 1)[None].repeat(types, 0)
    )
    labels = list(names.get("player", ())) or [f"type {k}" for k in range(types)]
    path = _path(record, policy.shape)
    entries = [*path, _entry(record)]
    data = {"types": labels, "urgency": urgency, "entries": entries, "start": len(path)}
    gain = record["exploitability"][1] if "exploitability" in record else np.zeros(0)
    text = f"Bids by karma held, for {types} type{'s' * (types > 1)} and {urgencies} urgencies."
    if gain.size and np.isfinite(gain).all():
        text += f" One agent could gain at most {bound_in_words(float(np.max(gain)))} by another policy."
    return "Bids by karma held", text, data


def _entry(record: Record) -> TableDict:
    policy = record["policy"][1]
    proof = Certificate.from_record(record)
    facts = (proof or NO_CERTIFICATE).facts
    levels = np.arange(policy.shape[-1])

    def stored(name: str) -> Any:
        return record[name][1] if name in record else None

    return {
        "label": "",
        "policy": np.round(policy, DIGITS),
        "mean_bid": np.round(policy @ levels, DIGITS),
        "karma": stored("karma_distribution"),
        "gain": stored("exploitability"),
        "relative": stored("relative_exploitability"),
        "payoff": stored("payoff"),
        "claim": None if proof is None else proof.facts.kind,
        "word": facts.word,
        "sentence": typeset(facts.left_open) if proof else "No certificate is stored for this policy.",
    }


def _path(record: Record, shape: tuple[int, ...]) -> list[TableDict]:
    """Return policies along a method's path, without their populations."""
    if "path" not in record or record["path"][0] != ("step", "state", "action"):
        return []
    rows = record["path"][1]
    row_numbers = np.unique(np.linspace(0, len(rows) - 1, SNAPSHOTS).round().astype(int))[:-1]
    policies = []
    for row in row_numbers.tolist():
        step = int(record["path_step"][1][row])
        gain = record["path_exploitability"][1][row] if "path_exploitability" in record else None
        parts: Record = {"policy": (DIMS, rows[row].reshape(shape))}
        parts |= {} if gain is None else {"exploitability": (("player",), gain)}
        policies.append({**_entry(parts), "label": f"step {step}"})
    return policies
