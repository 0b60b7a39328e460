"""Runs of the figures' JavaScript outside a page, by node or by Chromium."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import rivalry.living

STATIC = Path(rivalry.living.__file__).parent / "static"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
MODULES = Path(os.environ.get("NODE_PATH", "node_modules"))


def run_module(tmp_path: Path, body: str, given: Any, **modules: str) -> Any:
    """Return what ``body`` returns, a function's body of ``given`` that may use the modules' exports.

    ``modules`` are addresses of further modules, by the name under which ``body`` uses them.
    """
    node = shutil.which("node")
    if node is None and modules:
        pytest.skip("needs node")
    if node is None:
        return _run_in_chromium(body, given)
    data, script = tmp_path / "given.json", tmp_path / "script.mjs"
    data.write_text(json.dumps(given))
    read = f"""import {{ readFileSync }} from "node:fs";
const given = JSON.parse(readFileSync({json.dumps(str(data))}, "utf8"));
"""
    imports = "".join(f'import * as {name} from "{address}";\n' for name, address in modules.items())
    script.write_text(
        f"{imports}{read}{_program(STATIC.as_uri(), body)}process.stdout.write(JSON.stringify(found));"
    )
    done = subprocess.run([node, str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _program(root: str, body: str) -> str:
    """Return a module that runs ``body`` and leaves what it returns in ``found``."""
    return f"""import {{ format, scale, ticks }} from "{root}/kit.js";
import * as impulse from "{root}/views/impulse.js";
const found = (() => {{ {body} }})();
"""


def _run_in_chromium(body: str, given: Any) -> Any:
    """Do the same in Chromium, where node is not installed; skip the test without either."""
    api = pytest.importorskip("playwright.sync_api", reason="needs node, or playwright with Chromium")
    if CHROMIUM is None:
        pytest.skip("needs node, or playwright with Chromium")
    program = (
        f"const given = {json.dumps(given)};{_program('', body)}globalThis.found = JSON.stringify(found);"
    )
    pages = {"/": '<script type="module" src="/page.js"></script>', "/page.js": program}

    def answer(route: Any) -> None:
        path = route.request.url.removeprefix("http://figure.test")
        kind = "text/html" if path == "/" else "text/javascript"
        route.fulfill(body=pages.get(path) or (STATIC / path[1:]).read_text(), content_type=kind)

    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.route("**/*", answer)
        page.goto("http://figure.test/")
        result = page.evaluate("globalThis.found ?? null")
        browser.close()
    assert errors == []
    return json.loads(result)


def assert_types_are_consistent(files: Iterable[Path], libraries: str) -> None:
    """Check modules by TypeScript, where it is installed."""
    compiler = shutil.which("tsc") or shutil.which("tsc", path=str(MODULES / ".bin"))
    if compiler is None:
        pytest.skip("needs TypeScript (tsc on PATH or below NODE_PATH)")
    options = "--noEmit --checkJs --allowJs --strict --target es2022 --module es2022"
    resolved = ["--moduleResolution", "bundler", "--lib", libraries]
    command = [compiler, *options.split(), *resolved, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
