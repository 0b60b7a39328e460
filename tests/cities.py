"""Cities for tests, and what happens in them stated plainly, agent by agent, in Python's own numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from rivalry.economies.kernels import shapes
from rivalry.economies.kernels.city import Drivers, rows, trips
from rivalry.economies.kernels.city_learning import entry_counts
from rivalry.economies.kernels.economy_learning import EXPECTED, SARSA, EpochRule
from tests.economies import Row, at_stage, share_out, soft, word


def _padded(lists: list[list[int]], size: int, value: int) -> np.ndarray:
    return np.array([each + [value] * (size - len(each)) for each in lists])


def paths() -> dict[str, Any]:
    """Four journeys of one to three lanes, each place followed by the next."""
    lanes = [[0, 1, 2], [2, 3], [4], [1, 0, 4]]
    after = _padded([[*range(1, len(path)), -1] for path in lanes], 3, -1)
    return {
        "begins": np.zeros(4, dtype=np.int64),
        "lane": _padded(lanes, 3, 0),
        "after": after,
        "back": np.array([[*range(len(path)), *[0] * (3 - len(path))] for path in lanes]),
        "options": np.zeros((4, 0, 0), dtype=np.int64),
    }


def ways() -> dict[str, Any]:
    """Four journeys along which places are chosen: at the start, half way, after refusal, or never."""
    return {
        "begins": np.array([-2, 0, -2, 0]),
        "lane": np.array([[0, 1, 2, 3], [2, 3, 4, 1], [4, 1, 0, 0], [1, 0, 0, 0]]),
        "after": np.array([[2, -3, -1, -1], [-2, -1, -1, -1], [-1, 0, -1, -1], [-1, -1, -1, -1]]),
        "back": np.array([[-2, -2, 2, -3], [0, 1, -2, -2], [0, 1, 2, 0], [0, 0, 0, 0]]),
        "options": np.array(
            [
                [[0, 1, -1], [2, 3, -1]],
                [[1, 2, 3], [-1, -1, -1]],
                [[0, 1, 2], [-1, -1, -1]],
                [[-1, -1, -1]] * 2,
            ]
        ),
    }


def city(agents: int = 9, most: int = 4, streets: Any = paths, **changed: Any) -> shapes.CityArrays:
    """Two types of agents, by turns, of two journeys and two urgencies each, unless told otherwise."""
    rng = np.random.default_rng(7)
    law = rng.dirichlet(np.ones(5), size=(2, 6)).cumsum(axis=-1)
    law[..., -1] = 1.0
    given: dict[str, Any] = {
        "type_of": np.arange(agents) % 2,
        "stakes": np.array([[1.0, 5.0], [2.0, 5.0]]),
        "trip_chain": law[:, :5].copy(),
        "first": law[:, 5].copy(),
        "discount": np.array([0.9, 0.7]),
        "karma": np.arange(agents) % (most + 1),
        "most": most,
        "journeys": rng.integers(0, 4, (agents, 2)),
        "capacity": np.array([1, 2, 1, 3, 1]),
        "price": shapes.OWN_BID,
        "uncontended": 1,
        "toll": np.zeros(5),
        "subsidy": np.zeros(5),
        "local": 0.0,
        "dormant_share": 1,
        "tie": shapes.COIN,
        "award": shapes.BIDS,
        "coalition": np.zeros(agents, dtype=np.int64),
        "transfer": shapes.NO_TRANSFER,
    }
    return shapes.CityArrays(**given | streets() | changed)


class PlainCity:
    """Agents in a city, begun where ``drivers`` are, one step at a time."""

    def __init__(self, world: shapes.CityArrays, drivers: Drivers) -> None:
        self.city, self.count = world, len(drivers.karma)
        self.seed, self.counter = (int(n) for n in drivers.stream)
        self.karma, self.trip, self.spot, self.lucky, self.asked, self.passed = (
            each.tolist()
            for each in (
                drivers.karma,
                drivers.trip,
                drivers.spot,
                drivers.lucky,
                drivers.asked,
                drivers.passed,
            )
        )
        self.dormancy, self.pool, self.clock = trips(world), int(drivers.pool[0]), int(drivers.clock[0])
        self.reward = [0.0] * self.count
        lanes, levels = len(world.capacity), world.most + 1
        self.sums: dict[str, np.ndarray] = {
            name: np.zeros(shape)
            for name, shape in {
                "rewards": self.count, "asked": self.count, "passed": self.count, "trips": self.count,
                "asked_on": (self.count, self.dormancy), "bids_on": (self.count, self.dormancy),
                "wanted": lanes, "admitted": lanes, "bids": (lanes, levels), "chances": (lanes, levels),
                "free": lanes, "holdings": levels, "shared": (lanes + 1, levels, levels), "flows": 5,
                "each": (self.count, rows(world), levels),
            }.items()
        }  # fmt: skip

    def words(self, count: int) -> list[int]:
        self.counter += count
        return [word(self.seed, k) for k in range(self.counter - count, self.counter)]

    def uniform(self) -> float:
        return (self.words(1)[0] >> 11) * 2.0**-53

    def draw(self) -> None:
        """The words of a step."""
        self.own, self.lots = self.words(self.count), self.words(self.count)

    def journey(self, i: int) -> int:
        return int(self.city.journeys[i, self.trip[i] // self.city.stakes.shape[1]])

    def stake(self, i: int) -> float:
        urgency = self.trip[i] % self.city.stakes.shape[1]
        return 0.0 if self.dormant(i) else float(self.city.stakes[self.city.type_of[i], urgency])

    def dormant(self, i: int) -> bool:
        return self.trip[i] == self.dormancy  # type: ignore[no-any-return]

    def row(self, i: int) -> int:
        places, junctions = self.city.lane.shape[1], self.city.options.shape[1]
        spot = self.spot[i]
        inside = 0 if self.dormant(i) else spot if spot >= 0 else places - 2 - spot
        return int(self.trip[i] * (places + junctions) + inside)

    def turn(self, i: int, option: int) -> None:
        self.spot[i] = int(self.city.options[self.journey(i), -2 - self.spot[i], option])

    def step(self, bids: list[int]) -> None:
        """What follows the bids."""
        world, everybody = self.city, range(self.count)
        lanes = len(world.capacity)
        self.lane = [
            lanes if self.dormant(i) else int(world.lane[self.journey(i), self.spot[i]]) for i in everybody
        ]
        self.note_before(bids)
        won, due = [self.dormant(i) for i in everybody], [0] * self.count
        for lane in range(lanes):
            there = [i for i in everybody if self.lane[i] == lane]
            admitted = self.admitted(there, bids, int(world.capacity[lane]))
            for i in admitted:
                won[i], due[i] = True, self.price(i, there, admitted, bids)
        paid = [0] * (lanes + 1)
        for i in everybody:
            self.karma[i] -= due[i]
            toll = world.toll[self.lane[i]] if won[i] and self.lane[i] < lanes else 0.0
            if toll > 0:
                extra = min(int(toll) + (self.uniform() < toll - int(toll)), self.karma[i])
                self.karma[i] -= extra
                due[i] += extra
                self.sums["flows"][shapes.TAXED] += extra
            paid[self.lane[i]] += due[i]
        self.sums["flows"][shapes.PAID] += sum(due)
        refused = [
            [self.stake(i) for i in everybody if self.lane[i] == lane and not won[i]] for lane in range(lanes)
        ]
        money = [
            max(refused[self.lane[i]], default=0.0) if won[i] and not self.dormant(i) else 0.0
            for i in everybody
        ]
        self.go(won)
        if world.award == shapes.BY_TOLL:
            self.reward = [r - m + sum(money) / self.count for r, m in zip(self.reward, money, strict=True)]
            self.sums["rewards"] += np.subtract(sum(money) / self.count, money)
        before = list(self.karma)
        self.give(paid)
        self.share()
        for i in everybody:
            self.sums["shared"][self.lane[i], before[i], self.karma[i]] += 1
        self.pass_on()
        self.clock += 1

    def admitted(self, there: list[int], bids: list[int], seats: int) -> list[int]:
        """Those who may pass: by what decides, then by the rule for ties."""
        world = self.city
        if len(there) <= seats:
            return there
        if world.award == shapes.BY_TURN:
            share = {i: self.passed[i] / max(self.asked[i], 1) for i in there}
            tie = {i: self.lots[i] >> 32 if world.tie == shapes.COIN else i for i in there}
            return sorted(there, key=lambda i: (share[i], tie[i]))[:seats]
        by_stake = dict.fromkeys((shapes.BY_STAKE, shapes.BY_TOLL), self.stake)
        value = {shapes.BIDS: lambda i: bids[i], shapes.BY_COIN: lambda i: 0, **by_stake}[world.award]
        last = sorted(map(value, there))[-seats - 1]
        first = [i for i in there if value(i) > last]
        left, equals = seats - len(first), [i for i in there if value(i) == last]
        for k, i in enumerate(equals):
            lot = (self.lots[i] >> 32) * (len(equals) - k) >> 32 if world.tie == shapes.COIN else 0
            if lot < left:
                first.append(i)
                left -= 1
        return first

    def price(self, i: int, there: list[int], admitted: list[int], bids: list[int]) -> int:
        world, refused = self.city, [n for n in there if n not in admitted]
        if not refused and not world.uncontended:
            return 0
        if world.price == shapes.OWN_BID:
            return bids[i]
        if world.price == shapes.HIGHEST_REFUSED:
            return max((bids[n] for n in refused), default=0)
        return min(bids[n] for n in admitted)

    def go(self, won: list[bool]) -> None:
        """Rewards, and where everybody goes."""
        world = self.city
        for i in range(self.count):
            self.reward[i] = 0.0 if won[i] else -self.stake(i)
            if not self.dormant(i):
                self.asked[i] += 1
                self.passed[i] += won[i]
                self.sums["admitted"][self.lane[i]] += won[i]
                self.sums["passed"][i] += won[i]
                self.spot[i] = int((world.after if won[i] else world.back)[self.journey(i), self.spot[i]])
                if self.spot[i] != -1:
                    continue
                self.sums["trips"][i] += 1
            row = [round(c * 2**30) for c in world.trip_chain[world.type_of[i], self.trip[i]]]
            row[-1] = 2**30
            self.trip[i] = next(n for n, c in enumerate(row) if self.own[i] % 2**32 // 4 < c)
            self.spot[i] = 0 if self.dormant(i) else int(world.begins[self.journey(i)])
        self.sums["rewards"] += self.reward
        members = np.flatnonzero(world.coalition)
        joint = sum(self.reward[i] for i in members) / max(len(members), 1)
        for i in members:
            self.reward[i] = joint

    def give(self, paid: list[int]) -> None:
        """Payments of a lane to those who wanted it, subsidies, and the rest to the surplus."""
        world, lanes = self.city, len(self.city.capacity)
        self.pool += sum(paid)
        for lane in range(lanes if world.local > 0 else 0):
            if paid[lane] > 0:
                share = int(world.local * paid[lane] + self.uniform())
                left = self.deal([i for i in range(self.count) if self.lane[i] == lane], share)
                self.pool -= share - left
        if not (world.local > 0 or world.toll.any() or world.subsidy.any()):
            return
        begin = int(self.uniform() * self.count)
        for i in (*range(begin, self.count), *range(begin)):
            amount = world.subsidy[self.lane[i]] if self.lane[i] < lanes else 0.0
            if amount > 0:
                gain = int(amount) + (self.uniform() < amount - int(amount))
                gain = min(gain, world.most - self.karma[i], self.pool)
                self.karma[i] += gain
                self.pool -= gain

    def deal(self, members: list[int], amount: int) -> int:
        """Equal shares to those with room; what is less than one each goes by ones, in a drawn order."""
        most = self.city.most
        while amount and (room := sum(self.karma[i] < most for i in members)):
            each = amount // room
            for n in range(len(members)):
                if amount and not each:
                    other = n + int(self.uniform() * (len(members) - n))
                    members[n], members[other] = members[other], members[n]
                gain = min(max(each, 1), most - self.karma[members[n]], amount)
                self.karma[members[n]] += gain
                amount -= gain
        return amount

    def share(self) -> None:
        """The surplus; who has no share of it is left out as if full."""
        most, before = self.city.most, self.pool
        out = [
            self.lane[i] == len(self.city.capacity) and not self.city.dormant_share for i in range(self.count)
        ]
        karma = [most if away else k for k, away in zip(self.karma, out, strict=True)]
        self.pool = share_out(self.pool, karma, most, self.lucky, self.lots, self.words)
        self.karma = [k if away else new for k, new, away in zip(self.karma, karma, out, strict=True)]
        self.sums["flows"][shapes.SHARED] += before - self.pool

    def pass_on(self) -> None:
        """Members of a coalition hold their karma in common: all alike, or the urgent as much as they can."""
        members = [int(i) for i in np.flatnonzero(self.city.coalition)]
        if self.city.transfer == shapes.NO_TRANSFER or not members:
            return
        urgent = self.city.transfer == shapes.URGENT
        ranks = sorted({self.awake_stake(i) if urgent else 0.0 for i in members}, reverse=True)
        together = sum(self.karma[i] for i in members)
        for rank in ranks:
            alike = [i for i in members if not urgent or self.awake_stake(i) == rank]
            amount = min(together, len(alike) * self.city.most)
            together -= amount
            whole, rest = divmod(amount, len(alike))
            for n, i in enumerate(alike):
                self.karma[i] = whole + ((n + self.clock) % len(alike) < rest)

    def awake_stake(self, i: int) -> float:
        return -1.0 if self.dormant(i) else self.stake(i)

    def note_before(self, bids: list[int]) -> None:
        """What is counted before admission."""
        world, sums = self.city, self.sums
        order, ranks = bids, np.unique(world.stakes).tolist()
        if world.award in (shapes.BY_STAKE, shapes.BY_TOLL):
            order = [0 if self.dormant(i) else ranks.index(self.stake(i)) for i in range(self.count)]
        for lane, seats in enumerate(world.capacity):
            there = [i for i in range(self.count) if self.lane[i] == lane]
            sums["wanted"][lane] += len(there)
            sums["free"][lane] += len(there) if len(there) <= seats else 0
            for i in there:
                others = [order[n] for n in there if n != i]
                for b in range(world.most + 1):
                    left = seats - sum(other > b for other in others)
                    sums["chances"][lane, b] += np.clip(left / (1 + others.count(b)), 0, 1)
        for i in range(self.count):
            sums["holdings"][self.karma[i]] += 1
            sums["each"][i, self.row(i), self.karma[i]] += 1
            if not self.dormant(i):
                sums["bids"][self.lane[i], bids[i]] += 1
                sums["asked"][i] += 1
                sums["asked_on"][i, self.trip[i]] += 1
                sums["bids_on"][i, self.trip[i]] += bids[i]


class PlainDrivers(PlainCity):
    """Agents who learn: values ``q [agent row karma entry]`` in float32, and rows of their policies."""

    def __init__(
        self, world: shapes.CityArrays, drivers: Drivers, rule: EpochRule, initial_q: float = 0.0
    ) -> None:
        super().__init__(world, drivers)
        self.rule, self.counts = rule, entry_counts(world)
        entries = max(world.most + 1, world.options.shape[2])
        self.q = np.full((*self.counts.shape, entries), initial_q, dtype=np.float32)
        self.visits = np.zeros(self.q.shape, dtype=int)
        self.rows: Any = [self.renewed(i, 0) for i in range(self.count)]
        self.pending: Any = [None] * self.count

    def renewed(self, i: int, epoch: int) -> dict[tuple[int, int], Row]:
        beta = at_stage(self.rule.beta, self.rule.beta_until, epoch)
        found = {}
        for state in np.ndindex(self.counts.shape[1:]):
            row = soft(self.q[i][state][: self.counts[i][state]].tolist(), beta, self.rule.epsilon)
            row.summed = [float(np.float32(value)) for value in row.summed]
            found[state] = row
        return found

    def worth(self, i: int, state: tuple[int, int], choice: int) -> float:
        values = self.q[i][state][: self.counts[i][state]].tolist()
        if self.rule.target == SARSA:
            return float(values[choice])
        if self.rule.target == EXPECTED:
            total = 0.0
            for share, value in zip(self.rows[i][state].shares, values, strict=True):
                total += share * value
            return total
        return float(max(values))

    def advance(self) -> None:
        """One step, and a new policy where an epoch ends."""
        self.draw()
        for i in range(self.count):
            if self.spot[i] < -1:
                option = self.choose(i, self.words(1)[0] >> 32, after_option=False)
                self.turn(i, option)
        junction = [pending is not None and pending[3] for pending in self.pending]
        bids = [self.choose(i, self.own[i] >> 32, after_option=junction[i]) for i in range(self.count)]
        self.step(bids)
        if self.clock % self.rule.epoch == 0:
            for i in range(self.count):
                if self.rule.renewal >= 1 or self.uniform() < self.rule.renewal:
                    self.rows[i] = self.renewed(i, self.clock // self.rule.epoch)

    def choose(self, i: int, lot: int, after_option: bool) -> int:
        """What the policy draws; what was done before is taught by it, an option at once."""
        state = (self.row(i), self.karma[i])
        choice = self.rows[i][state].sample(lot)
        if self.pending[i] is not None:
            row, karma, done, _ = self.pending[i]
            gamma = 1.0 if after_option else float(self.city.discount[self.city.type_of[i]])
            reward = 0.0 if after_option else float(self.reward[i])
            alpha = at_stage(self.rule.alpha, self.rule.alpha_until, self.clock)
            self.visits[i, row, karma, done] += 1
            if self.rule.power:
                alpha = alpha * float(self.visits[i, row, karma, done]) ** -self.rule.power
            old = float(self.q[i, row, karma, done])
            self.q[i, row, karma, done] = old - alpha * (old - reward - gamma * self.worth(i, state, choice))
        self.pending[i] = (*state, choice, self.spot[i] < -1 and not self.dormant(i))
        return choice
