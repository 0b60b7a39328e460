"""Games of competition: equilibria, what learning agents do, and the certified distance between the two.

Nothing is defined here: a name is loaded from its home when it is first used. Importing the package has two
side effects. It sets ``JAX_ENABLE_X64`` and ``XLA_FLAGS`` in the environment, so that JAX computes in double
precision and to the same bits whatever is imported first; where JAX is imported already it updates JAX's
configuration, with a warning where JAX has computed before.
"""

from importlib import import_module as _import_module
from typing import Any as _Any

from rivalry.runtime.precision import configure as _configure
from rivalry.schema.register import OPTIONAL as _OPTIONAL
from rivalry.schema.register import is_there as _is_there

_NAMES = {
    "check": ("check_game", "check_method"),
    "certificates.certify": ("certificate",),
    "solving.compare": ("compare",),
    "core.game": ("Game", "view", "with_"),
    "core.results": ("Certificate", "Solution"),
    "certificates.deviations": ("best_response",),
    "core.space": ("Box", "Choices", "Simplex"),
    "interop": ("read_nfg",),
    "lab.executor": ("run_study",),
    "lab.export": ("export",),
    "lab.store": ("load_run",),
    "lab.study": ("Study", "load_study"),
    "living.widget": ("explore",),
    "solving": ("all_equilibria", "solve", "sweep", "trace"),
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}
_SUBPACKAGES = {
    name: name
    for name in (
        *("envs", "extend", "games", "influencers", "interop", "karma", "markets", "methods", "plots"),
        *("population", "races", "tables", "transforms", "trees"),
    )
} | {"oracles": "core.oracles"}

_configure()

_HOMES = {name: module.partition(".")[0] for name, module in (_MODULES | _SUBPACKAGES).items()}
_ABSENT = {name: home for name, home in _HOMES.items() if home in _OPTIONAL and not _is_there(home)}

__all__ = sorted({*_MODULES, *_SUBPACKAGES, "__version__"} - set(_ABSENT))


def __getattr__(name: str) -> _Any:
    if name in _ABSENT:
        raise ImportError(f"rivalry.{name} needs rivalry.{_ABSENT[name]}, which is not installed")
    if name in _MODULES:
        return getattr(_import_module(f"rivalry.{_MODULES[name]}"), name)
    if name in _SUBPACKAGES:
        return _import_module(f"rivalry.{_SUBPACKAGES[name]}")
    if name == "__version__":
        from importlib.metadata import version

        return version("rivalry")
    if name.startswith("_"):
        raise AttributeError(f"module 'rivalry' has no attribute {name!r}")
    from rivalry.schema.registry import near

    names = (*_MODULES, *_SUBPACKAGES)
    raise AttributeError(f"module 'rivalry' has no attribute {name!r}; {near(name, names)}")


def __dir__() -> list[str]:
    return __all__
