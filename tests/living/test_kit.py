"""The kit of figures: numbers, scales, and rules that all its JavaScript keeps."""

import re
from pathlib import Path

import pytest

from rivalry.plots.marks import PALETTE
from rivalry.text.display import typeset
from tests.living.javascript import STATIC, assert_types_are_consistent, run_module

SOURCES = sorted(STATIC.rglob("*.js"))
IMPORT = re.compile(r'^import \{ [\w, ]+ \} from "\.{1,2}/[\w/]+\.js";$')


def test_ticks_are_round_and_inside(tmp_path: Path) -> None:
    found = run_module(
        tmp_path, "return given.map(([a, b, n]) => ticks(a, b, n));", [[0, 1, 5], [-3, 8, 5], [0, 0.07, 5]]
    )
    assert (found[0], found[1]) == ([0, 0.2, 0.4, 0.6, 0.8, 1], [-2.5, 0, 2.5, 5, 7.5])
    assert found[2] == [0, 0.02, 0.04, 0.06]


@pytest.mark.slow
def test_numbers_are_written_as_in_reports(tmp_path: Path) -> None:
    given = [0.25, 1234.5, 1e-9, 123456789.0, 0, -0.5, None, 100, -4.38e-8]
    found = run_module(tmp_path, "return given.map((one) => format(one));", given)
    assert found == ["0.25", "1234.5", "1e−9", "1.235e8", "0", "−0.5", "–", "100", "−4.38e−8"]
    short = run_module(tmp_path, "return given.map((one) => format(one, 3));", [-625.3, 1234.5, 1e6, 0.0123])
    assert short == ["−625", "1235", "1e6", "0.0123"]
    # Python's texts of figures are written alike
    assert typeset(f"{-4.38e-8:.6g}, {123456789.0:.4g}") == "−4.38e−8, 1.235e8"


def test_a_scale_inverts(tmp_path: Path) -> None:
    body = "const s = scale([2, 6], [100, 20]); return [s(2), s(5), s.invert(s(3.3))];"
    assert run_module(tmp_path, body, None) == pytest.approx([100, 40, 3.3])


def test_colours_are_those_of_the_plots() -> None:
    kit, sheet = (STATIC / "kit.js").read_text(), (STATIC / "style.css").read_text()
    remedy = "src/rivalry/living/static/{}: set {}, as in PALETTE of src/rivalry/plots/marks.py"
    for k, colour in enumerate(PALETTE):
        assert f'"{colour}"' in kit, remedy.format("kit.js", colour)
        assert f"--rv-{k + 1}: {colour}" in sheet, remedy.format("style.css", f"--rv-{k + 1}: {colour}")


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_modules_can_be_bundled_and_make_no_request(source: Path) -> None:
    text = re.sub(r"/\*\*.*?\*/", "", source.read_text(), flags=re.DOTALL)  # types name modules, too
    file = f"src/rivalry/living/static/{source.relative_to(STATIC)}"
    lines = [
        f"{file}, {statement!r}: import names from a relative path, in one line"
        for statement in re.findall(r"^import .*$", text, re.MULTILINE)
        if not IMPORT.match(statement)
    ]
    lines += [
        f"{file}, {statement}: export a function, const or class"
        for statement in re.findall(
            r"^export (?!(?:function|const|class|default)\b)\w.*$", text, re.MULTILINE
        )
    ]
    refused = r"innerHTML|\beval\(|fetch\(|XMLHttpRequest|import\(|^await |style=|new Function"
    lines += [f"{file}: remove {words!r}" for words in re.findall(refused, text, re.MULTILINE)]
    if (count := len(text.splitlines())) > 600 and source.name != "kit.js":
        lines.append(f"{file}: {count} lines, at most 600: move a part to another module")
    assert not lines, "\n".join(lines)


@pytest.mark.slow
def test_types_are_consistent() -> None:
    assert_types_are_consistent(SOURCES, "es2022,dom")
