"""Compiled loops on tables, cached between runs.

Numba keys a cached function by the contents of the file that defines it, although functions of other files
are compiled into it. The cache folder is therefore keyed by the contents of all files of compiled loops: a
new version of the package never runs loops of an old one.
"""

import os
import sys
from hashlib import sha256
from pathlib import Path


def _key() -> str:
    package = Path(__file__).parents[2]
    core = (package / "core" / name for name in ("array_games.py", "tolerances.py"))
    files = [*core, *sorted(package.glob("*/kernels/*.py"))]
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def _keep() -> None:
    """Set Numba's cache folder; Numba falls back to its own folders where it may not write."""
    from platformdirs import user_cache_dir

    name = f"kernels-{_key()}"
    folder = os.environ.get("NUMBA_CACHE_DIR") or os.environ.get("RIVALRY_CACHE") or user_cache_dir("rivalry")
    if Path(folder).name != name:  # a worker inherits the folder
        os.environ["NUMBA_CACHE_DIR"] = str(Path(folder) / name)
        if "numba" in sys.modules:
            sys.modules["numba"].config.CACHE_DIR = os.environ["NUMBA_CACHE_DIR"]


_keep()
