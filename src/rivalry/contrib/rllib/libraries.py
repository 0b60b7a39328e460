"""Ray and PyTorch: whether they are there, and a quiet start of the one on this machine."""

from __future__ import annotations

import logging
import os
import warnings
from importlib.util import find_spec
from typing import Any

NEEDED = ("ray", "torch", "gymnasium", "pettingzoo")
REMEDY = "pip install 'rivalry[deep]'"


def refusal() -> str:
    """What is not installed that deep learners need, or an empty text."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    return f"needs {', '.join(missing)}; {REMEDY}" if missing else ""


def checked(kind: str) -> None:
    """Raises `ValueError` where something is missing."""
    if lack := refusal():
        raise ValueError(f"{kind}: {lack}")


def started() -> Any:
    """Ray, on this machine alone and saying little, or as it is where this process has joined one already."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_DEDUP_LOGS", "0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what Ray itself is going to change
        import ray
        import torch

        torch.set_num_threads(1)
        for name in ("ray", "ray.rllib", "ray.tune"):
            logging.getLogger(name).setLevel(logging.ERROR)
        if not ray.is_initialized():
            ray.init(
                "local",  # else it would join any that runs on this machine
                num_cpus=1,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
    return ray
