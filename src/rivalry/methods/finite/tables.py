"""Tables of results of finite games: commitments, sets of payoffs, populations, matches."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from rivalry.results.reader import Reader
from rivalry.results.table import ZERO, Estimate, Row, Rows, Table
from rivalry.text.display import joint_action_names, strategy_by_name, strategy_in_words

FRACTION = 12  # characters of the longest fraction that is printed
NUMBERED = "vertex {}"
ENDS = ("from", "to")


def commitment(reader: Reader) -> Table:
    """Return a leader's commitment, the response to it, and bounds on the leader's payoff."""
    profile, pays = reader.required("commitment", "commitment_payoff")
    row = reader.strategies("commitment", profile, reader.array("action_name")) | reader.payoffs(pays)
    row |= _bounds(reader, "payoff of the leader")
    is_exact = "payoff of the leader" in row
    title = "commitment, " + ("proved optimal" if is_exact else "with proved bounds")
    return Table([row], "commitments", title, shows=("commitment",), claimed="all")


def game_value(reader: Reader) -> Table | None:
    """Return the value of a constant-sum game with its bounds, and the strategies that prove it."""
    profile = reader.array("profile")
    if reader.array("game_value") is None or "game_value" in reader.stated:
        return None
    row: Row = {}
    if profile is not None and profile.ndim == 2:
        row = reader.strategies("profile", profile, reader.actions)
    row |= _bounds(reader, "value of the game")
    values = reader.array("game_values")
    if values is not None:  # payoffs with a sum other than 0: the second player's value is not the opposite
        row["value for the second player"] = reader.number(values[1])
    shows = ("game_value", "value_bound", "profile")
    title = "value of the game, " + ("proved" if "value of the game" in row else "with proved bounds")
    return Table([row], "values", title, shows, "all", holds_profile="profile" in reader.arrays)


def _bounds(reader: Reader, name: str) -> Row:
    """Return proved bounds on a value, or the value where they agree, as a fraction where that is short."""
    ends, exact = reader.array("value_bound"), reader.array("exact_bound")
    if ends is None:
        return {}
    fractions = ["", ""] if exact is None else [str(text) for text in exact]
    numbers = [reader.number(end) for end in ends]
    if fractions[0] and fractions[0] == fractions[1]:
        return {name: _as_fraction(numbers[0], fractions[0])}
    columns = (f"{name}, {word}" for word in ENDS)
    pairs = zip(columns, numbers, strict=True)
    return {column: number for column, number in pairs if np.isfinite(number.mean)}


def _as_fraction(number: Estimate, fraction: str) -> Estimate:
    """Return a number with its fraction as text, where that is short."""
    return number._replace(text=fraction) if len(fraction) <= FRACTION else number


def payoff_vertices(reader: Reader) -> Table:
    """Return the vertices of a set of payoffs, and the least payoffs."""
    (corners,), threat = reader.required("payoff_vertices"), reader.array("threat")
    rows: Rows = []
    for k, row in enumerate(corners[np.isfinite(corners).all(axis=1)], start=1):
        rows.append({"payoffs": Estimate(NUMBERED.format(k))} | reader.payoffs(row))
    if threat is not None:
        rows.append({"payoffs": Estimate("least payoffs")} | reader.payoffs(threat))
    return Table(rows, "vertices", "subgame-perfect payoffs", shows=("payoff_vertices", "threat"))


def correlated_equilibria(reader: Reader) -> Table:
    """Return the correlated equilibrium of highest welfare, and the vertices of the set of all."""
    (optimum,), pays = reader.required("joint_distribution"), reader.array("correlated_payoff")
    vertices, joint = reader.array("vertices"), reader.array("joint_action")
    exact = reader.array("exact_distribution")
    table = optimum[None] if vertices is None else np.concatenate([optimum[None], vertices])
    table = table[np.isfinite(table).all(axis=1)]
    if joint is None:  # of an earlier version
        names = [f"joint action {k}" for k in range(table.shape[1])]
    else:
        names = joint_action_names(joint, reader.array("action_name"))
    played = np.flatnonzero((table > ZERO).any(axis=0))
    rows: Rows = []
    for k, row in enumerate(table):
        label = NUMBERED.format(k) if k else "of highest welfare"
        entry = {"correlated equilibrium": Estimate(label)}
        entry |= {names[a]: reader.number(row[a], 1.0) for a in played}
        rows.append(entry)
    if exact is not None:
        for a in played:
            rows[0][names[a]] = _as_fraction(rows[0][names[a]], str(exact[a]))
    if pays is not None:
        rows[0] |= reader.payoffs(pays)
    rows[0] |= _bounds(reader, "welfare")
    shows = ("correlated_payoff", "joint_distribution", "vertices")
    return Table(rows, "vertices", "correlated equilibria: probabilities of joint actions", shows=shows)


def fixation(reader: Reader) -> Table:
    """Return the share of time in each population of one action, and the chances that mutants take over."""
    chances, shares = reader.required("fixation", "small_mutation")
    joint, actions = reader.array("joint_action"), reader.array("action_name")
    names = _action_names(actions, len(shares)) if joint is None else joint_action_names(joint, actions)
    columns = {"residents": np.array(names), "share of time": shares}
    present = np.flatnonzero(np.isfinite(shares)).tolist()  # without padding
    if joint is None:
        columns |= {f"fixation of {names[k]}": chances[:, k] for k in present}
    rows = reader.rows(columns, present)
    title = "rare mutations: populations of one action"
    return Table(rows, "populations", title, ("fixation", "small_mutation"), beside=True)


def _action_names(actions: ndarray | None, count: int) -> list[str]:
    """Return the names of the actions of a symmetric game."""
    if actions is None or np.shape(actions)[1:] != (count,):
        return [f"action {k}" for k in range(count)]
    return [str(name) for name in actions[0]]


def stability(reader: Reader) -> Table:
    """Return the strategies that were judged, and a mutant that each does not repel."""
    words, strategies, mutants, advantage = reader.required("stability", "strategy", "mutant", "advantage")
    actions = reader.array("action_name")

    def in_words(row: ndarray) -> Estimate:
        if actions is None or np.shape(actions)[1:] != row.shape:
            return Estimate(strategy_in_words(row))
        return Estimate(strategy_by_name(row, actions[0]))

    rows: Rows = []
    for k in np.flatnonzero(words != ""):
        row = {"strategy": in_words(strategies[k]), "stability": Estimate(str(words[k]))}
        if np.isfinite(advantage[k]):
            row |= {"mutant": in_words(mutants[k]), "its advantage": reader.number(advantage[k])}
        rows.append(row)
    shows = ("stability", "strategy", "mutant", "advantage")
    return Table(rows, "strategies", "evolutionary stability", shows, beside=True)


def mean_shares(reader: Reader) -> Table:
    """Return the mean shares of actions over time in populations with mutation."""
    (shares,), intervals = reader.required("mean_share"), reader.array("mean_share_interval")
    actions = reader.array("action_name")
    is_single = shares.ndim == 1
    rows: Rows = []
    for player, population in enumerate(np.atleast_2d(shares)):
        names = _action_names(None if actions is None else actions[player:], len(population))
        for k in np.flatnonzero(np.isfinite(population)):
            share = reader.number(population[k], 1.0)
            if intervals is not None:
                low, high = map(float, intervals[k] if is_single else intervals[player, k])
                share = Estimate(f"{share.text} ({low:.3g} to {high:.3g})", share.mean, low, high)
            row = {} if is_single else {"population": Estimate(reader.players(len(shares))[player])}
            rows.append(row | {"action": Estimate(names[k]), "mean share": share})
    return Table(rows, "actions", "shares of actions over time", ("mean_share",), beside=True)


def scores(reader: Reader) -> Table:
    """Return the ranking of a round robin, with the mean payoffs per turn against each opponent."""
    scores, matches, ranking = reader.required("score", "match_payoff", "ranking")
    order = np.argsort(-scores, kind="stable")[: int(np.isfinite(scores).sum())]  # without padding
    columns = {"strategy": np.full(len(scores), "", ranking.dtype), "score": scores}
    columns["strategy"][order] = ranking[: len(order)]
    columns |= {f"against {columns['strategy'][k]}": matches[:, k] for k in order}
    rows = reader.rows(columns, order.tolist())
    title = "total score, and mean payoff per turn against each strategy"
    return Table(rows, "strategies", title, ("score", "match_payoff", "ranking"), beside=True)
