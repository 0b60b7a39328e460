"""Markets written out in NumPy: demand, profits, followers who respond, deviations, equilibria by search.

No code is shared with the package, beside which all of it is compared. Arrays of choices are ``[.. product]``
at one level of an observed shock, ``[.. level product]`` at all of them.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

NAMED = ("linear", "isoelastic", "differentiated", "logit")
POINTS, ZOOMS, ROUNDS = {1: 65, 2: 13, 3: 7}, 16, 200  # of a search for best responses, by products
DAMPED = 15  # rounds of full best responses
OFFSETS = {1: np.linspace(-1, 1, 9), 2: np.linspace(-1, 1, 5), 3: np.linspace(-1, 1, 3)}


class HandMarket:
    """A market as keys of the factory describe it; ``reach`` are largest choices where keys name none."""

    def __init__(self, keys: dict[str, Any], reach: float) -> None:
        n = keys["players"]
        tax = keys.get("tax", 0.0)
        taxes = tax if isinstance(tax, dict) else {"profit": tax}

        def each(value: Any) -> np.ndarray:
            return np.broadcast_to(np.asarray(value, dtype=float), (n,)).copy()

        self.keys, self.n, self.demand = keys, n, keys["demand"]
        self.owners = keys.get("owners", [[k] for k in range(n)])
        self.weights = np.asarray(keys.get("ownership", np.eye(len(self.owners))), dtype=float)
        self.stages = keys.get("stages", [list(range(len(self.owners)))])
        self.unit, self.ad_valorem, self.on_profit = (
            each(taxes.get(name, 0.0)) for name in ("unit", "ad_valorem", "profit")
        )
        self.fixed, self.convex = each(keys.get("fixed_cost", 0.0)), each(keys.get("convex_cost", 0.0))
        self.capacity, self.cost = each(keys.get("capacity", np.inf)), each(keys["unit_cost"])
        merged = [k for row in self.owners if len(row) > 1 for k in row]
        self.cost[merged] *= 1 - each(keys.get("cost_saving", 0.0))[merged]
        self.price_set = keys.get("choice") == "price" or self.demand == "logit"
        self.price_set |= isinstance(self.demand, dict) and "quantity" in self.demand
        self.low, self.high = each(keys.get("low", 0.0)), each(keys.get("high", reach))
        if not self.price_set:
            self.high = np.minimum(self.high, self.capacity)
        shock = keys.get("shock", {"levels": [0.0], "probabilities": [1.0]})
        self.shock_on = shock.get("on", "intercept")
        levels = zip(shock["probabilities"], shock["levels"], strict=True)
        chances = [(chance, level) for chance, level in levels if chance > 0]
        observed = keys.get("shock_observed", False)
        self.parts = [[chance] for chance in chances] if observed else [chances]

    # --- one market day -----------------------------------------------------------------------------------

    def sold(self, x: np.ndarray, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Return quantities and prices of all products."""
        k, shift = self.keys, shift if self.shock_on == "intercept" else 0.0
        total = x.sum(axis=-1, keepdims=True)
        if self.demand == "logit":
            return np.minimum(self.shares(x, shift)[0], self.capacity), x
        if self.demand == "isoelastic":
            flat = k.get("price_flat_below", 1e-9)
            price = (k["market_size"] + shift) * np.maximum(total, flat) ** (-1 / k["elasticity"])
            return x, price + 0 * x
        if self.demand not in NAMED:
            return self._by_formulas(x, total, shift)
        top, b = k["intercept"] + shift, k["slope"]
        if self.demand == "linear" and not self.price_set:
            return x, np.maximum(top - b * total, 0.0) + 0 * x
        if self.demand == "linear":
            return self._undercut(x, top, b), x
        matrix = np.full((self.n, self.n), k["substitution"]) + np.eye(self.n) * (b - k["substitution"])
        if not self.price_set:
            return x, np.maximum(top - x @ matrix, 0.0)
        # the sets of products that sell: no quantity below 0, no buyer of another one at its price
        best, least = np.zeros_like(x), np.full(x.shape[:-1], np.inf)
        for sells in product((False, True), repeat=self.n):
            inside, q = np.flatnonzero(sells), np.zeros_like(x)
            if len(inside):
                q[..., inside] = (top - x[..., inside]) @ np.linalg.inv(matrix[np.ix_(inside, inside)])
            worst = np.max(np.where(sells, -q, top - q @ matrix - x), axis=-1)
            best = np.where((worst < least)[..., None], q, best)
            least = np.minimum(worst, least)
        return np.minimum(np.maximum(best, 0.0), self.capacity), x

    def shares(self, p: np.ndarray, shift: float) -> tuple[np.ndarray, np.ndarray]:
        """Return (nested) logit shares, and the log-sum of values over buying nothing, ``[..]``."""
        k, mu = self.keys, self.keys["taste_spread"]
        nests = k.get("nests", [[good] for good in range(self.n)])
        spread = 1 - k.get("nesting", 0.0)
        values = (np.asarray(k["quality"]) + shift - p - k["outside_option"]) / mu / spread
        inclusive = [spread * np.logaddexp.reduce(values[..., nest], axis=-1) for nest in nests]
        log_sum = np.logaddexp.reduce([np.zeros(p.shape[:-1]), *inclusive], axis=0)
        q = np.zeros_like(p)
        for nest, value in zip(nests, inclusive, strict=True):
            q[..., nest] = np.exp(values[..., nest] - (value / spread - value + log_sum)[..., None])
        return q, log_sum

    def _by_formulas(self, x: np.ndarray, total: np.ndarray, shift: float) -> tuple[np.ndarray, np.ndarray]:
        by_prices = isinstance(self.demand, dict) and "quantity" in self.demand
        rows = next(iter(self.demand.values())) if isinstance(self.demand, dict) else [self.demand] * self.n
        at = x - shift if by_prices else x
        names = {f"{'p' if by_prices else 'q'}{k}": at[..., k] for k in range(self.n)}
        names |= {"Q": total[..., 0], "exp": np.exp}
        values = np.stack([eval(row, {}, names) + 0 * at[..., 0] for row in rows], axis=-1)
        if by_prices:
            return np.minimum(np.maximum(values, 0.0), self.capacity), x
        return x, np.maximum(values + shift, 0.0)

    def _undercut(self, p: np.ndarray, top: float, b: float) -> np.ndarray:
        """Return sales of one good: cheaper sellers first, up to capacity; those of equal prices share."""
        demand, room = np.maximum(top - p, 0.0) / b, np.minimum(self.capacity, top / b)
        cheaper, tied = p[..., None, :] < p[..., None], p[..., None, :] == p[..., None]
        if self.keys.get("rationing") == "proportional":
            served = room / np.where(demand > 0, demand, np.inf)
            left = demand * np.maximum(1 - np.sum(cheaper * served[..., None, :], axis=-1), 0.0)
        else:
            left = np.maximum(demand - np.sum(cheaper * room, axis=-1), 0.0)
        level = left / tied.sum(axis=-1)
        for _ in range(self.n):  # what some of equal prices cannot serve is shared by the rest
            full = tied & (room < level[..., None])
            count = np.maximum((tied & ~full).sum(axis=-1), 1)
            level = np.maximum((left - np.sum(full * np.where(full, room, 0.0), axis=-1)) / count, level)
        return np.minimum(level, room)

    def profits(self, x: np.ndarray, shift: float = 0.0) -> np.ndarray:
        """Return profits of all products before the tax on profits."""
        q, p = self.sold(x, shift)
        cost = self.cost + (shift if self.shock_on == "unit_cost" else 0.0)
        runs = self.capacity > 0 if self.demand == "logit" else q > 0
        spent = self.fixed * runs + cost * q + self.convex * q**2 / 2
        return (1 - self.ad_valorem) * p * q - self.unit * q - spent

    def kept(self, profit: np.ndarray) -> np.ndarray:
        """Return profits after the tax on them."""
        refunds = self.keys.get("tax_losses", "refunded") == "refunded"
        return profit - self.on_profit * (profit if refunds else np.maximum(profit, 0.0))

    def surplus_and_welfare(self, x: np.ndarray, shift: float = 0.0) -> tuple[float, float]:
        """Return the surplus of consumers, and with it profits and revenue of taxes, at ``x [product]``."""
        (q, p), k = self.sold(x, shift), self.keys
        moved, total = shift if self.shock_on == "intercept" else 0.0, q.sum()
        if self.demand == "logit":
            wanted, log_sum = self.shares(x, moved)
            surplus = k["taste_spread"] * log_sum * total / wanted.sum()
        elif not self.price_set:  # the area below prices on the way from nothing to these quantities
            ends = np.linspace(0, 1, 20_001) ** 4
            middle = (ends[1:] + ends[:-1])[:, None] / 2
            surplus = np.diff(ends) @ (self.sold(middle * x, shift)[1] @ q) - p @ q
        elif k.get("rationing") == "proportional":
            surplus = (k["intercept"] + moved - p) @ q / 2
        else:
            cross = k["substitution"] if self.demand == "differentiated" else k["slope"]
            matrix = np.full((self.n, self.n), cross) + np.eye(self.n) * (k["slope"] - cross)
            surplus = (k["intercept"] + moved) * total - q @ matrix @ q / 2 - p @ q
        profit = self.profits(x, shift)
        revenue = self.unit @ q + self.ad_valorem @ (p * q)
        return float(surplus), float(surplus + profit.sum() + revenue)

    # --- the game -----------------------------------------------------------------------------------------

    def part_payoffs(self, x: np.ndarray, part: int) -> np.ndarray:
        """Return payoffs ``[.. owner]`` at choices ``[.. product]`` of all who know the same of the shock."""
        expected = sum(chance * self.kept(self.profits(x, shift)) for chance, shift in self.parts[part])
        return np.stack([expected[..., row].sum(axis=-1) for row in self.owners], axis=-1) @ self.weights.T

    def responded(self, x: np.ndarray, part: int, stage: int = 1) -> np.ndarray:
        """Return choices ``[row product]`` with those of ``stage`` and later ones mutual best responses."""
        if stage == len(self.stages):
            return x
        owners = self.stages[stage]
        x = x.copy()
        for owner in owners:
            products = self.owners[owner]
            x[:, products] = (self.low + 0.3 * (self.high - self.low))[products]
        moves = np.arange(len(x))  # rows that are not yet at rest
        for turn in range(ROUNDS if len(owners) > 1 else 1):
            before = x[moves]
            for owner in owners:
                x[moves] = self.best(x[moves], part, owner, stage)
            if turn > DAMPED:  # responses that overshoot
                x[moves] = (x[moves] + before) / 2
            moves = moves[np.any(np.abs(x[moves] - before) > 1e-11 * self.high, axis=1)]
            if not len(moves):
                break
        return self.responded(x, part, stage + 1)

    def stage_payoff(self, x: np.ndarray, part: int, owner: int, stage: int) -> np.ndarray:
        """Return an owner's payoff ``[row]``, with stages after its one responding."""
        return self.part_payoffs(self.responded(x, part, stage + 1), part)[:, owner]

    def best(self, x: np.ndarray, part: int, owner: int, stage: int) -> np.ndarray:
        """Return choices ``[row product]`` with an owner's best: a grid, two searches that narrow, Newton."""
        products = self.owners[owner]
        low, high, m = self.low[products], self.high[products], len(products)
        count = POINTS[m] if stage + 1 == len(self.stages) or m > 1 else 33

        def paid(own: np.ndarray) -> np.ndarray:
            rows = np.repeat(x[:, None], own.shape[1], axis=1)
            rows[..., products] = own
            flat = rows.reshape(-1, self.n)
            return self.stage_payoff(flat, part, owner, stage).reshape(own.shape[:2])

        def chosen(own: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            at = np.argmax(values, axis=1)
            return own[np.arange(len(x)), at], values[np.arange(len(x)), at]

        grid = low + (high - low) * np.array(list(product(np.linspace(0, 1, count), repeat=m)))
        own = np.repeat(grid[None], len(x), axis=0)
        values = paid(own)
        first, _ = chosen(own, values)
        width = (high - low) / (count - 1)
        near = np.all(np.abs(own - first[:, None]) <= 1.5 * width, axis=2)
        second, _ = chosen(own, np.where(near, -np.inf, values))
        ends = []
        for centre in (first, second):
            for step in range(ZOOMS):
                moves = np.array(list(product(OFFSETS[m], repeat=m))) * width * 0.45**step
                own = np.clip(centre[:, None] + moves, low, high)
                centre, value = chosen(own, paid(own))
            ends.append(self._newton(centre, value, paid, low, high))
        own, values = (np.stack(pair, axis=1) for pair in zip(*ends, strict=True))
        result = x.copy()
        result[:, products] = chosen(own, values)[0]
        return result

    def _newton(
        self, own: np.ndarray, value: np.ndarray, paid: Any, low: np.ndarray, high: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return choices and payoffs after Newton's steps along each axis, kept unless they pay less."""
        stencil = np.array([-2, -1, 0, 1, 2])
        for axis in list(range(len(low))) * (3 if len(low) == 1 else 16):
            h = 1e-3 * (high - low)[axis]
            line = np.repeat(own[:, None], 5, axis=1)
            line[..., axis] += h * stencil
            f = paid(line)
            slope, bend = f @ [1, -8, 0, 8, -1] / (12 * h), f @ [-1, 16, -30, 16, -1] / (12 * h**2)
            moved = own.copy()
            moved[:, axis] -= np.clip(slope / np.where(bend < 0, bend, -np.inf), -h, h)
            moved = np.clip(moved, low, high)
            after = paid(moved[:, None])[:, 0]
            better = after >= value - 1e-14 * np.abs(f).max(axis=1)
            own, value = np.where(better[:, None], moved, own), np.where(better, after, value)
        return own, value

    def payoffs(self, x: np.ndarray) -> np.ndarray:
        """Return payoffs ``[row owner]`` at ``[row level product]``, with followers responding."""
        parts = range(len(self.parts))
        shares = [sum(chance for chance, _ in part) for part in self.parts]
        assert abs(sum(shares) - 1) < 1e-9
        return sum(self.part_payoffs(self.responded(x[:, part], part), part) for part in parts)

    def deviations(self, x: np.ndarray, owner: int, top: np.ndarray, rng: Any, count: int) -> np.ndarray:
        """Return deviations ``[row level product]`` of a first mover: random, near, at ends and at kinks."""
        products = self.owners[owner]
        low, width = self.low[products], (top - self.low)[products]
        here = x[:, products]
        shape = (count, *here.shape)
        spread = 10.0 ** -rng.uniform(0.5, 9, (count, 1, 1)) * width
        some = rng.random(shape) < 0.5
        ends = np.where(rng.random(shape) < 0.5, low, low + width)
        near = np.clip(here + spread * rng.standard_normal(shape), low, low + width)
        rivals = np.delete(x, products, axis=1)
        below = np.clip(rng.choice(rivals.ravel(), shape) if rivals.size else ends, low, low + width)
        below = np.clip(below - width * rng.choice([0, 1e-9, 1e-6, 1e-3], shape), low, low + width)
        own = np.concatenate(
            [low + width * rng.random(shape), near, np.where(some, ends, here), np.where(some, below, here)]
        )
        rows = np.repeat(x[None], len(own), axis=0)
        rows[..., products] = own
        best = x.copy()
        for part in range(len(x)):
            best[part] = self.best(x[part][None], part, owner, 0)[0]
        return np.concatenate([rows, best[None], *self._kinks(x, products, low, width)])

    def _kinks(
        self, x: np.ndarray, products: list[int], low: np.ndarray, width: np.ndarray
    ) -> Iterator[np.ndarray]:
        """Yield choices on both sides of where a product ends to sell, is full, or costs nothing."""

        def state(line: np.ndarray, part: int) -> np.ndarray:
            full = self.responded(line, part)
            q, p = self.sold(full, self.parts[part][0][1])
            return np.concatenate([q > 1e-12, q >= self.capacity, p > 0], axis=-1)

        for (axis, good), part in product(enumerate(products), range(len(x))):
            line = np.repeat(x[part][None], 41, axis=0)
            line[:, good] = low[axis] + width[axis] * np.linspace(0, 1, 41)
            states = state(line, part)
            left = np.flatnonzero(np.any(states[1:] != states[:-1], axis=1))
            a, b, at_a = line[left], line[left + 1], states[left]
            for _ in range(25 if len(left) else 0):
                middle = (a + b) / 2
                same = np.all(state(middle, part) == at_a, axis=1)[:, None]
                a, b = np.where(same, middle, a), np.where(same, b, middle)
            rows = np.repeat(x[None], 2 * len(a), axis=0)
            rows[:, part] = np.concatenate([a, b])
            yield rows

    def equilibria(self) -> np.ndarray:
        """Return the equilibria ``[point product]`` of two firms, by best responses on a grid, refined."""

        def answer(first: np.ndarray) -> np.ndarray:
            x = np.stack([first, first], axis=1)
            return self.best(self.best(x, 0, 1, 0), 0, 0, 0)

        grid = np.linspace(self.low[0], self.high[0], 401)
        gap = answer(grid)[:, 0] - grid
        left = np.flatnonzero((gap[:-1] > 0) & (gap[1:] < 0) | (gap[:-1] < 0) & (gap[1:] > 0))
        a, b, sign = grid[left], grid[left + 1], np.sign(gap[left])
        for _ in range(45 if len(left) else 0):
            middle = (a + b) / 2
            same = np.sign(answer(middle)[:, 0] - middle) == sign
            a, b = np.where(same, middle, a), np.where(same, b, middle)
        first = np.concatenate([grid[np.abs(gap) <= 1e-12 * self.high[0]], (a + b) / 2])
        if not len(first):
            return np.zeros((0, 2))
        x = answer(first)
        x[:, 0] = first
        gains = [
            self.stage_payoff(self.best(x, 0, k, 0), 0, k, 0) - self.stage_payoff(x, 0, k, 0) for k in (0, 1)
        ]
        x = x[np.max(gains, axis=0) <= 1e-9 * np.max(np.abs(self.part_payoffs(x, 0)))]
        fresh = [
            k for k in range(len(x)) if not np.any(np.all(np.abs(x[:k] - x[k]) <= 1e-6 * self.high, axis=1))
        ]
        return x[fresh]
