"""The cache of compiled kernels."""

import errno
import os
import pickle
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from numba.core import caching

import rivalry.tables.kernels
from rivalry.tables.kernels.cache import njit

TELL = "import rivalry.tables.kernels.shapes; import os; print(os.environ['NUMBA_CACHE_DIR'])"


def folder(code: str = TELL, **environment: str) -> Path:
    kept = {
        name: value for name, value in os.environ.items() if name not in ("NUMBA_CACHE_DIR", "RIVALRY_CACHE")
    }
    told = subprocess.run(
        [sys.executable, "-c", code], env=kept | environment, capture_output=True, text=True, check=True
    )
    return Path(told.stdout.strip())


@pytest.mark.slow
def test_the_cache_folder_is_named_by_the_key_of_the_kernels(tmp_path: Path) -> None:
    name = f"kernels-{rivalry.tables.kernels._key()}"
    assert folder().name == name
    assert folder(RIVALRY_CACHE=str(tmp_path)) == tmp_path / name
    assert folder(NUMBA_CACHE_DIR=str(tmp_path)) == tmp_path / name
    assert folder(NUMBA_CACHE_DIR=str(tmp_path / name)) == tmp_path / name  # as in a worker process


@pytest.mark.slow
def test_the_cache_folder_is_set_also_if_numba_was_imported_before(tmp_path: Path) -> None:
    code = "import numba; import rivalry.tables.kernels.shapes; print(numba.config.CACHE_DIR)"
    assert folder(code, NUMBA_CACHE_DIR=str(tmp_path)).parent == tmp_path


@pytest.mark.slow
def test_kernels_run_without_a_writable_cache(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    code = (
        "import numpy as np; from rivalry.tables.kernels import draws; "
        "print(draws.uniform(draws.stream(np.random.SeedSequence(1))))"
    )
    assert 0 <= float(str(folder(code, NUMBA_CACHE_DIR=str(blocked)))) < 1


def stored(folder: Path) -> caching.IndexDataCacheFile:
    """Cache files of a function with two signatures; plain data instead of machine code."""
    found = caching.IndexDataCacheFile(str(folder), "loop-1.py311", ("stamp", 1))
    for key in ("a", "b"):
        found.save(key, {"code": key * 100})
    return found


def test_cached_data_is_loaded_also_by_plain_numba(tmp_path: Path) -> None:
    assert stored(tmp_path).load("b") == {"code": "b" * 100}
    assert len(list(tmp_path.iterdir())) == 3
    (plain,) = caching.IndexDataCacheFile.__bases__
    assert plain(str(tmp_path), "loop-1.py311", ("stamp", 1)).load("b") == {"code": "b" * 100}


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "folder", "plain"])
def test_a_damaged_file_counts_as_absent_and_is_rewritten(tmp_path: Path, damage: str) -> None:
    cache = stored(tmp_path)
    for name, keys in (("nbi", "ab"), ("1.nbc", "a"), ("2.nbc", "b")):
        path = tmp_path / f"loop-1.py311.{name}"
        data = bytearray(path.read_bytes())
        data[len(data) // 3] ^= 4
        path.unlink()
        if damage == "folder":
            path.mkdir()
        else:
            damaged = {"flip": data, "cut": data[:-5], "empty": b"", "plain": pickle.dumps("other")}
            path.write_bytes(damaged[damage])
        assert [key for key in "ab" if cache.load(key) is None] == list(keys)
        if damage == "folder":
            cache.save(keys[0], {"code": "anew"})  # cannot be written, without an error
            path.rmdir()
        for key in "ab":
            cache.save(key, {"code": key * 100})
            assert cache.load(key) == {"code": key * 100}


def test_full_disks_store_nothing_and_raise_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = stored(tmp_path)

    def full(*arguments: object, **options: object) -> object:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("builtins.open", full)
        cache.save("c", {"code": "c"})
    assert cache.load("c") is None
    assert cache.load("a") == {"code": "a" * 100}


def test_without_any_cache_folder_functions_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])

    def twice(x: float) -> float:
        return 2 * x

    assert njit(cache=True)(twice).py_func is twice


@pytest.mark.slow
def test_another_installation_reads_the_kernels_that_are_compiled(tmp_path: Path) -> None:
    code = (
        "import numpy as np, sys; sys.path.insert(0, r'{}'); from rivalry.tables.kernels.draws import *\n"
        "uniform(stream(np.random.SeedSequence(1))); print(sum(uniform.stats.cache_hits.values()))"
    )
    source = Path(rivalry.__file__).parent
    hits = []
    for name in ("first", "second"):
        shutil.copytree(source, tmp_path / name / "rivalry", ignore=shutil.ignore_patterns("__pycache__"))
        hits.append(str(folder(code.format(tmp_path / name), NUMBA_CACHE_DIR=str(tmp_path / "kernels"))))
    assert hits == ["0", "1"]


@pytest.mark.nightly
def test_damaged_caches_do_not_change_results(tmp_path: Path) -> None:
    code = (
        "import numpy as np; from rivalry.tables.kernels import draws; "
        "print(draws.uniform(draws.stream(np.random.SeedSequence(1))))"
    )
    whole = folder(code, NUMBA_CACHE_DIR=str(tmp_path / "kept"))
    chance = random.Random(1)
    for k in range(30):
        shutil.copytree(tmp_path / "kept", tmp_path / str(k))
        path = chance.choice(sorted((tmp_path / str(k)).rglob("*.nb[ic]")))
        data = bytearray(path.read_bytes())
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data[: chance.randrange(len(data))] if k % 2 else data)
        assert folder(code, NUMBA_CACHE_DIR=str(tmp_path / str(k))) == whole
