"""``rivalry certify --profile``: profiles that other solvers print, judged in a game."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from inspect import isfunction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rivalry.cli import output
from rivalry.cli.values import OptionError
from rivalry.schema.registry import from_file, hook

if TYPE_CHECKING:
    from rivalry.core.results import Certificate

SHOWN = 4  # profiles of which the table of gains is printed; of others one line


class Judged(NamedTuple):
    """A profile in fractions, its certificate, and what is known exactly."""

    strategies: list[list[Fraction]]  # [player][axis]
    certificate: Certificate
    notes: list[str]  # on rounding
    gains: list[Fraction] | None  # exact, per player
    nearest: list[list[str]] | None  # an exact equilibrium within the rounding, per player
    radius: float  # of the exact equilibrium that is proved near the nearest one; 0 for fractions


def certify_profile(profile: str, game: str, export: Path | None = None) -> tuple[dict[str, Any], str]:
    """Certify every profile of a file in a game, and write proofs to a folder. Raises `OptionError`."""
    import numpy as np

    from rivalry.core.game import Game

    found, refusal = None, ""
    try:
        for one in _games(game):
            if not isinstance(one, Game):
                raise OptionError(f"--game {game}: {type(one).__name__} has no payoffs of profiles")
            try:
                found = one, hook("read_profiles")(profile, _sizes(one), _names(one))
                break
            except ValueError as error:
                refusal = refusal or str(error)
        if found is None:
            raise OptionError(f"--profile: {refusal}")
        played, profiles = found
        judged = [
            _judged(played, own, f"{profile}, profile {k + 1}" if len(profiles) > 1 else profile)
            for k, own in enumerate(profiles)
        ]
    except (TypeError, ValueError) as error:
        raise OptionError(str(error) if isinstance(error, OptionError) else f"--profile {error}") from None
    rows, lines, proofs = [], [], []
    for k, one in enumerate(judged):
        gave = one.certificate
        row: dict[str, Any] = {"profile": f"{profile}:{k + 1}", "game": game, "claim": gave.claim}
        row |= {"strategies": [[str(p) for p in own] for own in one.strategies]}
        row |= {"coverage": gave.coverage, "rounding": gave.rounding, "concept": gave.concept}
        row |= {"regret": np.asarray(gave.regret).tolist(), "bound": np.asarray(gave.bound).tolist()}
        row |= {"tolerance": float(np.max(gave.tolerance)), "method": gave.method, "notes": one.notes}
        row |= {"exact_gain": None if one.gains is None else [str(gain) for gain in one.gains]}
        row |= {"nearest": one.nearest, "nearest_radius": one.radius if one.nearest else None}
        rows.append(row)
        lines += _lines(one, k, len(judged))
    if export is not None:
        from rivalry.core.files import folder_for
        from rivalry.lab.proofs import saved_and_checked

        folder, stem = folder_for(export), Path(profile).stem
        for k, one in enumerate(judged):
            name = f"{stem}-{k + 1}" if len(judged) > 1 else stem
            proofs.append(saved_and_checked(_proof(played, one), folder / f"{name}.json")[1])
    value: dict[str, Any] = {"certificates": rows}
    return value | ({} if export is None else {"proofs": proofs}), "\n".join([*lines, *proofs])


def _lines(one: Judged, number: int, count: int) -> list[str]:
    gave, head = one.certificate, ["player", "regret", "bound"]
    gains = [[who, *both] for who, both in enumerate(zip(gave.regret, gave.bound, strict=True))]
    if one.gains is not None:
        head.append("exact gain")
        gains = [[*row, str(gain)] for row, gain in zip(gains, one.gains, strict=True)]
    lines = [output.table(head, gains)] if count <= SHOWN else []
    said = f"{gave.claim} ({gave.concept}; {gave.coverage})"
    if one.gains is not None and not any(one.gains):
        said += ", exactly: no gain in fractions"
    lines.append(f"profile {number + 1}: {said}" if count > 1 else said)
    lines += one.notes
    if one.nearest is not None:
        near = ", ".join(f"({', '.join(own)})" for own in one.nearest)
        how = f"an exact one is proved within {one.radius:.2g} of it" if one.radius else "exact"
        lines.append(f"nearest equilibrium within the rounding: {near}; {how}")
    return lines


def _games(text: str) -> Iterator[Any]:
    """Yield the games that an option names: of a tree both forms, in behaviour strategies first."""
    path = Path(text)
    file, _, name = text.rpartition(":")
    if path.suffix in (".nfg", ".efg"):
        yield from hook("games_of_file")(path)
    elif file.endswith(".py") and name.isidentifier():
        output.note(f"runs {file}, which --game names")
        found = from_file(f"{Path(file).name}:{name}", Path(file).parent)
        yield found() if isfunction(found) or isinstance(found, type) else found
    else:
        yield game_of_table(text)


def game_of_table(text: str) -> Any:
    """Return the game of a TOML file with a table ``[game]``, or the first one of a study."""
    import tomllib

    from rivalry.core.files import read_bytes
    from rivalry.lab.study import build_game, load_study

    path = Path(text)
    if path.suffix == ".toml":
        try:
            tables = tomllib.loads(read_bytes(path, 2**24).decode())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise OptionError(f"--game {text}: {error}") from None
        if set(tables) == {"game"} and isinstance(tables["game"], dict):
            return build_game(tables["game"], path.parent)
    one = load_study(text)
    if one.include:
        raise OptionError(f"--game {text}: includes studies ({', '.join(one.include)}); name one of them")
    cells = one.cells()
    if len({str(cell.task["game"]) for cell in cells}) > 1:
        where = ", ".join(f"{key} = {value}" for key, value in cells[0].point.items())
        output.note(f"{one.name}: has several games; judged in the first: {where}")
    return build_game(cells[0].task["game"], one.folder)


def _entries(game: Any) -> Any:
    """Return which entries of a profile are choices, ``[player axis]``."""
    import numpy as np

    from rivalry.core.space import Box

    entries = np.asarray(game.space.mask)
    if isinstance(game.space, Box):
        entries = entries & (np.asarray(game.space.low) < np.asarray(game.space.high))
    return entries


def _sizes(game: Any) -> list[int]:
    return [int(count) for count in _entries(game).sum(axis=1)]


def _names(game: Any) -> list[str]:
    """Return the names of all choices where a game has them, else those of its players."""
    from rivalry.core import oracles
    from rivalry.families.continuous import FormulaGame

    if isinstance(game, FormulaGame):
        return [name for own in game.choices for name in own]
    return list(oracles.labels(game).players)


def _groups(game: Any) -> list[list[int]]:
    """Return the lengths of the player's distributions, one after the other; empty without any."""
    from rivalry.core.space import Simplex
    from rivalry.families.extensive import BehaviourSpace

    if isinstance(game.space, BehaviourSpace):
        return [list(own) for own in game.space.sizes]
    return [[size] if isinstance(game.space, Simplex) else [] for size in _sizes(game)]


def _judged(game: Any, profile: list[list[Any]], where: str) -> Judged:
    """Judge a profile as it is written. Raises `ValueError` for what is no profile of the game."""
    import numpy as np

    from rivalry.certificates.certify import certificate
    from rivalry.families.extensive import BehaviourSpace
    from rivalry.families.matrix import Matrix
    from rivalry.tables.exact_profiles import LARGEST_TABLE, exact_gains, nearest_equilibrium
    from rivalry.tables.extreme_equilibria import payoff_fractions

    strategies, units, notes = [], [], []
    for player, (own, lengths) in enumerate(zip(profile, _groups(game), strict=True)):
        values = [number.value for number in own]
        units.append(hook("rounding_of")(own))
        first = 0
        for length in lengths:
            part = slice(first, first + length)
            values[part], note = _shares(values[part], units[-1], f"{where}: player {player}")
            notes += [note] * bool(note)
            first += length
        strategies.append(values)
    entries = _entries(game)
    x = np.asarray(game.space.project(np.zeros(game.space.shape)), dtype=float).copy()
    x[entries] = [float(value) for own in strategies for value in own]
    x = np.asarray(game.space.check(x, where))
    gains = nearest = None
    if isinstance(game, Matrix):
        tables = np.asarray(game.table)
        if tables.size <= LARGEST_TABLE:
            read = np.array([payoff_fractions(one) for one in tables])
            gains = exact_gains(read, strategies)
            if any(gains) and any(units):
                nearest = nearest_equilibrium(read, strategies, units)
        near = None if nearest is None else [[str(p) for p in own] for own in nearest]
        return Judged(strategies, certificate(game, x), notes, gains, near, 0.0)
    smooth = not isinstance(game.space, BehaviourSpace)
    found = certificate(game, x, proof=smooth)
    named, radius = _nearest_choices(game, x, units, found) if smooth and any(units) else (None, 0.0)
    return Judged(strategies, found, notes, None, named, radius)


def _shares(values: list[Fraction], unit: Fraction, who: str) -> tuple[list[Fraction], str]:
    """Return probabilities that sum to 1, and a note where these were divided by their sum.

    Raises `ValueError` for what is below 0, or off 1, by more than rounding.
    """
    from rivalry.core.tolerances import SHARES_SUM

    lowest, total = min(values), sum(values, Fraction(0))
    if lowest < -SHARES_SUM:
        raise ValueError(f"{who}: {float(lowest):g} is negative; must be a probability")
    if abs(total - 1) > len(values) * unit / 2 + Fraction(SHARES_SUM):
        raise ValueError(f"{who}: probabilities sum to {float(total):g}; must be 1")
    if lowest >= 0 and total == 1:
        return values, ""
    positive = [max(value, Fraction(0)) for value in values]
    total = sum(positive, Fraction(0))
    return [value / total for value in positive], f"{who}: sums to {float(total)!r}, and is divided by it"


def _nearest_choices(
    game: Any, x: Any, units: list[Fraction], found: Certificate
) -> tuple[list[list[str]] | None, float]:
    """Return choices near which an equilibrium is proved, within the rounding, and how near; else None."""
    import numpy as np

    from rivalry.certificates.certify import certificate
    from rivalry.methods import Newton
    from rivalry.solving import solve

    tried = [(x, found)]
    if found.radius is None:
        try:
            other = np.asarray(solve(game, Newton(), x).profile)
        except (ValueError, TypeError):
            return None, 0.0
        tried.append((other, certificate(game, other, proof=True)))
    room, entries = np.array([float(unit) for unit in units]), _entries(game)
    for y, judged in tried:
        off = np.where(entries, np.abs(np.asarray(y) - x), 0.0).max(axis=1)
        if judged.radius is not None and bool(np.all(off + judged.radius <= room)):
            return [[repr(float(v)) for v in row[own]] for row, own in zip(y, entries, strict=True)], float(
                judged.radius
            )
    return None, 0.0


def _proof(game: Any, one: Judged) -> Any:
    """Return a function that writes the proof of a profile to a file, or raises `ValueError`."""
    import numpy as np

    from rivalry.core import oracles
    from rivalry.core.results import Record
    from rivalry.solving import proof_of
    from rivalry.solving.exact_proofs import save_profile

    if one.gains is not None:
        return partial(save_profile, np.asarray(game.table), one.strategies)
    entries = _entries(game)
    exact = np.full(game.space.shape, Fraction(0), dtype=object)
    exact[entries] = [value for own in one.strategies for value in own]
    record: Record = {"profile": (("player", "axis"), exact.astype(float))}
    if oracles.to_sequence_form.knows(game):  # bounds on the value of a zero-sum tree
        record = {"exact_profile": (("player", "axis"), exact.astype(str))}
        record |= {"exact_bound": ((), np.zeros(0)), "game_value": ((), np.zeros(0))}
    if one.certificate.radius is not None:
        record["certificate_radius"] = ((), np.asarray(one.certificate.radius))
    return proof_of(game, None, record).save
