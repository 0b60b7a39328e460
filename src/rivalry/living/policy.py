"""Data of the view ``policy``: bids by karma held, the distribution of karma, and what one agent could gain.

Takes karma economies, and records of them with ``policy [player private karma bid]``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rivalry.core.game import is_population
from rivalry.core.results import NO_CERTIFICATE, Certificate, NamesByDimension, Record
from rivalry.lab.study.identity import TableDict
from rivalry.text.display import bound_in_words, count_text, typeset

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
    shape = record["policy"][1].shape
    types, urgencies = shape[:2]
    urgency = _stored(record, "urgency")
    if urgency is None:
        urgency = np.tile(np.arange(1.0, urgencies + 1), (types, 1))
    path = _path(record, shape)
    data = {
        "types": list(names.get("player", ())) or [f"type {k}" for k in range(types)],
        "urgency": urgency,
        "entries": [*path, _entry(record)],
        "start": len(path),
    }
    text = f"Bids by karma held, for {count_text(types, 'type')} and {urgencies} urgencies."
    gain = _stored(record, "exploitability")
    if gain is not None and gain.size and np.isfinite(gain).all():
        text += f" One agent could gain at most {bound_in_words(float(np.max(gain)))} by another policy."
    return "Bids by karma held", text, data


def _stored(record: Record, name: str) -> Any:
    """Return an array of a record; None where it is missing."""
    return record[name][1] if name in record else None


def _entry(record: Record) -> TableDict:
    """Return the data of a policy; values that are not stored beside it are None."""
    policy = record["policy"][1]
    certificate = Certificate.from_record(record)
    facts = (certificate or NO_CERTIFICATE).facts
    sentence = "No certificate is stored for this policy."
    if certificate:
        sentence = typeset(facts.left_open)
    return {
        "label": "",
        "policy": np.round(policy, DIGITS),
        "mean_bid": np.round(policy @ np.arange(policy.shape[-1]), DIGITS),
        "karma": _stored(record, "karma_distribution"),
        "gain": _stored(record, "exploitability"),
        "relative": _stored(record, "relative_exploitability"),
        "payoff": _stored(record, "payoff"),
        "claim": certificate and facts.kind,
        "word": facts.word,
        "sentence": sentence,
    }


def _path(record: Record, shape: tuple[int, ...]) -> list[TableDict]:
    """Return policies along a method's path, without their populations and without the last, the result."""
    if "path" not in record or record["path"][0] != ("step", "state", "action"):
        return []
    policies, gains = record["path"][1], _stored(record, "path_exploitability")
    rows = np.unique(np.linspace(0, len(policies) - 1, SNAPSHOTS).round().astype(int))
    entries = []
    for row in rows[:-1].tolist():
        snapshot: Record = {"policy": (DIMS, policies[row].reshape(shape))}
        if gains is not None:
            snapshot["exploitability"] = ("player",), gains[row]
        entries.append({**_entry(snapshot), "label": f"step {int(record['path_step'][1][row])}"})
    return entries
