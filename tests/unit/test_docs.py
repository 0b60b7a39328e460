"""The pages of docs/: complete reference, stored outputs, pictures, nothing loaded from other hosts."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.registry import load
from rivalry.core.results import CLAIMS
from rivalry.lab.study import parameters
from rivalry.methods import METHODS

DOCS = Path(__file__).parents[2] / "docs"
STUDIES = Path(rv.__file__).parent / "studies"
SUBPACKAGES = ("games", "methods", "plots", "tables", "transforms", "envs", "interop")


@pytest.fixture(scope="module")
def helper() -> Any:
    """Import a script of docs/ by its name."""
    sys.path.insert(0, str(DOCS))
    yield import_module
    sys.path.remove(str(DOCS))


# -- the reference -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reference(helper: Any) -> dict[str, str]:
    """All pages of the reference as Sphinx reads them."""
    expand = helper("reference_pages").expand
    return {path.stem: expand(path.read_text(encoding="utf-8")) for path in (DOCS / "reference").glob("*.md")}


def entries(text: str) -> list[str]:
    return re.findall(r"^\.\. auto\w+:: ([\w.]+::[\w.]+)(?:\(.*\))?$", text, re.M)


def test_every_name_has_one_entry(reference: dict[str, str]) -> None:
    counted = Counter(name for text in reference.values() for name in entries(text))
    assert not [name for name, count in counted.items() if count > 1]


@pytest.mark.parametrize("subpackage", SUBPACKAGES)
def test_a_subpackage_is_documented_on_its_own_page(subpackage: str, reference: dict[str, str]) -> None:
    package, text = getattr(rv, subpackage), reference[subpackage]
    listed = getattr(package, "__all__", None) or [name for name in dir(package) if not name.startswith("_")]
    documented = {name.rpartition(":")[2] for name in entries(text) if f".{subpackage}::" in name}
    for name in listed:
        value = getattr(package, name)
        if subpackage == "methods" and name in rv.methods.METHODS:
            assert text.count(f"\n### `{name}`\n") == 1  # a kind, above its classes
        elif callable(value):
            assert name in documented, name
        elif not inspect.ismodule(value) and name != "missing":  # of envs: what its error names
            assert f"`rv.{subpackage}.{name}`" in text, name
    assert documented <= set(listed)


def test_every_oracle_is_documented(reference: dict[str, str]) -> None:
    found = {name.rpartition(":")[2] for name in entries(reference["oracles"])}
    assert {name for name, value in vars(rv.oracles).items() if isinstance(value, rv.oracles.Oracle)} <= found


def test_every_public_name_is_on_the_page_of_the_package(reference: dict[str, str]) -> None:
    text = reference["rivalry"]
    documented = {name.rpartition(":")[2] for name in entries(text)}
    interop = {name.rpartition(":")[2] for name in entries(reference["interop"])}
    for name in rv.__all__:
        elsewhere = inspect.ismodule(getattr(rv, name)) or name in interop or name == "__version__"
        assert (name in documented) != elsewhere, name
        assert not elsewhere or f"`rv.{name}`" in text, name


def test_every_key_of_a_family_is_in_its_table(reference: dict[str, str]) -> None:
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", reference["games"], re.M | re.S))
    assert set(sections) == set(rv.games.GAMES)
    for family, text in sections.items():
        rows = [row.split(" | ") for row in text.splitlines() if row.startswith("| ")]
        keys = {key for row in rows for key in re.findall(r"`([\w.]+)`", row[1])}
        parts = {key.partition(".")[0] for key in keys}  # tables of keys, in races
        assert {row.name for row in parameters(getattr(rv.games, family))} <= keys | parts, family


def test_options_that_no_study_sets_are_explained() -> None:
    studies = "".join(path.read_text(encoding="utf-8") for path in STUDIES.glob("*.toml"))
    page = (DOCS / "howto" / "choosing_a_method.md").read_text(encoding="utf-8")
    for kind, entry in METHODS.items():
        for target in entry.targets if not kind.startswith("rllib.") else ():
            for option in (row.name for row in parameters(load(target)) if "." not in row.name):
                given = re.search(rf"\b{option}\b", studies) is not None
                assert given or re.search(rf"`{option}\b", page), f"{target}: {option}"


def test_keys_that_no_study_sets_are_explained() -> None:
    page = (DOCS / "reference" / "games.md").read_text(encoding="utf-8")
    rows = [row.split(" | ") for row in page.partition("## Keys that are rarely needed")[2].splitlines()]
    texts = [path.read_text(encoding="utf-8") for path in STUDIES.glob("*.toml")]
    for family in rv.games.GAMES:
        own = "".join(text for text in texts if re.search(rf'^family = "{family}"', text, re.M))
        explained = {key for row in rows if row[0] == f"| {family}" for key in re.findall(r"`(\w+)`", row[2])}
        names = {row.name.rpartition(".")[2] for row in parameters(getattr(rv.games, family))}
        unset = {name for name in names if not re.search(rf"\b{name}\b", own)}
        assert unset <= explained, (family, unset - explained)
        assert explained <= names, (family, explained - names)


def test_every_claim_is_defined_by_one_sentence(reference: dict[str, str]) -> None:
    rows = dict(
        re.findall(r"^\| ([a-z ]+) \| ([A-Z].*\.) \|$", reference["terms"].partition("## Claims")[2], re.M)
    )
    assert set(rows) == set(CLAIMS)
    assert all(words.count(". ") == 0 for words in rows.values())


# -- outputs of code cells -----------------------------------------------------------------------------


def test_stored_outputs_are_those_of_the_cells(helper: Any) -> None:
    execute = helper("execute")
    assert not (stale := execute.stale()), (
        f"outputs of {', '.join(stale)} are stale: run python docs/execute.py"
    )
    pages = {path.relative_to(DOCS / "outputs").with_suffix("").as_posix() for path in stored()}
    assert pages == set(execute.pages())


def stored() -> list[Path]:
    return sorted((DOCS / "outputs").rglob("*.json"))


def test_stored_outputs_are_small_and_name_no_machine() -> None:
    assert sum(path.stat().st_size for path in stored()) < 5e6
    for path in stored():
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for output in cell:
                data = output.get("data", {"text": output.get("text", "")})
                text = "".join(words for kind, words in data.items() if kind != "image/png")
                assert not re.search(r"/tmp|/home|/root|/work|site-packages|ipykernel|0x[0-9a-f]{6}", text), (
                    path
                )
                assert rv.__version__ not in re.findall(r"\b\d+\.\d+\.\d+\b", text), path


def test_a_changed_cell_or_file_makes_outputs_stale(helper: Any) -> None:
    key = helper("execute").key
    page = "# Page\n\n```{code-cell}\n1 + 1\n```\n"
    assert key(page) == key(page.replace("# Page", "# Another title"))
    assert key(page) != key(page.replace("1 + 1", "1 + 2"))
    assert key(page) != key(page.replace("{code-cell}", "{code-cell}\n:tags: [raises-exception]"))
    reads = page.replace("1 + 1", 'open(os.environ["RIVALRY_DOCS"] + "/karma_summary.json")')
    assert key(reads) != key(reads.replace("karma_summary", "no_such_file"))


# -- the gallery ---------------------------------------------------------------------------------------


def test_the_gallery_shows_every_kind_of_plot(helper: Any) -> None:
    gallery = helper("gallery")
    text = gallery.PAGE.read_text(encoding="utf-8")
    kinds = re.findall(r"^### `(\w+)`\n\n(.*)\.\n", text, re.M)
    assert sorted(kind for kind, _ in kinds) == list(rv.plots.PLOTS) == sorted(gallery.examples())
    for kind, words in kinds:
        assert words.lower() == rv.plots.PLOTS[kind].title.lower()
        assert f"rv.plots.{kind}(" in gallery.examples()[kind].code
    sizes = {path.stem: path.stat().st_size for path in gallery.PICTURES.iterdir()}
    assert sorted(sizes) == list(rv.plots.PLOTS)
    assert max(sizes.values()) <= gallery.LARGEST
    assert sum(sizes.values()) < 1.5e6


def test_the_gallery_begins_with_a_thumbnail_of_every_kind_by_purpose(helper: Any) -> None:
    gallery = helper("gallery")
    assert sorted(" ".join(gallery.PURPOSES.values()).split()) == list(rv.plots.PLOTS)
    found = gallery.GRID.findall(gallery.PAGE.read_text(encoding="utf-8"))
    assert found == [gallery.grid()], "run python docs/gallery.py grid"


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore")  # reduced runs may stop early, and say so
def test_the_gallery_is_drawn_by_the_lines_on_its_page(
    helper: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    gallery = helper("gallery")
    monkeypatch.chdir(tmp_path)
    for kind, example in gallery.examples().items():
        Path("new.png").write_bytes(gallery.draw(example))
        new, old = (Image.open(path) for path in ("new.png", gallery.PICTURES / f"{kind}.png"))
        pixels = [np.asarray(one.convert("L").resize((230, 170)), float) for one in (new, old)]
        # the mean grey level: equal pictures differ by nothing, other fonts by a few levels
        assert np.abs(pixels[0] - pixels[1]).mean() < 10, kind


# -- built pages ---------------------------------------------------------------------------------------


def test_requests_to_other_hosts_are_found(helper: Any, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(
        '<a href="https://a.example">x</a><script src="https://b.example/x.js"></script>'
        '<link rel="stylesheet" href="//c.example/x.css"><img src="local.png"><link rel="canonical" href="https://d">'
    )
    (tmp_path / "style.css").write_text("@font-face { src: url(https://e.example/font.woff2) }")
    found = helper("offline").requests(tmp_path)
    assert found == [
        "page.html: https://b.example/x.js",
        "page.html: //c.example/x.css",
        "style.css: url(http",
    ]


@pytest.mark.slow
def test_built_pages_load_nothing_from_other_hosts(helper: Any, tmp_path: Path) -> None:
    for name in ("sphinx", "furo", "myst_nb", "math_core"):
        pytest.importorskip(name)
    # offline.py ends a build with an error where a page would load anything
    build = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", str(DOCS)]
    done = subprocess.run([*build, str(tmp_path / "html")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pages = list((tmp_path / "html").rglob("*.html"))
    assert len(pages) > 50
    assert not helper("offline").requests(tmp_path / "html")
    assert sum(path.read_text(encoding="utf-8").count("<math") for path in pages) > 500


def test_pictures_of_reproduced_results_are_of_the_runs_that_are_stored(helper: Any) -> None:
    pages = helper("reproduced")
    assert pages.pictures()
    assert {path.stem for path in pages.PICTURES.glob("*.png")} == set(pages.pictures())
    # one that is missing here is drawn again by docs/reproduced.py
    assert all(pages.picture(study) for study in pages.pictures())
    assert not pages.picture("no_such_study")
    text = pages.page() + pages.thesis()
    assert set(re.findall(r"^:::\{figure\} reproduced/(\w+)\.png$", text, re.M)) == set(pages.pictures())
