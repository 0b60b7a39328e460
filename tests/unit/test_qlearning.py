"""Q-learning: bitwise equal to a plain learner, for any chunks, threads and trials; rejected options."""

import hashlib
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.methods import QLearning
from rivalry.tables import tabulate
from rivalry.tables.kernels import draws, learn, shapes
from tests.chunks import assert_same_in_chunks
from tests.economies import assert_same_without_compilation
from tests.plain_q_learning import Plain, walk

RNG = np.random.default_rng(3)
DUEL, TRIO = RNG.random((2, 5, 5)), RNG.random((3, 4, 4, 4))
FIXED: dict[str, Any] = {"alpha": 0.3, "gamma": 0.6, "epsilon": 0.25, "temperature": 0.4}
SOFT = {"kind": "softmax", "start": 0.25, "temperature": 0.4}
SEED = np.random.SeedSequence(8)


def played(learner: QLearning, world: Any, seed: np.random.SeedSequence = SEED) -> dict[str, np.ndarray]:
    """Return the session after all steps."""
    made = learner.world(world)
    session = learner.begin(made, seed)
    assert learner.advance(made, session, learner.length(made)) == learner.length(made)
    return session


@pytest.mark.representative
@pytest.mark.parametrize("greedy", [False, True], ids=["softmax", "greedy"])
@pytest.mark.parametrize("target", ["max", "on_policy", "expected"])
@pytest.mark.parametrize("update", ["simultaneous", "sequential"])
@pytest.mark.parametrize("observation", ["own", "joint"])
def test_tables_equal_a_plain_learners(observation: str, update: str, target: str, greedy: bool) -> None:
    payoff = TRIO if observation == "own" else DUEL
    learner = QLearning(
        step_size=0.3,
        gamma=0.6,
        exploration=0.25 if greedy else SOFT,
        epochs=3,
        episodes=60,
        target=target,
        update=update,
        reward="raw",
    )
    world = walk(payoff, observation)
    begun = learner.begin(learner.world(world), SEED)["stream"][0].copy()
    session = played(learner, world)
    plain = Plain(
        payoff, begun, **FIXED, observation=observation, update=update, target=target, greedy=greedy
    )
    for _ in range(3):
        plain.epoch(60)
    assert plain.draw.count == int(session["stream"][0, 1])
    # the mean of a row adds its three numbers in another order
    np.testing.assert_allclose(
        session["values"][0], plain.tables(), rtol=1e-13 if target == "expected" else 0
    )


def test_players_with_unlike_rules_match_the_plain_learner() -> None:
    # a plain learner has one rule for all; a player's own is put in place of it while that player acts
    rules = [
        {"target": "max", "greedy": True, "temperature": 0.4},
        {"target": "on_policy", "greedy": False, "temperature": 0.7},
        {"target": "expected", "greedy": False, "temperature": 0.2},
    ]

    class Unlike(Plain):
        def choose(self, player: int, at: list[int]) -> int:
            self.o |= rules[player]
            return super().choose(player, at)

        def at_once(self, at: list[int], steps: int) -> None:
            chosen: list[int | None] = [self.choose(player, at) for player in range(3)]
            for step in range(steps):
                before = [self.state(player, at) for player in range(3)]
                done = [chosen[k] if chosen[k] is not None else self.choose(k, at) for k in range(3)]
                at[:] = [min(max(k + m - 1, 0), 3) for k, m in zip(at, done, strict=True)]
                chosen, reward = [], self.payoff[(slice(None), *at)]
                for player in range(3):
                    self.o |= rules[player]
                    sarsa = rules[player]["target"] == "on_policy"
                    following = self.choose(player, at) if sarsa else None
                    value = self.worth(player, at, following)
                    self.update(player, before[player], done[player], reward[player], value)
                    last = step == steps - 1
                    chosen.append(self.choose(player, at) if not sarsa and not last else following)

    learner = QLearning(
        step_size=0.3,
        gamma=0.6,
        exploration=[
            {"kind": "greedy", "start": 0.25},
            {"kind": "softmax", "start": 0.25, "temperature": 0.7},
            {"kind": "softmax", "start": 0.25, "temperature": 0.2},
        ],
        target=[str(rule["target"]) for rule in rules],
        epochs=3,
        episodes=60,
        reward="raw",
    )
    world = walk(TRIO)
    begun = learner.begin(learner.world(world), SEED)["stream"][0].copy()
    session = played(learner, world)
    plain = Unlike(TRIO, begun, **FIXED, observation="own", update="simultaneous", target="max", greedy=True)
    for _ in range(3):
        plain.epoch(60)
    np.testing.assert_allclose(session["values"][0], plain.tables(), rtol=1e-12)


@pytest.mark.parametrize(
    ("option", "one"),
    [
        ("target", "on_policy"),
        ("exploration", {"kind": "softmax", "start": 0.5, "end": 0.1, "temperature": 0.7}),
        ("exploration", {"kind": "greedy", "start": 0.5, "end": 0.1, "schedule": "log"}),
        ("observation", "joint"),
    ],
)
def test_equal_entries_per_player_give_the_bits_of_the_single_value(option: str, one: Any) -> None:
    game = rv.games.matrix(RNG.random((2, 3, 3)).tolist())
    found = []
    for value in (one, [one, one]):
        learner = QLearning(epochs=30, episodes=20, gamma=0.5, reward="raw", **{option: value})
        found.append(played(learner, game))
    assert all(np.array_equal(found[0][key], found[1][key]) for key in found[0])


def test_players_may_observe_unlike_positions() -> None:
    world = tabulate(rv.games.matrix(DUEL.tolist()), observation=["joint", "none"])
    assert world.tables.observation_slots.tolist() == [[[0, 1], [1, 1]], [[-1, 1], [-1, 1]]]
    with pytest.raises(ValueError, match="observation: 3 given; must be one for all, or 2, one per player"):
        tabulate(rv.games.matrix(DUEL.tolist()), observation=["own", "own", "own"])


LEARNERS = {
    "usual": QLearning(epochs=40, trials=3),
    "asynchronous": QLearning(
        epochs=40,
        trials=2,
        update="sequential",
        exploration={"kind": "softmax", "start": 0.2, "end": 0.1, "schedule": "log", "temperature": 1.0},
    ),
    "carried": QLearning(
        epochs=20, trials=3, carry_tables=True, initial_q={"kind": "uniform", "min": 0, "max": 0.3}
    ),
}


@pytest.mark.parametrize("name", LEARNERS)
def test_results_do_not_depend_on_chunks_or_saving(name: str) -> None:
    assert_same_in_chunks(LEARNERS[name], walk(DUEL), 1, 0, 7, 500)


def _digest() -> str:
    """Return a hash of three whole sessions; also called in a process without Numba's compiler."""
    found = hashlib.sha256()
    for learner in LEARNERS.values():
        world = learner.world(walk(DUEL))
        session = learner.begin(world, SEED)
        learner.advance(world, session, 120)
        for name in sorted(session):
            found.update(session[name].tobytes())
    return found.hexdigest()


@pytest.mark.slow
def test_play_is_identical_without_numba() -> None:
    code = "from tests.unit.test_qlearning import _digest; print(_digest())"
    assert_same_without_compilation(code, least=64)


@pytest.mark.parametrize("threads", ["1", "2", "7"])
def test_results_do_not_depend_on_threads(threads: str, monkeypatch: pytest.MonkeyPatch) -> None:
    learner, world = QLearning(epochs=30, trials=5), walk(DUEL)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    one = played(learner, world)
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    many = played(learner, world)
    assert all(np.array_equal(one[key], many[key]) for key in one)


def test_a_trial_does_not_depend_on_other_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    world = walk(DUEL)
    start = {"kind": "uniform", "min": 0.0, "max": 0.3}
    together = played(QLearning(epochs=30, trials=4, initial_q=start), world)
    every = draws.streams
    monkeypatch.setattr(draws, "streams", lambda sequence, count: every(sequence, 3)[-count:])
    alone = played(QLearning(epochs=30, initial_q=start), world)
    for key in ("values", "stream", "recent", "visits", "reward_curve"):
        assert np.array_equal(together[key][2], alone[key][0]), key
        assert not np.array_equal(together[key][1], alone[key][0]), key


def test_tables_do_not_share_memory() -> None:
    session = played(QLearning(epochs=2, trials=3), walk(DUEL))
    tables = [session["values"][trial, player] for trial in range(3) for player in range(2)]
    assert not any(np.shares_memory(a, b) for k, a in enumerate(tables) for b in tables[:k])
    kept = session["values"].copy()
    tables[0][:] = 99.0
    assert np.array_equal(session["values"][1:], kept[1:])
    assert np.array_equal(session["values"][0, 1], kept[0, 1])


def test_carried_tables_begin_at_the_end_of_the_previous_trial() -> None:
    learner = QLearning(epochs=1, episodes=50, trials=3, carry_tables=True)
    world = learner.world(walk(DUEL))
    assert learner.length(world) == 150
    session = learner.begin(world, SEED)
    learner.advance(world, session, 100)
    after = session["values"][1].copy()
    learner.advance(world, session, 1)  # no update before the second decision
    assert np.array_equal(session["values"][2], after)
    assert not np.array_equal(after, session["values"][0])
    alone = played(QLearning(epochs=1, episodes=50), walk(DUEL))
    assert np.array_equal(session["values"][0], alone["values"][0])


@pytest.mark.parametrize(
    ("kind", "low", "high"), [("COSINE", 0.1, 0.7), ("LOG", 0.05, 0.3), ("FIXED", 0.4, 0.4)]
)
def test_exploration_in_the_loop_follows_the_schedules(kind: str, low: float, high: float) -> None:
    found = np.zeros(3)
    for step in (0, 1, 2, 37, 100):
        code = getattr(shapes, kind)
        learn.explore(np.full(3, code), np.full(3, low), np.full(3, high), step, 100, found)
        wanted = {
            "COSINE": low + (high - low) / 2 * (1 + np.cos(np.pi * step / 100)),
            "LOG": np.clip(high * (np.log(30) / np.log(step + 1) + 3 / np.log2(step + 1)), low, 1.0)
            if step
            else 1.0,
            "FIXED": low,
        }[kind]
        np.testing.assert_allclose(found, np.broadcast_to(wanted, 3), rtol=1e-14)


def test_choices_follow_their_probabilities() -> None:
    row, weights = np.array([0.2, 0.5, 0.5, 9.0]), np.zeros(4)  # the fourth entry is padding
    drawn = (np.arange(40_000) + 0.5) / 40_000
    soft = np.exp(row[:3] / 0.3) / np.exp(row[:3] / 0.3).sum()
    for greedy, kept in ((0, soft), (1, np.array([0.0, 0.5, 0.5]))):
        chosen = [learn.choose(row, 3, 0.3, 0.3, greedy, u, weights) for u in drawn]
        shares = np.bincount(chosen, minlength=3) / len(drawn)
        np.testing.assert_allclose(shares, 0.1 + 0.7 * kept, atol=1e-4)
        mean = learn.expected_value(row, 3, 0.3, 0.3, greedy, weights)
        np.testing.assert_allclose(mean, (0.1 + 0.7 * kept) @ row[:3], rtol=1e-12)
    assert learn.choose(row, 3, 1.0, 0.3, 0, 1 - 2**-53, weights) == 2
    assert learn.choose(row, 3, 0.0, 0.3, 1, 1 - 2**-53, weights) == 2


GAME = rv.games.influencer(reach=[0.25, 0.25], resource="bimodal")
BAD_EXPLORATION: list[tuple[Any, str]] = [
    (1.2, r": 1.2 must be at most 1$"),
    ({"start": 0.3, "end": 0.8}, r".end: 0.8 must not exceed start = 0.3$"),
    ({"kind": "greedy"}, r".start: is missing; only with decay it is 1$"),
    ({"kind": "sine"}, r".kind: 'sine' must be one of 'greedy', 'softmax', 'ucb'$"),
    ({"start": 0.5, "schedule": "log"}, r".schedule: needs an end that exploration falls to$"),
    (
        {"start": 0.5, "decay": 1e-3},
        r".decay: has no meaning here; possible are kind, start, end, schedule, temperature, ",
    ),
    ({"strat": 0.5}, r".strat: is no key; did you mean 'start'\?$"),
    ({"kind": "softmax"}, r".temperature: is missing; softmax needs it$"),
    (SOFT | {"temperature": 0.0}, r".temperature: 0 must be above 0$"),
    ({"start": 0.5, "temperature": 1.0}, r".temperature: is for kind = 'softmax'$"),
    (SOFT | {"edge_temperature": 0.5}, r".edge_temperature: 0.5 must not exceed temperature = 0.4$"),
]
UNORDERED = {"kind": "uniform", "min": 1, "max": 0}
BAD = [
    *(({"exploration": value}, f"^exploration{message}") for value, message in BAD_EXPLORATION),
    ({"step_size": 0.0}, r"^step_size: 0 must be above 0$"),
    ({"step_size": [0.1, 1.5]}, r"^step_size\[1\]: 1.5 must be at most 1$"),
    ({"step_size": {}}, r"^step_size: is an empty table; must be a number, or hold one$"),
    ({"step_size": {"power": 0.5}}, r"^step_size.power: has no meaning here; possible are value$"),
    ({"gamma": 1.0}, r"^gamma: 1 must be below 1$"),
    ({"episodes": {"kind": "reverse_cosine", "min": 9, "max": 3}}, r"^episodes.min: 9 must not exceed"),
    ({"episodes": 0}, r"^episodes: 0 must be a whole number of at least 1$"),
    ({"epochs": 0}, r"^epochs: 0 must be a whole number of at least 1$"),
    ({"trials": 0}, r"^trials: 0 must be at least 1$"),
    ({"initial_q": UNORDERED}, r"^initial_q: .* must be finite numbers, min <= max$"),
]


@pytest.mark.parametrize(("options", "message"), BAD)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        QLearning(**options)


@pytest.mark.slow
def test_options_that_do_not_fit_the_game_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^start\[1\]: \[0.83\] is off the grid; the nearest grid point is \[0.8\]$"
    ):
        rv.solve(GAME, QLearning(), start=[0.1, 0.83])
    with pytest.raises(ValueError, match=r"^step_size: 3 numbers must be 2, one per player$"):
        rv.solve(GAME, QLearning(step_size=[0.1, 0.1, 0.1]))
    with pytest.raises(ValueError, match=r"^reward: the largest payoff is 0; must be above 0"):
        rv.solve(walk(np.zeros((2, 3, 3))), QLearning(epochs=1), tolerance=None)
    with pytest.raises(ValueError, match=r"^update: 'sequential' needs a game in which all move in one"):
        rv.solve(walk(DUEL, order=[[0], [1]]), QLearning(epochs=1, update="sequential"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "dims"),
    [
        ({"observation": "joint"}, ("player", "grid_point", "axis")),
        ({"observation": "none", "walk": False}, ("player", "action", "axis")),
    ],
)
def test_dimension_names_depend_on_the_observation(options: dict[str, Any], dims: tuple[str, ...]) -> None:
    game = rv.games.influencer(reach=[0.2, 0.2], resource="bimodal")
    found = rv.solve(game, QLearning(action_grid=5, epochs=5, **options), seed=1, tolerance=None)
    assert found.data.action_grid.dims == dims


def test_without_states_and_discounting_it_is_a_bandit() -> None:
    """Compare with a plain bandit on the same random stream: one value per action."""
    learner = QLearning(
        epochs=1,
        episodes=400,
        step_size=0.2,
        gamma=0.0,
        exploration=0.3,
        walk=False,
        observation="none",
        reward="raw",
    )
    world = tabulate(rv.games.matrix(payoffs=DUEL.tolist()), observation="none")
    begun = learner.begin(world, SEED)
    stream = begun["stream"][0].copy()
    learner.advance(world, begun, 400)

    from rivalry.tables.kernels import draws

    def drawn() -> float:
        with draws.quiet():
            return float(draws.uniform(stream))

    for _ in range(2):
        drawn()  # the two draws for the initial joint action
    values = np.zeros((2, 5))
    for _ in range(400):
        chosen = []
        for row in values:
            word = drawn()
            best = np.flatnonzero(row == row.max())
            if word < 0.3:
                chosen.append(min(int(word / 0.3 * 5), 4))
            else:
                chosen.append(int(best[min(int((word - 0.3) / 0.7 * len(best)), len(best) - 1)]))
        for player, action in enumerate(chosen):
            values[player, action] += 0.2 * (DUEL[player, chosen[0], chosen[1]] - values[player, action])
    np.testing.assert_allclose(begun["values"][0, :, 0], values, rtol=1e-12)
