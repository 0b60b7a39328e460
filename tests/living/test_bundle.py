"""One script out of the modules of views."""

import shutil
import subprocess
from pathlib import Path

import pytest

from rivalry.living import bundle


def modules(folder: Path, monkeypatch: pytest.MonkeyPatch, **texts: str) -> None:
    """Write modules by name, dots for folders, and let the bundler read these."""
    for name, text in {"host": "export const startPage = (views) => views;\n", **texts}.items():
        path = folder / f"{name.replace('__', '/')}.js"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(bundle, "STATIC", folder)


def run(script: str) -> str:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node")
    done = subprocess.run([node, "--input-type=module", "-e", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


KIT = """
export const low = 2;
export function twice(x) { return 2 * x; }
export class Box { constructor(x) { this.x = x; } }
const hidden = 7;
"""
VIEW = """
import { low, twice as double,
  Box } from "../kit.js";
const hidden = 1;
export const most = new Box(double(low)).x;
export default { draw: () => most + hidden };
"""


def test_bundles_keep_exports_and_hide_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modules(tmp_path, monkeypatch, kit=KIT, views__one=VIEW, views__two=VIEW.replace("= 1;", "= 5;"))
    script = bundle._script(["two", "one", "two"], "console.log(views.one.draw(), views.two.draw());")
    assert script.count("class Box") == 1  # a module that two others import is there once
    assert "import" not in script
    assert "export" not in script
    assert run(script) == "5 9"


def test_a_widget_module_has_one_default_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = "export function notebook(views) { return Object.keys(views); }\nexport const startPage = 0;\n"
    modules(tmp_path, monkeypatch, kit=KIT, views__one=VIEW, host=host)
    text = bundle.widget_module(["one"])
    assert text.count("export ") == 1
    assert run(text.replace("export default", "const found =") + "console.log(found);") == "[ 'one' ]"


@pytest.mark.parametrize(
    "text",
    [
        'import * as kit from "../kit.js";\nexport default {};',
        'export { low } from "../kit.js";\nexport default {};',
        'import "../kit.js";\nexport default {};',
    ],
)
def test_further_imports_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    modules(tmp_path, monkeypatch, kit=KIT, views__one=text)
    with pytest.raises(ValueError, match=r"one\.js: .* must be a named import or export"):
        bundle.page_script(["one"])


def test_modules_that_import_one_another_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modules(
        tmp_path,
        monkeypatch,
        kit='import { b } from "./more.js";\nexport const a = 1;\n',
        more='import { a } from "./kit.js";\nexport const b = 1;\n',
        views__one='import { a } from "../kit.js";\nexport default { a };\n',
    )
    with pytest.raises(ValueError, match=r"imports itself"):
        bundle.page_script(["one"])


def test_no_script_can_end_its_element(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modules(tmp_path, monkeypatch, views__one='export default { text: "</script><!-- " + "</SCRIPT>" };\n')
    script = bundle._script(["one"], "console.log(views.one.text);")
    assert "</script" not in script.lower()
    assert "<!--" not in script
    assert run(script) == "</script><!-- </SCRIPT>"


def test_every_view_of_the_package_can_be_bundled() -> None:
    assert {"impulse", "policy", "reference", "streets", "sweep"} <= set(bundle.VIEWS)
    script = bundle.page_script(bundle.VIEWS)
    assert len(script) < 300_000
    assert "http://www.w3.org/2000/svg" in script
    addresses = script.replace("http://www.w3.org/2000/svg", "")
    assert "http:" not in addresses
    assert "https:" not in addresses
