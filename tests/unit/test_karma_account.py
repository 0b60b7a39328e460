"""Ledgers of karma for outside simulators: conservation, payments, distributions, resumption, refusals."""

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rivalry as rv

pytest.importorskip("pettingzoo")
pytest.importorskip("gymnasium")

from rivalry.economies.envs import KarmaAccount, karma_account, resume_karma_account
from rivalry.population import stationary_population

pytestmark = pytest.mark.mostly_slow

EXAMPLES = Path(__file__).parents[2] / "docs/howto/examples"
SMALL: dict[str, Any] = {"max_karma": 4, "mean_karma": 2.0, "payment": "PBS"}
PAYMENTS = {
    "PBS": lambda bid, refused: bid,
    "highest_losing_bid": lambda bid, refused: refused,
    "difference": lambda bid, refused: bid - refused,
    "fixed_price": lambda bid, refused: min(bid, 1),
}


def small(agents: int = 7, policy: Any = "uniform", **changed: Any) -> KarmaAccount:
    return karma_account(rv.games.karma(**SMALL | changed), agents, policy, seed=3)


def meet_at_random(account: KarmaAccount, rng: np.random.Generator) -> tuple[list[Any], int]:
    """Hold a contest of random agents for a random number of places; sometimes end the step."""
    names = list(account.balances)
    some = [names[k] for k in rng.permutation(len(names))[: rng.integers(0, len(names) + 1)]]
    places = int(rng.integers(0, len(names)))
    account.contest(some, places)
    if rng.random() < 0.2:
        account.advance()
    return some, places


@pytest.mark.parametrize(
    ("payment", "contests"),
    [
        pytest.param("PBS", 200, marks=pytest.mark.representative),
        *[(payment, 2_000) for payment in PAYMENTS],
        pytest.param("PBS", 100_000, marks=pytest.mark.nightly),
    ],
)
def test_contests_serve_the_highest_bids_and_conserve_karma(payment: str, contests: int) -> None:
    """Who is served and what is paid are recomputed from the bids alone."""
    more = {"PBS": {}, "fixed_price": {"price": 1}}.get(payment, {})
    receiver = {} if payment == "PBS" else {"receiver": "society"}
    account, rng = small(payment=payment, tax=0.1, **more, **receiver), np.random.default_rng(5)
    costs = dict.fromkeys(account.balances, 0.0)
    for _ in range(contests):
        before, urgencies, surplus = account.balances, account.urgencies, account.surplus
        some, places = meet_at_random(account, rng)
        after = account.balances
        assert sum(after.values()) + account.surplus == 14
        assert min(after.values()) >= 0
        assert max(after.values()) <= 4
        served, bids, payments = account.last
        assert len(served) == min(places, len(some))
        if places >= len(some):
            assert not bids
            assert not payments
            continue
        refused = [name for name in some if name not in served]
        highest = max(bids[name] for name in refused)
        assert all(0 <= bids[name] <= before[name] for name in some)
        assert all(bids[name] >= highest for name in served)
        assert payments == {
            name: PAYMENTS[payment](bids[name], highest) if name in served else 0 for name in some
        }
        costs |= {name: costs[name] + urgencies[name] for name in refused}
        assert account.costs == pytest.approx(costs)
        assert surplus + sum(payments.values()) >= account.surplus


def test_two_agents_have_the_karma_of_their_markov_chain() -> None:
    """Shares of time at each karma, within 4 standard errors of the chain's central limit theorem."""
    account, steps = small(agents=2, max_karma=2, mean_karma=1.0, payment="PBP"), 20_000
    matrix = np.zeros((3, 3))
    for karma in range(3):
        for bid in range(karma + 1):
            for rival in range(3 - karma):
                chance = 1 / (karma + 1) / (3 - karma)
                win = 0.5 if bid == rival else float(bid > rival)
                matrix[karma, karma - bid] += chance * win
                matrix[karma, karma + rival] += chance * (1 - win)
    values, vectors = np.linalg.eig(matrix.T)
    exact = np.real(vectors[:, np.argmin(abs(values - 1))])
    exact /= exact.sum()
    # asymptotic variance of shares of time from the fundamental matrix
    fundamental = np.linalg.inv(np.eye(3) - matrix + exact)
    variance = 2 * exact * np.diag(fundamental) - exact - exact**2
    counts = np.zeros(3)
    for _ in range(steps):
        account.contest([0, 1])
        account.advance()
        counts[account.balances[0]] += 1
    assert np.all(abs(counts / steps - exact) < 4 * np.sqrt(variance / steps))


@pytest.mark.nightly
def test_random_pairs_have_the_karma_of_the_continuum() -> None:
    """Within 4 standard errors of 20 batches, plus 1 over the number of agents."""
    agents, batches = 200, np.zeros((20, 5))
    game, rng = rv.games.karma(**SMALL | {"payment": "PBP"}), np.random.default_rng(2)
    account = karma_account(game, agents, "uniform", seed=3)
    for batch in range(-2, 20):
        for _ in range(50):
            for pair in rng.permutation(agents).reshape(-1, 2).tolist():
                account.contest(pair)
            account.advance()
            if batch >= 0:
                batches[batch] += np.bincount(list(account.balances.values()), minlength=5)
    measured = batches / batches.sum(axis=1, keepdims=True)
    error = measured.std(axis=0, ddof=1) / np.sqrt(20)
    uniform = np.asarray(game.space.mask) / np.asarray(game.space.mask).sum(axis=1, keepdims=True)
    mu = np.asarray(stationary_population(game, uniform).mu)
    exact = mu.reshape(-1, 5).sum(axis=0)
    assert np.all(abs(measured.mean(axis=0) - exact) < 4 * error + 1 / agents)


def test_a_resumed_account_goes_on_as_if_never_stopped(tmp_path: Path) -> None:
    """Balances, urgencies, random numbers and costs: two files of equal bytes after the same contests."""
    types = [{"count": 3}, {"count": 4, "urgencies": [1.0, 2.0, 9.0], "chain": [0.2, 0.3, 0.5]}]
    unbroken, rng = small(types=types, idle="random"), np.random.default_rng(1)
    for _ in range(20):
        meet_at_random(unbroken, rng)
    unbroken.save(tmp_path / "begun.npz")
    resumed = resume_karma_account(tmp_path / "begun.npz")
    for account in (unbroken, resumed):
        same = np.random.default_rng(4)
        for _ in range(50):
            meet_at_random(account, same)
        account.save(tmp_path / f"{id(account)}.npz")
    assert len({(tmp_path / f"{id(account)}.npz").read_bytes() for account in (unbroken, resumed)}) == 1
    assert unbroken.balances == resumed.balances


@pytest.mark.parametrize(("tie", "served"), [("lowest_index", [0]), ("highest_urgency", [1]), ("nobody", [])])
def test_rules_decide_between_equal_bids(tie: str, served: list[int]) -> None:
    account = small(agents=2, tie=tie, policy="all_in")
    account.set_urgency(0, 1.0)
    account.set_urgency(1, 5.0)
    assert account.contest([1, 0]) == served


def test_excess_karma_of_losers_is_not_lost() -> None:
    """A loser at 4 of 4 karma receives 2: the surplus holds them, or the winner pays nothing."""
    bids_2 = np.zeros((2, 5, 5))
    bids_2[:, [0, 1, 2, 3, 4], [0, 1, 2, 2, 0]] = 1.0
    for overflow, surplus, paid in (("surplus", 2, 2), ("winner_pays_room", 0, 0)):
        given = {"payment": "PBP", "overflow": overflow, "initial_karma": [4, 2, 0], "agents": 3}
        account = karma_account(rv.games.karma(**SMALL | given, idle="random"), 3, bids_2)
        assert account.contest([0, 1]) == [1]
        assert account.balances == {0: 4, 1: 2 - paid, 2: 0}
        assert account.surplus == surplus


def test_wrong_input_is_named(tmp_path: Path) -> None:
    account = small()
    (tmp_path / "other.npz").write_bytes(b"no archive")
    for call, message in (
        (lambda: account.contest([1, 12]), "participants: 12 is no agent of this account"),
        (lambda: account.contest([1, 1]), r"participants: \[1, 1\] must be different agents"),
        (lambda: account.contest([1, 2], -1), "capacity"),
        (lambda: account.set_urgency(1, 3.0), r"urgency: 3.0 of agent 1 must be one of \[1.0, 5.0\]"),
        (lambda: small(payment="PBP").contest([1, 2, 3]), "participants: 3 must be two: the winner pays the"),
        (lambda: small(policy=np.ones((3, 3))), "policy: shape"),
        (lambda: karma_account(rv.games.karma(), ["a", "a"], "zero"), "agents: .* must be different names"),
        (lambda: karma_account(rv.games.matrix([[1]]), 2, "zero"), "economy: .* must be an economy"),
        (lambda: small(signal="karma"), "signal: must be 'none'"),
        (lambda: resume_karma_account(tmp_path / "other.npz"), "damaged"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.nightly
def test_vehicles_of_sumo_bid_at_a_signal() -> None:
    """Karma is conserved, and commuters who bid 2 when urgent and else 0 wait less when urgent."""
    for module in ("sumo", "traci"):
        pytest.importorskip(module, reason="vehicles at a signal need eclipse-sumo and traci")
    run = runpy.run_path(str(EXAMPLES / "karma_signal.py"))["run"]
    policy = np.zeros((2, 9, 9))
    policy[0, :, 0] = 1.0
    policy[1, np.arange(9), np.minimum(np.arange(9), 2)] = 1.0
    waits, account = run(policy, seconds=3600)
    assert sum(account.balances.values()) + account.surplus == 160
    assert min(map(len, waits.values())) > 100
    assert np.mean(waits[5.0]) < np.mean(waits[1.0])
