"""How the package is installed: from an index, or a checkout of its source."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def checkout() -> Path | None:
    """Return the root of the checkout that the package runs from; None if it was installed as a wheel."""
    root = PACKAGE.parents[1]
    return root if (root / "pyproject.toml").is_file() and (root / "src" / PACKAGE.name).is_dir() else None


def remedy(extra: str) -> str:
    """Return the command that installs an extra: of the checkout where there is one, so that it stays.

    The package of an index would take the place of an editable installation.
    """
    root = checkout()
    if root is None:
        return f"pip install 'rivalry[{extra}]'"
    return f"pip install '{'.' if Path.cwd() == root else root}[{extra}]'"
