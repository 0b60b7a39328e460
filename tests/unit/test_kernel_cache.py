"""Where compiled loops are kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import rivalry.kernels

TELL = "import rivalry.kernels.shapes; import os; print(os.environ['NUMBA_CACHE_DIR'])"


def folder(code: str = TELL, **environment: str) -> Path:
    kept = {
        name: value for name, value in os.environ.items() if name not in ("NUMBA_CACHE_DIR", "RIVALRY_CACHE")
    }
    told = subprocess.run(
        [sys.executable, "-c", code], env=kept | environment, capture_output=True, text=True, check=True
    )
    return Path(told.stdout.strip())


def test_the_folder_is_keyed_by_what_kernels_are_made_of(tmp_path: Path) -> None:
    name = f"kernels-{rivalry.kernels._key()}"
    assert folder().name == name
    assert folder(RIVALRY_CACHE=str(tmp_path)) == tmp_path / name
    assert folder(NUMBA_CACHE_DIR=str(tmp_path)) == tmp_path / name
    assert folder(NUMBA_CACHE_DIR=str(tmp_path / name)) == tmp_path / name  # as a worker finds it


def test_numba_that_was_there_before_is_told(tmp_path: Path) -> None:
    code = "import numba; import rivalry.kernels.shapes; print(numba.config.CACHE_DIR)"
    assert folder(code, NUMBA_CACHE_DIR=str(tmp_path)).parent == tmp_path


def test_where_nothing_may_be_written_kernels_run_all_the_same(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    code = (
        "import numpy as np; from rivalry.kernels import draws; "
        "print(draws.uniform(draws.stream(np.random.SeedSequence(1))))"
    )
    assert 0 <= float(str(folder(code, NUMBA_CACHE_DIR=str(blocked)))) < 1
