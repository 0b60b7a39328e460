"""Tables of action values as bots: states of other conventions, and gains beside brute force."""

from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from rivalry.audit.bots import HistoryBot, Period
from rivalry.audit.market import PriceMarket, price_market
from rivalry.audit.tables import PriceTable, policy_table, price_table, read_price_table, table_gain

GRID = [1.45, 1.6, 1.9]


@pytest.fixture(scope="module")
def market() -> PriceMarket:
    return price_market()


@pytest.mark.parametrize("memory", [1, 2])
@pytest.mark.parametrize(("order", "oldest"), list(product(("own first", "by firm"), ("first", "last"))))
def test_conventions_of_states_agree(market: PriceMarket, memory: int, order: str, oldest: str) -> None:
    """A rule of (own, rival) per period, oldest first, written out in the convention of the table."""
    stream = np.random.default_rng(memory)
    memories = list(product(product(range(3), repeat=2), repeat=memory))
    rule = {seen: int(stream.integers(3)) for seen in memories}
    tables = []
    for firm in (0, 1):
        rows = np.zeros((9**memory, 3))
        for seen, action in rule.items():
            periods = seen if oldest == "first" else seen[::-1]
            digits = [
                d
                for own, other in periods
                for d in ((own, other) if order == "own first" or firm == 0 else (other, own))
            ]
            rows[int("".join(map(str, digits)), 3), action] = 1.0
        tables.append(rows)
    table = price_table(
        np.stack(tables), market, memory=memory, grid=GRID, gamma=0.9, order=order, oldest=oldest
    )
    for firm in (0, 1):
        price = table.price(firm)
        for seen, action in rule.items():
            history = [(9.0, (9.0,)), *((GRID[own], (GRID[other],)) for own, other in seen)]
            assert price(history) == GRID[action]


def test_prices_between_grid_points_and_missing_periods(market: PriceMarket) -> None:
    values = np.arange(9)[:, None] % 3 == np.arange(3)  # the rival's last price
    table = price_table(
        values.astype(float), market, memory=1, grid=GRID, gamma=0.9, order="own first", start=1.9
    )
    price = table.price(1)
    assert [price([(1.0, (seen,))]) for seen in (1.0, 1.59, 1.7, 5.0)] == [1.45, 1.6, 1.6, 1.9]
    assert price([]) == 1.9


def gain_by_enumeration(table: PriceTable, firm: int, periods: int = 400) -> np.ndarray:
    """Values of all states by value iteration written out: best response less the policy, per period."""
    market, grid, gamma = table.market, table.grid, table.gamma
    count = len(grid)
    profit = np.array([market.profits(grid[[a, b]])[firm] for a, b in product(range(count), repeat=2)])
    best, own = np.zeros(count**2), np.zeros(count**2)
    for _ in range(periods):
        new = np.empty((2, count**2))
        for state in range(count**2):
            rival = table.policy[1 - firm, state]
            after = [(a * count + rival) if firm == 0 else (rival * count + a) for a in range(count)]
            new[0, state] = max(profit[s] + gamma * best[s] for s in after)
            kept = after[table.policy[firm, state]]
            new[1, state] = profit[kept] + gamma * own[kept]
        best, own = new
    return (1 - gamma) * (best - own)


@pytest.mark.parametrize("seed", [0, 1])
def test_gains_are_those_of_value_iteration(market: PriceMarket, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(2, 9, 3))
    table = price_table(values, market, memory=1, grid=GRID, gamma=0.9, order="by firm")
    found = table_gain(table)
    for firm in (0, 1):
        assert found.anywhere[firm] == pytest.approx(gain_by_enumeration(table, firm).max(), abs=1e-9)
    assert np.all(found.on_path <= found.anywhere)


@pytest.mark.slow
def test_a_trigger_is_an_equilibrium_only_of_the_patient(market: PriceMarket) -> None:
    """The critical discount factor of two prices: ``(deviation - high) / (deviation - low)``."""
    grid = [float(market.nash[0]), float(market.cartel[0])]
    values = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    profit = {pair: market.profits(np.array(pair))[0] for pair in product(grid, repeat=2)}
    deviation, high, low = profit[grid[0], grid[1]], profit[grid[1], grid[1]], profit[grid[0], grid[0]]
    critical = (deviation - high) / (deviation - low)
    for gamma in (critical - 0.02, critical + 0.02):
        options = {"memory": 1, "grid": grid, "order": "own first", "start": grid[1]}
        found = table_gain(price_table(values, market, gamma=gamma, **options))
        assert (found.on_path[0] > 1e-9) == (gamma < critical)
        assert found.cycle.tolist() == [[grid[1], grid[1]]]
        expected = max(0.0, (1 - gamma) * deviation + gamma * low - high)
        assert found.on_path[0] == pytest.approx(expected, abs=1e-9)
        assert found.share[0] == pytest.approx(expected / (high - low), abs=1e-9)


def test_files_with_a_description_beside_them(tmp_path: Path, market: PriceMarket) -> None:
    values = np.random.default_rng(4).normal(size=(2, 9, 3))
    description = 'memory = 1\ngrid = [1.45, 1.6, 1.9]\norder = "by firm"\ngamma = 0.9\n'
    (tmp_path / "q.toml").write_text(description, encoding="utf-8")
    np.save(tmp_path / "q.npy", values.reshape(2, 3, 3, 3))
    np.savez(tmp_path / "q.npz", agents=values)
    np.savetxt(tmp_path / "q.csv", values.reshape(18, 3), delimiter=",")
    direct = price_table(values, market, memory=1, grid=GRID, order="by firm", gamma=0.9)
    for name in ("q.npy", "q.npz:agents", "q.csv"):
        assert read_price_table(str(tmp_path / name)).policy.tolist() == direct.policy.tolist()
    game = '[game]\nfamily = "market"\ndemand = "logit"\nunit_cost = 1.2\n'
    (tmp_path / "q.toml").write_text(description + game, encoding="utf-8")
    assert read_price_table(str(tmp_path / "q.npy")).market.nash[0] > market.nash[0] + 0.1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("memory = 1\ngrid = [1.5, 1.9]\n", "gamma: is missing"),
        ("memory = 1\ngrid = [1.5, 1.9]\ngamma = 0.9\n", "order: None must be"),
        (
            'memory = 1\ngrid = [1.5, 1.9]\ngamma = 0.9\norder = "by firm"\n',
            r"grid: a table of shape \(9, 3\)",
        ),
        ('memory = 2\ngrid = [1.5, 1.9]\ngamma = 0.9\norder = "by firm"\n', "oldest: None must be"),
        ("memory = 1\nprices = 3\n", "prices: unknown key"),
        ('memory = "one"\ngrid = [1.5, 1.9]\ngamma = 0.9\n', "memory: 'one' must be a whole number"),
        ('memory = 1\ngrid = "wide"\ngamma = 0.9\n', "grid: 'wide' must be"),
        ('memory = 1\ngrid = [1.5, 1.9]\ngamma = "high"\n', "gamma: 'high' must be a number"),
        ("memory = 1\ngrid = [1.5, 1.9]\ngamma = 0.9\ngame = 3\n", "game: 3 must be a table"),
        ("memory =", "q.toml: "),
    ],
)
def test_wrong_descriptions_are_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    np.save(tmp_path / "q.npy", np.zeros((9, 3)))
    (tmp_path / "q.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_price_table(str(tmp_path / "q.npy"))


def test_a_log_of_prices_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("time,firm,price\n1,A,1.9\n1,B,1.9\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"log\.toml: no such file .*; logs of prices are not judged$"):
        read_price_table(str(tmp_path / "log.csv"))


def best_values(
    rule: Callable[[list[Period]], float], market: PriceMarket, grid: np.ndarray, memory: int, gamma: float
) -> tuple[float, float]:
    """Payments per period of a best responder to a rule, and of the rule itself, by value iteration."""
    periods = [
        [(float(own), (float(other),)) for own, other in zip(*[iter(state)] * 2, strict=True)]
        for state in product(grid, repeat=2 * memory)
    ]
    count = len(grid)
    answer = np.array([int(np.argmin(np.abs(grid - rule(period)))) for period in periods])
    # the bot's own price and the rival's are the last two digits of the next state
    numbers = np.arange(len(periods))[:, None] * count**2 % max(len(periods), 1)
    follow = (numbers + answer[:, None] * count + np.arange(count)) % len(periods)
    paid = market.profits(np.stack(np.broadcast_arrays(grid[answer][:, None], grid), axis=-1))[..., 1]
    value = np.zeros(len(periods))
    for _ in range(600):
        value = np.max((1 - gamma) * paid + gamma * value[follow], axis=1)
    # where both charge 1.9 the rule answers with 1.9
    high = int(np.argmin(np.abs(grid - 1.9)))
    state = sum(high * count**k for k in range(2 * memory))
    return float(value[state]), float(paid[state, high])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rule", "memory"),
    [
        (lambda history: 1.9, 0),
        (lambda history: min(1.9, history[-1][1][0]) if history else 1.9, 1),
        (lambda history: 1.9 if not history or min(history[-1][0], *history[-1][1]) > 1.8 else 1.5, 1),
        pytest.param(
            lambda history: 1.9 if not history or min(p[1][0] for p in history[-2:]) > 1.8 else 1.5,
            2,
            marks=pytest.mark.slow,
        ),
    ],
)
def test_gain_over_a_function_of_the_last_periods_by_value_iteration(
    rule: Callable[[list[Period]], float], memory: int, market: PriceMarket
) -> None:
    table = policy_table(lambda: HistoryBot(rule), market)
    assert table.memory == memory
    best, usual = best_values(rule, market, table.grid, memory, table.gamma)
    assert table_gain(table).on_path == pytest.approx([best - usual] * 2, abs=1e-9)


class Counting:
    """A function with a variable of its own: every fifth price is low."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, history: object) -> float:
        self.calls += 1
        return 1.5 if self.calls % 5 == 0 else 1.9


@pytest.mark.slow
@pytest.mark.parametrize(
    "rule",
    [
        Counting(),
        lambda history: 1.9 if len(history) % 3 else 1.5,
        lambda history: 1.9 if all(min(own, *other) > 1.8 for own, other in history) else 1.5,
        lambda history: history[-3][1][0] if len(history[-3:]) == 3 else 1.9,
        lambda history: history[0][1][0] if history else 1.9,
        lambda history: np.random.default_rng().uniform(1.5, 1.9),
        lambda history: 0.7 * history[-1][0] + 0.3 * 1.6 if history else 1.9,  # ever new prices
    ],
)
def test_a_function_of_more_than_the_last_periods_is_no_table(
    rule: Callable[[list[Period]], float], market: PriceMarket
) -> None:
    assert policy_table(lambda: HistoryBot(rule), market) is None


def test_a_table_without_memory_has_the_gain_of_one_period(market: PriceMarket) -> None:
    grid = [1.5, 1.6, 1.9]
    table = price_table(np.array([[0.0, 0.0, 1.0]]), market, memory=0, grid=grid, gamma=0.9)
    paid = [market.profits(np.array([price, 1.9]))[0] for price in grid]
    assert table_gain(table).on_path == pytest.approx([max(paid) - paid[2]] * 2)
