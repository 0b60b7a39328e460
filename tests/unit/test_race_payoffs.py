"""Payoffs of races, against the formulas of the model written out with powers."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.game import own_gradients
from rivalry.core.payoffs import payoffs
from rivalry.families.race.rules import Best, log, spillover_gain
from rivalry.runtime.jax import jax, jnp
from tests.race_keys import race

pytestmark = pytest.mark.mostly_slow

RNG = np.random.default_rng(7)
N = 3


def written_out(game: Any, numbers: dict[str, Any], xs: np.ndarray, xp: np.ndarray) -> dict[str, np.ndarray]:
    """Evaluate one period by the formulas of the model, with loops."""
    n = len(xs)
    s, p = (
        numbers["safety_productivity"] * xs ** numbers["safety_exponent"],
        numbers["performance_productivity"] * xp ** numbers["performance_exponent"],
    )
    odds = s / p ** numbers["scale_penalty"]
    sigma = odds / (1 + odds)
    kappa = numbers.get("ease_of_winning")
    weight = (
        p ** numbers["decisiveness"] if numbers["contest"] == "ratio" else np.exp(numbers["decisiveness"] * p)
    )
    q = weight / (weight.sum() + (1 / kappa if kappa else 0.0))
    w = numbers["safety_weight"]
    safety = {
        "winner_only": sigma,
        "multiplicative": np.full(n, np.prod(sigma ** (w * n / w.sum()))),
        "additive": np.full(n, (w * sigma).sum() / w.sum()),
        "mixed": np.array(
            [
                (1 - numbers["loser_weight"]) * sigma[j]
                + numbers["loser_weight"] * np.delete(sigma, j).mean()
                for j in range(n)
            ]
        ),
    }[numbers["risk"]]
    nobody, u = 1 - q.sum(), np.zeros(n)
    for i in range(n):
        for j in range(n):
            if i == j:
                rho = numbers["prize"][i] + numbers["prize_per_performance"][i] * p[i]
            else:
                k = i if numbers["loser_prize_basis"] == "own" else j
                rho = numbers["loser_prize"][k] + numbers["loser_prize_per_performance"][k] * p[k]
            after_disaster = rho if numbers["prize_survives"][i] else 0.0
            u[i] += q[j] * (
                safety[j] * rho + (1 - safety[j]) * (after_disaster - numbers["disaster_cost"][i, j])
            )
        u[i] += nobody * (
            -numbers["disaster_cost"][i, i] if numbers["no_winner"] == "disaster" else numbers["no_winner"]
        )
    cost = numbers["safety_price"] * xs + numbers["performance_price"] * xp
    if numbers["cost"] == "quadratic":
        cost = (
            cost + numbers["safety_price_slope"] * xs**2 / 2 + numbers["performance_price_slope"] * xp**2 / 2
        )
    return {
        "technology_safety": sigma,
        "win_probability": q,
        "p_safe_given_win": safety,
        "cost": cost,
        "u": u - cost,
    }


def random_parameters(**words: Any) -> dict[str, Any]:
    """Random parameters, updated with ``words``."""

    def between(low: float, high: float) -> np.ndarray:
        return RNG.uniform(low, high, N)

    found: dict[str, Any] = {
        "safety_productivity": between(0.5, 20.0),
        "performance_productivity": between(0.5, 5.0),
        "safety_exponent": between(0.2, 0.9),
        "performance_exponent": between(0.2, 0.9),
        "scale_penalty": between(0.0, 1.5),
        "safety_weight": between(0.1, 2.0),
        "prize": between(0.5, 2.0),
        "prize_per_performance": between(0.0, 0.3),
        "loser_prize": between(0.0, 0.3),
        "loser_prize_per_performance": between(0.0, 0.2),
        "prize_survives": RNG.uniform(size=N) < 0.5,
        "disaster_cost": RNG.uniform(0.0, 3.0, (N, N)),
        "safety_price": between(0.01, 0.3),
        "performance_price": between(0.01, 0.3),
        "safety_price_slope": between(0.0, 0.2),
        "performance_price_slope": between(0.0, 0.2),
        "decisiveness": 1.3,
        "loser_weight": 0.3,
        "contest": "ratio",
        "risk": "winner_only",
        "cost": "linear",
        "loser_prize_basis": "own",
        "no_winner": 0.2,
    }
    return found | words


@pytest.mark.parametrize("n", [2, 3, 5])
@pytest.mark.parametrize("nobody", [None, 0.25])
def test_players_without_performance_win_logit_contests_equally_often(n: int, nobody: float | None) -> None:
    options = {} if nobody is None else {"ease_of_winning": 1 / nobody}
    game = race(players=n, contest="logit", decisiveness=2.0, **options)
    idle = game.inputs(safety_input=np.zeros(n), performance_input=np.zeros(n))
    share = 1 / (n + (nobody or 0.0))
    np.testing.assert_allclose(rv.oracles.metrics(game, idle)["win_probability"][1], share, rtol=1e-12)
    # continuous at no performance, other than a ratio of performances
    little = game.inputs(safety_input=np.zeros(n), performance_input=np.full(n, 1e-25))
    np.testing.assert_allclose(rv.oracles.metrics(game, little)["win_probability"][1], share, rtol=1e-9)
    ratios = race(players=n, **options)
    np.testing.assert_array_equal(rv.oracles.metrics(ratios, idle)["win_probability"][1], 0.0)


def test_idle_players_of_a_weak_logit_contest_are_at_an_equilibrium() -> None:
    game = race(
        players=3,
        contest="logit",
        decisiveness=0.5,
        performance_exponent=1.0,
        performance_productivity=1.0,
        performance_price=1.0,
        scale_penalty=0.5,
        safety_price=1.0,
    )
    idle = game.inputs(safety_input=np.zeros(3), performance_input=np.zeros(3))
    grid = np.concatenate([[0.0], np.geomspace(1e-25, 2.0, 60)])
    tries = [[s, p] for s in grid for p in grid]
    rows = jnp.stack([jnp.asarray(idle).at[0].set(jnp.asarray(row)) for row in tries])
    paid = np.asarray(jax.vmap(game.payoffs)(rows))[:, 0]
    here = float(np.asarray(payoffs(game, idle))[0])
    found = rv.certificate(game, idle)
    assert paid.max() <= here
    assert found.claim == "equilibrium"


VARIANTS: list[dict[str, Any]] = [
    {},
    {"ease_of_winning": 0.4, "no_winner": "disaster"},
    {"contest": "logit", "ease_of_winning": 2.0, "loser_prize_basis": "winner"},
    {"risk": "multiplicative", "ease_of_winning": 1.0},
    {"risk": "additive", "cost": "quadratic"},
    {"risk": "mixed", "contest": "logit"},
]


@pytest.mark.parametrize("words", VARIANTS, ids=lambda words: "-".join(map(str, words.values())) or "default")
def test_one_period_matches_the_formulas(words: dict[str, Any]) -> None:
    numbers = random_parameters(**words)
    game = race(**{k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in numbers.items()})
    for _ in range(5):
        xs, xp = RNG.uniform(0.01, 3.0, (2, N))
        x = game.inputs(safety_input=xs, performance_input=xp)
        expected = written_out(game, numbers, xs, xp)
        found = {name: array for name, (_, array) in rv.oracles.metrics(game, x).items()}
        for name in ("technology_safety", "win_probability", "p_safe_given_win", "cost"):
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-12)
        np.testing.assert_allclose(payoffs(game, x), expected["u"], rtol=1e-11, atol=1e-12)
        safe = (expected["win_probability"] * expected["p_safe_given_win"]).sum()
        np.testing.assert_allclose(found["p_safe"], safe, rtol=1e-12)
        np.testing.assert_allclose(found["p_safe"] + found["p_disaster"] + _harmless(found, numbers), 1.0)


def _harmless(found: dict[str, Any], numbers: dict[str, Any]) -> float:
    return 0.0 if numbers["no_winner"] == "disaster" else float(found["p_no_winner"])


def test_total_payoffs_are_sums_over_periods() -> None:
    """Discounted and weighted sums of one-period payoffs, each at the technology of its period."""
    game = race(
        safety_productivity=[8.0, 5.0],
        performance_productivity=[1.0, 2.0],
        ease_of_winning=0.5,
        horizon=4,
        gamma=[0.9, 0.8],
        discount_offset=1,
        end_on="win",
        share=True,
        safety_depreciation=0.1,
        performance_depreciation=[0.0, 0.2],
        spillover="max",
        safety_sharing_price=0.03,
    )
    rows = RNG.uniform(0.05, 0.9, (4, 2, 6))
    a, b, alive = np.array([8.0, 5.0]), np.array([1.0, 2.0]), 1.0
    total = np.zeros(2)
    for t, row in enumerate(rows):
        stage = race(safety_productivity=a.tolist(), performance_productivity=b.tolist(), ease_of_winning=0.5)
        x = stage.inputs(safety_input=row[:, 0], performance_input=row[:, 1])
        paid = np.asarray(stage.payoffs(x)) - 0.01 * row[:, 2] - 0.01 * row[:, 3] - 0.03 * row[:, 4]
        total += np.array([0.9, 0.8]) ** (t + 1) * alive * paid
        alive *= float(rv.oracles.metrics(stage, x)["p_no_winner"][1])
        gift_a, gift_b = (row[::-1, k] * np.maximum(s[::-1] - s, 0) for k, s in ((4, a), (5, b)))
        a = 0.9 * a + row[:, 2] + gift_a
        b = np.array([1.0, 0.8]) * b + row[:, 3] + gift_b
    x = game.inputs(rows)
    np.testing.assert_allclose(payoffs(game, x), total, rtol=1e-12)
    found = rv.oracles.metrics(game, x)
    np.testing.assert_allclose(found["safety_stock"][1][-1], a, rtol=1e-12)
    np.testing.assert_allclose(found["performance_stock"][1][-1], b, rtol=1e-12)
    np.testing.assert_allclose(found["alive"][1][-1], alive, rtol=1e-12)


def test_with_end_on_disaster_play_continues_without_a_winner() -> None:
    game = race(ease_of_winning=0.5, horizon=2, end_on="disaster", no_winner="disaster")
    x = game.inputs(safety_input=np.full((2, 2), 0.7), performance_input=np.full((2, 2), 0.9))
    found = rv.oracles.metrics(game, x)
    unsafe = 1 - found["period_p_safe"][1][0] - found["period_p_no_winner"][1][0]
    np.testing.assert_allclose(found["alive"][1][1], 1 - unsafe, rtol=1e-12)


def test_infinite_horizon_payoffs_match_a_long_race() -> None:
    words: dict[str, Any] = {"ease_of_winning": 0.2, "gamma": [0.9, 0.8], "end_on": "win"}
    infinite, long = race(horizon="inf", **words), race(horizon=400, **words)
    xs, xp = np.array([0.3, 0.5]), np.array([0.2, 0.1])
    same = long.inputs(safety_input=np.tile(xs, (400, 1)), performance_input=np.tile(xp, (400, 1)))
    once = infinite.inputs(safety_input=xs, performance_input=xp)
    np.testing.assert_allclose(payoffs(infinite, once), payoffs(long, same), rtol=1e-12)
    one, many = rv.oracles.metrics(infinite, once), rv.oracles.metrics(long, same)
    np.testing.assert_allclose(one["p_safe_last_win"][1], many["p_safe_last_win"][1], rtol=1e-12)
    assert float(one["expected_periods"][1]) == pytest.approx(1 / float(one["period_win_probability"][1]))


@pytest.mark.nightly
def test_gradients_match_differentiated_own_payoffs() -> None:
    game = race(ease_of_winning=1.0, horizon=3, share=True, safety_productivity=[9.0, 4.0], end_on="win")
    x = game.inputs(RNG.uniform(0.1, 0.9, (3, 2, 6)))
    each = [jax.grad(lambda own, i=i: game.payoffs(x.at[i].set(own))[i])(x[i]) for i in range(2)]
    np.testing.assert_allclose(own_gradients(game, x), np.stack(each), rtol=1e-10, atol=1e-13)


def test_custom_transitions_match_equivalent_parameters() -> None:
    words: dict[str, Any] = {
        "ease_of_winning": 1.0,
        "horizon": 3,
        "invest": True,
        "safety_depreciation": 0.2,
        "end_on": "win",
    }
    plain = race(**words)
    followed = race(transition=lambda numbers, row, t: numbers, **words)
    dearer = race(transition=lambda n, row, t: n | {"safety_price": n["safety_price"] * 2}, **words)
    by_period = race(safety_price=[[0.1, 0.1], [0.2, 0.2], [0.4, 0.4]], **words)
    x = plain.inputs(RNG.uniform(0.1, 0.9, (3, 2, 4)))
    np.testing.assert_allclose(followed.payoffs(x), plain.payoffs(x), rtol=1e-12)
    np.testing.assert_allclose(dearer.payoffs(x), by_period.payoffs(x), rtol=1e-12)


def test_custom_parts_match_built_in_ones() -> None:
    words: dict[str, Any] = {"safety_productivity": [5.0, 9.0], "ease_of_winning": 0.7}
    ours = race(decisiveness=2.0, **words)
    own = race(
        contest=lambda log_p, p, numbers: p**2 / ((p**2).sum() + 1 / 0.7),
        risk=lambda z, sigma, numbers: sigma,
        cost=lambda xs, xp, safety, numbers: 0.1 * (xs + xp),
        **words,
    )
    x = ours.inputs(safety_input=[0.5, 0.8], performance_input=[1.0, 0.6])
    np.testing.assert_allclose(own.payoffs(x), ours.payoffs(x), rtol=1e-12)


@pytest.mark.parametrize("cost", ["certification", "relative_certification", "penalty"])
def test_threshold_costs_on_both_sides_of_the_threshold(cost: str) -> None:
    words: dict[str, Any] = {
        "cost": cost,
        "price": 0.2,
        "certified_price": 0.05,
        "fine": 0.3,
        "minimum": 5.0,
        "margin": 1.0,
    }
    for on in ("odds", "effort"):
        game = race(measured_by=on, **words)
        x = game.inputs(safety_input=[0.2, 3.0], performance_input=[1.0, 1.0])
        s, p = 10 * np.array([0.2, 3.0]) ** 0.5, np.full(2, 10.0)
        level = s / p**0.5 if on == "odds" else s
        met = level >= (level[::-1] + 1.0 if cost.startswith("relative") else 5.0)
        spent = np.array([1.2, 4.0])
        expected = spent * 0.2 + 0.3 * ~met if cost == "penalty" else spent * np.where(met, 0.05, 0.2)
        np.testing.assert_allclose(rv.oracles.metrics(game, x)["cost"][1], expected)


def test_taxes_subsidies_and_liability_change_prices_and_revenue() -> None:
    game = race(performance_tax=0.05, safety_subsidy=[0.02, 0.0], liability=0.4)
    plain = race(safety_price=[0.08, 0.1], performance_price=0.15, disaster_cost=[[1.4, 1.0], [1.0, 1.4]])
    x = game.inputs(safety_input=[0.5, 0.8], performance_input=[1.0, 0.6])
    np.testing.assert_allclose(payoffs(game, x), plain.payoffs(x), rtol=1e-12)
    found = {name: array for name, (_, array) in rv.oracles.metrics(game, x).items()}
    expected = (
        0.05 * 1.6 - 0.02 * 0.5 + 0.4 * (found["win_probability"] * (1 - found["p_safe_given_win"])).sum()
    )
    np.testing.assert_allclose(found["revenue"], expected, rtol=1e-12)


def test_nothing_happens_where_nobody_wins_unless_it_is_a_disaster() -> None:
    for words, expected in (({}, 0.0), ({"no_winner": "disaster"}, -2.0), ({"no_winner": 0.5}, 0.5)):
        game = race(ease_of_winning=1.0, disaster_cost=2.0, **words)
        idle = game.inputs(safety_input=[0.0, 0.0], performance_input=[0.0, 0.0])
        assert payoffs(game, idle).tolist() == [expected, expected]


def test_nobody_is_liable_where_nobody_wins() -> None:
    game = race(ease_of_winning=1.0, no_winner="disaster", liability=0.5)
    idle = game.inputs(safety_input=[0.0, 0.0], performance_input=[0.0, 0.0])
    assert payoffs(game, idle).tolist() == [-1.0, -1.0]
    assert float(rv.oracles.metrics(game, idle)["revenue"][1]) == 0.0


@pytest.mark.parametrize("words", [*VARIANTS, {"cost": "penalty", "price": 0.1, "minimum": 2.0}])
def test_transfers_change_no_sum_of_payoffs_and_revenue(words: dict[str, Any]) -> None:
    """What players pay is revenue: without transfers they have what they and the treasury have with them."""
    numbers = {
        k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in random_parameters(**words).items()
    }
    fined = words.get("cost") == "penalty"
    paid: dict[str, Any] = {"fine": [0.1, 0.2, 0.3]} if fined else {"performance_tax": [0.1, 0.0, 0.2]}
    paid |= {"liability": [0.5, 0.0, 1.0]} | ({} if fined else {"safety_subsidy": 0.01})
    with_transfers, without = race(**numbers, **paid), race(**numbers)
    for _ in range(3):
        xs, xp = RNG.uniform(0.01, 3.0, (2, N))
        x = without.inputs(safety_input=xs, performance_input=xp)
        revenue = float(rv.oracles.metrics(with_transfers, x)["revenue"][1])
        both = np.sum(payoffs(with_transfers, x)) + revenue
        np.testing.assert_allclose(both, np.sum(payoffs(without, x)), rtol=1e-11)
        assert revenue != 0.0


@pytest.mark.default
def test_taxes_of_a_cost_without_prices_per_input_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^cost.performance_tax: has no effect with cost.kind = 'cert"):
        rv.games.race(cost={"kind": "certification", "performance_tax": 0.1})


def test_spillovers_of_one_player_agree_and_a_union_never_overtakes() -> None:
    rng = np.random.default_rng(3)
    for _ in range(3):
        stock, shared = rng.uniform(0, 10, 4), rng.uniform(0, 1, 4)
        alone = shared * (np.arange(4) == 1)
        gifts = [np.asarray(spillover_gain(jnp.asarray(stock), jnp.asarray(alone), rule)) for rule in RULES]
        np.testing.assert_allclose(gifts, [shared[1] * np.maximum(stock[1] - stock, 0)] * 3, atol=1e-12)
        union = np.asarray(spillover_gain(jnp.asarray(stock), jnp.asarray(shared), "union"))
        # the integral over levels of the probability that some player above shares the level
        level = (np.arange(20_000) + 0.5) / 2_000
        hidden = np.prod(np.where(stock[:, None] > level, 1 - shared[:, None], 1.0), axis=0)
        integral = [(1 - hidden)[level > own].sum() / 2_000 for own in stock]
        np.testing.assert_allclose(union, integral, atol=5e-3)
        assert np.all(stock + union <= stock.max() + 1e-12)


RULES = ("sum", "max", "union")


@pytest.mark.representative
@pytest.mark.default_only("max")
@pytest.mark.parametrize("spillover", ["sum", "max"])
def test_technology_stays_within_the_bounds_of_states(spillover: str) -> None:
    """Random investment and sharing from the whole space, with depreciation."""
    game = race(
        horizon=3,
        share=True,
        spillover=spillover,
        safety_productivity=[9.0, 4.0],
        safety_depreciation=0.2,
        performance_depreciation=[0.1, 0.5],
    )
    space, rng = game.period_space, np.random.default_rng(5)
    for _ in range(2):
        state = game.initial_state()
        for t in range(3):
            low, high = rv.oracles.state_bounds(game, t)
            assert np.all((low - 1e-9 <= state) & (state <= high * (1 + 1e-12)))
            row = np.asarray(space.high) * rng.integers(0, 2, space.shape) * rng.random(space.shape)
            state = game.after_technology(game.numbers_at(t), state, jnp.asarray(row))


@pytest.mark.default
@pytest.mark.parametrize(
    ("given", "kinds"),
    [
        ({"players": 3}, [0, 0, 0]),
        ({"scale_penalty": [0.5, 0.7, 0.5]}, [0, 1, 0]),
        ({"horizon": 2, "scale_penalty": [[0.5, 0.5], [0.5, 0.6]]}, [0, 1]),
        ({"horizon": "inf", "gamma": [0.9, 0.8], "ease_of_winning": 1.0}, [0, 1]),
        ({"disaster_cost": [[1.0, 2.0], [2.0, 1.0]]}, [0, 1]),
        ({"disaster_cost": [[2.0, 2.0], [2.0, 2.0]]}, [0, 0]),
        ({"risk": lambda z, sigma, numbers: sigma}, [0, 1]),
    ],
)
def test_players_with_equal_parameters_are_exchangeable(given: dict[str, Any], kinds: list[int]) -> None:
    """Custom functions and matrices of costs may distinguish players."""
    assert rv.oracles.exchangeable(race(**given)).tolist() == kinds


@pytest.mark.default
@pytest.mark.parametrize("prices", [{}, {"safety_price": 0.4, "performance_price": 0.02}, {"price": 0.25}])
def test_action_levels_cost_fixed_shares_of_the_prize(prices: dict[str, float]) -> None:
    """Between 0.9 % and 50 % of the prize for safety, 0.5 % and 27 % for performance."""
    game = race(prize=[2.0, 3.0], horizon=2, share=True, sharing_unit="rate", **prices)
    safety, performance, *others = rv.oracles.action_levels(game, 7)[: len(game.columns)]
    for table, key, shares in (
        (safety, "safety_price", (np.exp(-2.4) / 10, np.exp(1.6) / 10)),
        (performance, "performance_price", (np.exp(-3.0) / 10, np.exp(1.0) / 10)),
    ):
        spent = np.array([table["from"], table["to"]]) * np.asarray(game.numbers[key])
        np.testing.assert_allclose(spent / np.array([2.0, 3.0]), np.array(shares)[:, None] + np.zeros((2, 2)))
    np.testing.assert_allclose([table["levels"] for table in others], [[0, 15], [0, 15], [0, 3], [0, 3]])


def test_races_are_copied_with_their_parameters_as_attributes() -> None:
    game = race(scale_penalty=[0.5, 0.7], beliefs=[{"safety_productivity": 5.0}, {}])
    for one in (pickle.loads(pickle.dumps(game)), copy.deepcopy(game)):
        assert (one.players, one.periods, one.columns) == (2, 1, ("safety_input", "performance_input"))
        assert one.scale_penalty.tolist() == one.perceived_race(1).scale_penalty.tolist() == [0.5, 0.7]
        assert one.perceived_race(0).safety_productivity.tolist() == [5.0, 5.0]
        for absent in (one, one.true):
            with pytest.raises(AttributeError, match="this race has no 'kappa'"):
                _ = absent.kappa


def test_the_highest_performance_wins_and_ties_are_split() -> None:
    for p, expected in (([1.0, 3.0, 2.0], [0, 1, 0]), ([3.0, 3.0, 2.0], [0.5, 0.5, 0]), ([0.0] * 3, [0] * 3)):
        numbers = jnp.asarray(p)
        np.testing.assert_array_equal(Best.probabilities(log(numbers), numbers, {})[0, :-1], expected)


@pytest.mark.default
def test_a_race_is_described_by_its_parts_horizon_and_parameters() -> None:
    game = race(horizon=3, end_on="win", invest=True, risk="additive", scale_penalty=[0.5, 0.7])
    words = repr(game)
    for part in ("2 players over 3 periods", "contest ratio, risk additive, cost linear", "ends on win"):
        assert part in words
    assert "scale_penalty [0.5 0.7]" in words
    assert game.coupled == "technology.invest = true links the periods by their technology"
    assert race(horizon=2, share=True).coupled.startswith("technology.share = true")
    assert race(horizon=2, transition=lambda n, row, t: n).coupled == "a custom transition links the periods"
    assert race(horizon=2).coupled == ""
