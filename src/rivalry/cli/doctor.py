"""Versions, extras and devices: what there is, what is missing, the command that adds it."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

from rivalry.cli import output

HIDDEN = ("test", "dev", "docs")  # extras of developers: told only where they are there


def rows() -> list[dict[str, Any]]:
    """``{name, version, state, remedy}`` of everything looked at; remedy is None where all is well."""
    found = [_row("python", platform.python_version(), "ok"), _row("rivalry", version("rivalry"), "ok")]
    for name, extra in _requirements():
        have = _version(name)
        if extra is None:
            found.append(
                _row(name, have, "ok" if have else "missing", None if have else f"pip install {name}")
            )
        elif have:
            found.append(_row(name, have, f"ok (extra {extra})"))
        elif extra not in HIDDEN:
            found.append(
                _row(name, None, f"not installed (extra {extra})", f"pip install 'rivalry[{extra}]'")
            )
    return [*found, *_devices(), _cache(), _processors()]


def table(found: list[dict[str, Any]]) -> str:
    """One line each."""
    return output.table(
        ["name", "version", "state", "remedy"],
        [[row[k] for k in ("name", "version", "state", "remedy")] for row in found],
    )


def _row(name: str, has: str | None, state: str, remedy: str | None = None) -> dict[str, Any]:
    return {"name": name, "version": has, "state": state, "remedy": remedy}


def _requirements() -> list[tuple[str, str | None]]:
    """Names of required packages, each with the extra it belongs to, once."""
    found: dict[tuple[str, str | None], None] = {}
    for line in requires("rivalry") or []:
        name = re.match(r"[A-Za-z0-9._-]+", line)
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", line)
        if name and name[0] != "rivalry":
            found[name[0], extra[1] if extra else None] = None
    return list(found)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _devices() -> list[dict[str, Any]]:
    try:
        from rivalry.core.jax import jax

        return [_row(f"device {d.id}", d.device_kind, f"ok ({d.platform})") for d in jax.devices()]
    except (ImportError, RuntimeError, AssertionError) as error:  # JAX says by either that it has no backend
        wanted = os.environ.get("JAX_PLATFORMS")
        remedy = "unset JAX_PLATFORMS" if wanted else "pip install --force-reinstall jax jaxlib"
        why = output.one_line(error) or f"JAX_PLATFORMS={wanted} is not available"
        return [_row("device", None, f"missing: {why}", remedy)]


def missing_device() -> str:
    """Why JAX cannot compute here, where that is due to JAX_PLATFORMS; else an empty text."""
    wanted = os.environ.get("JAX_PLATFORMS", "")
    if not wanted or all(row["remedy"] is None for row in _devices()):
        return ""
    return f"JAX_PLATFORMS={wanted}: no such device for JAX here; unset it, or set JAX_PLATFORMS=cpu"


def _cache() -> dict[str, Any]:
    """Where compiled programs are kept."""
    if os.environ.get("RIVALRY_NO_CACHE"):
        return _row("cache", None, "off (RIVALRY_NO_CACHE is set)", "unset RIVALRY_NO_CACHE")
    try:
        from rivalry.core.jax import jax

        folder = str(jax.config.values["jax_compilation_cache_dir"])
        os.makedirs(folder, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except (ImportError, OSError) as error:
        return _row(
            "cache", None, f"missing: {output.one_line(error)}", "set RIVALRY_CACHE to a folder of yours"
        )
    return _row(
        "cache", folder, "ok" if writable else "read-only", None if writable else f"chmod u+w {folder}"
    )


def _processors() -> dict[str, Any]:
    from rivalry.lab.executor import cores

    return _row("processors", str(cores()), "ok")
