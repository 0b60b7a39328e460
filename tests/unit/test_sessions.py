"""Learning sessions equal a reference learner bit by bit, for all kernels, chunks and threads."""

from typing import Any

import numpy as np
import pytest

from rivalry.core.array_games import FiniteGame
from rivalry.methods.q_learning import sessions
from rivalry.methods.q_learning.repeated_q_learning import RepeatedQLearning
from rivalry.tables.kernels import draws
from rivalry.tables.repeated import RepeatedWorld
from tests.repeated_play import Options, Plain, by_player, tables

pytestmark = pytest.mark.slow

SEED = np.random.SeedSequence(11)
DICE = np.random.default_rng(3)
PAIR = DICE.normal(size=(1, 2, 12))  # 3 and 4 actions
THREE = DICE.normal(size=(1, 3, 12))  # 2, 3 and 2 actions
WEATHER = DICE.normal(size=(2, 2, 6))  # 2 states of nature; 2 and 3 actions
CHAIN = np.array([[0.7, 0.3], [0.4, 0.6]])
LEVEL = DICE.integers(0, 5, size=(1, 12))
LEVELS = DICE.integers(0, 3, size=(2, 6))
FALLING = {"decay": 2e-3}
CALM = {"stable_periods": 300, "max_periods": 100_000}

GAMES: dict[str, tuple[FiniteGame, dict[str, Any]]] = {
    "at once": (tables(PAIR, (3, 4)), {}),
    "at once, second first": (tables(PAIR, (3, 4), [[1, 0]]), {}),
    "others": (tables(PAIR, (3, 4)), {"observation": ["others", "own"]}),
    "memory 0": (tables(PAIR, (3, 4)), {"memory": 0}),
    "price": (tables(PAIR, (3, 4), signal=LEVEL), {"observation": ["price", "own_and_price"]}),
    "staged": (tables(PAIR, (3, 4), shows=[[], [[0, 0]]]), {}),
    "staged, second leads": (tables(PAIR, (3, 4), [[1, 0]], [[[1, 0]], []]), {"memory": [0, 1]}),
    "in turns": (tables(PAIR, (3, 4), [[0], [1]]), {"observation": "others"}),
    "in turns, second first": (tables(PAIR, (3, 4), [[1], [0]]), {"observation": ["actions", "others"]}),
    "memory 2": (tables(PAIR, (3, 4)), {"memory": [2, 1]}),
    "three": (tables(THREE, (2, 3, 2)), {"observation": ["actions", "others", "own"], "memory": [1, 2, 0]}),
    "three, two stages": (tables(THREE, (2, 3, 2), shows=[[], [[0, 0]], [[0, 0], [1, 0]]]), {}),
    "three in turns": (tables(THREE, (2, 3, 2), [[0], [2], [1]]), {}),
    "two and one in turns": (tables(THREE, (2, 3, 2), [[0, 2], [1, -1]]), {"observation": "others"}),
    "nature": (tables(WEATHER, (2, 3), chain=CHAIN), {}),
    "nature seen": (tables(WEATHER, (2, 3), None, [[[2, 0]], []], CHAIN, LEVELS), {"observation": "price"}),
    "nature remembered in turns": (
        tables(WEATHER, (2, 3), [[0], [1]], [[[2, 0]], [[2, 0]]], CHAIN),
        {"observation": ["others_and_nature", "actions_and_nature"]},
    ),
}
SEEN = pytest.param("nature seen", marks=pytest.mark.slow)  # compiles a kernel of its own
FAST = ["at once", "at once, second first", "others", "memory 0", "price", "staged", "staged, second leads"]
FAST += ["in turns", "in turns, second first"]


def just(periods: int) -> dict[str, int]:
    return {"stable_periods": 0, "max_periods": periods}


def learner(**options: Any) -> RepeatedQLearning:
    chosen = {"sessions": 3, "step_size": 0.2, "gamma": 0.8, "exploration": FALLING, "stopping": just(2500)}
    return RepeatedQLearning(**(chosen | options))


def played(
    made: RepeatedQLearning, world: RepeatedWorld, chunks: tuple[int, ...] = (2**40,)
) -> dict[str, np.ndarray]:
    session = made.begin(world, SEED)
    for steps in (*chunks, 2**40):
        made.advance(world, session, steps)
    return session


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    for name in one:
        a, b = one[name], other[name]
        if name == "recent":  # the other rows change in the next round
            a, b = a[:, 0], b[:, 0]
        np.testing.assert_array_equal(a, b, err_msg=name)


def plainly(
    made: RepeatedQLearning,
    world: RepeatedWorld,
    options: Options | list[Options],
    periods: int | None = None,
) -> list[Plain]:
    begun = made.begin(world, SEED)
    found = [Plain(world.tables, options, begun, k) for k in range(made.sessions)]
    for plain in found:
        plain.play(periods or made.length(world))
    return found


def agree(
    made: RepeatedQLearning, world: RepeatedWorld, options: Options | list[Options], atol: float = 0.0
) -> None:
    session = played(made, world)
    for number, plain in enumerate(plainly(made, world, options)):
        held = by_player(world.tables, session, number)
        for (player, state), row in plain.q.items():
            at = place(world.tables, player, state)
            np.testing.assert_allclose(held[player][0][at], row, rtol=0.0, atol=atol)
            assert held[player][1][at] == plain.kept[player, state]
        assert session["clock"][number, 1] == plain.changes[-1]


def place(game: FiniteGame, player: int, state: tuple[int, ...]) -> int:
    from rivalry.tables.greedy_play import observed_sizes

    sizes = observed_sizes(game)
    shape = [sizes[who] for who, _ in game.observation_slots[player].tolist() if who >= 0]
    return int(np.ravel_multi_index(state, shape)) if shape else 0


@pytest.mark.parametrize("name", GAMES)
def test_sessions_match_a_reference_learner_bitwise(name: str) -> None:
    game, options = GAMES[name]
    made = learner(**options)
    agree(made, made.world(game), Options(0.2, (0.8,) * 3, 2e-3))


@pytest.mark.parametrize("target", ["on_policy", "expected"])
@pytest.mark.parametrize("name", ["at once", "staged", "in turns", "nature seen"])
def test_other_targets_match_the_reference_learner(name: str, target: str) -> None:
    game, options = GAMES[name]
    made = learner(**options, target=target)
    atol = 1e-11 if target == "expected" else 0.0  # the target contains epsilon, whose last bits differ
    agree(made, made.world(game), Options(0.2, (0.8,) * 2, 2e-3, target), atol)


@pytest.mark.parametrize("target", ["max", "on_policy", "expected"])
def test_softmax_with_a_decaying_temperature(target: str) -> None:
    game, options = GAMES["others"]
    falls = {"kind": "softmax", "temperature": 5.0, "decay": -np.log(0.999)}
    made = learner(**options, exploration=falls, target=target)
    agree(made, made.world(game), Options(0.2, (0.8, 0.8), target=target, heat=(5.0, 0.999)), 1e-9)


@pytest.mark.parametrize("name", ["at once", "staged", "in turns", "three", "counterfactual"])
def test_a_step_size_that_falls_linearly(name: str) -> None:
    game, options = GAMES.get(name, GAMES["memory 2"])
    other = name == "counterfactual"
    made = learner(**options, step_size={"value": 0.6, "end": 0.1}, counterfactual=other)
    rule = Options(0.6, (0.8,) * 3, 2e-3, counterfactual=other, alpha_change=(0.1 - 0.6) / 2500)
    agree(made, made.world(game), rule)


def test_a_step_size_reaches_its_end_after_the_last_period() -> None:
    made = learner(step_size={"value": [0.6, 0.5], "end": 0.1})
    rule = made._rule(made.world(GAMES["at once"][0]))
    np.testing.assert_allclose(rule.alpha + 2500 * rule.alpha_change, 0.1, rtol=1e-14)
    with pytest.raises(ValueError, match=r"step_size.end: 3 numbers must be 2, one per player"):
        played(learner(step_size={"value": 0.6, "end": [0.1, 0.1, 0.1]}), made.world(GAMES["at once"][0]))


@pytest.mark.parametrize("name", ["at once", "price", "memory 2", "three", "nature seen"])
def test_counterfactual_updates(name: str) -> None:
    game, options = GAMES[name]
    made = learner(**options, counterfactual=True, stopping=just(400))
    agree(made, made.world(game), Options(0.2, (0.8,) * 3, 2e-3, counterfactual=True))


GAMMAS = (0.8, 0.8, 0.8)
UNLIKE = {
    "targets": (
        {"target": ["max", "on_policy", "expected"]},
        [Options(0.2, GAMMAS, 2e-3, target) for target in ("max", "on_policy", "expected")],
    ),
    "choices": (
        {
            "exploration": [
                {"kind": "ucb", "bonus": 0.3},
                {"kind": "softmax", "temperature": 0.5},
                {"start": 1.0, "decay": 2e-3},
            ],
            "target": ["expected", "on_policy", "max"],
        },
        [
            Options(0.2, GAMMAS, target="expected", bonus=0.3),
            Options(0.2, GAMMAS, target="on_policy", heat=(0.5, 1.0)),
            Options(0.2, GAMMAS, 2e-3),
        ],
    ),
    "updates": (
        {
            "counterfactual": [True, False, False],
            "target": ["max", "expected", "max"],
            "step_size": [0.2, 0.3, 0.1],
        },
        [
            Options(0.2, GAMMAS, 2e-3, counterfactual=True),
            Options(0.3, GAMMAS, 2e-3, "expected"),
            Options(0.1, GAMMAS, 2e-3),
        ],
    ),
}


def in_payoffs(world: RepeatedWorld, rules: list[Options]) -> list[Options]:
    """Bonuses in units of payoffs: the option is in units of their range over 1 - gamma."""
    ranges = np.ptp(world.tables.payoff, axis=(0, 2)) / (1 - 0.8)
    return [
        rule if rule.bonus is None else rule._replace(bonus=rule.bonus * own)
        for rule, own in zip(rules, ranges.tolist(), strict=False)
    ]


@pytest.mark.parametrize("name", ["memory 2", "three", "in turns", "staged"])
@pytest.mark.parametrize("rules", UNLIKE)
def test_players_with_unlike_rules_match_the_reference_learner(name: str, rules: str) -> None:
    game, options = GAMES[name]
    if rules == "updates" and name in ("in turns", "staged"):
        pytest.skip("counterfactual updates need moves at once")
    players, (unlike, plain) = len(game.sizes), UNLIKE[rules]
    cut = {key: value[:players] for key, value in unlike.items()}
    made = learner(**options, **cut)
    world = made.world(game)
    agree(made, world, in_payoffs(world, plain[:players]), 1e-11)


@pytest.mark.parametrize("target", ["max", "on_policy", "expected"])
@pytest.mark.parametrize("name", ["memory 0", "others", "in turns", "three", "nature"])
def test_upper_confidence_bounds_match_the_reference_learner(name: str, target: str) -> None:
    game, options = GAMES[name]
    rule = {"exploration": {"kind": "ucb", "bonus": 0.25}, "step_size": {"power": 1.0}, "target": target}
    made = learner(**options, **rule)
    world = made.world(game)
    plain = Options(1.0, GAMMAS, target=target, bonus=0.25, power=1.0)
    agree(made, world, in_payoffs(world, [plain] * len(game.sizes)), 1e-12)


@pytest.mark.parametrize(
    ("option", "one"),
    [
        ("target", "on_policy"),
        ("target", "max"),
        ("counterfactual", True),
        ("exploration", {"kind": "softmax", "temperature": 0.7, "decay": 1e-3}),
        ("exploration", {"kind": "ucb"}),
        ("exploration", {"start": 0.5, "decay": 1e-3}),
        ("step_size", 0.3),
        ("gamma", 0.7),
        ("observation", "others"),
        ("memory", 2),
    ],
)
def test_equal_entries_per_player_give_the_bits_of_the_single_value(option: str, one: Any) -> None:
    game, _ = GAMES["at once"]
    single, each = learner(**{option: one}), learner(**{option: [one, one]})
    same(played(single, single.world(game)), played(each, each.world(game)))


def test_upper_confidence_bounds_are_the_same_in_other_units() -> None:
    game, _ = GAMES["memory 0"]
    large = game._replace(payoff=16.0 * game.payoff)
    made = learner(memory=0, exploration={"kind": "ucb"}, step_size={"power": 1.0}, stopping=just(500))
    one, other = (played(made, made.world(each)) for each in (game, large))
    np.testing.assert_array_equal(one["plays"], other["plays"])
    np.testing.assert_array_equal(16.0 * one["values"], other["values"])
    assert one["plays"].sum(axis=1).tolist() == [2 * 500] * 3
    assert len({tuple(row) for row in one["plays"].tolist()}) == 3  # sessions differ by their random ties


@pytest.mark.parametrize("name", GAMES)
def test_only_supported_games_use_the_fast_kernel(name: str) -> None:
    game, options = GAMES[name]
    made = learner(**options)
    world = made.world(game)
    assert (sessions.pair_of(world.tables, made._rule(world)) is not None) == (name in FAST)


@pytest.mark.parametrize("name", FAST)
def test_both_kernels_agree_bitwise(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    game, options = GAMES[name]
    made = learner(**options, step_size=[0.1, 0.3], gamma=[0.9, 0.5], average_last=700)
    world = made.world(game)
    fast = played(made, world)
    monkeypatch.setattr(sessions, "pair_of", lambda *_: None)
    same(fast, played(made, world))


@pytest.mark.parametrize("name", ["at once", "staged", "in turns", "three in turns", SEEN])
def test_results_do_not_depend_on_chunks_or_threads(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    game, options = GAMES[name]
    made = learner(**options, sessions=9, average_last=100)
    world = made.world(game)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    whole = played(made, world)
    same(whole, played(made, world, (1, 1, 7, 1013, 2, 1024)))
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    same(whole, played(made, world, (3, 500)))


def test_a_session_does_not_depend_on_the_other_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    game, options = GAMES["staged"]
    among = played(learner(**options, sessions=5), learner(**options).world(game))
    every = draws.streams
    monkeypatch.setattr(draws, "streams", lambda sequence, count: every(sequence, 4)[-count:])
    alone = played(learner(**options, sessions=1), learner(**options).world(game))
    shared = {"marks": among["marks"], "noted": among["noted"], "curve": among["curve"][:, 3:4]}
    same(alone, {name: array[3:4] for name, array in among.items()} | shared)


@pytest.mark.parametrize("name", ["at once", "in turns", "three"])
def test_a_session_ends_when_its_policy_is_stable_for_a_window(name: str) -> None:
    """The reference learner's longest stable stretch has the length of the window and ends the session."""
    game, options = GAMES[name]
    made = learner(**options, sessions=4, stopping=CALM)
    world = made.world(game)
    session = played(made, world)
    assert np.all(session["clock"][:, 2] == 1)
    begun = made.begin(world, SEED)
    for number, periods in enumerate(session["clock"][:, 0].tolist()):
        plain = Plain(world.tables, Options(0.2, (0.8,) * 3, 2e-3), begun, number)
        plain.play(periods)
        assert plain.period - plain.changes[-1] == 300 == plain.longest_calm()


@pytest.mark.parametrize(("name", "last"), [("at once", 300), ("in turns", 40), ("three", 40)])
def test_payoffs_are_recorded_over_the_last_periods_before_convergence(name: str, last: int) -> None:
    game, options = GAMES[name]
    made = learner(**options, sessions=2, stopping=CALM, average_last=last)
    world = made.world(game)
    session = played(made, world, (1, 500, 77))
    begun = made.begin(world, SEED)
    for number, periods in enumerate(session["clock"][:, 0].tolist()):
        plain = Plain(world.tables, Options(0.2, (0.8,) * 3, 2e-3), begun, number)
        plain.play(periods - last)
        before = plain.paid.copy()
        plain.play(last)
        assert session["counts"][number].sum() == last
        np.testing.assert_allclose(session["tally"][number], plain.paid - before, rtol=1e-9)


def test_finished_sessions_do_not_change() -> None:
    game, options = GAMES["at once"]
    made = learner(**options, stopping=CALM)
    world = made.world(game)
    session = played(made, world)
    kept = {name: array.copy() for name, array in session.items()}
    assert made.advance(world, session, 1000) == 0
    same(kept, session)


@pytest.mark.parametrize("name", ["in turns", "staged", "memory 2"])
def test_payoffs_and_play_are_recorded_over_the_last_periods(name: str) -> None:
    game, options = GAMES[name]
    made = learner(**options, average_last=400)
    world = made.world(game)
    session = played(made, world)
    for number, plain in enumerate(plainly(made, world, Options(0.2, (0.8, 0.8), 2e-3), 2100)):
        before = plain.paid.copy()
        plain.play(400)
        stood = np.array(plain.past[-400:])[:, :2] @ np.array([4, 1])
        np.testing.assert_array_equal(session["counts"][number], np.bincount(stood, minlength=12))
        np.testing.assert_allclose(session["tally"][number], plain.paid - before, rtol=1e-9)


def test_initial_actions_and_initial_memory_are_uniform() -> None:
    made = learner(sessions=4000, exploration=1.0, stopping=just(1))
    world = made.world(GAMES["at once"][0])
    begun = made.begin(world, SEED)
    before = begun["recent"][:, 0, :2].copy()
    made.advance(world, begun, 1)
    for joint in (before, begun["recent"][:, 0, :2]):
        counts = np.bincount(joint @ np.array([4, 1]), minlength=12)
        assert counts.sum() == 4000
        assert np.sum((counts - 4000 / 12) ** 2 / (4000 / 12)) < 31.3  # chi-squared, 11 degrees: 0.1 %


def test_learning_goes_on_from_the_values_of_an_earlier_run() -> None:
    # without memory and exploration, one run of 60 periods is one of 40, and one of 20 from its values
    game, _ = GAMES["memory 0"]
    usual = {"memory": 0, "exploration": 0.0, "initial_q": {"kind": "uniform", "min": 0.0, "max": 9.0}}
    whole = learner(**usual, stopping=just(61))
    first = learner(**usual, stopping=just(41), store_values=True)
    world = first.world(game)
    stored = first.read(world, played(first, world))["q_values"][1]
    assert stored.shape == (3, 2, 1, 4)
    assert np.isnan(stored[:, 0, :, 3]).all()  # player 0 has three actions
    after = learner(**usual | {"initial_q": stored}, stopping=just(21))
    # the last decision of a run is pending: it is not learned from
    np.testing.assert_array_equal(
        played(after, world)["values"], played(whole, world)["values"], err_msg="greedy play from a table"
    )


def test_initial_values_of_each_player() -> None:
    game, _ = GAMES["at once"]
    table = np.arange(36.0).reshape(12, 3)
    made = learner(initial_q=[table, {"kind": "uniform", "min": 1.0, "max": 2.0}])
    begun = made.begin(made.world(game), SEED)
    assert begun["values"][:, :36].tolist() == [table.ravel().tolist()] * 3
    assert np.all((begun["values"][:, 36:] > 1.0) & (begun["values"][:, 36:] < 2.0))
    assert begun["greedy"][:, :12].tolist() == [[2] * 12] * 3
    one = learner(initial_q=["mean_payoff", 5.0])
    both = one.begin(one.world(game), SEED)["values"]
    usual = learner().begin(learner().world(game), SEED)["values"]
    np.testing.assert_array_equal(both[:, :36], usual[:, :36])
    assert np.all(both[:, 36:] == 5.0)


@pytest.mark.parametrize(
    ("initial", "says"),
    [
        ([1.0, 2.0, 3.0], "initial_q: 3 values must be 2, one per player"),
        ([np.zeros((2, 2)), 0.0], r"initial_q\[0\]: shape \(2, 2\) must be \(12, 3\) \[state action\]"),
        (np.zeros((7, 2, 12, 4)), r"initial_q: shape \(7, 2, 12, 4\) must be"),
        ([np.full((12, 3), np.nan), 0.0], r"initial_q\[0\]: nan must be finite"),
        ([0.0, "zero"], r"initial_q\[1\]: 'zero' must be 'mean_payoff', a number or a table"),
    ],
)
def test_initial_values_that_do_not_fit_are_refused(initial: Any, says: str) -> None:
    made = learner(initial_q=initial)
    with pytest.raises(ValueError, match=says):
        made.begin(made.world(GAMES["at once"][0]), SEED)
