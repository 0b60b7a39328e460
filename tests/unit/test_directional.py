"""Directional learning, against plain Python, closed forms and known results on duopolies."""

import warnings
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.needs import fits
from rivalry.families.matrix import matrix
from rivalry.methods import Directional
from rivalry.methods.q_learning.repeated_q_learning import RepeatedQLearning
from rivalry.methods.q_learning.seating import discounts, seating
from rivalry.transforms import Followers, hierarchy, stackelberg
from tests.chunks import assert_same_in_chunks
from tests.small_games import cournot

pytestmark = pytest.mark.mostly_slow

SEED = np.random.SeedSequence(4)
FROM_TO = {"kind": "uniform", "from": 10.0, "to": 40.0}


def played(learner: Directional, game: Any, seed: np.random.SeedSequence = SEED) -> dict[str, np.ndarray]:
    """Return a session after all its periods."""
    world = learner.world(game)
    session = learner.begin(world, seed)
    assert learner.advance(world, session, learner.periods) == learner.periods
    return session


def _plain(
    way: np.ndarray, x: np.ndarray, periods: int, step: float, turns: str, delta: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return choices and cash flows ``[period player]`` for ``P = 100 - Q`` and unit cost 10."""

    def pays(q: np.ndarray) -> np.ndarray:
        return np.asarray([(max(100 - sum(q), 0) - 10) * own for own in q])

    way, x, before = way.copy(), x.copy(), [-np.inf] * len(x)
    choices, flows = [x.copy()], [pays(x)]
    for t in range(1, periods):
        for player in [t % len(x)] if turns == "alternating" else range(len(x)):
            stand = x if turns == "staged" else choices[-1]
            signal = flows[-1][player]
            if delta is not None:
                signal += delta / (1 - delta) * pays(stand)[player]
            if signal <= before[player]:
                way[player] = -way[player]
            before[player] = signal
            x[player] = min(max(x[player] + step * way[player], 0.0), 100.0)
        choices.append(x.copy())
        flows.append(pays(x))
    return np.array(choices), np.array(flows)


@pytest.mark.parametrize("turns", ["simultaneous", "alternating", "staged"])
@pytest.mark.parametrize("delta", [None, 0.5], ids=["payoff", "one_ahead"])
def test_play_agrees_with_plain_python(turns: str, delta: float | None) -> None:
    game = rv.games.market(stages=[[0], [1]] if turns == "staged" else None)
    signal = "payoff" if delta is None else "one_ahead"
    learner = Directional(
        runs=2, periods=400, step_size=0.375, timing=turns, signal=signal, gamma=delta, initial=FROM_TO
    )
    world = learner.world(game)
    begun = learner.begin(world, SEED)
    begun["choice"] = (
        np.round(begun["choice"] * 8) / 8
    )  # sums of eighths are exact, so rounding decides no comparison
    first = {name: begun[name].copy() for name in ("choice", "way")}
    learner.advance(world, begun, 400)
    for run in range(2):
        choices, flows = _plain(first["way"][run], first["choice"][run], 400, 0.375, turns, delta)
        np.testing.assert_array_equal(begun["choice"][run], choices[-1])
        np.testing.assert_allclose(begun["choice_sum"][run], choices[200:].sum(axis=0), rtol=1e-12)
        np.testing.assert_allclose(begun["cash_sum"][run], flows[200:].sum(axis=0), rtol=1e-12)
        record = learner.read(world, begun)
        np.testing.assert_allclose(record["mean_choice"][1][run], choices[200:].mean(axis=0), rtol=1e-12)


def test_forecasts_and_realised_values() -> None:
    """The discounted sums, and ``CF + delta CF/(1 - delta)``, from the plain Python cash flows."""
    game, delta = rv.games.market(gamma=[0.5, 0.9]), np.array([0.5, 0.9])
    learner = Directional(runs=1, periods=640, step_size=0.375, initial=FROM_TO)
    world = learner.world(game)
    session = learner.begin(world, SEED)
    session["choice"] = np.round(session["choice"] * 8) / 8
    way, x = session["way"][0].copy(), session["choice"][0].copy()
    learner.advance(world, session, 640)
    choices, flows = _plain(way, x, 640, 0.375, "simultaneous", None)
    found = {name: array for name, (_, array) in learner.read(world, session).items()}
    steps = found["learning_step"]
    np.testing.assert_array_equal(steps, np.arange(0, 640, 10))
    np.testing.assert_allclose(found["one_ahead"][0], flows[steps] / (1 - delta), rtol=1e-12)
    known = ~np.isnan(found["realised_value"][0])
    assert known[:50].all()
    assert not known[-1].any()
    for k, t in enumerate(steps):
        worth = (flows[t:] * delta ** np.arange(640 - t)[:, None]).sum(axis=0)
        np.testing.assert_allclose(found["realised_value"][0, k][known[k]], worth[known[k]], rtol=1e-10)
        error = (found["one_ahead"][0, k] - worth) / np.abs(worth)
        np.testing.assert_allclose(
            found["one_ahead_error"][0, k][known[k]], error[known[k]], rtol=1e-6, atol=1e-12
        )
    np.testing.assert_allclose(found["learning_reward"], flows.reshape(64, 10, 2).mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(
        found["learning_choice"][..., 0], choices.reshape(64, 10, 2).mean(axis=1), rtol=1e-12
    )


BANDS = {0.0: (44.9, 45.1), 0.1: (53.5, 54.6), 1.0: (58.8, 61.4)}


@pytest.mark.parametrize("noise", BANDS)
def test_two_firms_collude_unless_costs_are_noisy(noise: float) -> None:
    """Total output is the cartel's 45 without noise; independently 54.0 and 60.6 at noise 0.1 and 1."""
    found = rv.solve(rv.games.market(), Directional(initial=FROM_TO, cost_noise=noise), tolerance=None)
    low, high = BANDS[noise]
    assert low < float(found.data.total_mean) < high
    assert found.data.total_choice.shape == (20,)


def test_forecasts_from_current_choices_reduce_the_effect_of_noise() -> None:
    """A forecast without the shock gives it the weight ``1 - delta``."""
    options: dict[str, Any] = {"initial": FROM_TO, "cost_noise": 1.0, "periods": 5000, "step_size": 0.4}
    totals = {
        name: float(
            rv.solve(rv.games.market(), Directional(**options, **how), tolerance=None).data.total_mean
        )
        for name, how in {"payoff": {}, "one_ahead": {"signal": "one_ahead"}}.items()
    }
    assert totals["one_ahead"] < totals["payoff"] - 5


def test_results_do_not_depend_on_chunks_or_saving() -> None:
    learner = Directional(runs=3, periods=900, cost_noise=[0.0, 0.5])
    assert_same_in_chunks(learner, rv.games.market(), 1, 0, 7, 500, 900)


@pytest.mark.representative
def test_a_run_does_not_depend_on_the_other_runs() -> None:
    options: dict[str, Any] = {"periods": 300, "cost_noise": 0.3}
    together = played(Directional(runs=11, **options), rv.games.market())
    fewer = played(Directional(runs=10, **options), rv.games.market())  # another batch of runs
    for key in together:
        assert np.array_equal(together[key][:10], fewer[key]), key
    assert not np.array_equal(together["choice"][8], together["choice"][9])


def test_steps_stay_in_the_box_and_begin_at_the_given_start() -> None:
    learner = Directional(runs=2, periods=500, step_size=[3.0, 0.5])
    world = learner.world(rv.games.market(low=[20.0, 5.0], high=[24.0, 60.0]))
    session = learner.begin_at(world, SEED, np.array([[22.0], [30.0]]))
    assert np.all(session["choice"] == [22.0, 30.0])
    for _ in range(20):
        learner.advance(world, session, 25)
        assert np.all((session["choice"] >= [20.0, 5.0]) & (session["choice"] <= [24.0, 60.0]))
    drawn = learner.begin(world, SEED)["choice"]
    assert np.all((drawn >= [20.0, 5.0]) & (drawn <= [24.0, 60.0]))


def test_a_single_firm_finds_the_monopoly_quantity() -> None:
    """``P = 100 - q``, unit cost 10: 45, up to oscillations of one step."""
    found = rv.solve(rv.games.market(players=1), Directional(runs=3, periods=4000, step_size=0.25))
    np.testing.assert_allclose(found.data.mean_choice, 45.0, atol=0.26)


def test_leaders_and_followers_all_learn() -> None:
    found = rv.solve(rv.games.market(players=3, stages=[[1], [0, 2]]), Directional(runs=2, periods=200))
    assert (found.profile.shape, found.data.mean_choice.dims) == ((1, 1), ("run", "seat"))
    np.testing.assert_allclose(found.profile.values[0, 0], found.data.mean_choice.values[:, 1].mean())


def test_stages_of_leader_games() -> None:
    three = cournot(4)
    led = hierarchy(three, [[2], [0], [1, 3]], Followers())
    assert seating(led).stages == ((2,), (0,), (1, 3))
    assert seating(led).leaders == (2,)
    assert seating(led).game is three
    assert seating(stackelberg(three, [3, 1], Followers())).stages == ((1, 3), (0, 2))
    assert seating(three).stages == ((0, 1, 2, 3),)
    assert seating(rv.games.market(timing="alternating")).alternating


@pytest.mark.default
def test_discount_factors_are_those_of_the_option_or_the_game() -> None:
    game = rv.games.market(gamma=[0.5, 0.75])
    np.testing.assert_array_equal(discounts(game, None, 2), [0.5, 0.75])
    np.testing.assert_array_equal(discounts(game, 0.25, 2), [0.25, 0.25])
    np.testing.assert_array_equal(discounts(cournot(2), None, 2), [0.95, 0.95])
    np.testing.assert_allclose(discounts(rv.games.market(gamma=0.8, growth=0.1), None, 2), 0.88)


@pytest.mark.slow
@pytest.mark.parametrize("gamma", [None, 0.5])
def test_learners_on_tables_count_growth_wherever_gamma_is_stated(gamma: float | None) -> None:
    """A payoff in every period of a market that grows is worth 1 / (1 - gamma (1 + growth)) of them."""
    game = rv.games.market(gamma=gamma or 0.8, growth=0.1)
    learner = RepeatedQLearning(sessions=2, gamma=gamma, memory=0, stopping={"max_periods": 10})
    factor = 1.1 * (gamma or 0.8)
    np.testing.assert_allclose(learner.discounts(learner.world(game)), factor)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ten periods without memory
        solution = rv.solve(game, learner)
    np.testing.assert_allclose(solution.data.discount, factor)
    too_patient = RepeatedQLearning(sessions=2, gamma=0.95)
    with pytest.raises(ValueError, match=r"gamma\[0\]: 0.95 diverges with growth 0.1"):
        too_patient.discounts(too_patient.world(game))


@pytest.mark.default
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"step_size": 0.0}, "step_size: 0 must be above 0"),
        ({"cost_noise": [0.1, -1.0]}, r"cost_noise\[1\]: -1 must be at least 0"),
        ({"gamma": 1.0}, "gamma: 1 must be below 1"),
        ({"runs": 0}, "runs: 0 must be at least 1"),
        ({"initial": {"kind": "normal"}}, "initial: .* must be .*uniform"),
        ({"initial": {"kind": "uniform", "from": 1.0}}, "initial.to: is missing"),
    ],
    ids=lambda given: next(iter(given)) if isinstance(given, dict) else "",
)
def test_wrong_options_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Directional(**options)


@pytest.mark.default
def test_options_that_do_not_fit_the_game_are_refused() -> None:
    with pytest.raises(ValueError, match=r"cost_noise: 0.1 must be 0 in a game without `unit_cost`"):
        Directional(cost_noise=0.1).world(cournot(2))
    with pytest.raises(ValueError, match=r"gamma\[0\]: 0.95 diverges with growth 0.06"):
        Directional(gamma=0.95).world(rv.games.market(growth=0.06, gamma=0.5))
    with pytest.raises(ValueError, match="step_size: 3 numbers must be 2"):
        Directional(step_size=[0.1, 0.1, 0.1]).world(rv.games.market())
    learner = Directional(initial={"kind": "uniform", "from": 10.0, "to": [40.0, 120.0]})
    with pytest.raises(ValueError, match=r"initial.to: 120 must be in \[0, 100\], the box of player 1"):
        learner.begin(learner.world(rv.games.market()), SEED)
    assert not fits(Directional, matrix("stag_hunt"))
