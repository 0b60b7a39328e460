"""Kind of installation of the package: a checkout of its source, or a wheel made from one."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def checkout() -> Path | None:
    """Return the root of the checkout that the package runs from; None if it was installed as a wheel."""
    root = PACKAGE.parents[1]
    return root if (root / "pyproject.toml").is_file() and (root / "src" / PACKAGE.name).is_dir() else None


def remedy(extra: str) -> str:
    """Return the command that installs an extra from the package's source: no index has the package.

    It names no folder of this machine: the text may stand in a log or a page that others read.
    """
    root = checkout()
    in_source_folder = root is not None and Path.cwd() == root
    return f"pip install '.[{extra}]'" + " in the folder of the package" * (not in_source_folder)
