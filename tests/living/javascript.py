"""Runs of the figures' JavaScript outside a page, by node or by Chromium."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import rivalry.living.twins

STATIC = Path(rivalry.living.twins.__file__).parent / "static"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


def run_module(tmp_path: Path, body: str, given: Any) -> Any:
    """Return what ``body`` returns, a function's body of ``given`` that may use the twins' exports."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed; the twins run in it")
    data, script = tmp_path / "given.json", tmp_path / "script.mjs"
    data.write_text(json.dumps(given))
    twins = (STATIC / "twins").as_uri()
    script.write_text(
        f"""import {{ readFileSync }} from "node:fs";
import * as all from "{twins}/twin.js";
import * as influencer from "{twins}/influencer.js";
const {{ twinOf, bestOf, climb, ascend, refine }} = all;
const {{ logGamma }} = influencer;
const given = JSON.parse(readFileSync({json.dumps(str(data))}, "utf8"));
const found = (() => {{ {body} }})();
process.stdout.write(JSON.stringify(found));
"""
    )
    done = subprocess.run([node, str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
