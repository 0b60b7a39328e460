"""Games of Gambit, QuantEcon, Nashpy, OpenSpiel, karma-game-library; environments of other packages."""

from typing import TYPE_CHECKING

from rivalry.schema.registry import lazy_package

if TYPE_CHECKING:
    from rivalry.interop.environments import EnvironmentGame as EnvironmentGame
    from rivalry.interop.environments import from_gymnasium as from_gymnasium
    from rivalry.interop.environments import from_pettingzoo as from_pettingzoo
    from rivalry.interop.extensive import read_efg as read_efg
    from rivalry.interop.extensive import read_extensive as read_extensive
    from rivalry.interop.gambit import read_nfg as read_nfg
    from rivalry.interop.gambit import write_nfg as write_nfg
    from rivalry.interop.libraries import from_karma_game_library as from_karma_game_library
    from rivalry.interop.libraries import from_nashpy as from_nashpy
    from rivalry.interop.libraries import from_openspiel as from_openspiel
    from rivalry.interop.libraries import from_quantecon as from_quantecon
    from rivalry.interop.libraries import to_nashpy as to_nashpy
    from rivalry.interop.libraries import to_quantecon as to_quantecon

_NAMES = {
    "environments": ("EnvironmentGame", "from_gymnasium", "from_pettingzoo"),
    "extensive": ("read_efg", "read_extensive"),
    "gambit": ("read_nfg", "write_nfg"),
    "libraries": (
        "from_karma_game_library",
        "from_nashpy",
        "from_openspiel",
        "from_quantecon",
        "to_nashpy",
        "to_quantecon",
    ),
}

# lazy: the register beside this file is read wherever names of methods are listed
lazy_package(
    __name__, {name: f"{__name__}.{module}:{name}" for module, names in _NAMES.items() for name in names}
)
