"""Tables of lists of equilibria, and of what everyone plays in a game of leaders."""

from __future__ import annotations

import numpy as np

from rivalry.results.reader import Reader, profile_rows
from rivalry.results.table import CLAIM, GAIN, PROVED, RADIUS, Estimate, Row, Rows, Table, exactly
from rivalry.text.display import interval_in_words, radius_in_words

SHOWS = ("equilibria", "equilibrium_payoff", "equilibrium_gain", "equilibrium_claim", "radius")


def equilibria(reader: Reader) -> Table | None:
    """Return the equilibria of a list, and the vertices of sets of equilibria."""
    profiles, pays = reader.array("equilibria"), reader.array("equilibrium_payoff")
    if profiles is None or profiles.ndim != 3:
        return None
    component = reader.array("component")
    labels = [] if component is None else component[component >= 0].tolist()
    # a component has a column only where several equilibria have one in common
    is_connected = component is not None and len(set(labels)) < len(component)
    rows: Rows = []
    for k, profile in enumerate(profiles):
        players = ~np.isnan(profile).all(axis=1)
        if not players.any():  # padding
            continue
        row = _strategies(reader, k, profile[players], has_component=component is not None)
        if pays is not None:
            largest = float(np.nanmax(np.abs(pays), initial=0.0))
            row |= reader.payoffs(pays[k][: players.sum()], largest)
        if component is not None and is_connected:
            row["component"] = exactly(str(int(component[k])), float(component[k]))
        rows.append(row | _certificate(reader, k, is_proved=not {PROVED, RADIUS}.isdisjoint(row)))
    if {row[CLAIM].text for row in rows if CLAIM in row} == {reader.text("claim")}:
        for row in rows:
            row.pop(CLAIM, None)  # the claim of the profile is that of all
    return Table(rows + _vertices(reader), "equilibria", shows=SHOWS, claimed="proved", holds_profile=True)


def _strategies(reader: Reader, k: int, profile: np.ndarray, *, has_component: bool) -> Row:
    """Return the strategies ``profile [player axis]`` of equilibrium k, and the proved radius around them.

    The radius is "exact" for equilibria in fractions and in pure strategies. Where nothing is known about the
    distance to an exact equilibrium, it has no entry.
    """
    radii, actions = reader.array("radius"), reader.actions
    radius = None
    if radii is not None and np.isfinite(radii[k]):
        radius = float(radii[k])
    row = reader.strategies("equilibria", profile, actions, within=radius or 0.0)
    # the radius of an equilibrium in fractions, as with a component, is only the rounding of its numbers
    in_fractions = has_component or (bool(radius) and reader.array("exact_equilibria") is not None)
    is_pure = actions is not None and np.all((profile == 0) | (profile == 1))
    heading = RADIUS if reader.numbers else PROVED
    if radius and not in_fractions:
        row[heading] = exactly(f"within {radius_in_words(radius)}", radius)
    elif radius == 0 or in_fractions or is_pure:
        row[heading] = exactly("exact", radius or 0.0)
    return row


def _certificate(reader: Reader, k: int, *, is_proved: bool) -> Row:
    """Return the bound on the largest gain at equilibrium k, and its claim; each only where it is known.

    The text of the bound is that of all equilibria where all are certified as such.
    """
    gains = reader.array("equilibrium_gain")
    claims = reader.array("equilibrium_claim")
    row = Row()
    if gains is not None and claims is not None and np.isfinite(gains[k]):
        all_certified = set(claims.tolist()) <= {"", "equilibrium"}
        bound = float(np.nanmax(gains)) if all_certified else float(gains[k])
        text = f"at most {radius_in_words(bound)}" if bound > 0 else "0"
        row[GAIN] = exactly(text, float(gains[k]))
    claim = ""
    if claims is not None and claims[k]:
        claim = str(claims[k])
    elif is_proved:
        # an exact equilibrium is within the radius
        claim = "equilibrium"
    elif k == 0:
        # the result's claim is on its profile, which is the first equilibrium
        claim = reader.text("claim")
    if claim:
        row[CLAIM] = Estimate(claim)
    return row


def _vertices(reader: Reader) -> Rows:
    """Return the rows of the vertices of sets of equilibria."""
    vertices, numbers = reader.array("equilibrium_vertex"), reader.array("vertex_set")
    rows: Rows = []
    if vertices is None or numbers is None:
        return rows
    for k in np.argsort(numbers, kind="stable"):
        if numbers[k] >= 0:  # else padding
            row = reader.strategies("equilibria", vertices[k], reader.actions)
            # solved in fractions
            row[RADIUS if reader.numbers else PROVED] = exactly("exact", 0.0)
            rows.append(row | {"set": Estimate(f"set {numbers[k]}: all between its vertices")})
    return rows


def ranges(reader: Reader) -> Table:
    """Return the ranges of parameters, with their numbers of equilibria."""
    # ends [range parameter end]
    ends, counts, names, decided = reader.required(
        "where_range", "where_count", "where_name", "where_decided"
    )
    present = np.flatnonzero(~np.isnan(ends).any(axis=(1, 2)))
    narrowest = np.min(np.ptp(ends[present], axis=2), axis=0)
    rows: Rows = []
    for k in present:
        is_decided = decided[k] == 1
        row: Row = {}
        for name, (low, high), width in zip(names, ends[k], narrowest, strict=True):
            text = interval_in_words(np.array([low, high]), width, inside=bool(is_decided))
            row[reader.names.key(str(name))] = Estimate(text, (low + high) / 2, low, high)
        words = f"exactly {counts[k]}" if is_decided else f"undecided, at least {counts[k]}"
        rows.append(row | {"equilibria": Estimate(words)})
    return Table(rows, "ranges", "numbers of equilibria", ("where_",), beside=True)


def play(reader: Reader) -> Table | None:
    """Return the strategies of leaders and followers, and their payoffs."""
    profile, pays = reader.required("play", "play_payoff")
    if profile.ndim != 2:
        return None
    axes = reader.axes("play", profile.shape[1])
    names = {"player": tuple(reader.players(len(profile))), "axis": () if axes[0] == "0" else tuple(axes)}
    record = {"profile": (("player", "axis"), profile), "payoff": (("player",), pays)}
    rows = profile_rows(record, names, numbers=reader.numbers)
    shows = ("play", "profile", "payoff")
    return Table(rows, "players", "what all players play", shows, "all", holds_profile=True, beside=True)
