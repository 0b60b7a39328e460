"""Learning and monitoring in economies, against plain Python to the bit and against exact values."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from rivalry.economies.kernels import choices
from rivalry.economies.kernels import economy as kernel
from rivalry.economies.kernels import economy_learning as learning_kernel
from rivalry.economies.kernels import economy_monitor as monitor_kernel
from rivalry.economies.kernels.economy_learning import DOUBLE, EXPECTED, GREEDY, SARSA, EpochRule, Learning
from rivalry.economies.kernels.shapes import HIGHEST_STAKE, SOCIETY, Economy, views_of
from tests.economies import (
    Plain,
    PlainLearner,
    Row,
    economy,
    monitor_rule,
    rule,
    same,
    seeing,
    soft,
    two_types,
    uniform_rows,
)

pytestmark = pytest.mark.slow

SEED = np.random.SeedSequence(11)
STAGED = {"beta": [20.0, 40.0], "beta_until": np.array([3, 2**62])}
STAGED |= {"alpha": [0.2, 0.05], "alpha_until": np.array([40, 2**62])}

RULES: dict[str, dict[str, Any]] = {
    "sarsa": {"target": SARSA},
    "greedy": {"target": GREEDY},
    "expected": {"target": EXPECTED},
    "double": {"target": DOUBLE},
    "visits": {"alpha": 1.0, "power": 1.0},
    "power": {"alpha": 0.9, "power": 0.5, "target": GREEDY},
    "stages": STAGED,
    "double stages": STAGED | {"target": DOUBLE},
    "seldom": {"renewal": 0.4},
    "every step": {"epoch": 1},
    "hot": {"beta": 0.5, "epsilon": 0.0},
    "cold": {"beta": 1e6, "epsilon": 0.0},
}


def begun(
    world: Economy, given: EpochRule, by_type: bool = False, q: float = 0.0
) -> tuple[kernel.Agents, Learning]:
    agents = kernel.fresh(world, SEED)
    entries = views_of(world) * (world.most + 1) * (world.most + 2) // 2
    return agents, learning_kernel.begin(world, given, np.full(entries, q), by_type)


@pytest.mark.parametrize("by_type", [False, True], ids=["own tables", "by type"])
@pytest.mark.parametrize("make", [economy, two_types, seeing])
@pytest.mark.parametrize("name", RULES)
def test_tables_agree_with_plain_python(name: str, make: Any, by_type: bool) -> None:
    world, given = make(6, 4), rule(**RULES[name])
    agents, learning = begun(world, given, by_type)
    plain = PlainLearner(world, agents, given, by_type)
    for _ in range(15):
        for _ in range(10):
            plain.advance()
        learning_kernel.learn(world, given, agents, learning, kernel.no_tallies(), 10)
        assert agents.karma.tolist() == plain.karma
        np.testing.assert_array_equal(learning.q, plain.tables())
    rows = [[v for s in plain.rows_of for v in plain.rows[o][s].summed] for o in sorted(plain.rows)]
    np.testing.assert_array_equal(learning.policy, rows)
    assert plain.counter == agents.stream[1]


@pytest.mark.parametrize("receiver", [0, SOCIETY])
@pytest.mark.parametrize("name", RULES)
def test_results_do_not_depend_on_chunks_copies_or_lazy_updates(name: str, receiver: int) -> None:
    """Chunks with copies in between, and all policy rows recomputed at the end of every epoch."""
    world, found = two_types(10, 8, receiver=receiver), []
    given = rule(**RULES[name])
    for all_rows, chunks in ((False, [400]), (False, [1, 6, 93, 300]), (True, [1] * 400)):
        agents, learning = begun(world, given)
        tallied = kernel.tallies(world, each=True)
        for steps in chunks:
            agents, learning = kernel.copy_agents(agents), Learning(*(part.copy() for part in learning))
            learning.touched[:] = 1 if all_rows else learning.touched
            learning_kernel.learn(world, given, agents, learning, tallied, steps)
        found.append((*agents, *learning._replace(touched=np.zeros(0)), *tallied))
    same(found[0], found[1])
    same(found[0], found[2])


def test_the_fast_paths_agree_with_the_general_paths() -> None:
    """Ties by equal stakes use the general path of matching, and a tiny power counts visits."""
    found = []
    for tie, power in ((0, 0.0), (HIGHEST_STAKE, 1e-300)):
        world, given = economy(12, 8, tie=tie, stakes=np.array([[3.0, 3.0]])), rule(power=power)
        agents, learning = begun(world, given)
        learning_kernel.learn(world, given, agents, learning, kernel.no_tallies(), 500)
        found.append((*agents, *learning._replace(visits=np.zeros(0))))
    same(*found)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_stops_the_run(bad: float) -> None:
    """The run stops at the step of the update and stays stopped."""
    world, given = economy(6, 4), rule(epoch=1000)
    agents, learning = begun(world, given)
    learning_kernel.learn(world, given, agents, learning, kernel.no_tallies(), 30)
    learning.q[:] = bad
    for _ in range(2):
        learning_kernel.learn(world, given, agents, learning, kernel.no_tallies(), 30)
        assert agents.status.tolist() == [kernel.NOT_FINITE, 30]
        assert agents.clock[0] == 30


@pytest.mark.parametrize("k", [0, 1, 5, 20])
def test_policies_are_softmax(k: int) -> None:
    """Against SciPy, and against plain Python to the bit."""
    from scipy.special import softmax

    world, rng = economy(2, 20), np.random.default_rng(k)
    q = rng.normal(size=(2, 462)) * 10.0 ** rng.uniform(-3, 1, size=(2, 1))
    learning = learning_kernel.begin(world, rule(beta=50.0, epsilon=0.1), q)
    for who, z in np.ndindex(2, 2):
        values = choices.unpack(q[who], 20)[z, k, : k + 1]
        law = 0.9 * softmax(50.0 * values) + 0.1 / (k + 1)
        found = choices.probabilities(learning.policy[who], 20)[z, k, : k + 1]
        np.testing.assert_allclose(found, law, atol=1e-14)
        row = soft(values.tolist(), 50.0, 0.1)
        summed = choices.unpack(learning.policy[who], 20)[z, k, : k + 1]
        assert summed.tolist() == row.summed
        assert int(learning.choice[who, z * 21 + k]) == (row.mode << 32) | row.mass


def test_the_exponential_agrees_with_numpy() -> None:
    """Close to NumPy's for all arguments that occur; 1 at 0; 0 below the underflow limit."""
    x = np.concatenate(
        [-np.logspace(-18, np.log10(708.0), 20_000), [0.0, -0.0, -708.1, -1e9, -1e300, -np.inf]]
    )
    world = economy(2, 1)
    values = np.zeros((len(x), 6))
    values[:, 1] = values[:, 4] = x  # entries 1 and 2 of each private state are the row of k = 1
    agents = world._replace(type_of=np.zeros(len(x), dtype=np.int64))
    with np.errstate(invalid="ignore"):
        learning = learning_kernel.begin(agents, rule(beta=1.0, epsilon=0.0), values)
    first = learning.policy[:, 1]
    np.testing.assert_allclose(first / (1 - first), np.exp(x), rtol=1e-13, atol=3e-16)
    assert (first[-4:] == 0).all()
    assert (first[-6:-4] == 0.5).all()


def test_step_size_one_over_visits_learns_means() -> None:
    """Without karma ties are random, and the discount factor is 0: Q(z) = -u(z)/2."""
    world = economy(200, 1, karma=np.zeros(200, dtype=np.int64), discount=np.array([0.0]))
    for target in (SARSA, GREEDY, EXPECTED):
        given = rule(alpha=1.0, power=1.0, target=target)
        agents, learning = begun(world, given)
        learning_kernel.learn(world, given, agents, learning, kernel.no_tallies(), 4000)
        mean = learning.q[0][:, [0, 3]].mean(axis=0)
        np.testing.assert_allclose(mean, [-0.5, -2.5], atol=5 * 2.5 / np.sqrt(200 * 2000))


def plain_monitor(
    world: Economy, given: Any, agents: kernel.Agents, owns: np.ndarray, aims: np.ndarray, steps: int
) -> Any:
    """Run Algorithms 3 and 4 with one target in plain Python; return four tables and sums over samples."""
    plain, count, most = Plain(world, agents), len(agents.karma), world.most
    states = [(z, k) for z in range(views_of(world)) for k in range(most + 1)]
    fresh = lambda: [{s: [0.0] * (s[1] + 1) for s in states} for _ in range(count)]  # noqa: E731
    own, best, aim, seen = fresh(), [fresh() for _ in range(1 + given.double)], fresh(), fresh()
    pending: Any = [None] * count
    greedy, gain = [0.0] * count, [0.0] * count
    row = lambda rows, s: Row(choices.unpack(rows, most)[s[0], s[1], : s[1] + 1].tolist())  # noqa: E731
    bonus = lambda one: given.weight * float(stats.entropy(one.shares))  # noqa: E731
    taught = 0.0 if given.once else 1.0
    for age in range(steps):
        plain.draw()
        further, bids = plain.words(2 * count), []
        for i, s in enumerate(plain.states):
            policy, kind = row(owns[i], s), world.type_of[i]
            bid = after = policy.sample(plain.own[i] >> 32)
            watched, teaching = given.alone in (-1, i), age < given.teach_until
            if given.alone == i and teaching:
                after = policy.sample(further[i] >> 32)
                bid = row(uniform_rows(1, views_of(world), most)[0], s).sample(plain.own[i] >> 32)
            target = row(aims[kind], s)
            chosen = target.sample(further[count + i] >> 32)
            bids.append(bid)
            if watched and teaching and pending[i]:
                past, done = pending[i]
                seen[i][past][done] += 1
                pace = given.alpha / seen[i][past][done] if given.power else given.alpha
                tables = [own[i], best[plain.own[i] // 2 % 2 if given.double else 0][i], aim[i]]
                other = best[1 - plain.own[i] // 2 % 2 if given.double else 0][i][s]
                worths = [own[i][s][after], other[np.argmax(tables[1][s])], aim[i][s][chosen]]
                if given.expected:
                    worths[0] = sum(np.multiply(policy.shares, own[i][s]).tolist())
                    worths[2] = sum(np.multiply(target.shares, aim[i][s]).tolist())
                worths[0] += taught * bonus(policy)
                worths[2] += taught * bonus(target)
                for table, worth in zip(tables, worths, strict=True):
                    goal = float(plain.reward[i]) + float(world.discount[kind]) * worth
                    table[past][done] -= pace * (table[past][done] - goal)
            if watched and age >= given.sample_from and (age - given.sample_from) % given.sample_every == 0:
                mine = own[i][s][after] + bonus(policy)
                greedy[i] += max(np.mean([table[i][s] for table in best], axis=0)) - mine
                gain[i] += mine - aim[i][s][chosen] - bonus(target)
            pending[i] = (s, bid) if watched else None
        plain.step(bids)
    flat = lambda held: [[v for s in states for v in one[s]] for one in held]  # noqa: E731
    return flat(own), [flat(table) for table in best], [flat(aim)], flat(seen), greedy, [gain]


MONITORS = {
    "all": {},
    "expected": {"expected": 1},
    "double": {"double": 1, "alpha": 1.0, "power": 1.0},
    "alone": {"alone": 2, "teach_until": 60, "sample_from": 60},
    "entropy": {"weight": 0.2},
    "entropy once": {"weight": 0.2, "once": 1, "alone": 2, "teach_until": 60, "sample_from": 60},
}


@pytest.mark.nightly
@pytest.mark.parametrize("make", [economy, two_types, seeing])
@pytest.mark.parametrize("name", MONITORS)
def test_monitors_agree_with_plain_python(name: str, make: Any) -> None:
    world, given = make(6, 4), monitor_rule(**MONITORS[name])
    privates, kinds = views_of(world), len(world.stakes)
    table = np.random.default_rng(3).gamma(0.5, size=(8, privates, 5, 5)) * np.tri(5)
    rows = choices.cumulative(table / table.sum(axis=-1, keepdims=True))
    owns, aims, uniform = rows[:6], rows[6 : 6 + kinds], uniform_rows(1, privates, 4)[0]
    agents, zero = kernel.fresh(world, SEED), np.zeros(rows.shape[1])
    expected = plain_monitor(world, given, agents, owns, aims, 120)
    held = monitor_kernel.watch(world, agents, given, zero, 1)
    for steps in (50, 70):
        monitor_kernel.monitor(world, given, agents, owns, np.arange(6), aims[None], uniform, held, steps)
    found = (held.own, held.best, held.target, held.visits, held.greedy_sum, held.target_sum)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-13)
    assert agents.status[0] == kernel.RUNNING
    assert held.samples[0] == len(range(given.sample_from, 120, 3))


def test_monitoring_without_a_target() -> None:
    world, given = economy(6, 4), monitor_rule()
    agents, uniform = kernel.fresh(world, SEED), uniform_rows(1, 2, 4)
    held = monitor_kernel.watch(world, agents, given, np.zeros(30), targets=0)
    targets, owner = np.zeros((0, 1, 30)), np.zeros(6, dtype=np.int64)
    monitor_kernel.monitor(world, given, agents, uniform, owner, targets, uniform[0], held, 100)
    assert held.target_sum.shape == (0, 6)
    assert (held.greedy_sum > 0).all()
    assert held.visits.sum() == 6 * 99
