"""Ray and PyTorch: whether they are installed, and the start of Ray on this machine."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import warnings
from contextlib import suppress
from importlib.util import find_spec
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

from rivalry.schema.installation import remedy

NEEDED = ("ray", "torch", "gymnasium", "pettingzoo")
PREFIX = "rivalry-rllib-"  # of the folders that Ray has while it runs
STORE = 128 * 2**20  # bytes for what travels between processes


def refusal() -> str:
    """Message on libraries of deep learners that are not installed, or an empty text."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    return f"needs {', '.join(missing)}; {remedy('deep')}" if missing else ""


def require(kind: str) -> None:
    """Raise `ValueError` where a library is missing."""
    if lack := refusal():
        raise ValueError(f"{kind}: {lack}")


def start_ray() -> Any:
    """Return Ray, started on this machine alone without output unless this process runs one already."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_DEDUP_LOGS", "0")
    with warnings.catch_warnings(action="ignore"):  # Ray announces its own future changes
        import ray

        for name in ("ray", "ray.rllib", "ray.tune"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # errors are raised as well
        if not ray.is_initialized():
            place = "/tmp" if os.name == "posix" else tempfile.gettempdir()  # short: Ray puts sockets there
            _sweep(Path(place))
            folder = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=place)
            Finalize(None, _end, args=(os.getpid(), folder), exitpriority=0)  # also runs in spawned processes
            ray.init(
                "local",  # otherwise it would join any Ray that runs on this machine
                num_cpus=0,  # no workers are started in advance; runners ask for no processor
                object_store_memory=STORE,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                _temp_dir=folder,
            )
    return ray


def _sweep(place: Path) -> None:
    """Remove folders of processes that were killed."""
    for folder in place.glob(f"{PREFIX}*-*"):
        number = folder.name.removeprefix(PREFIX).split("-")[0]
        if number.isdigit() and os.name == "posix" and not _is_running(int(number)):
            shutil.rmtree(folder, ignore_errors=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it belongs to another user, so it exists
        return True
    return True


def _end(process: int, folder: str) -> None:
    """Stop Ray with the process that started it, and remove its folder."""
    if os.getpid() != process:
        return
    import ray

    with suppress(Exception):
        ray.shutdown()
    shutil.rmtree(folder, ignore_errors=True)
