"""Solver loops: stopping, recorded paths, exact checkpoints, batches, compilations, random streams."""

from __future__ import annotations

from inspect import signature
from time import perf_counter, sleep
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
import pytest

import rivalry as rv
from rivalry import solving
from rivalry.core.method import BaseMethod, Finish
from rivalry.methods import RegretMatching
from rivalry.runtime.jax import compiling, compiling_seconds, jax, jnp, search_clock
from rivalry.solving.inputs import Settings
from rivalry.solving.progress import Limited, Progress
from rivalry.solving.steps import from_leaves, leaves_of

# step limits are deliberately small; the warning is tested separately
pytestmark = [pytest.mark.mostly_slow, pytest.mark.filterwarnings("ignore:not converged")]


class Bowl(eqx.Module):
    """Players whose ideal point is ``goal``, independent of the others."""

    goal: jax.Array

    space = rv.Box.interval(-10.0, 10.0, players=2)

    def payoffs(self, x: jax.Array) -> jax.Array:
        return -((x[:, 0] - self.goal) ** 2)


class Walk(NamedTuple):
    profile: jax.Array
    count: jax.Array


class Halve(BaseMethod):
    """Move a fraction of the distance to the goal in every step, with noise from the key."""

    part: Any = 0.5
    noise: Any = 0.0

    def init(self, game: Any, start: Any, key: Any) -> Walk:
        return Walk(start, jnp.asarray(0))

    def step(self, game: Any, state: Walk, key: Any) -> Walk:
        shake = self.noise * jax.random.normal(key, state.profile.shape)
        return Walk(state.profile + self.part * (game.goal - state.profile) + shake, state.count + 1)


class Break(Halve):
    def step(self, game: Any, state: Walk, key: Any) -> Walk:
        return Walk(jnp.where(state.count < 5, state.profile + 1.0, jnp.nan), state.count + 1)


class Ends(Halve):
    def ending(self, game: Any, state: Walk) -> jax.Array:
        return jnp.where(state.count == 3, 2, 0)


class Polish(Halve):
    """Continue from end points below 2.5."""

    def finish(self, game: Any, profile: Any, key: Any) -> Finish:
        onward = profile + 1.0 if float(profile[0, 0]) < 2.5 else None
        return Finish(profile + 0.25, "moving", {"seen": ((), np.asarray(7.0))}, onward)


GOAL = Bowl(jnp.asarray(1.0))
START = [[-3.0], [9.0]]


class Shelf:
    """A checkpoint in memory, always due."""

    def __init__(self) -> None:
        self.saves: list[dict[str, np.ndarray]] = []
        self.found: dict[str, np.ndarray] | None = None

    def load(self) -> dict[str, np.ndarray] | None:
        return self.found

    def due(self) -> bool:
        return True

    def save(self, arrays: dict[str, np.ndarray]) -> None:
        self.saves.append({name: np.array(array) for name, array in arrays.items()})


def same(one: dict[str, Any], two: dict[str, Any]) -> bool:
    def alike(a: np.ndarray, b: np.ndarray) -> bool:
        return np.array_equal(a, b, equal_nan=np.asarray(a).dtype.kind == "f")

    return one.keys() == two.keys() and all(alike(one[k][1], two[k][1]) for k in one)


def test_converges_after_the_steps_predicted_by_the_rate() -> None:
    found = rv.solve(GOAL, Halve(), START, tol=1e-8)
    # the k-th step moves the farther player by 8 / 2**k
    assert found.steps == int(np.ceil(np.log2(8 / 1e-8)))
    assert found.status == "converged"
    assert float(found.record["residual"][1]) <= 1e-8
    np.testing.assert_allclose(found.profile, 1.0, atol=1e-8)
    assert found.claim == "equilibrium"


def test_max_steps_is_exact() -> None:
    found = rv.solve(GOAL, Halve(), START, max_steps=7)
    assert (found.status, found.steps) == ("iteration limit", 7)
    np.testing.assert_allclose(found.profile, 1 + (np.array(START) - 1) / 2**7)


def test_max_seconds_limits_solvers() -> None:
    with pytest.warns(UserWarning, match="not converged after 1e-09 seconds"):
        found = rv.solve(GOAL, Halve(part=1e-9), START, tol=0.0, max_steps=10**9, max_seconds=1e-9)
    assert (found.status, str(found.data.stopped_by.values)) == ("iteration limit", "max_seconds")
    batch = solving.solve_batch(
        [GOAL] * 2, [Halve(part=1e-9)] * 2, [jnp.asarray(START)] * 2, tol=0.0, max_seconds=1e-9
    )
    assert [str(member.data.stopped_by.values) for member in batch] == ["max_seconds"] * 2
    assert batch[0].steps < 10_000
    assert "stopped_by" not in rv.solve(GOAL, Halve(), START, max_seconds=1e9).record


@pytest.mark.default
def test_max_seconds_limits_learners() -> None:
    found = rv.solve(rv.games.matrix("chicken"), RegretMatching(), max_steps=10**9, max_seconds=1e-9)
    assert str(found.data.stopped_by.values) == "max_seconds"
    assert found.steps < 1000


@pytest.mark.default
@pytest.mark.parametrize("seconds", [0, -1.0, float("nan")])
def test_max_seconds_must_be_positive(seconds: Any) -> None:
    with pytest.raises(ValueError, match=f"^max_seconds: {seconds!r} must be a (finite )?number"):
        rv.solve(GOAL, Halve(), START, max_seconds=seconds)


def test_a_method_may_end_a_run() -> None:
    found = rv.solve(GOAL, Ends(), START)
    assert (found.status, found.steps) == ("cycling", 3)


def test_a_nan_profile_is_reported_as_not_found() -> None:
    found = rv.solve(GOAL, Break(), START, tol=0.0)
    assert (found.status, found.steps) == ("not found", 6)
    assert found.claim == "no certificate"
    assert "payoff" not in found.record


def test_paths_contain_start_and_end_and_are_thinned() -> None:
    short = rv.solve(GOAL, Halve(), START, max_steps=10, tol=0.0)
    assert short.record["path_step"][1].tolist() == list(range(11))
    np.testing.assert_array_equal(short.record["path"][1][0], START)
    np.testing.assert_array_equal(short.record["path"][1][-1], short.record["profile"][1])
    long = rv.solve(GOAL, Halve(part=1e-5), START, max_steps=5000, tol=0.0)
    steps = long.record["path_step"][1]
    assert len(steps) <= solving.PATH + solving.ROWS
    assert (steps[0], steps[-1]) == (0, 5000)
    assert np.all(np.diff(steps) > 0)
    assert rv.solve(GOAL, Halve(), START, path=False).path is None


def test_progress_can_stop_a_run_and_its_result_is_kept() -> None:
    events: list[Progress] = []

    def stop(event: Progress) -> bool:
        events.append(event)
        return len(events) == 2

    found = rv.solve(GOAL, Halve(part=1e-6), START, progress=stop, max_steps=10_000)
    assert len(events) == 2
    assert found.steps == events[-1].done == 2 * solving.ROWS
    assert found.status == "iteration limit"


def test_restored_runs_are_bitwise_identical() -> None:
    shelf = Shelf()
    method = Halve(part=1e-3, noise=1e-2)
    whole = rv.solve(GOAL, method, START, max_steps=1500, checkpoint=shelf)
    assert len(shelf.saves) > 3
    for saved in (shelf.saves[0], shelf.saves[-2]):
        again = Shelf()
        again.found = saved
        assert same(rv.solve(GOAL, method, START, max_steps=1500, checkpoint=again).record, whole.record)


def test_a_solver_with_python_numbers_in_its_state_is_restored() -> None:
    shelf, again = Shelf(), Shelf()
    game, flow = rv.games.influencer(players=2, resource="bimodal"), rv.methods.GradientFlow()
    whole = rv.solve(game, flow, [0.1, 0.8], max_steps=40, checkpoint=shelf)
    again.found = shelf.saves[0]
    assert same(rv.solve(game, flow, [0.1, 0.8], max_steps=40, checkpoint=again).record, whole.record)


@pytest.mark.default
def test_restored_learners_are_bitwise_identical() -> None:
    game, shelf = rv.games.matrix("shapley"), Shelf()
    whole = rv.solve(game, RegretMatching(), max_steps=5000, seed=2, checkpoint=shelf)
    again = Shelf()
    again.found = shelf.saves[len(shelf.saves) // 2]
    assert same(
        rv.solve(game, RegretMatching(), max_steps=5000, seed=2, checkpoint=again).record, whole.record
    )
    assert same(rv.solve(game, RegretMatching(), max_steps=5000, seed=2).record, whole.record)


@pytest.mark.default
def test_learners_can_be_stopped() -> None:
    found = rv.solve(
        rv.games.matrix("shapley"), RegretMatching(), max_steps=10**9, progress=lambda event: True
    )
    assert 0 < found.steps < 10**9


@pytest.mark.default
def test_solve_accepts_max_steps_for_learners() -> None:
    assert rv.solve(rv.games.matrix("shapley"), RegretMatching(), max_steps=123).steps == 123


def test_unstable_points_that_a_run_leaves_are_recorded() -> None:
    found = rv.solve(GOAL, Polish(part=0.0), [[0.0], [0.0]])
    # the run converges at 0, 1 and 2, and continues from there until it reaches 3
    np.testing.assert_array_equal(found.record["left"][1][:, 0, 0], [0.25, 1.25, 2.25])
    np.testing.assert_array_equal(found.record["left_seen"][1], [7.0] * 3)
    np.testing.assert_array_equal(found.profile, 3.25)
    assert found.end_state == "moving"


def test_random_starts_depend_on_the_seed() -> None:
    one, two, three = (rv.solve(GOAL, Halve(), seed=s, max_steps=1).record["path"][1][0] for s in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, three)


@pytest.mark.default
def test_streams_differ_by_purpose_point_and_replication() -> None:
    places = [("start", (), 0), ("play", (), 0), ("play", (1, 2), 0), ("play", (1, 2), 1)]
    words = [tuple(solving.stream(3, purpose, point, r).generate_state(2)) for purpose, point, r in places]
    assert len(set(words)) == 4


@pytest.mark.default
def test_more_keys_of_a_stream_begin_with_the_same_keys() -> None:
    sequence = solving.stream(5, "play")
    few, many = ([jax.random.key_data(key) for key in solving.keys_of(sequence, n)] for n in (2, 5))
    np.testing.assert_array_equal(few, many[:2])
    np.testing.assert_array_equal(jax.random.key_data(solving.key_of(sequence)), many[0])
    assert len({tuple(np.asarray(words).tolist()) for words in many}) == 5


@pytest.mark.default
def test_saved_states_are_restored_with_their_types() -> None:
    state = {"key": solving.key_of(solving.stream(1, "play")), "x": jnp.arange(3.0), "count": jnp.asarray(4)}
    saved = leaves_of(state)
    assert all(isinstance(array, np.ndarray) for array in saved.values())
    back = from_leaves({"key": solving.key_of(solving.stream(2, "play")), "x": state["x"], "count": 0}, saved)
    np.testing.assert_array_equal(jax.random.key_data(back["key"]), jax.random.key_data(state["key"]))
    np.testing.assert_array_equal(back["x"], state["x"])
    assert (int(back["count"]), back["x"].dtype) == (4, state["x"].dtype)


@pytest.mark.default
@pytest.mark.parametrize(
    ("seconds", "stop", "over"), [(None, False, False), (None, True, False), (0.0, False, True)]
)
def test_limits_of_time_stop_a_run_and_pass_events_on(seconds: float | None, stop: bool, over: bool) -> None:
    events: list[Progress] = []

    def note(event: Progress) -> bool:
        events.append(event)
        return stop

    watch = Limited(note, seconds)
    event = Progress(1, 2)
    assert watch(event) is (stop or over)
    assert (events, watch.over) == ([event], over)


@pytest.mark.default
def test_compiling_does_not_count_for_limits_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rivalry.runtime.jax._compiling", [])
    began, limits = perf_counter(), [Limited(None, seconds) for seconds in (1e-9, 3600.0)]
    jax.jit(lambda x: jnp.sort(jnp.sin(x) + 0.123))(jnp.arange(7.0))
    took = perf_counter() - began
    assert 0.2 * took < compiling_seconds() <= took
    for seconds in (1.0, 2.0, 7000.0):  # each contains those before
        jax.monitoring.record_event_duration_secs("/jax/core/compile/backend_compile_duration", seconds)
    assert 7000.0 <= compiling_seconds() <= 7001.0
    limits += [Limited(None, seconds) for seconds in (1e-9, 3600.0)]
    assert [limit(Progress(1, 2)) for limit in limits] == [False, False, True, False]


@pytest.mark.default
def test_limits_of_time_are_of_a_clock_that_stands_while_programs_are_compiled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rivalry.runtime.jax._compiling", [])
    at, real = search_clock(), perf_counter()
    with compiling():
        sleep(0.05)
        with compiling():  # one in another counts once
            sleep(0.02)
    assert search_clock() - at <= perf_counter() - real - 0.07 + 1e-6
    assert 0.07 <= compiling_seconds() <= perf_counter() - real
    # of loops: as long as the compiler reports
    pytest.importorskip("numba")
    from numba.core import event

    import rivalry.tables.kernels.cache  # noqa: F401

    before = compiling_seconds()
    with event.trigger_event("numba:compile"):
        sleep(0.03)
    assert 0.03 <= compiling_seconds() - before <= perf_counter() - real


@pytest.mark.default
def test_a_start_outside_the_space_is_refused() -> None:
    with pytest.raises(ValueError, match=r"start: player 1 is at 11; must be in \[-10, 10\]"):
        rv.solve(GOAL, Halve(), [[0.0], [11.0]])


def test_trace_records_every_kth_step() -> None:
    data = rv.trace(GOAL, Halve(), START, steps=10, every=4)
    assert data.path_step.values.tolist() == [0, 4, 8, 10]
    np.testing.assert_allclose(data.path[-1], 1 + (np.array(START) - 1) / 2**10)


def test_batched_runs_equal_single_runs() -> None:
    goals = [jnp.asarray(g) for g in (-1.0, 0.5, 2.0)]
    games, methods = [Bowl(g) for g in goals], [Halve(part=p) for p in (0.5, 0.4, 0.3)]
    batch = solving.solve_batch(games, methods, [GOAL.space.check(START)] * 3)
    for game, method, member in zip(games, methods, batch, strict=True):
        single = rv.solve(game, method, START)
        assert (member.status, member.steps) == (single.status, single.steps)
        np.testing.assert_allclose(member.profile, single.profile, atol=1e-12)
        assert member.claim == single.claim


def test_batches_of_different_structure_are_refused() -> None:
    begin = GOAL.space.check(START)
    with pytest.raises(ValueError, match="batch: game 1 has a method of another form"):
        solving.solve_batch([GOAL, GOAL], [Halve(), Ends()], [begin, begin])


def test_sweep_labels_its_points() -> None:
    data = rv.sweep(GOAL, {"goal": [0.0, 1.0, 2.0]}, Halve(), START)
    assert data.goal.values.tolist() == [0.0, 1.0, 2.0]
    np.testing.assert_allclose(data.profile.sel(goal=2.0), 2.0, atol=1e-7)
    assert set(data.status.values.tolist()) == {"converged"}


def test_compilations_do_not_grow_with_points() -> None:
    counted = []

    class Counted(Bowl):
        def payoffs(self, x: jax.Array) -> jax.Array:
            counted.append(1)  # executed while a program is traced, not when it runs
            return super().payoffs(x)

    def at(goal: float, part: float) -> None:
        rv.solve(Counted(jnp.asarray(goal)), Halve(part=part), START, max_steps=50)

    at(0.0, 0.5)
    traced = len(counted)
    assert traced > 0
    for k in range(1, 5):
        at(k / 2, 0.5 - k / 20)
    assert len(counted) == traced


def test_a_run_that_does_not_converge_warns_with_a_remedy() -> None:
    game = rv.games.influencer(reach=[0.25] * 2)
    with pytest.warns(UserWarning, match="not converged after 3 steps: raise max_steps"):
        rv.solve(game, rv.methods.GradientAscent(), start=[0.1, 0.9], max_steps=3, tolerance=None)


def test_a_run_stopped_by_progress_does_not_warn(recwarn: pytest.WarningsRecorder) -> None:
    game = rv.games.influencer(reach=[0.25] * 2)
    found = rv.solve(
        game, rv.methods.GradientAscent(), start=[0.1, 0.9], tolerance=None, progress=lambda event: True
    )
    assert found.status == "iteration limit"
    assert not [warning for warning in recwarn if "not converged" in str(warning.message)]


class Plain:
    """A method of a plain class."""

    def init(self, game: Any, start: Any, key: Any) -> Walk:
        return Walk(start, jnp.asarray(0))

    def step(self, game: Any, state: Walk, key: Any) -> Walk:
        return Walk(state.profile + 0.5 * (game.goal - state.profile), state.count + 1)


class PlainEnds(Plain):
    def ending(self, game: Any, state: Walk) -> Any:
        return 0


class Draw:
    """A learner of a plain class."""

    def begin(self, world: Any, stream: Any) -> Any:
        return {"place": np.random.default_rng(stream).uniform(size=1)}

    def advance(self, world: Any, session: Any, steps: int) -> int:
        return 0

    def read(self, world: Any, session: Any) -> Any:
        return {"place": ((), session["place"].reshape(()))}


class LongDraw(Draw):
    def length(self, world: Any) -> int:
        return 3


def test_optional_members_require_a_base_class() -> None:
    found, own = (rv.solve(GOAL, method, START) for method in (Plain(), Halve()))
    assert (found.status, found.steps) == ("converged", own.steps)
    np.testing.assert_array_equal(found.profile, own.profile)
    assert rv.solve(GOAL, Draw()).status == "converged"
    with pytest.raises(ValueError, match="takes none; leave it out"):
        rv.solve(GOAL, Draw(), START)
    for kind, member in ((PlainEnds, "ending"), (LongDraw, "length")):
        with pytest.raises(ValueError, match=rf"{kind.__name__} has {member}; .* from rivalry\.extend"):
            rv.solve(GOAL, kind(), START if kind is PlainEnds else None)


@pytest.mark.default
def test_settings_are_the_keywords_of_solve_with_their_defaults() -> None:
    keywords = {k: v.default for k, v in signature(rv.solve).parameters.items() if v.kind is v.KEYWORD_ONLY}
    assert keywords == Settings()._asdict()
