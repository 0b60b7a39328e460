"""States of learners that only pickles can hold: signed by who wrote them, and else refused.

Whoever makes a pickle decides what runs when it is read. Checkpoints with one are signed with a key in the
user's data folder, so those of the user's own runs are continued without a question.
"""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np

from rivalry.core import files
from rivalry.schema.registry import TRUSTED, is_trusted

PICKLE = ".pickle"  # ending of the names of arrays that hold pickles


def signature(arrays: Mapping[str, np.ndarray], key: str) -> str:
    """Return the signature of the pickles among a checkpoint's arrays; empty without one."""
    pickles = [(name, array.tobytes()) for name, array in sorted(arrays.items()) if name.endswith(PICKLE)]
    if not pickles:
        return ""
    text = b"".join(name.encode() + len(data).to_bytes(8, "big") + data for name, data in pickles)
    return hmac.new(key.encode(), text, "sha256").hexdigest()


def is_own(path: Path, stored: files.Stored, key: str = "") -> bool:
    """True for a checkpoint without pickles, signed with the key of its cell, or trusted."""
    signed = signature(
        {name: array for name, (_, array) in stored.record.items()}, key or cell_key(path.stem)
    )
    if not signed or hmac.compare_digest(signed, str(stored.meta.get("signature"))):
        return True
    return TRUSTED in os.environ and is_trusted(path, stored.digest)


def foreign_checkpoints(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the checkpoints of a run folder that are not the user's own, with their digests."""
    for path in sorted((folder / "checkpoints").glob("*.npz")):
        with suppress(files.DamagedFile):
            stored = files.read(path, kind="checkpoint", name=path.stem)
            if not is_own(path, stored):
                yield path, stored.digest


def cell_key(cell: str) -> str:
    """Return the key with which states of a cell are signed; it tells nothing of the user's key."""
    return hmac.new(_key(), cell.encode(), "sha256").hexdigest()


@cache
def _key() -> bytes:
    """Return the user's key, made at first; where it cannot be stored, one of this process."""
    from platformdirs import user_data_dir

    path = Path(user_data_dir("rivalry")) / "key"
    try:
        if not path.exists():
            aside = files.folder_for(path.parent) / secrets.token_hex(8)
            files.write(aside, secrets.token_bytes(32), mode=0o600)
            with suppress(FileExistsError):  # another process was first
                os.link(aside, path)
            aside.unlink()
        return files.read_bytes(path)
    except (OSError, files.StoreError):
        return secrets.token_bytes(32)
