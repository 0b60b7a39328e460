"""Certificates and proof files of stored cells, computed again or checked by the independent program."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from rivalry import solving
from rivalry.certificates.certify import certificate
from rivalry.core.game import Game, is_population
from rivalry.core.method import BaseLearner, BaseMethod, Learner, as_learner
from rivalry.core.results import Certificate, Record, stack_records, unstack_records
from rivalry.core.tolerances import ROUNDING, SAME_NUMBER
from rivalry.lab.checkpoints import Task
from rivalry.lab.store.cells import StoredCell
from rivalry.lab.worker import BatchPoints, played_game, points_of
from rivalry.runtime.processes import python_command, run_program
from rivalry.solving.exact_proofs import ExactProof
from rivalry.text.display import has_proofs

LONGEST = 160  # characters in the name of a proof file
NO_FILE = ": no file: "  # before the reason


def recertify(task: Task, folder: Path, record: Record, proof: bool = False) -> Record:
    """Return a recomputed certificate of a stored cell's profiles; empty for a cell without one.

    A method certifies claims that are not about a profile from more data than are stored: these are not
    recomputed. With ``proof``, their ``certificate_method`` says what they are about.
    """
    if "regret" not in record:
        return {}
    points = points_of(task, folder)
    profiles = _profiles(points, record)
    if profiles is None:
        return _without_profile(points.games[0], record) if proof else {}
    records, proofs = unstack_records(record, len(points.shape)), []
    for game, method, cell_record, profile in zip(
        points.games, points.methods, records, profiles, strict=True
    ):
        result, old_certificate = Record(), Certificate.from_record(cell_record)
        if np.isfinite(profile).all():  # else a batch index without a solution
            played = played_game(game, method, cell_record)
            new = certificate(played, profile, tolerance=task["tolerance"], proof=proof)
            if old_certificate is not None:  # only the method knows the residual of its equations
                concept = _concept(method, old_certificate.concept)
                new = new._replace(concept=concept, residual=old_certificate.residual)
                if (
                    proof
                    and new.radius is None
                    and (radius := _in_proved_list(cell_record, profile)) is not None
                ):
                    new = new._replace(radius=radius, coverage="proved", method=old_certificate.method)
            result = new.record()
        proofs.append(result)
    if not any(proofs):
        return {}
    return stack_records(proofs, points.shape) if points.shape else proofs[0]


def _profiles(points: BatchPoints, record: Record) -> np.ndarray | None:
    """Return the profiles ``[point player axis]`` of a record; None without any of players."""
    lead = len(points.shape)
    dims, stored = record.get("profile", ((), np.zeros(0)))
    if dims[lead:] != ("player", "axis") or not isinstance(points.games[0], Game):
        return None
    return stored.reshape(-1, *stored.shape[lead:])


def _concept(method: object, stored: str) -> str:
    """Solution concept of a method of this package; that of a class of its user as it was stored."""
    in_package = type(method).__module__.startswith("rivalry.")
    if not in_package or not isinstance(method, BaseMethod | BaseLearner):
        return stored
    concepts = method.concepts()
    return stored if stored in concepts else concepts[0]


def _in_proved_list(record: Record, profile: np.ndarray) -> float | None:
    """Return the distance to the equilibrium of a proved list that a profile stands for; None without."""
    if "equilibria" not in record or not has_proofs(record):
        return None
    rows = [k for k, entry in enumerate(record["equilibria"][1]) if np.array_equal(entry, profile)]
    radii = [float(record["radius"][1][k]) for k in rows]
    return radii[0] if radii and np.isfinite(radii[0]) else None


def export_proofs(
    task: Task, folder: Path, record: Record, name: str, into: Path
) -> tuple[Record, list[str]]:
    """Write a proof file per proved claim of a cell into a folder, and have each checked.

    Files have the ``name`` of the cell; one of several points has its coordinates, too. Return a record with
    ``verified_proof``, what was verified in every file, and its SHA-256, and ``proof_refusal``, why a result
    has no file; and a line per result: the file, its size and what the checker says, or why there is no file.
    """
    points = points_of(task, folder)
    lead = tuple(points.shape)
    verified, lines, refusals = [], [], []
    for k, cell_record in enumerate(unstack_records(record, len(lead)) if lead else [record]):
        words, stem = "", name
        if lead:
            index = dict(zip(lead, np.unravel_index(k, tuple(points.shape.values())), strict=True))
            at = {key: values[index[dims[0]]] for key, (dims, values) in points.coordinates.items()}
            stem = file_stem(name, at)
        in_list = "equilibria" in cell_record and (
            len(cell_record["equilibria"][1]) > 0 or bool(cell_record["complete"][1])
        )
        is_claim = "claim" in cell_record and str(cell_record["claim"][1]) == "equilibrium"
        if in_list or is_claim or ExactProof(None, None, cell_record).claim:
            save = partial(_save, points.games[k], points.methods[k], cell_record, in_list)
            words, line = saved_and_checked(save, into / f"{stem}.json")
        else:
            claim = str(cell_record["claim"][1]) if "claim" in cell_record else ""
            line = f"{stem}{NO_FILE}{claim or 'no claim'}, which is not proved"
        lines.append(line)
        verified.append(words)
        refusals.append(line.partition(NO_FILE)[2])
    lists = {"verified_proof": verified, "proof_refusal": refusals}
    shape = tuple(points.shape.values())
    return {
        name: (lead, np.array(names).reshape(shape)) for name, names in lists.items() if any(names)
    }, lines


def file_stems(places: Sequence[StoredCell]) -> dict[str, str]:
    """Names of the files of cells, by method and point; the cell's own is added where two would share one."""
    usual = {"algorithm", *(["replication"] * all(place.replication == 0 for place in places))}
    points = {place.id: {key: place.at[key] for key in place.at if key not in usual} for place in places}
    stems = {place.id: file_stem(place.method, points[place.id]) for place in places}
    counts = Counter(stems.values())
    return {id: stem if counts[stem] == 1 else f"{stem}-{id}" for id, stem in stems.items()}


def file_stem(name: str, at: Mapping[str, object]) -> str:
    """Name of the file of a method's result at a point.

    >>> file_stem("all_equilibria", {"reach": 0.17, "unit_cost[1]": 10.0, "kernel": "gaussian"})
    'all_equilibria-reach=0.17-unit_cost[1]=10-kernel=gaussian'
    """
    values = {key: f"{value:g}" if isinstance(value, float) else str(value) for key, value in at.items()}
    text = "-".join([name, *(f"{key}={value}" for key, value in values.items())])
    return re.sub(r"[^\w.=\[\]-]+", "_", text)[:LONGEST]


def saved_and_checked(save: Callable[[Path], None], file: Path) -> tuple[str, str]:
    """Write a proof file and have it checked.

    Returns what was verified with the SHA-256 of the file, else an empty text; and a line: the file, its size
    and what the checker says, or why there is no file.
    """
    try:
        save(file)
    except ValueError as error:
        return "", f"{file.stem}{NO_FILE}{error}"
    data = file.read_bytes()
    status, report = check_independently(file)
    if status != 0:
        return "", f"{file.name}: {len(data)} bytes; {report}"
    report = f"{report}; SHA-256 {sha256(data).hexdigest()}"
    return report.removeprefix("verified: "), f"{file.name}: {len(data)} bytes; {report}"


def _save(game: Any, method: Any, record: Record, in_list: bool, file: Path) -> None:
    """Write the proof of one result. Raises `ValueError` where none was made."""
    learner = as_learner(method) if isinstance(method, Learner) else None
    played = played_game(game, method, record)
    proof = solving.proof_of(played, learner.world(game) if learner else None, record)
    about_profile = record.get("profile", ((), None))[0] == ("player", "axis")
    about_profile = about_profile and not isinstance(proof, ExactProof)
    if about_profile and not in_list and not np.isfinite(record.get("certificate_radius", ((), np.nan))[1]):
        raise ValueError("no equilibrium is proved near the profile")
    proof.save(file)


def check_independently(file: Path) -> tuple[int | None, str]:
    """Return the status of `rivalry-check` for a file, None where it is not installed, and what it says."""
    spec = find_spec("rivalry_check")
    if spec is None or spec.origin is None:
        return None, "not checked: rivalry-check is not installed"
    # a process of its own, with nothing of this package in it
    home = str(Path(spec.origin).parents[1])
    process = run_program(python_command("rivalry_check", str(file)), env={**os.environ, "PYTHONPATH": home})
    return process.returncode, process.stdout.strip().removeprefix(f"{file}: ") or process.stderr.strip()[
        -200:
    ]


def certificate_changes(stored: Record, new: Record, proof: bool) -> str:
    """Return in one line what a recomputed certificate says differently; empty if nothing.

    With ``proof`` bounds are expected to change, and are left out.
    """
    changes = []
    compared = ("claim", "coverage", "concept", "rounding", "tolerance", "regret", "bound")
    for name in (*compared, "certificate_radius"):
        if name not in stored or name not in new or (proof and name in ("bound", "rounding")):
            continue
        (_, old), (_, current) = stored[name], new[name]
        if old.shape != current.shape:
            changes.append(f"{name} had the shape {old.shape}, has {current.shape}")
            continue
        text = old.dtype.kind == "U"
        # gains near 0 are differences of payoffs, which other programs round differently
        sizes = [np.abs(stored[size][1]) for size in ("payoff", "at_stake") if size in stored]
        sizes = [np.where(np.isfinite(size), size, 0.0) for size in sizes if size.shape == old.shape]
        rounded: Any = 0.0 if text else ROUNDING * sum(sizes)
        with np.errstate(invalid="ignore"):
            close = partial(np.isclose, rtol=SAME_NUMBER, atol=rounded, equal_nan=True)
            equal = old == current if text else close(old, current)
        if not np.all(equal):
            index = tuple(np.argwhere(np.atleast_1d(~equal))[0][: old.ndim])
            words = [
                repr(str(array[index])) if text else f"{float(array[index]):.6g}" for array in (old, current)
            ]
            remainder = int(np.sum(~equal)) - 1
            changes.append(
                f"{name} was {words[0]}, is {words[1]}" + f" (and {remainder} more)" * (remainder > 0)
            )
    return "; ".join(changes)


def _without_profile(game: object, record: Record) -> Record:
    """Return the methods of certificates, with why a claim that is not about a profile has no proof."""
    subject = "mixed strategies" if "mixture" in record else "policies over periods"
    subject = "a policy of a population" if is_population(game) else subject
    dims, methods = record["certificate_method"]
    coverage, claim = (record[name][1] for name in ("coverage", "claim"))

    def reason(method: str, coverage: str, claim: str) -> str:
        if claim in ("", "not an equilibrium"):
            return method
        bounds = "bounded in floating point" if coverage in ("tight", "bounded") else "estimates"
        return f"{method}; no profile to enclose: the claim is about {subject}, whose gains are {bounds}"

    reasons = [reason(*map(str, row)) for row in zip(methods.flat, coverage.flat, claim.flat, strict=True)]
    return {"certificate_method": (dims, np.array(reasons).reshape(methods.shape))}
