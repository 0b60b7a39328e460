"""How the package is installed: as a checkout of its source, or as a wheel made from one."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

PACKAGE = Path(__file__).parents[1]


def checkout() -> Path | None:
    """Return the root of the checkout that the package runs from; None if it was installed as a wheel."""
    root = PACKAGE.parents[1]
    return root if (root / "pyproject.toml").is_file() and (root / "src" / PACKAGE.name).is_dir() else None


def source() -> Path | None:
    """Return the folder that pip made the installed wheel from; None if it is unknown or no longer there."""
    try:
        text = distribution(PACKAGE.name).read_text("direct_url.json")
    except PackageNotFoundError:
        return None
    url = urlsplit(str(json.loads(text or "{}").get("url", "")))
    root = Path(url2pathname(url.path))
    return root if url.scheme == "file" and (root / "pyproject.toml").is_file() else None


def remedy(extra: str) -> str:
    """Return the command that installs an extra from the package's source: no index has the package."""
    root = checkout() or source()
    if root is None:
        return f"pip install '.[{extra}]' in the folder of the package"
    return f"pip install '{'.' if Path.cwd() == root else root}[{extra}]'"
