"""Tables of learners: means over sessions, and rewards at the end of learning."""

from __future__ import annotations

import numpy as np

from rivalry.results.reader import Reader
from rivalry.results.table import UNKNOWN, ZERO, Estimate, Row, Table, around
from rivalry.text.statistics import half_width, share_interval

MEANS = (
    *("pooled_gain", "end_mean_price", "end_total_quantity", "end_payoff", "value", "terminal_share"),
    *("leader_regret", "follower_gap", "follower_best_response", "one_shot_loss", "full_gap"),
    "cycle_length",
)
SHARES = {
    "converged": "share of sessions that converged",
    "in_equilibrium": "share of sessions in equilibrium",
    "deviation_pays": "share of sessions in which a deviation pays",
}

GAINS = (
    *("regret", "exploring_regret", "policy_regret", "policy_regret_exploring", "exploitability"),
    *("exploring_exploitability", "exploring_efficiency", "trained_best_response_gain"),
)
"""Of trained networks; the band of an estimate is in the variable with ``_band`` after its name."""


def sessions(reader: Reader) -> Table:
    """Return means over sessions, and shares of sessions, with their 95 % intervals; a session is a draw."""
    rows: list[Row] = []
    for name in MEANS:
        values = reader.array(name)
        if values is None or values.dtype.kind not in "fi" or values.ndim > 2:
            continue
        values = np.where(values < 0, np.nan, values) if values.dtype.kind == "i" else values
        label = reader.names.quantity(name)
        columns = values.reshape(len(values), -1)
        owners = [f" of {player}" for player in reader.players(columns.shape[1])]
        if values.ndim == 1:  # of all players together
            owners = [""]
        for owner, column in zip(owners, columns.T, strict=True):
            finite = column[np.isfinite(column)]
            if len(finite):
                rows.append({"quantity": Estimate(f"{label}{owner}"), "mean": _mean(finite)})
    for name in SHARES:
        flags = reader.array(name)
        if flags is None:
            continue
        complete = flags.reshape(len(flags), -1)
        complete = complete[np.all(complete >= 0, axis=1)]  # without padding
        sessions_with = np.asarray(complete.any(axis=1))
        rows.append({"quantity": Estimate(SHARES[name]), "mean": _share(sessions_with)})
    return Table(rows, "quantities", "means over sessions", (*MEANS, *SHARES), beside=True)


def _mean(values: np.ndarray) -> Estimate:
    return around(float(values.mean()), float(half_width(values)))


def _share(flags: np.ndarray) -> Estimate:
    low, high = map(float, share_interval(int(flags.sum()), len(flags)))
    share = float(flags.mean())
    return Estimate(f"{share:.2f} ({low:.2f} to {high:.2f})", share, low, high)


def last_rewards(reader: Reader) -> Table | None:
    """Return every player's mean reward per period in the last sample of learning, with its 95 % interval."""
    rewards, periods = reader.required("learning_reward", "learning_step")
    bands = reader.array("learning_reward_band")
    if rewards.ndim != 2:
        return None
    last = int(np.flatnonzero(np.isfinite(rewards).any(axis=1))[-1])
    rows: list[Row] = []
    for k, player in enumerate(reader.players(rewards.shape[1])):
        half = UNKNOWN if bands is None else float(bands[last, k])
        reward = around(float(rewards[last, k]), half)
        rows.append({"player": Estimate(player), "mean reward": reward})
    title = f"learning from period {periods[last]:,.0f} on, with exploration"
    return Table(rows, "players", title, beside=True)


def training(reader: Reader) -> Table:
    """Return the gains of best responses to trained networks, the largest over players."""
    rows: list[Row] = []
    for name in GAINS:
        values, bands = reader.array(name), reader.array(f"{name}_band")
        if values is None:
            continue
        player = int(np.nanargmax(np.ravel(values)))
        gain = float(np.ravel(values)[player])
        half = 0.0 if bands is None else float(np.ravel(bands)[player])
        half = half if half > ZERO else UNKNOWN  # narrower bands come from the order of summation
        quantity = Estimate(reader.names.quantity(name))
        rows.append({"quantity": quantity, "largest over players": around(gain, half)})
    is_resumed = bool(np.any(reader.arrays["resumed"] == 1))
    suffix = ", resumed from a checkpoint" * is_resumed
    return Table(rows, "quantities", f"outcomes of training{suffix}", GAINS, beside=True)
