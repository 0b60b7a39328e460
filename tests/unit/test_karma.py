"""Karma economies: redistribution of the surplus, types of agents, payments, parameters of sweeps."""

from typing import Any

import equinox as eqx
import numpy as np
import pytest

import rivalry as rv
from rivalry.core.game import with_
from rivalry.core.oracles import to_agents
from rivalry.economies.karma.agents import cumulative as cumulative_rows
from rivalry.economies.karma.agents import equal_karma
from rivalry.economies.karma.chains import stationary_distribution
from rivalry.economies.karma.keys import PaymentKeys
from rivalry.economies.karma.transitions import expect_after, randomly_rounded, redistribution_level
from rivalry.economies.kernels.choices import cumulative, probabilities
from rivalry.economies.kernels.economy import fresh
from rivalry.population import best_response, evaluate_policy, policy_values, push
from rivalry.population.oracles import first_distribution, mean_field_refusal
from rivalry.runtime.jax import jnp
from tests.conformance import assert_conforms

pytestmark = pytest.mark.mostly_slow


def absorbed(law: np.ndarray, level: float) -> float:
    """Karma absorbed at a level: the floor, or with the probability of its fraction the ceiling."""
    room = len(law) - 1 - np.arange(len(law))
    low, part = int(np.floor(level)), level - np.floor(level)
    return float(law @ ((1 - part) * np.minimum(room, low) + part * np.minimum(room, low + 1)))


def test_the_level_is_the_smallest_that_absorbs_the_surplus() -> None:
    rng = np.random.default_rng(1)
    for trial in range(60):
        law = rng.dirichlet(np.full(6, 0.4))
        law[rng.random(6) < 0.4 * (trial % 2)] = 0.0  # plateaus
        law = law / law.sum() if law.sum() > 0 else np.full(6, 1 / 6)
        room = absorbed(law, 5.0)
        surplus = rng.random() * room
        level = redistribution_level(law, surplus)
        assert absorbed(law, level) == pytest.approx(surplus, abs=1e-14)
        if level > 1e-6:
            assert absorbed(law, level - 1e-6) < surplus


@pytest.mark.default
@pytest.mark.parametrize(
    ("distribution", "surplus", "message"),
    [
        ([0.5, 0.6], 0.1, "distribution: .* must be probabilities of karma 0, 1, .. that sum to 1"),
        ([1.0], 0.0, "distribution: .* must be probabilities"),
        ([[0.5, 0.5]], 0.0, "distribution: .* must be probabilities"),
        ([0.25, 0.75], -0.1, r"surplus: -0.1 must be in \[0, 0.25\], the room for karma per agent"),
        ([0.25, 0.75], 0.3, r"surplus: 0.3 must be in \[0, 0.25\]"),
    ],
)
def test_impossible_redistributions_are_refused(distribution: list, surplus: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        redistribution_level(distribution, surplus)


@pytest.mark.parametrize("sign", [1, -1], ids=["received", "paid"])
def test_random_rounding_keeps_the_mean_and_karma_stays_in_its_bounds(sign: int) -> None:
    """Mean karma after 1.25 units: 1.25 more or less where no bound can be met."""
    after = expect_after(jnp.arange(7.0)[None], randomly_rounded(jnp.asarray(1.25)), sign)[0]
    expected = [1.25, 2.25, 3.25, 4.25, 5.25, 6.0, 6.0] if sign > 0 else [0, 0, 0.75, 1.75, 2.75, 3.75, 4.75]
    np.testing.assert_allclose(after, expected, atol=1e-15)


@pytest.mark.default
def test_cumulative_probabilities_are_one_from_the_last_possible_entry_on() -> None:
    """Tenths sum to less than 1 in floating point; no draw below 1 may fall on an impossible entry."""
    rows = np.array([[0.1] * 10 + [0.0, 0.0], [0.0, 1.0] + [0.0] * 10])
    assert np.cumsum(rows[0])[-1] < 1
    summed = cumulative_rows(rows)
    assert (summed[0, 9:] == 1).all()
    assert (summed[0, :9] < 1).all()
    assert summed[1].tolist() == [0.0] + [1.0] * 11


@pytest.mark.default
def test_rescaled_economies_have_all_karma_in_proportion() -> None:
    game = rv.games.karma(max_karma=4, mean_karma=1.5, agents=4, initial_karma=[4, 0, 2, 0])
    larger = game.rescale(3)
    assert (larger.most, float(larger.mean_karma), larger.initial.tolist()) == (12, 4.5, [12, 0, 6, 0])
    np.testing.assert_array_equal(larger.charge, np.tile(np.arange(13)[:, None], 13))
    for rule in ({"tax": 0.1}, {"payment": "difference"}):
        with pytest.raises(ValueError, match="payment: must be PBP or PBS without a tax"):
            rv.games.karma(max_karma=4, mean_karma=1.5, **rule).rescale(2)


def test_defaults() -> None:
    game = rv.games.karma()
    assert game.space.shape == (42, 21)
    assert int(game.legal.sum()) == 462
    assert np.asarray(game.chain).tolist() == [[[0.5, 0.5], [0.5, 0.5]]]
    assert np.asarray(rv.oracles.payoff_scale(game)) == pytest.approx([250])
    world = to_agents(game)
    assert (world.karma == 10).all()
    assert len(world.karma) == 100
    assert mean_field_refusal(game) == ""


@pytest.mark.parametrize(
    "rules",
    [
        {},
        pytest.param({"payment": "PBS", "tax": 0.3, "tie": "highest_urgency"}, marks=pytest.mark.slow),
        pytest.param(
            {"overflow": "winner_pays_room", "payment": "highest_losing_bid", "tie": "nobody"},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_an_odd_number_of_agents_has_a_mean_field_with_idle_agents(rules: dict[str, Any]) -> None:
    """Rewards, transitions and conservation of karma are consistent, and those of one idle agent in three."""
    game = rv.games.karma(max_karma=3, mean_karma=1, agents=3, idle="random", gamma=0.9, **rules)
    assert mean_field_refusal(game) == ""
    assert_conforms(game)
    # who is idle, bids nothing against nobody, and is neither paid nor charged
    even = rv.games.karma(max_karma=3, mean_karma=1, agents=4, gamma=0.9, **rules)
    pi = rv.oracles.named_start(game, "all_in")
    mu = first_distribution(game)
    around, values = even.environment(mu, pi), np.random.default_rng(0).normal(size=len(pi))
    around = around._replace(level=0.0 * around.level)
    expected = (2 / 3) * np.asarray(even.expect(around)(values)) + (1 / 3) * np.asarray(
        game.chain[0] @ game.after_redistribution(values.reshape(2, 4), around.level)
    ).reshape(-1, 1)
    mask = np.asarray(game.legal)
    np.testing.assert_allclose(np.asarray(game.expect(around)(values))[mask], expected[mask], rtol=1e-12)


@pytest.mark.filterwarnings("error")
def test_payoffs_and_gains_of_an_odd_number_of_agents() -> None:
    game = rv.games.karma(max_karma=4, mean_karma=2, agents=25, gamma=0.9, idle="random")
    found = rv.solve(game, rv.methods.Simulation(plays="zero", evaluation=4000)).data
    # of 25 agents 24 meet and a coin decides; later urgencies are 1 or 5 with equal probability
    values = -(24 / 25) * 0.5 * (np.array([1.0, 5.0]) + 0.9 / (1 - 0.9) * 3)
    measured = found.karma_distribution.sum("karma").values[0]
    np.testing.assert_allclose(found.payoff, [measured @ values], rtol=1e-9)
    assert found.exploitability.item() > 0
    assert str(found.coverage.values) == "estimated"


def test_types_of_agents_by_counts_and_by_shares() -> None:
    """Counts and shares give the same agents; types with fewer urgencies are padded; types are contiguous."""
    tables = [
        {"name": "meek", "urgencies": [2.0], "gamma": 0.5},
        {
            "name": "loud",
            "urgencies": [1.0, 3.0, 9.0],
            "chain": [[0.5, 0.5, 0], [0, 0, 1], [0.25, 0.25, 0.5]],
        },
    ]
    counted = rv.games.karma(types=[t | {"count": c} for t, c in zip(tables, (2, 6), strict=True)])
    shared = rv.games.karma(
        types=[t | {"share": s} for t, s in zip(tables, (0.25, 0.75), strict=True)], agents=8
    )
    world = to_agents(counted)
    for a, b in zip(world, to_agents(shared), strict=True):
        np.testing.assert_array_equal(a, b)
    assert world.type_of.tolist() == [0, 0, 1, 1, 1, 1, 1, 1]
    assert world.stakes.tolist() == [[2, 0, 0], [1, 3, 9]]
    assert world.chain[0].tolist() == [[1, 1, 1]] * 3
    assert world.first[0].tolist() == [1, 1, 1]
    law = np.diff(world.first[1], prepend=0)
    np.testing.assert_allclose(law @ np.array(tables[1]["chain"]), law, atol=1e-15)
    assert rv.oracles.labels(counted).players == ("meek", "loud")
    assert (fresh(world, np.random.SeedSequence(0)).private[:2] == 0).all()


def test_every_agent_may_have_its_own_type() -> None:
    tables = [
        {"count": 1, "urgencies": [1.0, 1.0 + k], "gamma": k / 50, "initial_karma": k % 3} for k in range(40)
    ]
    game = rv.games.karma(max_karma=2, mean_karma=39 / 40, types=tables)
    world = to_agents(game)
    assert world.type_of.tolist() == list(range(40))
    assert world.karma.tolist() == [k % 3 for k in range(40)]
    assert world.stakes[:, 1].tolist() == [1.0 + k for k in range(40)]
    assert game.space.shape == (40 * 2 * 3, 3)


@pytest.mark.default
@pytest.mark.parametrize(("agents", "mean_karma"), [(4, 2.5), (100, 10.0), (7, 3 / 7), (10, 0.1), (6, 0.0)])
def test_initial_karma_is_integer_and_nearly_equal(agents: int, mean_karma: float) -> None:
    karma = equal_karma(agents, mean_karma)
    assert len(karma) == agents
    assert karma.sum() == round(agents * mean_karma)
    assert karma.max() - karma.min() <= 1


@pytest.mark.default
def test_custom_initial_karma() -> None:
    game = rv.games.karma(max_karma=5, mean_karma=2.0, agents=4, initial_karma=[5, 0, 1, 2])
    assert to_agents(game).karma.tolist() == [5, 0, 1, 2]
    types = [{"count": 2, "initial_karma": [4, 0]}, {"count": 3, "initial_karma": 2}, {"count": 1}]
    found = rv.games.karma(max_karma=5, mean_karma=2.0, types=types)
    assert to_agents(found).karma.tolist() == [4, 0, 2, 2, 2, 2]


@pytest.mark.default
def test_charges_match_the_payment_rules() -> None:
    own, other = np.indices((4, 4))
    below = np.tri(4, dtype=int)
    for name, price, table in (
        ("PBP", None, own),
        ("PBS", None, own),
        ("difference", None, own - other),
        ("highest_losing_bid", None, other),
        ("fixed_price", 2, np.minimum(own, 2)),
    ):
        np.testing.assert_array_equal(PaymentKeys(payment=name, price=price).charges(3), table * below)
    full = own + 10 * (other > own)  # entries of losing bids are ignored
    np.testing.assert_array_equal(PaymentKeys(charge=full).charges(3), own * below)


@pytest.mark.default
def test_formulas_and_functions_are_the_rules_that_they_write() -> None:
    small: dict[str, Any] = {"max_karma": 4, "mean_karma": 2.0}
    bid, losing = np.indices((5, 5))
    for charge, rule in (
        ("bid", {"payment": "PBP"}),
        (lambda bid, losing_bid: bid - losing_bid, {"payment": "difference"}),
        ("if(bid > 2, 2, bid)", {"payment": "fixed_price", "price": 2}),
        (lambda losing_bid, bid: bid // 2, {"charge": bid // 2}),
        ("0", {"charge": 0 * losing}),
    ):
        for receiver, own in (("peer", "PBP"), ("society", "PBS")):
            known = {"receiver": receiver} | rule
            known |= {"payment": own} if rule.get("payment") == "PBP" else {}
            written = rv.games.karma(**small, charge=charge, receiver=receiver)
            known = rv.games.karma(**small, **known)
            for a, b in zip(to_agents(written), to_agents(known), strict=True):
                np.testing.assert_array_equal(a, b)
    for tax in ("0.1*karma", lambda karma: 0.1 * karma):
        np.testing.assert_array_equal(rv.games.karma(**small, tax=tax).tax, 0.1 * np.arange(5))


OF_FOUR: dict[str, Any] = {"max_karma": 4, "mean_karma": 2.0, "gamma": 0.9}
LEARNER = rv.methods.PopulationQLearning(training=2000, monitor_every=0, evaluation=500, beta=5.0)


@pytest.mark.parametrize(
    "method",
    [
        pytest.param(rv.methods.PopulationNewton(beta=5.0), marks=pytest.mark.slow),
        pytest.param(rv.methods.Simulation(plays="uniform", evaluation=500), marks=pytest.mark.slow),
        pytest.param(LEARNER, marks=pytest.mark.slow),
    ],
    ids=["newton", "simulation", "learning"],
)
@pytest.mark.parametrize("agents", [2, 8])
def test_rewards_are_the_rules_that_they_write(method: Any, agents: int) -> None:
    """A formula of the built-in reward, and other costs of losing, change no number."""
    for written, known in (
        ({"reward": "urgency*(served - 1)"}, {}),
        ({"reward": lambda urgency, served: -(urgency**2) * (1 - served)}, {"urgencies": [1.0, 25.0]}),
    ):
        games = [rv.games.karma(**OF_FOUR, agents=agents, **keys) for keys in (written, known)]
        start = "uniform" if isinstance(method, rv.methods.PopulationNewton) else None
        ours, theirs = (rv.solve(game, method, start=start, seed=1).data for game in games)
        for name in ("policy", "payoff", "regret", "class_cost", "benchmark_cost", "efficiency"):
            np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


@pytest.mark.default
def test_chains_are_the_rules_that_they_write() -> None:
    stays = "if(next_urgency == urgency, 0.75, 0.25)"
    lasting = [[0.75, 0.25], [0.25, 0.75]]
    for written, known in (
        ({"chain": stays}, {"chain": lasting}),
        (
            {"chain": f"if(served > 0, if(next_urgency == 1, 1, 0), {stays})"},
            {"chain": lasting, "served_chain": [1.0, 0.0]},
        ),
        (
            {"served_chain": lambda urgency, next_urgency, served: float(next_urgency != urgency)},
            {"served_chain": [[0.0, 1.0], [1.0, 0.0]]},
        ),
    ):
        games = [rv.games.karma(**OF_FOUR, **keys) for keys in (written, known)]
        for a, b in zip(*map(to_agents, games), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.default
def test_charge_tables_are_recognized_as_payment_rules() -> None:
    one = rv.games.karma(max_karma=3, mean_karma=1.0, charge=np.repeat(np.arange(4)[:, None], 4, axis=1))
    two = rv.games.karma(max_karma=3, mean_karma=1.0)
    assert one.own_bid
    for a, b in zip(to_agents(one), to_agents(two), strict=True):
        np.testing.assert_array_equal(a, b)
    assert rv.games.karma(payment="fixed_price", price=20).own_bid  # no bid exceeds the price
    assert not rv.games.karma(payment="difference").own_bid


@pytest.mark.nightly
def test_numeric_parameters_can_be_swept() -> None:
    """Numeric parameters are arrays of the game, validated on assignment."""
    game = rv.games.karma(max_karma=4, mean_karma=2.0)
    built = rv.games.karma(max_karma=4, mean_karma=1.0, gamma=0.5, urgencies=[2.0, 3.0], tax=0.1)
    swept = with_(game, mean_karma=1.0, gamma=0.5, stakes=np.array([[2.0, 3.0]]), tax=0.1 * np.arange(5.0))
    uniform = rv.oracles.named_start(game, "uniform")
    one, two = evaluate_policy(built, uniform), evaluate_policy(swept, uniform)
    np.testing.assert_array_equal(one.payoff, two.payoff)
    for a, b in zip(to_agents(built), to_agents(swept), strict=True):
        np.testing.assert_array_equal(a, b)
    assert rv.oracles.validate_parameter(game, "gamma", 1.0) == "must be in [0, 1)"
    assert rv.oracles.validate_parameter(game, "mean_karma", 5.0) == "must be in [0, max_karma = 4]"
    assert rv.oracles.validate_parameter(game, "stakes", -1.0) == "must be at least 0"
    assert rv.oracles.validate_parameter(game, "share", 0.0) == "must be in (0, 1]: a type has agents"
    assert rv.oracles.validate_parameter(game, "mean_karma", 3.5) == ""


def test_mean_field_and_agents_have_the_same_stationary_urgencies() -> None:
    chain = np.array([[0.1, 0.6, 0.3], [0.5, 0.0, 0.5], [0.2, 0.2, 0.6]])
    law = np.asarray(stationary_distribution(jnp.asarray(chain)))
    np.testing.assert_allclose(law @ chain, law, atol=1e-15)
    game = rv.games.karma(max_karma=2, mean_karma=1.0, urgencies=[1.0, 2.0, 3.0], chain=chain)
    np.testing.assert_allclose(np.diff(to_agents(game).first[0], prepend=0), law, atol=1e-15)
    np.testing.assert_allclose(
        np.asarray(first_distribution(game)).reshape(3, 3).sum(axis=1), law, atol=1e-15
    )


def test_policies_may_be_given_by_private_state_karma_and_bid() -> None:
    """Flat, or by type, private state and karma; conversion to CDFs and back is exact."""
    game = rv.games.karma(max_karma=4, mean_karma=2.0, types=[{"share": 0.5}, {"share": 0.5, "gamma": 0.2}])
    flat = np.asarray(game.space.project(jnp.asarray(np.random.default_rng(3).normal(size=game.space.shape))))
    cube = flat.reshape(2, 2, 5, 5)
    np.testing.assert_allclose(game.space.check(cube, "policy"), flat, atol=1e-16)
    np.testing.assert_allclose(probabilities(cumulative(cube), 4), cube, atol=1e-15)
    alone = rv.games.karma(max_karma=4, mean_karma=2.0)
    np.testing.assert_allclose(alone.space.check(cube[0], "policy"), flat[:10], atol=1e-16)


def test_private_states_may_share_an_urgency() -> None:
    """Repeated urgencies with a joint chain and names of the private states."""
    names = ["at home", "on the way", "late"]
    chain = [[0.5, 0.5, 0.0], [0.5, 0.0, 0.5], [1.0, 0.0, 0.0]]
    game = rv.games.karma(
        max_karma=3, mean_karma=1.0, urgencies=[1.0, 1.0, 5.0], chain=chain, private_names=names
    )
    assert game.private_names == (tuple(names),)
    assert game.shape == (1, 3, 4)
    with pytest.raises(ValueError, match=r"at u=1 \(on the way\), k=0; must sum to 1"):
        game.space.check(np.diag([1.0, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1])[:, :4] + 0.0, "policy")


@eqx.filter_jit
def step_values(game: Any, mu: Any, pi: Any) -> Any:
    """Level, values, next distribution and best-response values in one compiled program."""
    env = game.environment(mu, pi)
    moved = push(game, env, mu[:, None] * pi)
    return env.level, policy_values(game, env, pi), moved, best_response(game, env, pi).values


def test_values_and_best_responses_in_plain_numpy() -> None:
    """Bellman equations of a tiny economy: payment to the loser, surplus redistributed by the level."""
    game = rv.games.karma(max_karma=2, mean_karma=1.0, gamma=0.9, chain=[[0.9, 0.1], [0.4, 0.6]])
    mu = np.array([0.1, 0.2, 0.3, 0.05, 0.15, 0.2])
    pi = np.array([[1, 0, 0], [0.3, 0.7, 0], [0.2, 0.3, 0.5], [1, 0, 0], [0.1, 0.9, 0], [0, 0.5, 0.5]])
    level, own, moved, most = map(np.asarray, step_values(game, jnp.asarray(mu), jnp.asarray(pi)))
    bids = mu @ pi
    chain = np.asarray(game.chain)[0]
    reward, moves = np.zeros((6, 3)), np.zeros((6, 3, 6))
    for x, b in np.argwhere(np.tile(np.tri(3), (2, 1)) > 0):
        z, k = divmod(int(x), 3)
        for c in range(3):
            for chance, after, cost in (
                ((b > c) + 0.5 * (b == c), k - b, 0.0),
                ((b < c) + 0.5 * (b == c), min(k + c, 2), [1.0, 5.0][z]),
            ):
                reward[x, b] -= bids[c] * chance * cost
                for more, part in ((0, 1 - level % 1), (1, level % 1)):
                    there = min(after + int(level) + more, 2)
                    moves[x, b, [there, 3 + there]] += bids[c] * chance * part * chain[z]
    stays = np.einsum("xb,xby->xy", pi, moves)
    values = np.linalg.solve(np.eye(6) - 0.9 * stays, (pi * reward).sum(axis=1))
    np.testing.assert_allclose(own, values, atol=1e-12)
    np.testing.assert_allclose(moved, mu @ stays, atol=1e-15)
    best = np.zeros(6)
    for _ in range(600):
        q = np.where(np.tile(np.tri(3), (2, 1)) > 0, reward + 0.9 * moves @ best, -np.inf)
        best = q.max(axis=1)
    np.testing.assert_allclose(most, best, atol=1e-10)


def test_mean_bids_by_private_state_are_means_over_the_karma_of_its_agents() -> None:
    game = rv.games.karma(max_karma=4, mean_karma=2.0)
    policy = game.space.project(jnp.asarray(np.random.default_rng(3).normal(size=game.space.shape)))
    found = rv.solve(game, rv.methods.Evaluate(), start=policy).data
    karma, policies = found.karma_distribution.values[0], found.policy.values[0]
    for k in range(2):
        held = [(karma[k, m] / sum(karma[k]), policies[k, m]) for m in range(5)]
        mean = sum(share * bid * chance for share, row in held for bid, chance in enumerate(row))
        assert found.state_mean_bid.values[0, k] == pytest.approx(mean, rel=1e-9)
