"""What the wheel and the source archive hold: everything that the package reads at work, and nothing else."""

import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
BUILD = (
    "import sys; from hatchling import build; build.build_wheel(sys.argv[1]); build.build_sdist(sys.argv[1])"
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source archive."""
    folder = tmp_path_factory.mktemp("dist")
    tools = [*PROJECT["build-system"]["requires"], "--target", str(folder / "tools"), "--quiet"]
    if subprocess.run([sys.executable, "-m", "pip", "install", *tools], check=False).returncode:
        pytest.skip("needs the build backend (installed by pip)")
    here = os.environ | {"PYTHONPATH": str(folder / "tools")}
    subprocess.run([sys.executable, "-c", BUILD, str(folder)], cwd=ROOT, env=here, check=True)
    return folder


def source(under: str) -> set[str]:
    """Return the files of a folder of the repository, without what Python leaves there."""
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / under).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_the_package_and_all_its_data(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        entry = next(name for name in names if name.endswith("entry_points.txt"))
        assert "rivalry = rivalry.cli:main" in archive.read(entry).decode()
    package = {name for name in names if ".dist-info/" not in name}
    assert package == {name.removeprefix("src/") for name in source("src/rivalry")}
    endings = {PurePosixPath(name).suffix for name in package}
    assert {".py", ".toml", ".txt", ".css", ".j2"} <= endings
    assert "rivalry/py.typed" in package
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_source_archive_holds_what_builds_and_tests_the_package(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    made = ("docs/_build/", "docs/jupyter_execute/")
    pages = {name for name in source("docs") if not name.startswith(made)}
    wanted = source("src/rivalry") | source("tests") | pages
    assert wanted - names == set()
    assert {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff"} <= names
