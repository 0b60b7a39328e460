"""Complete lists of equilibria of finite games against closed forms, elimination and exact arithmetic."""

from fractions import Fraction
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.families.matrix import Matrix, matrix
from rivalry.methods.finite import branch_and_prune as pruning
from rivalry.methods.finite import support_solutions as proofs
from rivalry.methods.finite.finite_equilibria import FiniteEquilibria
from rivalry.methods.finite.mixed_equilibria import MixedEquilibria
from rivalry.methods.finite.support_differences import Supports, differences, supports
from rivalry.studies.finite_games import finite_game
from tests.unit.test_equilibria import (
    NINE_EQUILIBRIA,
    NINE_TABLES,
    by_gambit,
    roots_of_three,
    same_profiles,
    with_rows,
)


def proved(game: Any, complete: bool | None = True, **options: Any) -> Any:
    """The list of a game or of tables of payoffs, which must be complete or not, or may be either."""
    game = game if isinstance(game, Matrix) else matrix(payoffs=game)
    data = rv.solve(game, FiniteEquilibria(**options), tolerance=None).data
    assert complete is None or bool(data.complete) == complete
    return data


def undecided(data: Any, x: np.ndarray, within: float = 1e-9) -> bool:
    """Whether a profile lies in an undecided box."""
    boxes = data.undecided.values
    inside = (x >= boxes[..., 0] - within) & (x <= boxes[..., 1] + within)
    return bool(inside.all(axis=(1, 2)).any())


def in_a_set(data: Any, x: np.ndarray) -> bool:
    """Whether a profile lies in the hull of a set of equilibria."""
    hulls = data.equilibrium_set.values if "equilibrium_set" in data else np.zeros((0, *x.shape, 2))
    inside = (x >= hulls[..., 0]) & (x <= hulls[..., 1])
    return bool(inside.all(axis=(1, 2)).any())


def three_players(bimatrix: np.ndarray) -> np.ndarray:
    """A game of two players with a third, who has two actions and is paid for the first one."""
    third = np.broadcast_to(np.array([1.0, 0.0]), (*bimatrix.shape[1:], 2))
    return np.stack([*np.repeat(bimatrix[..., None], 2, axis=-1), third])


@pytest.mark.parametrize(
    "seed", [1, 3, 5, *(pytest.param(k, marks=pytest.mark.nightly) for k in range(6, 60))]
)
def test_three_players_with_two_actions_against_elimination(seed: int) -> None:
    table = np.random.default_rng(seed).normal(size=(3, 2, 2, 2))
    data = proved(table)
    assert data.undecided.shape == (0, 3, 2, 2)
    assert same_profiles(data.equilibria.values, roots_of_three(table), 1e-9)
    assert data.radius.values.max() < 1e-12


@pytest.mark.slow
def test_the_game_of_mckelvey_and_mclennan_has_exactly_nine() -> None:
    data = proved(NINE_TABLES)
    assert same_profiles(data.equilibria.values, NINE_EQUILIBRIA, 1e-14)
    boxes = int(data.boxes)
    assert data.complete_reason.item() == f"every support was decided: 9 equilibria, {boxes} boxes"


@pytest.mark.parametrize(
    ("factor", "shift"), [(1e-200, 0.0), (1e200, 0.0), pytest.param(1.0, 1e9, marks=pytest.mark.slow)]
)
def test_units_of_payoffs_do_not_matter(factor: float, shift: float) -> None:
    table = np.random.default_rng(3).integers(0, 50, size=(3, 2, 2, 2)) * 1.0
    one, other = proved(table), proved(table * factor + shift)
    np.testing.assert_allclose(other.equilibria, one.equilibria, atol=1e-14)


@pytest.mark.slow
def test_the_game_of_nau_and_others_has_one_irrational_equilibrium() -> None:
    """Payoffs constructed with the properties of the example of Nau, Gomez Canovas and Hansen (2004).

    The equilibrium solves three equations of indifference, checked here by their roots; the payoffs were not
    compared with the print.
    """
    left = [[(3, 0, 2), (0, 2, 0)], [(0, 1, 0), (1, 0, 0)]]
    right = [[(1, 0, 0), (0, 1, 0)], [(0, 3, 0), (2, 0, 3)]]
    root = 601**0.5
    data = proved(np.moveaxis(np.array([left, right], dtype=float), (0, 3), (3, 0)))
    want = with_rows([(53 - root) / 46, (root - 13) / 24, (root - 23) / 4])
    assert same_profiles(data.equilibria.values, want, 1e-13)


@pytest.mark.slow
def test_radii_contain_the_equilibrium() -> None:
    """In 60 digits the true equilibrium of the volunteers' dilemma lies within the radius."""
    mpmath = pytest.importorskip("mpmath")
    for players, cost in ((3, "0.3"), (3, "0.7")):
        data = proved(matrix("volunteers_dilemma", players=players, cost=float(cost)))
        with mpmath.workdps(60):
            idle = mpmath.mpf(cost) ** (mpmath.mpf(1) / (players - 1))
            gaps = [abs(mpmath.mpf(float(p)) - idle) for p in data.equilibria.values[-1, :, 0]]
            assert all(gap <= mpmath.mpf(float(data.radius[-1])) for gap in gaps)


@pytest.mark.parametrize("players", [3, pytest.param(4, marks=pytest.mark.slow)])
def test_the_volunteers_dilemma_has_two_to_the_n_minus_one(players: int) -> None:
    """One volunteers for sure, or any two or more mix."""
    data = proved(matrix("volunteers_dilemma", players=players, cost=0.3))
    assert int(data.equilibrium_count) == 2**players - 1
    for x in data.equilibria.values:
        mixing = x[:, 0] < 1
        k = int(mixing.sum())
        np.testing.assert_allclose(x[mixing, 0], 0.3 ** (1 / (k - 1)) if k > 1 else 0.0, atol=1e-13)


@pytest.mark.parametrize("size", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_three_players_who_coordinate_have_one_equilibrium_per_set_of_actions(size: int) -> None:
    """With three actions also six in which all differ, so that nobody can help: ties decided in fractions."""
    data = proved(matrix("coordination", players=3, size=size))
    chosen = [np.array(actions) for actions in product((0.0, 1.0), repeat=size) if any(actions)]
    want = [np.tile(actions / actions.sum(), (3, 1)) for actions in chosen]
    want += [np.eye(size)[list(order)] for order in product(range(size), repeat=3) if len(set(order)) == 3]
    assert same_profiles(data.equilibria.values, want, 1e-13)


def test_a_curve_of_equilibria_stays_undecided() -> None:
    """The third player is indifferent, and the others' equilibrium depends on what it does."""
    pennies = np.array([[1.0, -1.0], [-1.0, 1.0]])
    shift = np.array([[1.0, 0.0], [0.0, 0.0]])  # added where the third player plays its second action
    first = np.stack([pennies, pennies + shift], axis=-1)
    table = np.stack([first, np.stack([-pennies, -pennies], axis=-1), np.zeros((2, 2, 2))])
    data = proved(table, max_boxes=500, complete=False)
    for r in np.linspace(0, 1, 7):
        weight = 4 + r  # player 1 makes player 0 indifferent
        assert undecided(data, np.array([[0.5, 0.5], [2 / weight, 1 - 2 / weight], [1 - r, r]]))


@pytest.mark.slow
def test_the_curve_of_nau_and_others_lies_in_what_is_undecided() -> None:
    """Nau, Gomez Canovas and Hansen (2004), section 5: no segment, between the ends of two segments.

    The third player plays its first action with 1/4, so that the others are indifferent, and is itself where
    their probabilities x and y fulfil x y + 3 = 3 x + 3 y.
    """
    game = finite_game("nau_continuum")
    found = rv.all_equilibria(game)
    data = proved(game, complete=False)
    for x in np.linspace(0, 1, 21):
        y = (3 - 3 * x) / (3 - x)
        curve = with_rows([x, y, 0.25])[0]
        assert rv.certificate(game, curve).claim == "equilibrium"
        assert undecided(data, curve)
        for end in ([1, 0], [0, 1]):  # of x and y, where all below 1/4 .. 1 are equilibria
            assert in_a_set(data, with_rows([*end, 0.25 + 0.75 * x])[0])
    # of all others only the third player's first action in a narrow range is possible
    box = data.undecided.values[0, 2]
    assert 0.2 < box[0, 0] <= 0.25 <= box[0, 1] < 0.3
    lines = str(found).splitlines()
    assert lines[0].startswith(
        "at least 2 sets of equilibria and 1 equilibrium in none of them; 1 place is undecided"
    )
    assert "complete: false" in lines[0]
    assert not any(" lies within " in line for line in lines)


@pytest.mark.slow
def test_an_end_of_a_curve_is_not_called_isolated() -> None:
    """All profiles x = y = z from 1/2 to 1 are equilibria, and the first player has a third action apart."""
    x, y, z = np.meshgrid([1.0, 0.0, 0.0], [1.0, 0.0], [1.0, 0.0], indexing="ij")
    table = np.stack([x * (z - y), y * (x - z), z * (y - x)])
    table[:, 2] = 0.0
    table[0, 2], table[1, 2, 1] = [[-10.0] * 2, [10.0] * 2], 1.0
    game = rv.games.matrix(payoffs=table.tolist())
    for p in (0.5, 0.75, 1.0):
        assert rv.certificate(game, [[p, 1 - p, 0], [p, 1 - p, 0], [p, 1 - p, 0]]).claim == "equilibrium"
    text = str(rv.all_equilibria(game))
    assert "isolated equilibri" not in text
    assert text.startswith(
        "at least 1 set of equilibria and 1 equilibrium in none of them; 1 place is undecided"
    )


def test_equal_payoffs_leave_everything_undecided() -> None:
    data = proved(np.ones((3, 2, 2, 2)), complete=False)
    assert data.equilibria.shape == (8, 3, 2)
    boxes = data.undecided.values
    assert np.all(boxes[..., 0].min(axis=0) == 0)
    assert np.all(boxes[..., 1].max(axis=0) == 1)


@pytest.mark.parametrize("sizes", [(1, 1, 1), (1, 3, 3), (3, 1, 2)])
def test_players_with_one_action(sizes: tuple[int, ...]) -> None:
    """The others' game has exactly the extreme equilibria of two players."""
    table = np.random.default_rng(7).normal(size=(3, *sizes))
    data = proved(table)
    alone = sizes.index(1)
    others = [p for p in range(3) if p != alone]
    pair = np.take(table[others], 0, axis=1 + alone)
    want = rv.solve(matrix(payoffs=pair), MixedEquilibria()).record["equilibria"][1]
    ours = data.equilibria.values[:, others]
    assert np.all(data.equilibria.values[:, alone, 0] == 1)
    assert same_profiles(ours[..., : want.shape[-1]], list(want), 1e-12)


@pytest.mark.parametrize("shape", [(2, 3, 3), pytest.param((2, 4, 4), marks=pytest.mark.slow)])
@pytest.mark.parametrize("seed", range(2))
def test_games_of_two_players_in_disguise_against_exact_vertices(shape: tuple[int, ...], seed: int) -> None:
    """A third player is paid for its first action alone."""
    pair = np.random.default_rng(seed).normal(size=shape)
    data = proved(three_players(pair))
    want = rv.solve(matrix(payoffs=pair), MixedEquilibria()).record["equilibria"][1]
    assert same_profiles(data.equilibria.values[:, :2], list(want), 1e-12)


def test_two_players_have_the_list_of_extreme_equilibria() -> None:
    for tables in ([[[1, 1], [0, 0]], [[2, 2], [1, 1]]], [[[0, 7], [2, 6]], [[0, 2], [7, 6]]]):
        ours = proved(tables)
        theirs = rv.solve(matrix(payoffs=tables), MixedEquilibria()).data
        assert bool(theirs.complete)
        for name in ("equilibria", "equilibrium_payoff", "component", "degenerate", "complete_reason"):
            assert np.array_equal(ours[name], theirs[name]), name
        pure = (ours.equilibria.values > 0).sum(axis=(1, 2)) == 2
        assert np.array_equal(ours.radius.values > 0, ~pure)
        assert ours.undecided.shape[0] == 0


@pytest.mark.slow
def test_the_order_of_players_and_actions_does_not_matter() -> None:
    table = np.random.default_rng(11).normal(size=(3, 2, 3, 2))
    one = proved(table).equilibria.values
    turned = np.transpose(table[[2, 0, 1]], (0, 3, 1, 2))[:, :, ::-1][..., [2, 0, 1]]
    back = np.zeros_like(one)
    for k, x in enumerate(proved(turned).equilibria.values):
        back[k, 2, :2], back[k, 0, :2] = x[0, :2], x[1, 1::-1]
        back[k, 1, [2, 0, 1]] = x[2]
    assert same_profiles(back, list(one), 1e-13)


@pytest.mark.slow
def test_dominated_actions_leave_the_list_as_it_is() -> None:
    """Player 1's third action is always worse than its second, and then player 2's third than its first."""
    table = np.random.default_rng(1).normal(size=(3, 2, 2, 2))
    more = np.random.default_rng(2).normal(size=(3, 2, 3, 3))
    more[:, :, :2, :2] = table
    more[1, :, 2] = more[1, :, 1] - 0.1
    more[2, :, :2, 2] = more[2, :, :2, 0] - 0.1
    more[2, :, 2, 2] = more[2, :, 2, 0] + 5.0
    one, other = proved(table), proved(more)
    assert other.boxes == one.boxes
    assert np.all(other.equilibria.values[..., 2] == 0)
    assert same_profiles(other.equilibria.values[..., :2], list(one.equilibria.values), 1e-13)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "seed"),
    [
        ((3, 2, 2, 2), 1),
        pytest.param((3, 2, 3, 2), 0, marks=pytest.mark.slow),
        *(pytest.param((3, 3, 3, 3), seed, marks=pytest.mark.nightly) for seed in range(3)),
        *(pytest.param((4, 2, 2, 2, 2), seed, marks=pytest.mark.nightly) for seed in range(3)),
    ],
)
@pytest.mark.parametrize("draw", ["normal", pytest.param("few", marks=pytest.mark.slow)])
def test_lists_hold_all_that_a_numerical_search_finds(shape: tuple[int, ...], seed: int, draw: str) -> None:
    rng = np.random.default_rng(seed)
    table = rng.normal(size=shape) if draw == "normal" else rng.integers(0, 3, size=shape).astype(float)
    data = proved(table, complete=True if draw == "normal" else None)
    ours = data.equilibria.values
    for x in rv.solve(matrix(payoffs=table), MixedEquilibria(), tolerance=None).record["equilibria"][1]:
        near = any(np.max(np.abs(x - y)) < 1e-6 for y in ours)
        assert near or in_a_set(data, x) or undecided(data, x, 1e-6)
    game = matrix(payoffs=table)
    assert all(rv.certificate(game, x).regret.max() < 1e-12 for x in ours)
    if draw == "normal":
        assert len(ours) % 2 == 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 12))])
def test_segments_between_pure_equilibria_are_listed_or_undecided(seed: int) -> None:
    """Where two pure equilibria differ in one player's action, so is every mixture of the two."""
    table = np.random.default_rng(seed).integers(0, 2, size=(3, 2, 3, 2)).astype(float)
    data = proved(table, max_boxes=200, complete=None)
    pure = rv.solve(matrix(payoffs=table), rv.methods.PureEquilibria()).data.equilibria.values
    segments = 0
    for one, other in product(pure, pure):
        if (one != other).any(axis=1).sum() == 1:
            segments += 1
            between = one / 4 + 3 * other / 4
            assert in_a_set(data, between) or undecided(data, between)
    assert segments > 0 or seed > 1


@pytest.mark.slow
def test_an_irrational_tie_is_undecided() -> None:
    """The others of a volunteers' dilemma mix with probability sqrt(0.3), which is what idling pays here."""
    base = np.asarray(matrix("volunteers_dilemma", players=3, cost=0.3).table)
    table = np.zeros((3, 3, 2, 2))
    table[:, :2] = base
    # a third action of player 0 that pays the same as its second, in another way: (1 - x) + (1 - y) ..
    idle = np.array([[1.0, 0.0], [0.0, 0.0]])
    table[0, 2] = 0.7 - 0.3 + idle  # 0.4 + x y = 0.7 where x = y = sqrt(0.3)
    table[1:, 2] = base[1:, 1]
    data = proved(table, max_boxes=100, complete=False)
    idle_probability = 0.3**0.5
    x = np.zeros((3, 3))
    x[1:, 0], x[1:, 1] = idle_probability, 1 - idle_probability
    x[0, :2] = x[1, :2]
    assert undecided(data, x)


def sample_supports(seed: int) -> tuple[np.ndarray, Supports]:
    table = np.random.default_rng(seed).integers(-50, 50, size=(3, 3, 3, 3)).astype(float)
    return table, supports(differences(table), (2, 2, 3), 0)


def exact_rows(some: Supports, player: int, support: int, x: list[list[Fraction]]) -> list[Fraction]:
    """Rows of a support at exact strategies."""
    found = []
    for row in some.rows[player][support]:
        total = Fraction(0)
        for index in np.ndindex(*row.shape):
            weight = Fraction(float(row[index]))
            for p, place in enumerate(index):
                weight *= 1 if p == player else x[p][place]
            total += weight
        found.append(total)
    return found


def test_enclosures_contain_exact_values() -> None:
    """At random rational points of boxes, rows lie within bounds, and bounds of points are narrow."""
    _, some = sample_supports(0)
    assert len(some.actions[0]) > 3
    rng = np.random.default_rng(1)
    for support, radius in product(range(3), (0.0, 1e-3, 0.2)):
        middle = [Fraction(int(k), 97) for k in rng.integers(10, 40, size=some.dimension)]
        mid = np.zeros((1, 3, 3))
        for p, place in enumerate(some.coordinates):
            mid[0, p, : some.sizes[p] - 1] = [float(q) for q in middle[place]]
        box = proofs._box(some, mid, np.full((1, some.dimension), radius + 1e-16))
        move = [Fraction(radius) * Fraction(int(k), 8) for k in rng.integers(-8, 9, size=some.dimension)]
        x = []
        for place in some.coordinates:
            own = [q + d for q, d in zip(middle[place], move[place], strict=True)]
            x.append([*own, 1 - sum(own)])
        for player in range(3):
            bounds = proofs._expected(some, player, np.array([support]), box, None)
            for row, exact in enumerate(exact_rows(some, player, support, x)):
                gap = abs(exact - Fraction(float(bounds.mid[0, row])))
                assert gap <= Fraction(float(bounds.radius[0, row]))
            if not radius:
                assert bounds.radius.max() < 1e-13


@pytest.mark.slow
def test_parts_that_are_discarded_have_no_solution() -> None:
    """Exact solutions planted in random parts are never discarded, by any of the tests."""
    rng = np.random.default_rng(2)
    kept = 0
    for _ in range(8):
        x = [np.array([Fraction(int(k)) for k in rng.integers(1, 8, size=n)]) for n in (2, 2, 3)]
        x = [own / own.sum() for own in x]
        table = rng.integers(-9, 10, size=(3, 2, 2, 3)).astype(object)
        whole = []
        for player in range(3):
            values = np.moveaxis(table[player], player, 0)
            weights = [x[p] for p in range(3) if p != player]
            pays = values @ weights[1] @ weights[0]
            scale = int(np.lcm.reduce([f.denominator for f in pays]))
            whole.append(np.moveaxis((values - pays.reshape(-1, 1, 1)) * scale, 0, player))
        game = differences(np.array(whole, dtype=object).astype(float))
        if [len(own) for own in game.actions] != [2, 2, 3]:
            continue
        some = supports(game, (2, 2, 3), 0)
        assert len(some.actions[0]) == 1
        parts = pruning.whole_parts(some)
        profile = np.zeros((3, 3))
        for p, own in enumerate(x):
            profile[p, : len(own)] = [float(q) for q in own]
        for _ in range(12):
            left, _, edges = pruning._prune(some, parts)
            halves, stuck = pruning._halve(some, parts.take(left), edges)
            assert any(
                all(holds(part[p], own) for p, own in enumerate(x))
                for part in [*halves.vertices, *stuck.vertices]
            )
            parts = halves if len(halves.support) else parts
            kept += 1
    assert kept > 40


def holds(vertices: np.ndarray, own: np.ndarray) -> bool:
    """Whether a simplex contains a point, up to rounding."""
    n = len(own)
    weights = np.linalg.solve(vertices[:n, :n].T, own.astype(float))
    return bool(weights.min() > -1e-9)


@pytest.mark.slow
def test_one_step_at_a_time_gives_the_same_arrays() -> None:
    """Chunks of steps, and a session that was stored and read again, do not change the result."""
    game = matrix(payoffs=np.random.default_rng(1).normal(size=(3, 2, 2, 2)))
    learner = FiniteEquilibria()
    world = learner.world(game)
    whole, parts = (learner.begin(world, np.random.SeedSequence(0)) for _ in range(2))
    while learner.advance(world, whole, 2**40):  # of steps that end with the time
        pass
    while learner.advance(world, parts, 1):
        assert bool(learner.read(world, parts)["complete"][1]) == bool(parts["over"][0])
        parts = learner.unpack({name: array.copy() for name, array in learner.pack(parts).items()})
    for name, value in learner.read(world, whole).items():
        np.testing.assert_array_equal(learner.read(world, parts)[name][1], value[1], err_msg=name)


@pytest.mark.slow
def test_limits_return_what_is_proved_so_far() -> None:
    game = matrix("coordination", players=3, size=2)
    every = rv.solve(game, FiniteEquilibria())
    short = rv.solve(game, FiniteEquilibria(seconds=1e-9))
    assert short.status == "iteration limit"
    assert int(short.data.equilibrium_count) >= 2  # pure ones are found before
    assert not bool(short.data.complete)
    assert "supports not tried within 1e-09 s" in str(short.data.complete_reason.values)
    assert "within 1e-09 s" in rv.all_equilibria(game, max_seconds=1e-9).reason
    few = rv.solve(game, FiniteEquilibria(max_boxes=1))
    assert few.status == "converged"
    assert not bool(few.data.complete)
    for found in (short, few):
        for x in every.data.equilibria.values:
            listed = found.data.equilibria.values
            assert any(np.max(np.abs(x - y)) < 1e-12 for y in listed) or undecided(found.data, x)


def test_games_too_large_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^game: has 54090000 differences of payoffs; a proof takes at most"
    ):
        differences(np.zeros((3, 300, 300, 1)))


def test_payoffs_that_differ_by_more_than_their_last_digits_are_not_equal() -> None:
    """Action 0 of player 0 is better by 1e-15 whatever the others do: 18 units in the last place of 0.3."""
    table = np.random.default_rng(1).normal(size=(3, 2, 2, 2))
    table[0, 1] = np.random.default_rng(2).uniform(0.3, 0.4, size=(2, 2))
    table[0, 0] = table[0, 1] + 1e-15
    data = proved(table)
    assert int(data.equilibrium_count) % 2 == 1
    assert np.all(data.equilibria.values[:, 0, 0] == 1)


@pytest.mark.slow
def test_three_players_agree_with_gambit() -> None:
    table = np.random.default_rng(1).normal(size=(3, 2, 2, 2))
    theirs = by_gambit(table)
    assert same_profiles(proved(table).equilibria.values, theirs, 1e-6)


def odd_one_out() -> np.ndarray:
    """Two-finger game of three players: who shows what no other shows takes one from each of the others."""
    tables = np.zeros((3, 2, 2, 2))
    for joint in product(range(2), repeat=3):
        for player in range(3):
            if joint.count(joint[player]) == 1:
                tables[(slice(None), *joint)] = -1.0
                tables[(player, *joint)] = 2.0
    return tables


@pytest.mark.slow
def test_segments_of_three_players_are_listed() -> None:
    """Where two players differ, all choices of the third are equilibria: six segments, and even mixing."""
    found, data = rv.all_equilibria(rv.games.matrix(*odd_one_out())), proved(odd_one_out())
    assert found.complete
    assert data.complete_reason.item().startswith("every support was decided: 7 equilibria, 6 sets of more")
    assert found.equilibria[-1].round(12).tolist() == [[0.5, 0.5]] * 3
    assert len(found) == 7  # with the pure ends of the segments
    corners = found.solution.data.equilibrium_vertex.values
    numbers = found.solution.data.vertex_set.values
    segments = {frozenset(tuple(x[:, 0].tolist()) for x in corners[numbers == k]) for k in range(6)}
    assert len(numbers) == 12
    pure = [x for x in product((0.0, 1.0), repeat=3) if 0 < sum(x) < 3]
    assert segments == {
        frozenset(pair)
        for pair in combinations(pure, 2)
        if sum(a != b for a, b in zip(*pair, strict=True)) == 1
    }
    # brute force: grid points are equilibria exactly on these segments, or in the middle
    tables = odd_one_out()
    for x in product(np.linspace(0, 1, 7), repeat=3):
        p = np.array([[v, 1 - v] for v in x])
        gains = []
        for player in range(3):
            rest = [p[k] for k in range(3) if k != player]
            pays = np.einsum("abc,b,c->a", np.moveaxis(tables[player], player, 0), *rest)
            gains.append(max(pays) - p[player] @ pays)
        mixed = [k for k in range(3) if 0 < x[k] < 1]
        others = [x[k] for k in range(3) if k not in mixed[:1]]
        listed = (len(mixed) <= 1 and 0 < sum(x) < 3 and (not mixed or sum(others) == 1)) or x == (0.5,) * 3
        assert (max(gains) < 1e-12) == listed, x
        assert in_a_set(data, p) == (listed and x != (0.5,) * 3), x
    lines = str(found).splitlines()
    assert lines[0].startswith("exactly 1 isolated equilibrium and 6 sets of equilibria, proved")


def test_a_mixture_is_an_equilibrium_only_where_the_others_stay() -> None:
    """Player 2 is indifferent throughout; the others prefer their first action where it plays 0 enough."""
    tables = np.zeros((3, 2, 2, 2))
    tables[0, 0], tables[1, :, 0] = [[3.0, -1.0], [3.0, -1.0]], [[3.0, -1.0], [3.0, -1.0]]
    found = rv.all_equilibria(rv.games.matrix(*tables))
    corners = found.solution.data.equilibrium_vertex.values
    numbers = found.solution.data.vertex_set.values
    ends = {tuple(sorted(corners[numbers == k, 2, 0].tolist())) for k in set(numbers.tolist())}
    # 3 p - (1 - p) is 0 at p = 1/4
    assert ends == {(0.0, 0.25), (0.25, 1.0)}
