"""``rivalry certify --profile``: profiles that other solvers print, judged in a game."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import partial
from inspect import isfunction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rivalry.cli import output, values
from rivalry.cli.values import OptionError
from rivalry.cli.work import certificate_row, first_cell
from rivalry.core.results import scalar
from rivalry.schema.registry import from_file, hook
from rivalry.schema.validate import one_line

if TYPE_CHECKING:
    from rivalry.core.naming import GameNames
    from rivalry.core.results import Certificate

SHOWN = 4  # profiles of which the table of gains is printed; of others one line


class ReadProfile(NamedTuple):
    """A profile in fractions, and how its numbers were written."""

    strategies: list[list[Fraction]]  # [player][axis]
    units: list[Fraction]  # to which each player's numbers are rounded; 0 where they are exact
    notes: list[str]  # on rounding


class Judged(NamedTuple):
    """A profile in fractions, its certificate, and what is known exactly."""

    strategies: list[list[Fraction]]  # [player][axis]
    certificate: Certificate
    notes: list[str]  # on rounding
    gains: list[Fraction] | None  # exact, per player
    nearest: list[list[str]] | None  # an exact equilibrium within the rounding, per player
    radius: float  # of the exact equilibrium that is proved near the nearest one; 0 for fractions


def certify_profile(profile: str, game: str, export: Path | None) -> tuple[dict[str, Any], str]:
    """Certify every profile of a file in a game, and write proofs to a folder. Raises `OptionError`."""
    from rivalry.core.files import folder_for
    from rivalry.core.naming import names_of
    from rivalry.core.oracles import flow_answer

    folder = None if export is None else folder_for(export)
    forms = _games(game)
    played = next(forms)
    if flow_answer.knows(played):
        if export is not None:
            raise OptionError("--export: flows of links have no proof file")
        with values.of_option("--profile", profile):
            row, lines = flow_answer(played, profile)
        return {"certificates": [{"profile": profile, "game": game, **row}]}, "\n".join(lines)
    played, profiles, order = _read_in(profile, chain([played], forms), game)
    names = names_of(played)
    with values.of_option("--profile", profile):
        judged = [_judged(played, read) for read in profiles]
    rows, lines, proofs = [], [], []
    for k, candidate in enumerate(judged):
        row = {"profile": f"{profile}:{k + 1}", "game": game, **certificate_row(candidate.certificate)}
        row |= {"players": names.players, "entries": names.entries, "read_in_order": order}
        row |= {"strategies": [list(map(str, strategy)) for strategy in candidate.strategies]}
        row |= {"notes": candidate.notes}
        row |= {"exact_gain": None if candidate.gains is None else [str(gain) for gain in candidate.gains]}
        row |= {
            "nearest": candidate.nearest,
            "nearest_radius": candidate.radius if candidate.nearest else None,
        }
        rows.append(row)
        lines += _lines(candidate, names.players, k, len(judged))
    if order:
        lines.append(f"read in the order {order}")
    if folder is not None:
        from rivalry.lab.proofs import saved_and_checked

        stem = Path(profile).stem
        for k, candidate in enumerate(judged):
            name = f"{stem}-{k + 1}" if len(judged) > 1 else stem
            proofs.append(saved_and_checked(_proof(played, candidate), folder / f"{name}.json")[1])
    value: dict[str, Any] = {"certificates": rows}
    return value | ({} if export is None else {"proofs": proofs}), "\n".join([*lines, *proofs])


def _lines(judged: Judged, players: Sequence[str], number: int, count: int) -> list[str]:
    from rivalry.core.claims import ClaimFacts
    from rivalry.text.display import bound_in_words

    gave, head = judged.certificate, ["player", "largest gain", "bound"]
    bounds = map(bound_in_words, gave.bound)
    gains: list[Any] = list(zip(players, gave.regret, bounds, strict=True))
    if judged.gains is not None:
        head.append("exact gain")
        gains = [[*row, str(gain)] for row, gain in zip(gains, judged.gains, strict=True)]
    lines = [output.table(head, gains)] if count <= SHOWN else []
    sentence = repr(gave)
    if judged.gains is not None and not any(judged.gains):
        sentence += "; exact: no gain in fractions"
    lines.append(f"profile {number + 1}: {sentence}" if count > 1 else sentence)
    lines += judged.notes
    if judged.nearest is not None:
        near = ", ".join(f"({', '.join(distribution)})" for distribution in judged.nearest)
        proof = ClaimFacts(radius=judged.radius).near if judged.radius else "exact"
        lines.append(f"nearest equilibrium within the rounding: {near}; {proof}")
    return lines


def _games(text: str) -> Iterator[Any]:
    """Yield the games that an option names: of a tree both forms, in behaviour strategies first."""
    path = Path(text)
    file, _, name = text.rpartition(":")
    with values.of_option("--game", text):
        if path.suffix in (".nfg", ".efg"):
            yield from hook("games_of_file")(path)
        elif file.endswith(".py") and name.isidentifier():
            output.note(f"runs {file}, which --game names")
            yield called(text, from_file(f"{Path(file).name}:{name}", Path(file).parent))
        else:
            yield game_of_table(text)[0]


def called(name: str, target: object) -> Any:
    """Return what a user's function or class makes without arguments, or an object as it is.

    Raises `ValueError` with any error of the user's code in one line.
    """
    if not (isfunction(target) or isinstance(target, type)):
        return target
    try:
        return target()
    except Exception as error:
        raise ValueError(one_line(f"{name}: {type(error).__name__}: {error}")) from error


def game_of_table(text: str, further: Collection[str] = ()) -> tuple[Any, Mapping[str, Any]]:
    """Return the game of a TOML file with a table ``[game]`` or the first of a study, and ``further`` tables.

    A file of no other tables than ``[game]`` and those is no study.
    """
    from rivalry.lab.study import build_game
    from rivalry.lab.study.names import read_toml

    path = Path(text)
    tables = read_toml(path, text)[0] if path.suffix == ".toml" else {}
    if set(tables) <= {"game", *further} and isinstance(tables.get("game"), dict):
        return build_game(tables.pop("game"), path.parent), tables
    study, cell = first_cell(text)
    return build_game(cell.task["game"], study.folder), {}


def _entries(game: Any) -> Any:
    """Mask of the entries of a profile that are choices, ``[player axis]``."""
    import numpy as np

    return np.asarray(game.space.mask)


def _sizes(game: Any) -> list[int]:
    return [int(count) for count in _entries(game).sum(axis=1)]


def _groups(game: Any) -> list[list[int]]:
    """Return the lengths of the player's distributions, one after the other; empty without any."""
    from rivalry.core.space import Simplex
    from rivalry.families.extensive import BehaviourSpace

    if isinstance(game.space, BehaviourSpace):
        return [list(lengths) for lengths in game.space.sizes]
    return [[size] if isinstance(game.space, Simplex) else [] for size in _sizes(game)]


def _read_in(profile: str, forms: Iterable[Any], where: str) -> tuple[Any, list[ReadProfile], str]:
    """Return the form of a game that profiles are of, with them, and the order in which they were read.

    A line of numbers may be as long as the profiles of both forms of a tree: the form is that in which all
    distributions sum to 1. Raises `OptionError` with all readings where there is none.
    """
    from rivalry.core.game import Game
    from rivalry.core.naming import names_of
    from rivalry.families.extensive import Extensive

    refusals: dict[str, str] = {}  # by what is refused, the form
    for game in forms:
        if not isinstance(game, Game):
            raise OptionError(f"--game {where}: {type(game).__name__} has no payoffs of profiles")
        names = names_of(game)
        try:
            profiles, order = hook("read_profiles")(profile, names)
            several = len(profiles) > 1
            written = [
                _written(game, names, numbers, f"profile {k}, " * several)
                for k, numbers in enumerate(profiles, 1)
            ]
            return game, written, order
        except ValueError as error:
            form = "behaviour strategies" if isinstance(game, Extensive) else "reduced strategies"
            refusals.setdefault(str(error).removeprefix(f"{profile}: "), form)
    readings = [f"as {form}: {fault}" for fault, form in refusals.items()]
    reason = "; ".join(readings) if len(readings) > 1 else next(iter(refusals))
    raise OptionError(f"--profile {profile}: {reason}")


def _written(game: Any, names: GameNames, profile: list[list[Any]], where: str) -> ReadProfile:
    """Return the fractions of a profile as it is written. Raises `ValueError` where these do not sum to 1."""
    strategies, units, notes = [], [], []
    for player, (numbers, lengths) in enumerate(zip(profile, _groups(game), strict=True)):
        shares = [number.value for number in numbers]
        units.append(hook("rounding_of")(numbers))
        start = 0
        for length in lengths:
            part = slice(start, start + length)
            # of behaviour strategies each information set has a distribution
            at_set = names.entries[player][start].partition(": ")[0]
            label = f"{where}player {names.players[player]}" + f", at {at_set}" * (len(lengths) > 1)
            shares[part], note = _shares(shares[part], units[-1], label)
            notes += [note] * bool(note)
            start += length
        strategies.append(shares)
    return ReadProfile(strategies, units, notes)


def _judged(game: Any, profile: ReadProfile) -> Judged:
    """Judge a profile in its game. Raises `ValueError` for what is no profile of the game."""
    import numpy as np

    from rivalry.certificates.certify import certificate
    from rivalry.families.extensive import BehaviourSpace
    from rivalry.families.matrix import Matrix
    from rivalry.tables.exact_profiles import LARGEST_TABLE, exact_gains, nearest_equilibrium
    from rivalry.tables.extreme_equilibria import payoff_fractions

    strategies, units, notes = profile
    entries = _entries(game)
    x = np.asarray(game.space.project(np.zeros(game.space.shape)), float).copy()
    x[entries] = [float(value) for numbers in strategies for value in numbers]
    x = np.asarray(game.space.check(x, "profile"))
    gains = nearest = None
    if isinstance(game, Matrix):
        tables = game.exact_table
        if tables.size <= LARGEST_TABLE:
            read = np.array([payoff_fractions(payoffs) for payoffs in tables])
            gains = exact_gains(read, strategies)
            if any(gains) and any(units):
                nearest = nearest_equilibrium(read, strategies, units)
        near = None if nearest is None else [[str(p) for p in distribution] for distribution in nearest]
        return Judged(strategies, certificate(game, x), notes, gains, near, 0.0)
    smooth = not isinstance(game.space, BehaviourSpace)
    proved = certificate(game, x, proof=smooth)
    neighbour, radius = _nearest_choices(game, x, units, proved) if smooth and any(units) else (None, 0.0)
    return Judged(strategies, proved, notes, None, neighbour, radius)


def _shares(values: list[Fraction], unit: Fraction, label: str) -> tuple[list[Fraction], str]:
    """Return probabilities that sum to 1, and a note where these were divided by their sum.

    Raises `ValueError` for what is below 0, or off 1, by more than rounding.
    """
    from rivalry.core.tolerances import SHARES_SUM

    lowest, total = min(values), sum(values, Fraction(0))
    if lowest < -SHARES_SUM:
        raise ValueError(f"{label}: {float(lowest):g} is negative; must be a probability")
    if abs(total - 1) > len(values) * unit / 2 + Fraction(SHARES_SUM):
        raise ValueError(f"{label}: probabilities sum to {float(total):g}; must be 1")
    if lowest >= 0 and total == 1:
        return values, ""
    positive = [max(value, Fraction(0)) for value in values]
    total = sum(positive, Fraction(0))
    return [value / total for value in positive], f"{label}: sums to {float(total)!r}, and is divided by it"


def _nearest_choices(
    game: Any, x: Any, units: list[Fraction], proved: Certificate
) -> tuple[list[list[str]] | None, float]:
    """Return choices near which an equilibrium is proved, within the rounding, and how near; else None."""
    import numpy as np

    from rivalry.certificates.certify import certificate
    from rivalry.methods import Newton
    from rivalry.solving import solve

    candidates = [(x, proved)]
    if proved.radius is None:
        try:
            neighbour = np.asarray(solve(game, Newton(), x).profile)
        except (ValueError, TypeError):
            return None, 0.0
        candidates.append((neighbour, certificate(game, neighbour, proof=True)))
    room, entries = np.array([float(unit) for unit in units]), _entries(game)
    for y, judged in candidates:
        off = np.where(entries, np.abs(np.asarray(y) - x), 0.0).max(axis=1)
        if judged.radius is not None and bool(np.all(off + judged.radius <= room)):
            return [[repr(float(v)) for v in row[mask]] for row, mask in zip(y, entries, strict=True)], float(
                judged.radius
            )
    return None, 0.0


def _proof(game: Any, judged: Judged) -> Any:
    """Return a function that writes the proof of a profile to a file, or raises `ValueError`."""
    import numpy as np

    from rivalry.core import oracles
    from rivalry.core.results import Record
    from rivalry.solving import proof_of
    from rivalry.solving.exact_proofs import save_profile

    if judged.gains is not None:
        return partial(save_profile, game.exact_table, judged.strategies)
    entries = _entries(game)
    exact = np.full(game.space.shape, Fraction(0), object)
    exact[entries] = [value for numbers in judged.strategies for value in numbers]
    record: Record = {"profile": (("player", "axis"), exact.astype(float))}
    if oracles.to_sequence_form.knows(game):  # bounds on the value of a zero-sum tree
        record = {"exact_profile": (("player", "axis"), exact.astype(str))}
        record |= {"exact_bound": ((), np.zeros(0)), "game_value": ((), np.zeros(0))}
    if judged.certificate.radius is not None:
        record["certificate_radius"] = scalar(judged.certificate.radius)
    return proof_of(game, None, record).save
