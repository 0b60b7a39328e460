"""``rivalry certify --profile`` and ``--policy``: what other programs computed, judged in a game."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import partial
from inspect import isfunction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rivalry.cli import output
from rivalry.cli.values import OptionError, of_option
from rivalry.schema.registry import from_file, hook
from rivalry.schema.validate import one_line

if TYPE_CHECKING:
    from rivalry.core.naming import GameNames
    from rivalry.core.results import Certificate
    from rivalry.lab.study import Cell, Study
    from rivalry.lab.study.identity import TableDict
    from rivalry.results.table import Printed

SHOWN = 4  # profiles of which the table of gains is printed; of others one line

Save = Callable[[Path], None]  # writes a proof file, or raises `ValueError`


class ReadProfile(NamedTuple):
    """A profile in fractions, and how its numbers were written."""

    strategies: list[Any]  # of fractions, [player][axis]
    units: list[Fraction]  # to which each player's numbers are rounded; 0 where they are exact
    notes: list[str]  # on rounding


class Judged(NamedTuple):
    """A certificate, how its proof is written, and what is printed beside it."""

    certificate: Certificate
    save: Save
    row: TableDict  # of JSON
    notes: list[str]
    exact: list[Fraction] | None = None  # gains, per player


def certify_profile(profile: str, game: str, export: Path | None) -> tuple[TableDict, list[Printed]]:
    """Certify every profile of a file in a game, and write proofs to a folder. Raises `OptionError`."""
    from rivalry.core.naming import names_of
    from rivalry.core.oracles import flow_answer

    forms = _games(game)
    played = next(forms)
    if flow_answer.knows(played):
        if export is not None:
            raise OptionError("--export: flows of links have no proof file")
        with of_option("--profile", profile):
            row, lines = flow_answer(played, profile)
        return {"certificates": [{"profile": profile, "game": game, **row}]}, [*lines]
    played, profiles, order = _read_in(profile, chain([played], forms), game)
    with of_option("--profile", profile):
        judged = [_judge_profile(played, read) for read in profiles]
    names = names_of(played)
    for k, judgement in enumerate(judged, 1):
        judgement.row.update(profile=f"{profile}:{k}", game=game, **names._asdict())
    return _printed(judged, order, names.players, Path(profile).stem, export)


def certify_policy(
    policy: str, game: str, export: Path | None, q_values: bool
) -> tuple[TableDict, list[Printed]]:
    """Certify a policy of a file in the first game of a study, and write its proof to a folder.

    The policy is ``FILE.py:NAME`` or a table that `rivalry.core.foreign_tables` reads; with ``q_values`` a
    table holds action values, whose greedy policy is judged. Raises `OptionError` and `StudyError`.
    """
    from rivalry.core.foreign_tables import FORMS, is_table

    with of_option("--game", game):
        study, cell = first_cell(game)
    file, _, name = policy.rpartition(":")
    output.note_files([study])
    if is_table(policy):
        name = Path(policy.replace(":", "_")).stem
    elif file.endswith(".py") and name.isidentifier():
        output.note(f"runs {file}, which --policy names")
    else:
        raise OptionError(f"--policy: {policy!r} must be FILE.py:NAME, {FORMS}")
    with of_option("--policy", policy):
        read = partial(_read_policy, policy, name, q_values)
        judged, order = _judge_policy(study, cell.task["game"], read)
    judged.row.update(policy=policy, study=study.name, at=cell.point)
    players = list(map(str, range(len(judged.certificate.regret))))
    return _printed([judged], order, players, name, export)


def _printed(
    judged: Sequence[Judged], order: str, players: Sequence[str], stem: str, export: Path | None
) -> tuple[TableDict, list[Printed]]:
    """Return certificates as JSON and in words, with the files of their proofs."""
    import numpy as np

    from rivalry.core.files import folder_for
    from rivalry.lab.proofs import saved_and_checked

    folder = None if export is None else folder_for(export)
    parts, proofs, several = list[Any](), list[str](), len(judged) > 1
    for k, judgement in enumerate(judged, 1):
        certificate = judgement.certificate
        for word in ("claim", "coverage", "rounding", "concept", "method"):
            judgement.row[word] = getattr(certificate, word)
        numbers = {"regret": certificate.regret.tolist(), "bound": certificate.bound.tolist()}
        judgement.row.update(numbers, tolerance=float(np.max(certificate.tolerance)), read_in_order=order)
        if len(judged) <= SHOWN:
            parts.append(_gains(judgement, players))
        proved = (
            "; exact: no gain in fractions"
            if judgement.exact is not None and not any(judgement.exact)
            else ""
        )
        parts += [f"profile {k}: " * several + repr(certificate) + proved, *judgement.notes]
        if folder is not None:
            proofs.append(saved_and_checked(judgement.save, folder / f"{stem}{f'-{k}' * several}.json")[1])
    parts += [f"read in the order {order}"] * bool(order)
    value: TableDict = {"certificates": [judgement.row for judgement in judged]}
    return value | ({} if folder is None else {"proofs": proofs}), [*parts, *proofs]


def _gains(judged: Judged, players: Sequence[str]) -> Any:
    """Return the table of the largest gains; of a mean field by type, of which one agent deviates."""
    from rivalry.results.table import table_of
    from rivalry.text.display import bound_in_words

    certificate = judged.certificate
    columns: dict[str, Iterable[Any]] = {
        "type" if certificate.concept == "mean field" else "player": players,
        f"largest gain{certificate.facts.unit}": certificate.regret.tolist(),
        "bound": map(bound_in_words, certificate.bound),
    }
    if judged.exact is not None:
        columns["exact gain"] = judged.exact
    return table_of(dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))


def _games(text: str) -> Iterator[Any]:
    """Yield the games that an option names: of a tree both forms, in behaviour strategies first."""
    path = Path(text)
    file, _, name = text.rpartition(":")
    with of_option("--game", text):
        if path.suffix in (".nfg", ".efg"):
            yield from hook("games_of_file")(path)
        elif file.endswith(".py") and name.isidentifier():
            output.note(f"runs {file}, which --game names")
            target = from_file(f"{Path(file).name}:{name}", Path(file).parent)
            try:
                yield target() if isfunction(target) or isinstance(target, type) else target
            except Exception as error:  # any error of the user's code, in one line
                raise ValueError(one_line(f"{text}: {type(error).__name__}: {error}")) from error
        else:
            yield game_of_table(text)[0]


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


def first_cell(name: str) -> tuple[Study, Cell]:
    """Return a study and its first cell, and note where others have other games. Raises `ValueError`."""
    from rivalry.lab.study import load_study

    study = load_study(name)
    if study.include:
        raise ValueError(f"{name}: includes studies ({', '.join(study.include)}); name one of them")
    first, *rest = study.cells()
    if any(cell.task["game"] != first.task["game"] for cell in rest):
        where = ", ".join(f"{key} = {value}" for key, value in first.point.items())
        output.note(f"{study.name}: has several games; judged in the first: {where}")
    return study, first


# Policies


def _read_policy(
    policy: str, name: str, q_values: bool, actions: Sequence[str] = (), states: Sequence[str] = ()
) -> tuple[Any, str]:
    """Return the function, actions or probabilities of a policy, and the order of its actions and states.

    The order is in words, and empty for a function and for a table with names. ``q_values`` says that the
    table has action values, of which the best action is taken.
    """
    from rivalry.core.foreign_tables import is_table, read_named_table, table_of_rows
    from rivalry.core.naming import NamedTable, name_list, rows_of_frame
    from rivalry.tables.policy_answers import policy_numbers
    from rivalry.tables.policy_response import greedy_table

    table, has_names = None, False
    if is_table(policy):
        table, has_names = read_named_table(policy, actions, states)
    else:
        path = Path(policy.rpartition(":")[0])
        table = from_file(f"{path.name}:{name}", path.parent)
        if isinstance(table, NamedTable):
            table, has_names = table_of_rows(rows_of_frame(table), actions, states)
    if not callable(table):
        table = policy_numbers(table, name)
    if q_values and (callable(table) or table.ndim < 2):
        raise ValueError("--q-values: needs a table [state action] or [player state action]")
    order = name_list(actions)
    if states:
        order += f"; states {name_list(states)}"
    if has_names or callable(table) or not actions:
        order = ""
    if q_values:
        table = greedy_table(table)
    return table, order


def _judge_policy(
    study: Study, table: Mapping[str, Any], read: Callable[..., tuple[Any, str]]
) -> tuple[Judged, str]:
    """Judge a policy in a population or in repeated play. Raises `ValueError` for another game."""
    from rivalry.certificates.certify import certificate
    from rivalry.core.claims import percent_in_words
    from rivalry.core.game import is_population
    from rivalry.lab.study import build_game, build_method
    from rivalry.methods import RepeatedQLearning
    from rivalry.solving.exact_proofs import ExactProof, save_policy
    from rivalry.tables.policy_response import policy_certificate, policy_names, policy_table

    game = build_game(table, study.folder)
    if is_population(game):
        policy, order = read()
        judged = certificate(game, hook("policy_table")(game, policy) if callable(policy) else policy)
        notes = []
        if judged.at_stake is not None:
            share = percent_in_words(float((judged.regret / judged.at_stake).max()))
            meaning = "gain: that of an agent of the type from a best response"
            notes.append(f"{meaning}; {share} of what its own choice changes")
        return Judged(judged, ExactProof(game, None, {}).save, {}, notes), order
    for cell in study.cells():
        if cell.task["game"] == table:
            method = build_method(cell.task["method"], study.folder, game)
            if isinstance(method, RepeatedQLearning):
                world = method.world(game)
                policy, order = read(*policy_names(world))
                # certificate and proof are of one table
                played = world, method.discounts(world), policy_table(world, policy)
                return Judged(policy_certificate(*played), partial(save_policy, *played), {}, []), order
    raise ValueError("is of no population, and of no repeated play: judge a profile by --profile")


# Profiles


def _entries(game: Any) -> Any:
    """Mask of the entries of a profile that are choices, ``[player axis]``."""
    import numpy as np

    return np.asarray(game.space.mask)


def _groups(game: Any) -> list[list[int]]:
    """Return the lengths of the player's distributions, one after the other; empty without any."""
    from rivalry.core.space import Simplex
    from rivalry.families.extensive import BehaviourSpace

    if isinstance(game.space, BehaviourSpace):
        return [list(lengths) for lengths in game.space.sizes]
    return [[int(mask.sum())] if isinstance(game.space, Simplex) else [] for mask in _entries(game)]


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
    """Return the probabilities of a profile as fractions. Raises `ValueError` where they do not sum to 1.

    A behaviour strategy has a distribution at every information set, any other strategy a single one.
    """
    strategies, units, notes = [], [], []
    for player, (numbers, lengths) in enumerate(zip(profile, _groups(game), strict=True)):
        shares = [number.value for number in numbers]
        unit = hook("rounding_of")(numbers)
        start = 0
        for length in lengths:
            label = f"{where}player {names.players[player]}"
            if len(lengths) > 1:
                information_set = names.entries[player][start].partition(": ")[0]
                label = f"{label}, at {information_set}"
            end = start + length
            shares[start:end], note = _shares(shares[start:end], unit, label)
            if note:
                notes.append(note)
            start = end
        units.append(unit)
        strategies.append(shares)
    return ReadProfile(strategies, units, notes)


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


def _judge_profile(game: Any, profile: ReadProfile) -> Judged:
    """Judge a profile in its game. Raises `ValueError` for what is no profile of the game."""
    import numpy as np

    from rivalry.certificates.certify import certificate
    from rivalry.core.claims import ClaimFacts
    from rivalry.families.extensive import BehaviourSpace
    from rivalry.families.matrix import Matrix
    from rivalry.solving.exact_proofs import save_profile
    from rivalry.tables.exact_profiles import LARGEST_TABLE, exact_gains, nearest_equilibrium
    from rivalry.tables.extreme_equilibria import payoff_fractions

    strategies, units, notes = profile
    x = np.asarray(game.space.project(np.zeros(game.space.shape)), float).copy()
    x[_entries(game)] = np.concatenate(strategies).astype(float)
    x = np.asarray(game.space.check(x, "profile"))
    near: Iterable[Iterable[Any]] | None = None
    gains, radius = None, 0.0
    is_smooth = not isinstance(game, Matrix) and not isinstance(game.space, BehaviourSpace)
    judged = certificate(game, x, proof=is_smooth)
    save: Save = partial(_save, game, strategies, judged.radius)
    if isinstance(game, Matrix) and game.exact_table.size <= LARGEST_TABLE:
        read = np.array(list(map(payoff_fractions, game.exact_table)))
        gains = exact_gains(read, strategies)
        save = partial(save_profile, game.exact_table, strategies)
        if any(gains) and any(units):
            near = nearest_equilibrium(read, strategies, units)
    elif is_smooth and any(units):
        near, radius = _nearest_choices(game, x, units, judged)
    row: TableDict = {"strategies": [list(map(str, strategy)) for strategy in strategies], "notes": notes}
    row |= {"exact_gain": None if gains is None else list(map(str, gains))}
    row |= {"nearest": None, "nearest_radius": None}
    if near is not None:
        row |= {"nearest": [list(map(str, distribution)) for distribution in near], "nearest_radius": radius}
        points = ", ".join(f"({', '.join(distribution)})" for distribution in row["nearest"])
        proof = ClaimFacts(radius=radius).near if radius else "exact"
        notes = [*notes, f"nearest equilibrium within the rounding: {points}; {proof}"]
    return Judged(judged, save, row, notes, gains)


def _nearest_choices(
    game: Any, x: Any, units: list[Fraction], judged: Certificate
) -> tuple[list[list[Any]] | None, float]:
    """Return choices near which an equilibrium is proved, within the rounding, and how near; else None."""
    import numpy as np

    from rivalry.certificates.certify import certificate
    from rivalry.methods import Newton
    from rivalry.solving import solve

    y = x
    if judged.radius is None:
        try:
            y = np.asarray(solve(game, Newton(), x).profile)
        except (ValueError, TypeError):
            return None, 0.0
        judged = certificate(game, y, proof=True)
    room, entries = np.array([float(unit) for unit in units]), _entries(game)
    off = np.where(entries, np.abs(y - x), 0.0).max(axis=1)
    if judged.radius is None or np.any(off + judged.radius > room):
        return None, 0.0
    return [row[mask].tolist() for row, mask in zip(y, entries, strict=True)], float(judged.radius)


def _save(game: Any, strategies: list[Any], radius: float | None, path: Path) -> None:
    """Write the proof of a profile to a file. Raises `ValueError` where there is none."""
    import numpy as np

    from rivalry.core import oracles
    from rivalry.core.results import Record, scalar
    from rivalry.solving import proof_of

    exact = np.full(game.space.shape, Fraction(0), object)
    exact[_entries(game)] = np.concatenate(strategies)
    record: Record = {"profile": (("player", "axis"), exact.astype(float))}
    if oracles.to_sequence_form.knows(game):  # bounds on the value of a zero-sum tree
        record = {"exact_profile": (("player", "axis"), exact.astype(str))}
        record |= {"exact_bound": ((), np.zeros(0)), "game_value": ((), np.zeros(0))}
    if radius is not None:
        record["certificate_radius"] = scalar(radius)
    proof_of(game, None, record).save(path)
