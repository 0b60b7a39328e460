"""Payoffs of races over periods in plain NumPy, and a search over a player's whole schedules.

Nothing here is shared with the package. The formulas are written from the description of the game, gradients
are complex steps, and the search proposes whole schedules, so that a deviation of several steps is within its
reach where each step alone only costs. Keys are those of the factory of races.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray
from scipy.optimize import minimize

COMPLEX_STEP = 1e-30
LARGEST_LOG_ODDS = 600.0
LEVELS = np.concatenate([[0.0], np.logspace(-6, 5, 23)])  # of a pair of inputs that change together
SHARES = np.array([0.0, 0.25, 0.5, 0.75, 1.0])


class Schedules(NamedTuple):
    """A race over periods: numbers per player, and the rules that its payoffs need."""

    players: int
    periods: int
    columns: int
    A: ndarray
    B: ndarray
    alpha: ndarray
    beta: ndarray
    theta: ndarray
    decisiveness: float
    kappa: float | None
    prize: ndarray
    loser_prize: ndarray
    disaster_cost: ndarray
    no_winner: ndarray
    end_on: str
    weights: ndarray  # [period player]
    prices: ndarray  # [column player]
    depreciation: ndarray  # [stock player]
    spillover: str

    def payoffs(self, schedule: ndarray) -> ndarray:
        """Payoffs ``[.. player]`` of schedules ``[.. period player column]``, which may be complex."""
        batch = schedule.shape[:-3]
        stock = [
            np.broadcast_to(level, (*batch, self.players)).astype(schedule.dtype)
            for level in (self.A, self.B)
        ]
        reached = np.ones((*batch, 1), schedule.dtype)
        total = np.zeros((*batch, self.players), schedule.dtype)
        for t in range(self.periods):
            row = schedule[..., t, :, :]
            paid, goes_on = self._period(stock[0], stock[1], row)
            total = total + self.weights[t] * reached * paid
            reached = reached * goes_on[..., None]
            if self.columns > 2 and t + 1 < self.periods:
                stock = [self._next_stock(k, stock[k], row) for k in range(2)]
        return total

    def _next_stock(self, k: int, stock: ndarray, row: ndarray) -> ndarray:
        after = (1 - self.depreciation[k]) * stock + row[..., 2 + k]
        return after + spillovers(stock, row[..., 4 + k], self.spillover) if self.columns == 6 else after

    def _period(self, A: ndarray, B: ndarray, row: ndarray) -> tuple[ndarray, ndarray]:
        """Payoffs of one period, all costs paid, and the chance that play goes on."""
        ls = _log(A) + self.alpha * _log(row[..., 0])
        lp = _log(B) + self.beta * _log(row[..., 1])
        built = np.isfinite(lp.real)
        # nothing built is nothing dangerous, except where performance does not matter for safety
        spoils = self.theta > 0
        z = np.where(spoils, np.where(built, ls - self.theta * np.where(built, lp, 0), np.inf), ls)
        safe = _logistic(z)
        top = np.max(np.where(built, lp.real * self.decisiveness, -np.inf), axis=-1, keepdims=True)
        nobody_weight = -np.inf if self.kappa is None else -np.log(self.kappa)
        top = np.maximum(top, nobody_weight)
        top = np.where(np.isfinite(top), top, 0.0)
        weight = np.where(built, np.exp(self.decisiveness * np.where(built, lp, 0) - top), 0.0)
        empty = np.exp(nobody_weight - top[..., 0])
        sum_of_weights = weight.sum(axis=-1) + empty
        nothing = sum_of_weights.real == 0
        sum_of_weights = np.where(nothing, 1.0, sum_of_weights)
        q = weight / sum_of_weights[..., None]
        nobody = np.where(nothing, 1.0, empty / sum_of_weights)
        unsafe = (q * (1 - safe)).sum(axis=-1)
        safe_win = q * safe
        lost_safely = safe_win.sum(axis=-1, keepdims=True) - safe_win
        paid = safe_win * self.prize + lost_safely * self.loser_prize - unsafe[..., None] * self.disaster_cost
        paid = paid + nobody[..., None] * self.no_winner
        for column in range(self.columns):
            paid = paid - self.prices[column] * row[..., column]
        goes_on = {"none": np.ones_like(nobody), "win": nobody, "disaster": 1 - unsafe}[self.end_on]
        return paid, goes_on


def spillovers(stock: ndarray, share: ndarray, rule: str) -> ndarray:
    """What every player receives of the leads of the others, ``[.. player]``."""
    players = stock.shape[-1]
    received = np.zeros_like(stock)
    if rule == "sum":
        for giver in range(players):
            lead = stock[..., giver, None] - stock
            received = received + np.where(lead.real > 0, lead, 0) * share[..., giver, None]
        return received
    if rule != "union":
        raise ValueError(rule)
    order = np.argsort(stock.real, axis=-1)
    levels, kept = np.take_along_axis(stock, order, -1), 1 - np.take_along_axis(share, order, -1)
    # between two neighbouring levels all that are higher give: the chance that at least one does
    for low in range(players - 1):
        gap = levels[..., low + 1] - levels[..., low]
        gift = gap * (1 - np.prod(kept[..., low + 1 :], axis=-1))
        below = stock.real <= levels[..., low, None].real
        received = received + np.where(below, gift[..., None], 0)
    return received


def _log(x: ndarray) -> ndarray:
    positive = x.real > 0
    return np.where(positive, np.log(np.where(positive, x, 1.0)), -np.inf)


def _logistic(z: ndarray) -> ndarray:
    large = np.abs(z.real) > LARGEST_LOG_ODDS
    middle = 1 / (1 + np.exp(-np.where(large, 0.0, z)))
    return np.where(large, np.where(z.real > 0, 1.0, 0.0), middle)


def from_keys(keys: Mapping[str, Any]) -> Schedules:
    """The race of keys as the factory of races takes them. Raises `KeyError` for other keys."""
    table = dict(keys)
    players, periods = int(table.pop("players", 2)), int(table.pop("horizon", 1))
    contest, reward = dict(table.pop("contest", {})), dict(table.pop("reward", {}) or {})
    cost, technology = dict(table.pop("cost", {})), dict(table.pop("technology", {}) or {})
    if contest.pop("kind", "ratio") != "ratio" or cost.pop("kind", "linear") != "linear":
        raise KeyError("only ratio contests and linear cost")

    def numbers(source: dict[str, Any], name: str, default: float) -> ndarray:
        return np.broadcast_to(np.asarray(source.pop(name, default), float), (players,)).copy()

    share = bool(technology.pop("share", False))
    invest = bool(technology.pop("invest", False)) or share
    investment = [
        numbers(technology, f"{stock}_investment_price", 0.01) for stock in ("safety", "performance")
    ]
    sharing = [numbers(technology, f"{stock}_sharing_price", 0.0) for stock in ("safety", "performance")]
    inputs = [
        numbers(cost, "safety_price", 0.1) - numbers(cost, "safety_subsidy", 0.0),
        numbers(cost, "performance_price", 0.1) + numbers(cost, "performance_tax", 0.0),
    ]
    columns = 6 if share else 4 if invest else 2
    disaster_cost = numbers(table, "disaster_cost", 1.0)
    no_winner = table.pop("no_winner", "harmless")
    words = {"harmless": np.zeros(players), "disaster": -disaster_cost}
    gamma = numbers(table, "gamma", 1.0)
    found = Schedules(
        players=players,
        periods=periods,
        columns=columns,
        A=numbers(table, "safety_productivity", 10.0),
        B=numbers(table, "performance_productivity", 10.0),
        alpha=numbers(table, "safety_exponent", 0.5),
        beta=numbers(table, "performance_exponent", 0.5),
        theta=numbers(table, "scale_penalty", 0.5),
        decisiveness=float(contest.pop("decisiveness", 1.0)),
        kappa=contest.pop("ease_of_winning", None),
        prize=numbers(reward, "prize", 1.0),
        loser_prize=numbers(reward, "loser_prize", 0.0),
        disaster_cost=disaster_cost,
        no_winner=words[no_winner] if isinstance(no_winner, str) else np.broadcast_to(no_winner, (players,)),
        end_on=table.pop("end_on", "none"),
        weights=gamma ** np.arange(periods)[:, None],
        prices=np.stack([*inputs, *investment, *sharing])[:columns],
        depreciation=np.stack(
            [numbers(technology, f"{k}_depreciation", 0.0) for k in ("safety", "performance")]
        ),
        spillover=technology.pop("spillover", "sum"),
    )
    left = [*table, *contest, *reward, *cost, *technology]
    if left or (contest | technology):
        raise KeyError(f"not covered: {left}")
    return found


# --- the search ---------------------------------------------------------------------------------------------


class Deviation(NamedTuple):
    """The best schedule found of a player, and what it gains."""

    gain: float
    payoff: float
    schedule: ndarray  # [period column]
    found_by: str


class Search:
    """A player's payoff as a function of its own schedule ``[.. period column]``, and ways to raise it."""

    def __init__(self, race: Schedules, schedule: ndarray, player: int, high: ndarray | float = 1e9) -> None:
        self.race, self.schedule, self.player = race, np.asarray(schedule, float), player
        self.shape = (race.periods, race.columns)
        self.high = np.broadcast_to(high, self.shape).copy()
        self.is_share = np.zeros(self.shape, bool)
        self.is_share[:, 4:] = True
        self.high[self.is_share] = 1.0

    def payoff(self, own: ndarray) -> ndarray:
        """The player's payoff of its schedules ``[.. period column]``."""
        batch = own.shape[:-2]
        whole = np.broadcast_to(self.schedule, (*batch, *self.schedule.shape)).astype(own.dtype)
        whole[..., self.player, :] = own
        return self.race.payoffs(whole)[..., self.player]

    def climb(self, own: ndarray, steps: int = 300) -> tuple[float, ndarray]:
        """The end of a quasi-Newton search over all positive entries, inputs in logarithms; zeros stay."""
        free = np.flatnonzero((own > 0).ravel())
        start_payoff = float(self.payoff(own))
        if not free.size:
            return start_payoff, own
        share = self.is_share.ravel()[free]
        high = self.high.ravel()[free]
        unit = np.eye(free.size) * COMPLEX_STEP * 1j

        def placed(y: ndarray) -> ndarray:
            rows = np.zeros((*y.shape[:-1], own.size), y.dtype)
            rows[..., free] = np.where(share, y, np.exp(np.where(share, 0.0, y)))
            return rows.reshape(*y.shape[:-1], *self.shape)

        def value_and_slope(y: ndarray) -> tuple[float, ndarray]:
            values = self.payoff(placed(y[None] + unit))
            return -float(values[0].real), -values.imag / COMPLEX_STEP

        y = np.where(share, own.ravel()[free], np.log(np.where(share, 1.0, own.ravel()[free])))
        low_of = np.where(share, 0.0, np.log(1e-14))
        high_of = np.where(share, 1.0, np.log(high))
        with np.errstate(all="ignore"):
            end = minimize(
                value_and_slope,
                np.clip(y, low_of, high_of),
                jac=True,
                method="L-BFGS-B",
                bounds=list(zip(low_of, high_of, strict=True)),
                options={"maxiter": steps, "ftol": 1e-15, "gtol": 1e-12, "maxcor": 20},
            )
        climbed = np.clip(placed(np.clip(end.x, low_of, high_of)), 0, self.high)
        payoff = float(self.payoff(climbed))
        return (payoff, climbed) if payoff > start_payoff else (start_payoff, own)

    def pairs(self, own: ndarray) -> tuple[ndarray, ndarray]:
        """All schedules in which two entries change together, on a grid: payoffs and schedules, the best of
        every pair of entries.
        """
        entries = [(t, k) for t in range(self.shape[0]) for k in range(self.shape[1])]
        values, schedules = [], []
        for a in range(len(entries)):
            for b in range(a + 1, len(entries)):
                first, second = np.meshgrid(*(self._levels(entries[e]) for e in (a, b)), indexing="ij")
                trial = np.broadcast_to(own, (first.size, *self.shape)).copy()
                trial[:, *entries[a]], trial[:, *entries[b]] = first.ravel(), second.ravel()
                payoff = self.payoff(trial)
                at = int(np.argmax(payoff))
                values.append(payoff[at])
                schedules.append(trial[at])
        return np.array(values), np.stack(schedules)

    def _levels(self, entry: tuple[int, int]) -> ndarray:
        return SHARES if self.is_share[entry] else LEVELS[self.high[entry] >= LEVELS]

    def zeroed(self, own: ndarray, payoff: float) -> tuple[float, ndarray]:
        """The schedule without entries that are not worth their cost, and shares at their ends."""
        for t, k in np.ndindex(*self.shape):
            for level in (0.0, 1.0) if self.is_share[t, k] else (0.0,):
                trial = own.copy()
                trial[t, k] = level
                value = float(self.payoff(trial))
                if value >= payoff:
                    own, payoff = trial, value
        return payoff, own

    def polish(self, own: ndarray, payoff: float, rounds: int = 400) -> tuple[float, ndarray]:
        """A search without derivatives, entry by entry and in opposite pairs, with steps that shrink."""
        step = 0.3
        directions = self._directions(own)
        for _ in range(rounds):
            factor = np.exp(step * directions[:, : own.size])
            trial = own.ravel() * factor + step * directions[:, own.size :]
            trial = np.clip(trial.reshape(-1, *self.shape), 0, self.high)
            values = self.payoff(trial)
            at = int(np.argmax(values))
            if values[at] > payoff:
                payoff, own = float(values[at]), trial[at]
            else:
                step /= 2
            if step < 1e-9:
                break
        return payoff, own

    def _directions(self, own: ndarray) -> ndarray:
        """Changes of logarithms of inputs, then of shares, ``[direction, 2 entries]``."""
        count, rows = own.size, []
        share = self.is_share.ravel()
        for a in range(count):
            for sign in (1.0, -1.0):
                row = np.zeros(2 * count)
                row[a + count * share[a]] = sign
                rows.append(row)
                for b in range(a):
                    for other in (1.0, -1.0):
                        both = row.copy()
                        both[b + count * share[b]] = other
                        rows.append(both)
        return np.array(rows)

    def random(self, count: int, rng: np.random.Generator) -> ndarray:
        """Random schedules: inputs over ten decades, some of them at 0, shares often at an end."""
        size = (count, *self.shape)
        trial = 10 ** rng.uniform(-5, 4, size)
        trial[rng.random(size) < rng.uniform(0, 0.9, (count, 1, 1))] = 0
        shares = np.where(rng.random(size) < 0.5, rng.random(size), (rng.random(size) < 0.5).astype(float))
        return np.minimum(np.where(self.is_share, shares, trial), self.high)

    def invest_then_give(self, own: ndarray, count: int, rng: np.random.Generator) -> ndarray:
        """The schedule ``own`` with an investment in one stock, given away from a later period on."""
        trial = np.broadcast_to(own, (count, *self.shape)).copy()
        if self.shape[1] < 6 or self.shape[0] < 2:
            return trial
        for row in trial:
            stock = int(rng.integers(2))
            begin = int(rng.integers(self.shape[0] - 1))
            gift = int(rng.integers(begin + 1, self.shape[0]))
            row[begin, 2 + stock] = 10 ** rng.uniform(-2, 4)
            row[gift:, 4 + stock] = rng.choice([0.5, 1.0])
            if rng.random() < 0.3:
                row[:, 4 + stock] = 1.0
            if rng.random() < 0.5:  # other inputs after the gift are fewer
                row[gift:, :2] *= 10 ** rng.uniform(-4, 0.5, (self.shape[0] - gift, 2))
            if rng.random() < 0.3:
                row[:, :2] = 0.0
            if rng.random() < 0.3:
                row[: gift + 1, :2] = 0.0
        return np.minimum(trial, self.high)

    def quits(self, own: ndarray) -> Iterator[ndarray]:
        """The schedule ``own`` up to a period, and nothing afterwards; and investments at first only."""
        for k in range(self.shape[0]):
            row = own.copy()
            row[k:] = 0.0
            yield row
            row = own.copy()
            row[k:, 2:] = 0.0
            yield row


def woken(search: Search, own: ndarray) -> ndarray:
    """``own`` with small amounts in place of zero inputs, so that a climb may raise them."""
    small = np.where(search.is_share, 0.5, 1e-3)
    return np.minimum(np.where(own > 0, own, small), search.high)


def best_deviation(
    race: Schedules,
    schedule: ndarray,
    player: int,
    high: ndarray | float = 1e9,
    seed: int = 0,
    starts: int = 24,
) -> Deviation:
    """The best schedule of ``player`` that many starts find, against the others' ``schedule``.

    Starts are the best of thousands of random schedules, of investments that are given away later, of
    quitting after a period, and of all pairs of entries that change together; then quasi-Newton climbs, and
    a polish.
    """
    rng = np.random.default_rng(seed)
    search = Search(race, schedule, player, high)
    current = search.schedule[:, player].copy()
    begin = float(search.payoff(current))
    idle = np.zeros_like(current)
    pool: list[tuple[str, ndarray]] = [("current", current), ("woken", woken(search, current))]
    pool += [("quit", row) for row in search.quits(current)]
    for name, base in (("pair", current), ("pair of idle", idle)):
        values, rows = search.pairs(base)
        pool += [(name, rows[at]) for at in np.argsort(-values)[: starts // 4]]
    gifts = np.concatenate([search.invest_then_give(base, 4000, rng) for base in (current, idle)])
    for name, rows in (("random", search.random(20_000, rng)), ("invest, then give", gifts)):
        values = search.payoff(rows)
        pool += [(name, rows[at]) for at in np.argsort(-values)[: starts // 3]]
        pool += [(name, rows[at]) for at in rng.integers(len(rows), size=starts // 8)]
    ends: list[tuple[float, str, ndarray]] = []
    for name, row in pool:
        payoff, end = search.climb(row)
        ends.append((payoff, name, end))
    ends.sort(key=lambda end: -end[0])
    best_payoff, found_by, best = ends[0]
    # from the best ends, once more with pairs and with sleeping entries awake
    for payoff, name, end in ends[:3]:
        for _ in range(3):
            values, rows = search.pairs(end)
            trials = [rows[at] for at in np.argsort(-values)[:3]] + [woken(search, end)]
            climbed = max((search.climb(row) for row in trials), key=lambda pair: pair[0])
            if climbed[0] <= payoff + 1e-12 * abs(payoff):
                break
            payoff, end = climbed
        payoff, end = search.zeroed(end, payoff)
        payoff, end = search.polish(end, payoff)
        payoff, end = search.zeroed(end, payoff)
        if payoff > best_payoff:
            best_payoff, found_by, best = payoff, name, end
    return Deviation(best_payoff - begin, best_payoff, best, found_by)


def recompute(path: Path) -> None:
    """Print the gains that a search finds in every case of a file, beside those stored."""
    for case in json.loads(path.read_text(encoding="utf-8"))["cases"]:
        race = from_keys(case["game"])
        for player, stored in enumerate(case["gain"]):
            found = best_deviation(race, np.array(case["strategies"]), player)
            print(
                f"{case['name']}, player {player}: {found.gain:.9f}, stored {stored:.9f}, by {found.found_by}"
            )


if __name__ == "__main__":
    recompute(Path(sys.argv[1]))
