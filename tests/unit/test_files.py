"""Stored files: equal bytes for equal contents, detection of damage, atomic writes."""

import errno
import io
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from rivalry.core import files
from rivalry.core.files import DamagedFile, DiskFull, Lock, StoreError
from rivalry.core.results import SCHEMA
from tests.duel_study import record

DATA = files.pack(record(3), kind="cell", name="a1")


@pytest.mark.slow
@given(
    arrays(
        st.sampled_from([np.float64, np.int64, np.bool_, np.dtype("<U5")]),
        array_shapes(min_dims=0, max_dims=3, min_side=0),
    )
)
def test_arrays_are_stored_bit_for_bit(array: np.ndarray) -> None:
    dims = tuple(f"d{k}" for k in range(array.ndim))
    stored = files.unpack(files.pack({"x": (dims, array)}, kind="cell")).record["x"]
    assert stored[0] == dims
    assert stored[1].dtype == array.dtype
    assert stored[1].tobytes() == array.tobytes()
    assert stored[1].shape == array.shape


@pytest.mark.slow
def test_equal_contents_give_equal_bytes_in_any_order_and_process() -> None:
    turned = dict(reversed(record(3).items()))
    assert files.pack(turned, name="a1", kind="cell") == DATA
    code = (
        "import sys; from rivalry.core import files; from tests.duel_study import record;"
        "sys.stdout.buffer.write(files.pack(record(3), kind='cell', name='a1'))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=root)
    assert done.stdout == DATA


def test_numpy_reads_a_file_without_rivalry() -> None:
    with np.load(io.BytesIO(DATA), allow_pickle=False) as stored:
        np.testing.assert_array_equal(stored["profile"], record(3)["profile"][1])
    with zipfile.ZipFile(io.BytesIO(DATA)) as archive:
        assert archive.testzip() is None
        assert json.loads(archive.read("meta.json"))["schema"] == 2


def test_bytes_are_those_of_zipfile_and_numpy() -> None:
    """The package writes archives itself, since zipfile takes longer than all else for small arrays."""
    whole = np.arange(12.0).reshape(3, 4)
    made = {"text": np.asarray("hé"), "übung": np.asfortranarray(whole), "empty": np.zeros(0)}
    made |= {"part": whole[::2, ::2], "true": np.array([True]), "other": np.arange(3, dtype=">i4")}
    data = files.pack({name: (tuple("abc"[: a.ndim]), a) for name, a in made.items()}, name="a", kind="c")
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as ours, zipfile.ZipFile(buffer, "w") as archive:
        for name in ["meta.json", *(f"{name}.npy" for name in sorted(made))]:
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, 0o600 << 16
            member = io.BytesIO(ours.read(name))
            if name != "meta.json":
                member = io.BytesIO()
                np.save(member, made[name.removesuffix(".npy")])
            archive.writestr(info, member.getvalue())
        archive.comment = data[-64:]
    assert buffer.getvalue() == data


@given(st.integers(0, len(DATA) * 8 - 1))
def test_every_flipped_bit_is_detected(bit: int) -> None:
    data = bytearray(DATA)
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(DamagedFile):
        files.unpack(bytes(data))


@given(st.integers(0, len(DATA) - 1))
def test_every_truncation_is_detected(length: int) -> None:
    with pytest.raises(DamagedFile):
        files.unpack(DATA[:length])


def test_object_arrays_are_refused() -> None:
    with pytest.raises(ValueError, match=r"x: an array of object cannot be stored"):
        files.pack({"x": ((), np.asarray(None))})


@pytest.mark.parametrize("schema", [1, 99])
def test_a_file_of_another_version_is_refused_in_one_line(schema: int, tmp_path: Path) -> None:
    path = tmp_path / "study.json"
    path.write_text(f'{{"schema": {schema}}}')
    for read in (lambda: files.unpack(files.pack({}, schema=schema), path), lambda: files.read_json(path)):
        with pytest.raises(StoreError) as caught:
            read()
        assert not isinstance(caught.value, DamagedFile)
        said = f"schema {schema}; this rivalry reads {SCHEMA}, another version reads it"
        assert str(caught.value) == f"{path}: {said}"


def test_a_renamed_or_missing_file_is_reported_as_damaged(tmp_path: Path) -> None:
    (tmp_path / "b2.npz").write_bytes(DATA)
    with pytest.raises(DamagedFile, match=r"b2\.npz: damaged \(name is 'a1', not 'b2'\)"):
        files.read(tmp_path / "b2.npz", kind="cell", name="b2")
    with pytest.raises(DamagedFile, match="missing"):
        files.read(tmp_path / "c3.npz")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EFBIG, errno.EDQUOT])
def test_a_full_disk_gives_one_line(code: int, tmp_path: Path) -> None:
    with pytest.raises(DiskFull, match="no space left") as caught, files.room_for(tmp_path):
        raise OSError(code, "no")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ENOENT])
def test_a_place_that_cannot_be_written_is_told_by_its_own_name(code: int, tmp_path: Path) -> None:
    with pytest.raises(files.StoreError) as caught, files.room_for(tmp_path / "mine.html"):
        raise OSError(code, os.strerror(code), str(tmp_path / ".0123.part"))
    assert re.fullmatch(r".*/mine\.html: [a-z' -]+; choose another place", str(caught.value))
    assert os.strerror(code) not in str(caught.value)


def test_other_errors_of_the_operating_system_are_not_converted(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no"), files.room_for(tmp_path):
        raise OSError(errno.EIO, "no")


def test_a_failed_write_leaves_the_old_file_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    files.write(path, b"old", durable=True)
    monkeypatch.setattr(files.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    with pytest.raises(DiskFull):
        files.write(path, b"new", durable=True)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_damaged_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.json"
    files.write_json(path, {"schema": SCHEMA, "name": "é"})
    assert files.read_json(path)["name"] == "é"
    for text in ("{", "[]", '{"name": 1}'):
        path.write_text(text)
        with pytest.raises(DamagedFile):
            files.read_json(path)


@pytest.mark.slow
def test_a_lock_excludes_other_processes_and_ends_with_its_process(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from rivalry.core.files import Lock;"
        "lock = Lock(Path(sys.argv[1])); lock.acquire(); print('mine', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with other:
        assert other.stdout.readline() == "mine\n"
        mine = Lock(tmp_path)
        with pytest.raises(StoreError, match=f"in use by process {other.pid}"):
            mine.acquire()
        assert not mine.is_held
        other.kill()
    mine.acquire()
    assert mine.is_held
    mine.release()
    mine.release()
