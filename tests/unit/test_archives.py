"""Archives of strangers: what `archive` wrote is extracted, and everything else is refused in one line."""

import io
import re
import struct
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from rivalry.core import archives
from rivalry.core.archives import LARGE, archive, extract, name_fault, names_fault
from rivalry.core.files import DamagedFile, StoreError

LIST = "list.txt"
FILES = {"study.json": b"{}", "cells/a.npz": bytes(range(256)) * 40, "log.txt": b"done\n"}


def listed(members: Iterable[tuple[str, bytes]]) -> bytes:
    return "".join(f"{sha256(data).hexdigest()}  {name}\n" for name, data in members).encode()


def sealed(path: Path, members: Iterable[tuple[str, bytes]], how: int = zipfile.ZIP_DEFLATED) -> Path:
    """Write an archive whose last bytes are the digest of those before."""
    body = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(body, "w", how) as packed:
        warnings.simplefilter("ignore")  # of doubled names
        for name, data in members:
            packed.writestr(name, data)
        packed.comment = bytes(64)
    return resealed(path, body.getvalue())


def resealed(path: Path, data: bytes) -> Path:
    path.write_bytes(data[:-64] + sha256(data[:-64]).hexdigest().encode())
    return path


def with_list(path: Path, members: dict[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> Path:
    return sealed(path, [(LIST, listed(members.items())), *members.items()], how)


def refusal(path: Path, most: int = archives.LARGEST) -> str:
    """Return why an archive is refused."""
    folder = path.with_suffix(".out")
    with pytest.raises(DamagedFile) as caught:
        extract(path, folder, LIST, most)
    assert "\n" not in str(caught.value)
    return caught.value.why


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    for name, data in FILES.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(data)
    digests = {name: sha256(data).hexdigest() for name, data in FILES.items()}
    path = tmp_path / "packed.zip"
    path.write_bytes(archive(home, digests, LIST))
    return path


def test_what_was_packed_is_extracted(packed: Path, tmp_path: Path) -> None:
    digests = extract(packed, tmp_path / "new", LIST)
    assert digests == {name: sha256(data).hexdigest() for name, data in FILES.items()}
    for name, data in FILES.items():
        assert (tmp_path / "new" / name).read_bytes() == data
    assert extract(with_list(tmp_path / "other.zip", FILES), tmp_path / "more", LIST) == digests
    with zipfile.ZipFile(packed) as found:
        assert found.namelist()[0] == LIST


@pytest.mark.slow
def test_no_flipped_bit_passes(packed: Path, tmp_path: Path) -> None:
    data, draws = packed.read_bytes(), np.random.default_rng(0)
    copy = tmp_path / "copy.zip"
    named = 0
    for place in range(len(data)):
        flipped = bytearray(data)
        flipped[place] ^= 1 << int(draws.integers(8))
        copy.write_bytes(flipped)
        with pytest.raises(DamagedFile) as caught:
            extract(copy, tmp_path / str(place), LIST)
        named += "is not what was packed" in caught.value.why
    assert named > 0.5 * len(data)  # bytes of a file
    copy.write_bytes(data[:-1])
    assert refusal(copy) == "no zip file that ends in a digest"


def test_what_is_no_archive_gives_one_line(tmp_path: Path) -> None:
    path = tmp_path / "any.zip"
    assert refusal(path) == "missing"
    path.write_bytes(b"any")
    assert refusal(path) == "no zip file that ends in a digest"
    path.write_bytes(b"PK\5\6" + bytes(16) + struct.pack("<H", 64) + bytes(64))
    assert refusal(path) == "no list of files; must have one of at most 16777216 bytes"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("any.txt", b"any")
    assert refusal(path) == "no zip file that ends in a digest"
    assert refusal(sealed(path, FILES.items())) == "no list of files; must have one of at most 16777216 bytes"
    assert refusal(sealed(path, [(LIST, b"any\n")])) == f"{LIST} is not what was packed"


def test_files_that_are_gone_new_or_exchanged_are_named(tmp_path: Path) -> None:
    path, known = tmp_path / "any.zip", listed(FILES.items())
    less = {name: data for name, data in FILES.items() if name != "log.txt"}
    assert refusal(sealed(path, [(LIST, known), *less.items()])) == "log.txt is missing"
    more = [(LIST, known), *FILES.items(), ("extra.txt", b"more"), ("z.txt", b"more")]
    assert refusal(sealed(path, more)) == "extra.txt is not in its list of files, and 1 more"
    other = FILES | {"log.txt": b"other"}
    assert refusal(sealed(path, [(LIST, known), *other.items()])) == "log.txt is not what was packed"
    doubled = [(LIST, known), *FILES.items(), ("log.txt", b"other")]
    assert refusal(sealed(path, doubled)) == "'log.txt' is there twice"
    twice = [(LIST, known + listed([("log.txt", b"x")])), *FILES.items()]
    assert refusal(sealed(path, twice)) == f"{LIST}: 'log.txt' is there twice"


REFUSED = {
    "../a": "'..'",
    "/a": "no name",
    "a//b": "no name",
    "a/./b": "'.'",
    "c:a": "character ':'",
    "a\\b": "character '\\\\'",
    "a\x1bb": "character '\\x1b'",
    "a\u202eb": "character '\\u202e'",
    "what?": "character '?'",
    "CON": "a device of Windows",
    "cells/nul.tar.gz": "a device of Windows",
    "com1.npz": "a device of Windows",
    "study.json.": "'study.json.' ends in '.'",
    "study.json ": "'study.json ' ends in ' '",
    "x" * 201: "more than 200 bytes",
    "/".join(["d"] * 2000): "2000 folders deep",
}


@pytest.mark.parametrize("name", REFUSED)
def test_names_that_some_system_cannot_hold_are_refused(tmp_path: Path, name: str) -> None:
    why = f"{name[:60]!r} is refused as a name: {REFUSED[name]}"
    assert names_fault([name]) == why
    assert refusal(with_list(tmp_path / "any.zip", FILES | {name: b"x"})) == why
    assert not list(tmp_path.glob("*.out"))
    home = tmp_path / "home"
    with pytest.raises(StoreError, match=re.escape(why)):
        archive(home, {name: ""}, LIST)


def test_names_that_are_one_on_some_system_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "any.zip"
    assert refusal(with_list(path, FILES | {"Study.json": b"x"})) == (
        "'Study.json' is 'study.json' on some systems"
    )
    assert names_fault(["caf\u00e9", "cafe\u0301"]) == "'cafe\u0301' is 'caf\u00e9' on some systems"
    assert names_fault(["stra\u00dfe", "STRASSE"]) == "'STRASSE' is 'stra\u00dfe' on some systems"
    assert refusal(with_list(path, FILES | {"cells": b"x"})) == "'cells' is a file and a folder"
    assert names_fault(["a/b", "A"]) == "'A' is a file and a folder"


@pytest.mark.parametrize(
    "name", ["a", "a.b/c-d_e.npz", "code/my file.py", "\u00fcber.toml", "console", "d/" * 15 + "a"]
)
def test_other_names_are_accepted(name: str) -> None:
    assert name_fault(name) == ""


def test_a_file_that_shrinks_too_much_is_refused_and_packed_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "any.zip"
    why = r"zeros: 1000000 bytes in \d+, by method 8; must be at most 100 times as many, deflated"
    assert re.fullmatch(why, refusal(with_list(path, FILES | {"zeros": bytes(10**6)})))
    home = tmp_path / "home"
    home.mkdir()
    for count in (0, 1, 50, 5_000, 10**6):
        (home / "zeros").write_bytes(bytes(count))
        digest = sha256(bytes(count)).hexdigest()
        path.write_bytes(archive(home, {"zeros": digest}, LIST))
        assert extract(path, tmp_path / str(count), LIST) == {"zeros": digest}


@pytest.mark.parametrize("how", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_ways_to_compress_are_refused(tmp_path: Path, how: int) -> None:
    """A file compressed by LZMA says itself how much memory is taken."""
    why = refusal(with_list(tmp_path / "any.zip", FILES, how))
    assert re.fullmatch(rf".*, by method {how}; must be at most 100 times as many, deflated", why)


def test_the_sum_of_sizes_is_limited(tmp_path: Path) -> None:
    path = with_list(tmp_path / "any.zip", FILES)
    total = sum(map(len, FILES.values())) + len(listed(FILES.items()))
    assert refusal(path, total - 1) == (
        f"its files have {total} bytes, must be at most {total - 1}; --large allows more"
    )
    extract(path, tmp_path / "new", LIST, total)
    data = path.read_bytes()
    # a size in the index, and of the first file in its own header, that is not the one of its bytes
    sizes = [at.start() for at in re.finditer(b"PK\1\2", data)]
    lied = bytearray(data)
    for begin in sizes:
        lied[begin + 20 : begin + 28] = struct.pack("<LL", LARGE // 150, LARGE // 2 - 1)
    why = refusal(resealed(path, bytes(lied)), LARGE)
    assert re.fullmatch(r"its files have \d+ bytes, must be at most 8589934592", why)


def test_files_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    """Of a bomb without nesting all files are the same bytes, of which each shrinks as others do."""
    noise = np.random.default_rng(0).bytes(10**5)
    data = with_list(tmp_path / "any.zip", {"a": noise, "b": noise, "c": noise}).read_bytes()
    first = data.index(b"PK\3\4", 40)
    begin = [at.start() for at in re.finditer(b"PK\3\4", data)][1]
    cut = data[: data.index(b"PK\3\4", begin + 4)]
    index = data[data.index(b"PK\1\2") : data.rindex(b"PK\5\6")]
    shared = bytearray(index)
    for at in [found.start() for found in re.finditer(b"PK\1\2", index)][1:]:
        shared[at + 42 : at + 46] = struct.pack("<L", first)
    end = bytearray(data[data.rindex(b"PK\5\6") :])
    end[16:20] = struct.pack("<L", len(cut))
    path = resealed(tmp_path / "shared.zip", cut + bytes(shared) + bytes(end))
    assert re.fullmatch(r"its files have \d+ bytes, must be at most \d+", refusal(path))


def test_an_index_of_another_length_is_refused_unread(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_INDEX", 100)
    assert re.fullmatch(r"4 files with an index of \d+ bytes; must be at most 100", refusal(packed))


MEMORY = """
import resource, sys
from pathlib import Path
from rivalry.core.archives import extract
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    extract(Path(sys.argv[1]), Path(sys.argv[1] + ".out"), "list.txt")
except ValueError as error:
    print(error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX (memory of a process)")
def test_bombs_take_no_memory(tmp_path: Path) -> None:
    """By ratio, by the sum, and just within both limits: megabytes, where the files have 100 and more."""
    ratio = with_list(tmp_path / "ratio.zip", {"zeros": bytes(2**27)})
    some = np.random.default_rng(0).integers(0, 256, 2**17, np.uint8).tobytes()
    within = {f"{k}": some + bytes(5 * 2**20) for k in range(25)}  # 40 times
    inside = with_list(tmp_path / "inside.zip", within)
    large = with_list(
        tmp_path / "sum.zip",
        within
        | {f"b{k}": data for k, data in enumerate(within.values())}
        | {f"c{k}": data for k, data in enumerate(within.values())},
    )
    lines = {}
    for path in (ratio, inside, large):
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, path], capture_output=True, text=True, check=True
        )
        *lines[path.stem], taken = done.stdout.splitlines()
        assert int(taken) < 16
    assert "must be at most 100 times" in lines["ratio"][0]
    assert lines["inside"] == []
    assert "must be at most 268435456; --large allows more" in lines["sum"][0]
