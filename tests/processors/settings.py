"""What makes this processor compute as another one would, and what may not depend on that."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TypedDict

import numpy as np


class Outcome(TypedDict):
    """What a run said that no processor may change."""

    code: int
    error: str
    claims: dict[str, str]
    verdicts: dict[str, str]
    values: dict[str, object]  # our numbers, for the reader of a difference


def _without(*levels: str) -> str:
    """Return those of NumPy's optional instruction sets that begin with a name in ``levels``."""
    dispatched = np._core._multiarray_umath.__cpu_dispatch__  # type: ignore[attr-defined]
    present = np._core._multiarray_umath.__cpu_features__  # type: ignore[attr-defined]
    return " ".join(name for name in dispatched if name.startswith(levels) and present.get(name, False))


def _threads(count: int) -> dict[str, str]:
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
    return dict.fromkeys(names, str(count))


SETTINGS: dict[str, dict[str, str]] = {
    "native": {},
    "one_thread": _threads(1),
    "two_threads": _threads(2),
    # What this machine lacks of an instruction set cannot be tried: each setting only takes away.
    "avx2": {
        "NPY_DISABLE_CPU_FEATURES": _without("X86_V4", "AVX512"),
        "OPENBLAS_CORETYPE": "Haswell",
        "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
        "NUMBA_CPU_NAME": "haswell",
    },
    "sse4": {
        "NPY_DISABLE_CPU_FEATURES": _without("X86_V3", "X86_V4", "AVX", "FMA3"),
        "OPENBLAS_CORETYPE": "Nehalem",
        "XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2",
        "NUMBA_CPU_NAME": "nehalem",
    },
}
"""Environment variables by the name of a setting."""


def environment(setting: str) -> dict[str, str]:
    """Return this process's environment with a setting's variables; its compiled programs are kept apart."""
    found = {**os.environ, **{key: value for key, value in SETTINGS[setting].items() if value}}
    if setting != "native" and "RIVALRY_CACHE" in found:
        found["RIVALRY_CACHE"] = f"{found['RIVALRY_CACHE']}-{setting}"
    if setting == "native" or "XLA_FLAGS" not in SETTINGS[setting]:
        found.pop("XLA_FLAGS", None)
    return found


def quick_run(study: str, setting: str, folder: Path) -> Outcome:
    """Run a study's quick form under a setting in a process of its own."""
    command = [sys.executable, "-m", "rivalry", "run", study, "--quick", "--json", "--out", str(folder)]
    done = subprocess.run(command, env=environment(setting), capture_output=True, text=True, timeout=3600)
    lines = done.stderr.strip().splitlines()
    outcome = Outcome(
        code=done.returncode,
        error=lines[-1] if done.returncode and lines else "",
        claims={},
        verdicts={},
        values={},
    )
    if not done.stdout.strip():
        return outcome
    found = json.loads(done.stdout)
    for row in found["certificates"]:
        outcome["claims"][" ".join(str(row.get(key, "")) for key in ("study", "cell", "algorithm"))] = row[
            "claim"
        ]
    for number, row in enumerate(found["expectations"]):
        name = (
            f"{row.get('study', study)} [[expect]] {number} {row['quantity']} {row.get('at') or ''}".strip()
        )
        outcome["values"][name] = row["ours"]
        for key, word in row.items():
            if key.endswith("verdict"):
                outcome["verdicts"][f"{name} {key}"] = str(word)
    return outcome


def differences(native: Outcome, other: Outcome) -> list[str]:
    """Return one line for each thing that the two runs say differently."""
    found = []
    if native["code"] != other["code"]:
        found.append(f"exit code {native['code']}, here {other['code']}: {other['error']}")
    for part in ("claims", "verdicts"):
        ours, theirs = native[part], other[part]
        for name in sorted(ours.keys() | theirs.keys()):
            if ours.get(name) != theirs.get(name):
                found.append(f"{name}: {ours.get(name)!r}, here {theirs.get(name)!r}")
    return found
