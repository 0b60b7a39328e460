"""Runs of the figures' JavaScript outside a page, by node or by Chromium."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import rivalry.living.twins

STATIC = Path(rivalry.living.twins.__file__).parent / "static"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
MODULES = Path(os.environ.get("NODE_PATH", "node_modules"))


def run_module(tmp_path: Path, body: str, given: Any, **modules: str) -> Any:
    """Return what ``body`` returns, a function's body of ``given`` that may use the twins' exports.

    ``modules`` are addresses of further modules, by the name under which ``body`` uses them.
    """
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed; the twins run in it")
    data, script = tmp_path / "given.json", tmp_path / "script.mjs"
    data.write_text(json.dumps(given))
    twins = (STATIC / "twins").as_uri()
    imports = "\n".join(f'import * as {name} from "{address}";' for name, address in modules.items())
    script.write_text(
        f"""import {{ readFileSync }} from "node:fs";
{imports}
import * as all from "{twins}/twin.js";
import * as flows from "{twins}/flows.js";
import {{ format, scale, ticks }} from "{twins}/../kit.js";
import {{ logGamma }} from "{twins}/influencer.js";
const {{ twinOf, bestOf, climb, ascend, refine }} = all;
const {{ bestOnSimplex, fictitiousPath, lattice, project, replicatorPath, slopeOf }} = flows;
const given = JSON.parse(readFileSync({json.dumps(str(data))}, "utf8"));
const found = (() => {{ {body} }})();
process.stdout.write(JSON.stringify(found));
"""
    )
    done = subprocess.run([node, str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
