"""The pages of docs/: complete reference, stored outputs, pictures, nothing loaded from other hosts."""

import inspect
import json
import re
import subprocess
import sys
from collections import Counter, defaultdict
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.results import CLAIMS
from rivalry.lab.study import parameters
from rivalry.methods import METHODS
from rivalry.schema.registry import load
from tests.unit.test_house import LAYERS, differences

pytestmark = pytest.mark.slow

DOCS = Path(__file__).parents[2] / "docs"
STUDIES = Path(rv.__file__).parent / "studies"
SUBPACKAGES = (
    *("games", "influencers", "races", "markets", "karma", "trees", "methods", "plots", "tables"),
    *("transforms", "envs", "interop"),
)


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


def names_of(text: str) -> set[str]:
    """Last parts of the names that have an entry."""
    return {name.rpartition(":")[2] for name in entries(text)}


def test_every_name_has_one_entry(reference: dict[str, str]) -> None:
    homes = Counter((name, page) for page, text in reference.items() for name in entries(text))
    counted = Counter(name for name, _ in homes.elements())
    lines = [
        f"docs/reference/{page}.md: {count} of {counted[name]} entries of {name}: keep one"
        for (name, page), count in homes.items()
        if counted[name] > 1
    ]
    assert not lines, "\n".join(lines)


@pytest.mark.parametrize("subpackage", SUBPACKAGES)
def test_a_subpackage_is_documented_on_its_own_page(subpackage: str, reference: dict[str, str]) -> None:
    package, text, page = getattr(rv, subpackage), reference[subpackage], f"docs/reference/{subpackage}.md"
    listed = getattr(package, "__all__", None) or [name for name in dir(package) if not name.startswith("_")]
    documented = {name.rpartition(":")[2] for name in entries(text) if f".{subpackage}::" in name}
    lines = differences(listed, documented, "", page + ": {} is no public name: remove its entry")
    for name in listed:
        value = getattr(package, name)
        if subpackage == "methods" and name in rv.methods.METHODS:
            right = text.count(f"\n### `{name}`\n") == 1  # a kind, above its classes
            remedy = f"kind {name}: one line `% methods` of its subpackage is needed"
        elif callable(value):
            right, remedy = name in documented, f"no entry of {name}: add it to a line `% entries`"
        else:
            right = inspect.ismodule(value) or name == "missing"  # of envs: what its error names
            right = right or f"`rv.{subpackage}.{name}`" in text
            remedy = f"explain `rv.{subpackage}.{name}`"
        lines += [] if right else [f"{page}: {remedy}"]
    assert not lines, "\n".join(lines)


def test_every_oracle_is_documented(reference: dict[str, str]) -> None:
    oracles = {name for name, value in vars(rv.oracles).items() if isinstance(value, rv.oracles.Oracle)}
    absent = "docs/reference/oracles.md: no entry of {}: add it to a line `% entries`"
    lines = differences(oracles, names_of(reference["oracles"]), absent)
    assert not lines, "\n".join(lines)


def test_every_public_name_is_on_the_page_of_the_package(reference: dict[str, str]) -> None:
    page, text = "docs/reference/rivalry.md", reference["rivalry"]
    documented, interop = names_of(text), names_of(reference["interop"])
    lines = []
    for name in rv.__all__:
        elsewhere = inspect.ismodule(getattr(rv, name)) or name in interop or name == "__version__"
        if elsewhere and name in documented:
            lines.append(f"{page}: {name} has its entry on another page: remove this one")
        if not elsewhere and name not in documented:
            lines.append(f"{page}: no entry of {name}: add it to a line `% entries`")
        if elsewhere and f"`rv.{name}`" not in text:
            lines.append(f"{page}: explain `rv.{name}` in a sentence with a link to its page")
    assert not lines, "\n".join(lines)


def test_every_family_has_a_page_with_a_table_of_its_keys(helper: Any) -> None:
    pages, lines = helper("reference_pages"), []
    absent = 'docs/textbook/{0}.md: write this page, with a line "% keys {0}" for the table of its keys'
    for family in rv.games.GAMES:
        if (page := pages.page_of(family)) is None:
            lines.append(absent.format(family))
            continue
        names = {row.name for row in parameters(getattr(rv.games, family))}
        written = {key for rows in pages.tables_of_keys(page) for key in pages.keys_in(rows)}
        place = f"docs/textbook/{page.name}, table of keys: "
        lines += differences(names, written, "", place + "remove `{}`, no key of " + family)
    assert not lines, "\n".join(lines)


def test_options_that_no_study_sets_are_explained() -> None:
    section = "Options that are rarely needed"
    studies = "".join(path.read_text(encoding="utf-8") for path in STUDIES.glob("*.toml"))
    page = (DOCS / "howto" / "choosing_a_method.md").read_text(encoding="utf-8")
    place = f'docs/howto/choosing_a_method.md, section "{section}": explain '
    lines = [
        f"{place}`{option}` of {kind} in a row there, or set it in a study"
        for kind, entry in METHODS.items()
        for target in (entry.targets if not kind.startswith("rllib.") else ())
        for option in (row.name for row in parameters(load(target)) if "." not in row.name)
        if not re.search(rf"\b{option}\b", studies) and not re.search(rf"`{option}\b", page)
    ]
    assert not lines, "\n".join(lines)


def test_every_method_has_a_row_that_says_what_its_first_table_is() -> None:
    page = (DOCS / "howto" / "choosing_a_method.md").read_text(encoding="utf-8").partition("\n## Which ")[0]
    rows = [line.split(" | ") for line in re.findall(r"^\| (?!Question \|).*", page, re.M)]
    kinds = " ".join(row[1] for row in rows)
    assert all(len(row) == 3 and len(row[2].strip(" |")) > 10 for row in rows)
    for kind, entry in METHODS.items():
        assert f"`{kind}`" in kinds, f"docs/howto/choosing_a_method.md: add a row for `{kind}`"
        assert entry.result, f"{kind}: name in `result` the variables that it is for"


def test_keys_that_no_study_sets_are_explained(helper: Any) -> None:
    section, pages = "Keys that are rarely needed", helper("reference_pages")
    text = (DOCS / "reference" / "games.md").read_text(encoding="utf-8").partition(f"## {section}")[2]
    rows = [row.split(" | ") for row in text.splitlines()]
    texts = [path.read_text(encoding="utf-8") for path in STUDIES.glob("*.toml")]
    lines, place = [], f'docs/reference/games.md, section "{section}"'
    for family, entry in rv.games.GAMES.items():
        studies = "".join(text for text in texts if re.search(rf'^family = "{family}"', text, re.M))
        studies += json.dumps(entry.first)  # the first study, which `rivalry new` writes
        listed = {key for row in rows if row[0] == f"| {family}" for key in re.findall(r"`(\w+)`", row[2])}
        page, prose = pages.page_of(family), ""
        if page is not None:
            prose = "".join(line for line in page.read_text(encoding="utf-8").splitlines() if line[:1] != "|")
        names = {row.name.rpartition(".")[2] for row in parameters(getattr(rv.games, family))}
        unset = {name for name in names if not re.search(rf"\b{name}\b", studies)}
        remedy = f"{place}: explain `{{}}` of {family} in a row there, or in the text of docs/textbook/"
        remedy += f"{page.name if page else family + '.md'}, or set it in a study"
        lines += differences(unset, listed | set(re.findall(r"`(\w+)`", prose)), remedy)
        lines += differences(names, listed, "", place + ": remove `{}`, no key of " + family)
    assert not lines, "\n".join(lines)


def test_every_claim_is_defined_by_one_sentence(reference: dict[str, str]) -> None:
    rows = dict(
        re.findall(r"^\| ([a-z ]+) \| ([A-Z].*\.) \|$", reference["terms"].partition("## Claims")[2], re.M)
    )
    place = 'docs/reference/terms.md, section "Claims"'
    absent, extra = place + ': define "{}" by a sentence in a row', place + ': remove "{}", which is no claim'
    lines = differences(CLAIMS, rows, absent, extra)
    lines += [f'{place}: shorten "{claim}" to one sentence' for claim, words in rows.items() if ". " in words]
    assert not lines, "\n".join(lines)


# -- Markdown that renders as something else -----------------------------------------------------------


def test_definitions_have_a_term_rows_of_tables_end_and_sentences_are_no_comments() -> None:
    lines = []
    for path in sorted(DOCS.rglob("*.md")):
        text = re.sub(r"(?ms)^```.*?^```$", lambda code: "\n" * code[0].count("\n"), path.read_text("utf-8"))
        rows = text.split("\n")
        for number, (before, row) in enumerate(zip(["", *rows[:-1]], rows, strict=True), 1):
            place = f"docs/{path.relative_to(DOCS)}, line {number}: "
            if row.startswith(": ") and not before.strip():
                lines.append(place + "write the term above its definition")
            if row.startswith("|") and not row.rstrip().endswith("|"):
                lines.append(place + "end the row of the table")
            if row.startswith("% ") and re.search(r"\w", before) and not before.startswith("%"):
                lines.append(place + "move % to the line before: this line is a comment of MyST")
    assert not lines, "\n".join(lines)


# -- outputs of code cells -----------------------------------------------------------------------------


def test_stored_outputs_are_those_of_the_cells(helper: Any) -> None:
    execute = helper("execute")
    pages = {path.relative_to(DOCS / "outputs").with_suffix("").as_posix() for path in stored()}
    extra = "docs/outputs/{}.json: remove it, as no page has its cells"
    lines = differences(execute.pages(), pages, "", extra)
    lines += [f"docs/{page}.md: stale outputs: run python docs/execute.py {page}" for page in execute.stale()]
    assert not lines, "\n".join(lines)


def stored() -> list[Path]:
    return sorted((DOCS / "outputs").rglob("*.json"))


def test_stored_outputs_are_small_and_name_no_machine() -> None:
    size = sum(path.stat().st_size for path in stored())
    assert size < 5e6, f"docs/outputs: {size} bytes, at most 5e6: draw less in the pages that you changed"
    machine = r"/tmp|/home|/root|/work|site-packages|ipykernel|0x[0-9a-f]{6}"
    lines = []
    for path in stored():
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for output in cell:
                data = output.get("data", {"text": output.get("text", "")})
                text = "".join(words for kind, words in data.items() if kind != "image/png")
                places = [line for line in text.splitlines() if re.search(machine, line)]
                places += {rv.__version__} & set(re.findall(r"\b\d+\.\d+\.\d+\b", text))
                file = path.relative_to(DOCS.parent)
                lines += [f"{file}: keep {line!r} out of what the page prints" for line in places]
    assert not lines, "\n".join(lines)


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
    gallery, page, folder = helper("gallery"), "docs/howto/gallery.md", "docs/howto/gallery"
    text = gallery.PAGE.read_text(encoding="utf-8")
    kinds = re.findall(r"^### `(\w+)`$", text, re.M)
    examples, plots = gallery.examples(), set(rv.plots.PLOTS)
    sizes = {path.stem: path.stat().st_size for path in gallery.PICTURES.iterdir()}
    draw = folder + "/{0}.png: run python docs/gallery.py {0}"
    lines = differences(plots, sizes, draw, folder + "/{}.png: no plot has this name: remove it")
    absent, extra = page + ": add a section ### `{}`", page + ": remove a section ### `{}`"
    for names in (kinds, list(examples)):
        lines += differences(plots, names, absent, extra)
        lines += [
            extra.format(kind) for kind in (Counter(names) - Counter(plots)).elements() if kind in plots
        ]
    for kind in kinds if not lines else ():
        if f"rv.plots.{kind}(" not in examples[kind].code:
            lines.append(f"{page}, section `{kind}`: call rv.plots.{kind} in its lines of Python")
    completed = gallery.complete(text)
    for kind in kinds if not lines else ():
        title, picture = rv.plots.PLOTS[kind].title, f"![](gallery/{kind}.png)"
        if f"### `{kind}`\n\n{title[0].upper()}{title[1:]}.\n\n{picture}\n\n```python" not in completed:
            lines.append(f"{page}, section `{kind}`: begin with its lines of Python")
    lines += [draw.format(kind) for kind, size in sizes.items() if size > gallery.LARGEST]
    assert not lines, "\n".join(lines)
    assert sum(sizes.values()) < 1.5e6, f"{folder}: {sum(sizes.values())} bytes, at most 1.5e6: draw less"


def test_the_gallery_begins_with_a_thumbnail_of_every_kind_by_purpose(helper: Any) -> None:
    gallery = helper("gallery")
    kinds = [kind for row in gallery.purposes().values() for kind in row]
    remedy = "docs/howto/gallery.md: put section `{}` below the heading, ##, of what it is for"
    lines = differences(gallery.examples(), kinds, remedy)
    assert not lines, "\n".join(lines)
    page = helper("reference_pages").expand(gallery.PAGE.read_text(encoding="utf-8"))
    thumbnails = re.findall(r"^\[!\[\]\(gallery/(\w+)\.png\)\]\(#\w+\)$", page, re.M)
    assert thumbnails == kinds, "docs/howto/gallery.md: begin with the line % thumbnails"
    assert page.index(f"(#{kinds[0]})") < page.index("\n## "), "gallery.md: % thumbnails comes first"


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore")  # reduced runs may stop early, and say so
def test_the_gallery_has_its_own_lines(helper: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    gallery = helper("gallery")
    monkeypatch.chdir(tmp_path)
    for kind, example in gallery.examples().items():
        Path("new.png").write_bytes(gallery.draw(example))
        new, old = (Image.open(path) for path in ("new.png", gallery.PICTURES / f"{kind}.png"))
        pixels = [np.asarray(one.convert("L").resize((230, 170)), float) for one in (new, old)]
        # the mean grey level: equal pictures differ by nothing, other fonts by a few levels
        same = np.abs(pixels[0] - pixels[1]).mean() < 10
        assert same, f"docs/howto/gallery/{kind}.png: stale: run python docs/gallery.py {kind}"


# -- the picture of the package ------------------------------------------------------------------------


def test_the_picture_of_the_package_shows_its_layers(helper: Any) -> None:
    layers = helper("layers")
    drawn = layers.PICTURE.read_text(encoding="utf-8")
    rows = defaultdict(list)
    for top, name in re.findall(r'y="(\d+)" text-anchor="middle"[^>]*>([\w.]+)<', drawn):
        rows[int(top)].append(name)
    expected = [layer - {"__main__"} for layer in LAYERS if layer != {"__main__"}]
    place = "docs/notes/layers.svg: stale: run python docs/layers.py"
    assert [set(rows[top]) for top in sorted(rows, reverse=True)] == expected, place
    assert drawn == layers.picture(), place


# -- built pages ---------------------------------------------------------------------------------------


def test_requests_to_other_hosts_are_found(helper: Any, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(
        '<a href="https://a.example">x</a><script src="https://b.example/x.js"></script>'
        '<link rel="stylesheet" href="//c.example/x.css"><img src="local.png"><link rel="canonical" href="https://d">'
    )
    (tmp_path / "style.css").write_text("@font-face { src: url(https://e.example/font.woff2) }")
    assert helper("offline").requests(tmp_path) == [
        "page.html: https://b.example/x.js",
        "page.html: //c.example/x.css",
        "style.css: url(http",
    ]


@pytest.mark.nightly  # the check runs it in its section on the documentation
def test_built_pages_load_nothing_from_other_hosts(helper: Any, tmp_path: Path) -> None:
    for name in ("sphinx", "furo", "myst_nb", "math_core"):
        pytest.importorskip(name)
    # offline.py ends a build with an error where a page would load anything
    build = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", str(DOCS)]
    done = subprocess.run([*build, str(tmp_path / "html")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pages = list((tmp_path / "html").rglob("*.html"))
    assert len(pages) > 50, f"docs: {len(pages)} pages were built, at least 51 are expected"
    lines = [
        f"docs, {request}: copy it to docs/style" for request in helper("offline").requests(tmp_path / "html")
    ]
    assert not lines, "\n".join(lines)
    formulas = sum(path.read_text(encoding="utf-8").count("<math") for path in pages)
    assert formulas > 500, f"docs/mathml.py: {formulas} formulas became MathML, at least 501 are expected"


def test_pictures_of_reproduced_results_are_of_the_runs_that_are_stored(helper: Any) -> None:
    pages, folder = helper("reproduced"), "docs/reference/reproduced"
    listed = set(pages.pictures())
    assert listed, f"{folder}/pictures.json: no picture is listed: run python docs/reproduced.py RUN"
    assert not pages.picture("no_such_study")
    drawn = {path.stem for path in pages.PICTURES.glob("*.png")}
    shown = set(re.findall(r"^:::\{figure\} reproduced/(\w+)\.png$", pages.page() + pages.thesis(), re.M))
    current = {study for study in listed & drawn if pages.picture(study)}
    redraw = folder + "/{}.png: draw it by python docs/reproduced.py RUN, of a run of the full form"
    lines = differences(listed, current, redraw)
    lines += differences(listed, drawn, "", folder + "/{}.png: remove it, or list it in pictures.json")
    lines += differences(listed, shown, "docs/reproduced.py: show {}.png", "docs/reproduced.py: omit {}.png")
    assert not lines, "\n".join(lines)


def test_the_thesis_shows_answers_of_its_full_runs(helper: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = helper("reproduced")
    studies = [name for names in pages.FIGURES.values() for name in names]
    lines = pages.figures().splitlines()
    for name in studies:
        (row,) = [line for line in lines if f"| `{name}` |" in line]
        run = pages.full_run(name)
        assert ("quick runs only" in row) is (run is None)
        assert (f"### {name}" in lines) is bool((run and run.answer) or pages.picture(name))
    stored = next(run for name in studies if (run := pages.full_run(name)) and run.answer)
    assert pages.cell(stored.answer.question) in pages.figures()
    monkeypatch.setattr(pages, "full_run", lambda name: None)
    assert "###" not in pages.figures()
