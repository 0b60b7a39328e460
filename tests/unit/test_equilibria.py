"""Pure and mixed equilibria against closed forms, brute force, Nashpy and pygambit."""

from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.tolerances import TOLERANCE
from rivalry.families.matrix import matrix
from rivalry.methods.finite import mixed_equilibria
from rivalry.methods.finite.mixed_equilibria import MixedEquilibria
from rivalry.methods.finite.pure_equilibria import PureEquilibria, expected_over
from rivalry.results.equilibria import equilibria
from rivalry.results.reader import Reader
from rivalry.solving.ends import certify
from rivalry.studies.finite_games import finite_game
from rivalry.tables import equilibria as equilibria_of
from rivalry.tables import tabulate
from rivalry.tables.extreme_equilibria import TooMany
from tests.unit.test_matrix import EQUILIBRIA


def found(game: object, method: object, **options: object) -> np.ndarray:
    return rv.solve(game, method, **options).record["equilibria"][1]


def same_profiles(ours: np.ndarray, theirs: list[np.ndarray], within: float = 1e-9) -> bool:
    """Return whether both lists contain the same profiles, in any order."""
    near = [[np.max(np.abs(a - np.asarray(b))) <= within for b in theirs] for a in ours]
    return len(ours) == len(theirs) and all(map(any, near)) and all(map(any, zip(*near, strict=True)))


@pytest.mark.parametrize("seed", range(4))
def test_pure_equilibria_against_checking_every_deviation(seed: int) -> None:
    table = np.random.default_rng(seed).integers(0, 4, size=(3, 2, 3, 4)).astype(float)
    game = matrix(payoffs=table.tolist())
    want = []
    for joint in product(range(2), range(3), range(4)):
        others = [[(*joint[:p], a, *joint[p + 1 :]) for a in range(table.shape[p + 1])] for p in range(3)]
        if all(table[(p, *joint)] >= max(table[(p, *o)] for o in others[p]) for p in range(3)):
            want.append(np.asarray(game.pure(*joint)))
    ours = found(game, PureEquilibria())
    assert len(ours) == len(want)
    assert all(np.array_equal(a, b) for a, b in zip(ours, want, strict=True))


def test_that_there_is_no_pure_equilibrium_is_proved() -> None:
    solution = rv.solve(matrix("matching_pennies"), PureEquilibria())
    assert (solution.status, solution.claim) == ("none exists", "none exists")
    assert int(solution.data.equilibrium_count) == 0
    assert np.isnan(solution.profile).all()
    assert "a mixed equilibrium exists, and was not sought" in repr(solution)


def test_an_enumeration_stopped_early_reports_the_iteration_limit() -> None:
    solution = rv.solve(matrix("chicken"), PureEquilibria(), max_steps=1)
    assert (solution.status, solution.claim) == ("iteration limit", "no certificate")


@pytest.mark.representative
@pytest.mark.parametrize("name", [n for n in EQUILIBRIA if n not in ("minimum_effort", "volunteers_dilemma")])
def test_all_equilibria_of_the_classic_games(name: str) -> None:
    solution = rv.solve(matrix(name), MixedEquilibria())
    assert (solution.status, solution.claim) == ("converged", "equilibrium")
    assert same_profiles(solution.record["equilibria"][1], [np.asarray(x, float) for x in EQUILIBRIA[name]])


@pytest.mark.slow
def test_all_equilibria_of_the_volunteers_dilemma() -> None:
    """One player volunteers for sure, or any k players stay idle with probability cost^(1/(k-1)) each."""
    game = matrix("volunteers_dilemma", players=4, cost=0.3)
    want = [np.asarray(game.pure(*(int(p == one) for p in range(4)))) for one in range(4)]
    for k in (2, 3, 4):
        for who in combinations(range(4), k):
            idle = np.where(np.isin(range(4), who), 0.3 ** (1 / (k - 1)), 1.0)
            want.append(np.stack([idle, 1 - idle], axis=1))
    assert same_profiles(found(game, MixedEquilibria()), want)


def with_rows(*first: list[float]) -> list[np.ndarray]:
    """Profiles of players with two actions, from the probabilities of the first action."""
    return [np.stack([np.array(x), 1 - np.array(x)], axis=1) for x in first]


# Gambit's example 2x2x2 (McKelvey and McLennan): payoffs by cell, player 0's action fastest
NINE = [(9, 8, 12), (0, 0, 0), (0, 0, 0), (9, 8, 2), (0, 0, 0), (3, 4, 6), (3, 4, 6), (0, 0, 0)]
NINE_TABLES = np.moveaxis(np.array(NINE, dtype=float).reshape(2, 2, 2, 3), (3, 2, 1), (0, 1, 2))
NINE_EQUILIBRIA = with_rows(
    *([1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1 / 4, 1 / 3], [1 / 3, 1, 1 / 4]),
    *([1 / 2, 1 / 2, 1], [2 / 5, 1 / 2, 1 / 3], [1 / 2, 2 / 5, 1 / 4]),
)


@pytest.mark.slow
def test_all_nine_equilibria_of_the_gambit_example() -> None:
    """Four are pure, three have one pure player, and two are totally mixed, in closed form."""
    for factor, shift in ((1.0, 0.0), (1e-12, 0.0), (1e12, 0.0), (1.0, 1e6)):
        solution = rv.solve(matrix(payoffs=(NINE_TABLES * factor + shift).tolist()), MixedEquilibria())
        assert same_profiles(solution.record["equilibria"][1], NINE_EQUILIBRIA, 1e-8)
        assert int(solution.record["pure_count"][1]) == 4
        assert int(solution.record["partly_mixed_count"][1]) == 3
        assert bool(solution.record["complete"][1])


def roots_of_three(table: np.ndarray) -> list[np.ndarray]:
    """All equilibria of a 2x2x2 game in general position, by elimination."""

    def gains(player: int, x: list[float]) -> float:
        rest = np.moveaxis(table[player], player, 0)
        others = [x[p] for p in range(3) if p != player]
        weights = np.multiply.outer(*([q, 1 - q] for q in others))
        return float(((rest[0] - rest[1]) * weights).sum())

    def bilinear(player: int) -> np.ndarray:
        """c[0] + c[1] r + c[2] q + c[3] q r, the gain from the first action against q and r."""
        d = np.moveaxis(table[player], player, 0)
        d = d[0] - d[1]
        return np.array(
            [d[1, 1], d[1, 0] - d[1, 1], d[0, 1] - d[1, 1], d[0, 0] - d[0, 1] - d[1, 0] + d[1, 1]]
        )

    tries = [list(map(float, x)) for x in product((0, 1), repeat=3)]
    for alone, sure in product(range(3), (0.0, 1.0)):  # one plays a pure action, the other two mix
        one, other = (p for p in range(3) if p != alone)
        x = [sure] * 3
        for mixes, cares in ((one, other), (other, one)):
            at = [gains(cares, [*x[:mixes], q, *x[mixes + 1 :]]) for q in (0.0, 1.0)]
            x[mixes] = at[0] / (at[0] - at[1])
        tries.append(x)
    a, b, c = (bilinear(p) for p in range(3))  # a(q, r), b(p, r), c(p, q), all to be 0
    # q = -(c0 + c2 p)/(c1 + c3 p) and r = -(b0 + b2 p)/(b1 + b3 p) in a: a quadratic in p
    poly = np.polynomial.polynomial
    q, qd, r, rd = [-c[0], -c[2]], [c[1], c[3]], [-b[0], -b[2]], [b[1], b[3]]
    parts = (a[0] * poly.polymul(qd, rd), a[1] * poly.polymul(r, qd))
    parts += (a[2] * poly.polymul(q, rd), a[3] * poly.polymul(q, r))
    for p in poly.polyroots(sum(parts)):
        if abs(p.imag) < 1e-12:
            p = float(p.real)
            tries.append(
                [p, poly.polyval(p, q) / poly.polyval(p, qd), poly.polyval(p, r) / poly.polyval(p, rd)]
            )

    def rests(x: list[float]) -> bool:
        pays = [gains(p, x) for p in range(3)]
        inside = all(0 <= q <= 1 for q in x)
        return inside and all(
            abs(g) < 1e-9 if 0 < q < 1 else (g >= 0) == (q == 1) for q, g in zip(x, pays, strict=True)
        )

    return with_rows(*(x for x in tries if rests(x)))


@pytest.mark.parametrize("seed", range(12))
def test_three_players_with_two_actions_against_elimination(seed: int) -> None:
    table = np.random.default_rng(seed).normal(size=(3, 2, 2, 2))
    want = roots_of_three(table)
    assert len(want) % 2 == 1
    assert same_profiles(found(matrix(payoffs=table.tolist()), MixedEquilibria()), want, 1e-7)


def test_coordination_of_size_n_has_2_to_the_n_minus_1_equilibria() -> None:
    ours = found(matrix("coordination", size=4), MixedEquilibria())
    assert len(ours) == 15
    for x in ours:
        played = x[0] > 0
        np.testing.assert_allclose(x, np.tile(played / played.sum(), (2, 1)), atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_two_players_agree_with_nashpy(seed: int) -> None:
    nashpy = pytest.importorskip("nashpy")
    rows, columns = np.random.default_rng(seed).normal(size=(2, 3, 4))
    game = matrix(payoffs=[rows.tolist(), columns.tolist()])
    theirs = [
        np.stack([np.pad(a, (0, 4 - len(a))) for a in pair])
        for pair in nashpy.Game(rows, columns).vertex_enumeration()
    ]
    assert same_profiles(found(game, MixedEquilibria(algorithm="vertex_enumeration")), theirs)


def test_lemke_howson_finds_some_equilibria() -> None:
    solution = rv.solve(matrix("battle_of_the_sexes"), MixedEquilibria(algorithm="lemke_howson"))
    assert not bool(solution.record["complete"][1])
    assert int(solution.data.equilibrium_count) >= 1
    assert solution.claim == "equilibrium"


def largest_gain(table: np.ndarray, x: np.ndarray) -> float:
    """The most that a player gains at ``x`` by any of its actions, summed over all joint actions."""
    sizes, gains = table.shape[1:], []
    for player, size in enumerate(sizes):
        by_action = np.zeros(size)
        for joint in product(*map(range, sizes)):
            chance = np.prod([x[q, a] for q, a in enumerate(joint) if q != player])
            by_action[joint[player]] += chance * table[(player, *joint)]
        gains.append(by_action.max() - by_action @ x[player, :size])
    return float(max(gains))


@pytest.mark.parametrize("shape", [(2, 3, 3), pytest.param((3, 2, 3, 2), marks=pytest.mark.slow)])
@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 6))])
def test_every_equilibrium_of_a_list_has_its_largest_gain(shape: tuple[int, ...], seed: int) -> None:
    table = np.random.default_rng(seed).normal(size=shape)
    solution = rv.solve(matrix(payoffs=table.tolist()), MixedEquilibria())
    record, listed = solution.record, solution.tables[0]
    want = [largest_gain(table, x) for x in record["equilibria"][1]]
    np.testing.assert_allclose(record["equilibrium_gain"][1], want, atol=1e-15)
    assert max(want) < 1e-10
    assert set(record["equilibrium_claim"][1].tolist()) == {"equilibrium"}
    # one bound of all, rounded up
    (text,) = {row["largest gain"].text for row in listed.rows}
    assert float(text.removeprefix("at most ")) >= max(want) - 1e-15
    assert all(map(listed.claims, range(len(listed.rows))))


@pytest.mark.slow
def test_all_nine_equilibria_of_an_all_pay_auction_are_certified() -> None:
    """Two bid even amounts and one odd ones, all pay, and a strictly highest bid wins 16.

    Numbers of two equilibria are known to 1e-10 only, and gains at them are no smaller.
    """
    table = np.zeros((3, 3, 3, 3))
    for joint in product(range(3), repeat=3):
        bids = np.array([2 * joint[0], 2 * joint[1], 2 * joint[2] + 1])
        alone = (bids == bids.max()) & ((bids == bids.max()).sum() == 1)
        table[(slice(None), *joint)] = 16 * alone - bids
    record = rv.solve(finite_game("all_pay_three_odd_even"), MixedEquilibria()).record
    want = [largest_gain(table, x) for x in record["equilibria"][1]]
    assert len(want) == 9
    assert max(want) < 2e-10
    np.testing.assert_allclose(record["equilibrium_gain"][1], want, atol=1e-14)
    assert record["equilibrium_claim"][1].tolist() == ["equilibrium"] * 9


def test_a_row_without_a_certificate_claims_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    game = matrix(payoffs=[[[3, 0], [5, 1]], [[3, 5], [0, 1]]])
    profiles = np.array([[[0.0, 1.0]] * 2, [[1.0, 0.0]] * 2])  # both defect, both cooperate
    record = {
        "profile": (("player", "axis"), profiles[0]),
        "equilibria": (("equilibrium", "player", "action"), profiles),
        "status": ((), np.array("converged")),
    }
    listed = certify(game, dict(record), TOLERANCE).tables[0]
    assert [row["claim"].text for row in listed.rows] == ["equilibrium", "not an equilibrium"]
    assert [row["largest gain"].text for row in listed.rows] == ["0", "at most 2"]
    unproved = {
        "equilibrium_gain": np.array([0.0, np.inf]),
        "equilibrium_claim": np.array(["equilibrium", "x"]),
    }
    rows = equilibria(Reader({"equilibria": profiles, **unproved})).rows
    assert [row.keys() & {"largest gain", "claim"} for row in rows] == [{"largest gain", "claim"}, {"claim"}]
    monkeypatch.setattr("rivalry.solving.ends.LISTED", 1)
    listed = certify(game, dict(record), TOLERANCE).tables[0]
    assert [listed.claims(k) for k in range(2)] == [True, False]
    assert ["largest gain" in row for row in listed.rows] == [True, False]


def by_gambit(table: np.ndarray) -> list[np.ndarray]:
    """Equilibria of a table, where Gambit is installed."""
    gambit = pytest.importorskip("pygambit")
    return [
        np.array([[float(share) for _, share in strategy] for strategy in profile])
        for profile in gambit.nash.enumpoly_solve(gambit.StrategicGame.from_arrays(*table)).equilibria
    ]


def test_three_players_agree_with_gambit() -> None:
    table = np.random.default_rng(0).normal(size=(3, 2, 2, 2))
    theirs = by_gambit(table)
    for x in found(matrix(payoffs=table.tolist()), MixedEquilibria()):
        assert any(np.max(np.abs(x - y)) < 1e-6 for y in theirs)


def test_degenerate_games_are_reported() -> None:
    # player 1 is indifferent: each of her mixtures is an equilibrium with the better row
    solution = rv.solve(matrix(payoffs=[[[1, 1], [0, 0]], [[2, 2], [1, 1]]]), MixedEquilibria())
    assert bool(solution.data.degenerate)
    assert bool(solution.data.complete)
    assert [int(solution.data[f"{name}_count"]) for name in ("extreme", "pure", "component")] == [2, 2, 1]
    assert solution.claim == "equilibrium"
    clean = rv.solve(matrix("battle_of_the_sexes"), MixedEquilibria())
    assert not bool(clean.data.degenerate)
    assert bool(clean.data.complete)
    assert clean.data.component.values.tolist() == [0, 1, 2]


def test_large_games_have_partial_lists_or_another_method(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_many(*arguments: object, **options: object) -> None:
        raise TooMany("as a test has it")

    monkeypatch.setattr(mixed_equilibria, "extreme_equilibria", too_many)
    solution = rv.solve(matrix("chicken"), MixedEquilibria())
    assert solution.claim == "equilibrium"
    assert not bool(solution.record["complete"][1])
    assert str(solution.record["complete_reason"][1]).endswith("; as a test has it")
    with pytest.raises(ValueError, match="algorithm: vertex_enumeration: as a test has it; use lemke_howson"):
        rv.solve(matrix("chicken"), MixedEquilibria(algorithm="vertex_enumeration"))


def test_ties_are_relative_to_the_range_of_payoffs() -> None:
    """Payoffs of 0 and 1e-14 are no tie, nor are 1e9 and 1e9 + 1e-5."""
    tiny = [[[0, 0], [1e-14, 1e-14]], [[0, 1e-14], [0, 1e-14]]]
    large = [[[1e9, 1e9], [1e9 + 1e-5, 1e9 + 1e-5]], [[1e9, 1e9 + 1e-5]] * 2]
    for payoffs in (tiny, large):
        for method in (PureEquilibria(), MixedEquilibria()):
            ours = found(matrix(payoffs=payoffs), method, tolerance=None)
            assert ours.tolist() == [[[0.0, 1.0], [0.0, 1.0]]]
        assert equilibria_of(tabulate(matrix(payoffs=payoffs))).tolist() == [[1, 1]]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [pytest.param(0, marks=pytest.mark.nightly), 1, 2, 3])
def test_equilibria_of_three_players_with_many_ties_have_no_regret(seed: int) -> None:
    """Singular equations do not stop the search, nor does an auction of three bidders on a grid."""
    table = np.random.default_rng(seed).integers(0, 2, size=(3, 2, 3, 2)).astype(float)
    if seed == 0:
        bids = np.stack(np.meshgrid(*[np.arange(3) / 2] * 3, indexing="ij"))
        top = bids == bids.max(axis=0)
        table = top / top.sum(axis=0) - bids
    solution = rv.solve(matrix(payoffs=table.tolist()), MixedEquilibria(), tolerance=None)
    assert int(solution.data.equilibrium_count) > 0
    for x in solution.record["equilibria"][1]:
        for player in range(3):
            rest = np.moveaxis(table[player], player, 0)
            one, other = (x[p, : table.shape[1 + p]] for p in range(3) if p != player)
            values = rest @ other @ one
            assert values.max() - values @ x[player, : len(values)] < 1e-8


def test_exact_fractions_keep_ties() -> None:
    """Row 2 pays exactly as much as an even mixture of the others, 1/3; floats break the tie."""
    rows = [[Fraction(1, 7), Fraction(11, 21)], [Fraction(11, 21), Fraction(1, 7)], [Fraction(1, 3)] * 2]
    assert 0.5 * float(rows[0][0]) + 0.5 * float(rows[0][1]) != float(rows[2][0])
    table = [rows, [[1, 0], [0, 1], [0, 0]]]
    solution = rv.solve(matrix(payoffs=table), MixedEquilibria())
    assert bool(solution.data.degenerate)
    assert bool(solution.data.complete)
    assert str(solution.data.complete_reason.values) == "all extreme equilibria, in exact arithmetic"
    scaled = [[[21 * x for x in row] for row in rows], table[1]]
    assert same_profiles(
        solution.record["equilibria"][1], list(found(matrix(payoffs=scaled), MixedEquilibria()))
    )


def test_equilibria_are_sorted_by_size_of_support() -> None:
    played = (found(matrix("chicken"), MixedEquilibria()) > 1e-9).sum(axis=(1, 2))
    assert played.tolist() == sorted(played)


def test_lemke_howson_is_refused_for_three_players() -> None:
    with pytest.raises(ValueError, match="algorithm: lemke_howson is for two players; this game has 3"):
        rv.solve(matrix("jordan"), MixedEquilibria(algorithm="lemke_howson"))


def test_payoffs_of_equilibria_are_stored() -> None:
    solution = rv.solve(matrix("battle_of_the_sexes"), MixedEquilibria())
    np.testing.assert_allclose(solution.record["equilibrium_payoff"][1], [[3, 2], [2, 3], [1.2, 1.2]])


@pytest.mark.slow
def test_print_lists_equilibria_and_whether_the_list_is_complete() -> None:
    text = repr(rv.solve(matrix("battle_of_the_sexes"), MixedEquilibria()))
    assert (
        "3 equilibria listed, 2 of them in pure strategies, in 3 components; complete: true (all extreme "
        "equilibria" in text
    )
    assert "opera 0.6, football 0.4  opera 0.4, football 0.6" in text
    text = repr(rv.solve(matrix("jordan"), MixedEquilibria()))
    assert (
        "1 equilibrium listed, in mixed strategies; complete: true (every support was decided: 1 equilibrium"
        in text
    )
    text = repr(rv.solve(matrix("chicken"), PureEquilibria()))
    assert "2 equilibria listed; complete: false (every pure equilibrium; mixed ones were not sought)" in text
    lines = repr(rv.solve(matrix("coordination", size=6), MixedEquilibria())).splitlines()
    assert "  not shown: 13 more equilibria" in lines


@pytest.mark.slow
def test_a_list_of_a_game_with_an_indifferent_player_says_what_is_undecided() -> None:
    """Matching pennies beside a third player without a stake: it may mix in any way, and two are listed."""
    pennies = np.repeat(np.array([[1.0, -1.0], [-1.0, 1.0]])[:, :, None], 2, axis=2)
    found = rv.solve(matrix(payoffs=[pennies, -pennies, 0 * pennies]), MixedEquilibria())
    np.testing.assert_allclose(found.data.equilibria[:, 2], np.eye(2))
    assert "supports undecided: ties, equilibria that are not isolated" in repr(found)
    assert "tie" not in repr(rv.solve(matrix("jordan"), MixedEquilibria()))


def test_equilibria_with_zero_payoffs_for_all_actions_are_certified() -> None:
    """All actions have the same payoff there, and payoffs cancel up to the rounding of the entries."""
    first = np.array([[0.0, -1.1, 1.3], [1.1, 0.0, -0.7], [-1.3, 0.7, 0.0]])
    solution = rv.solve(matrix(payoffs=[first.tolist(), (-first).tolist()]), MixedEquilibria())
    assert solution.claim == "equilibrium"


@pytest.mark.slow
@pytest.mark.parametrize("players", [3, 4])
def test_the_mixed_equilibrium_of_the_volunteers_dilemma_is_listed(players: int) -> None:
    cost = 0.4
    joint = np.array(list(product(range(2), repeat=players))).reshape(*[2] * players, players)
    helped = joint.any(axis=-1)  # action 1 volunteers
    tables = np.stack([helped - cost * joint[..., p] for p in range(players)])
    refuse = cost ** (1 / (players - 1))  # all are indifferent where the others refuse with probability cost
    listed = found(matrix(payoffs=tables.tolist()), MixedEquilibria())
    assert min(np.max(np.abs(x - [refuse, 1 - refuse])) for x in listed) < 1e-8


@pytest.mark.parametrize("seed", range(3))
def test_expectations_over_mixtures_equal_the_sum_over_joint_actions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    table, x = rng.normal(size=(2, 3, 4)), rng.dirichlet(np.ones(4), size=3)
    x[0, 2:], x[1, 3:] = 0.0, 0.0
    a, b, c = x[0, :2], x[1, :3], x[2]
    np.testing.assert_allclose(expected_over(table, x, ()), np.einsum("abc,a,b,c", table, a, b, c))
    np.testing.assert_allclose(expected_over(table, x, (1,)), np.einsum("abc,a,c->b", table, a, c))
    np.testing.assert_allclose(expected_over(table, x, (0, 2)), np.einsum("abc,b->ac", table, b))


def test_approximations_are_refined_on_their_support() -> None:
    """Chicken-like payoffs: the mixed equilibrium makes the other indifferent."""
    tables = np.array([[[0.0, 7.0], [2.0, 6.0]], [[0.0, 2.0], [7.0, 6.0]]])
    exact = np.full((2, 2), [1 / 3, 2 / 3])
    rough = exact + np.array([[4e-3, -4e-3], [-3e-3, 3e-3]])
    np.testing.assert_allclose(mixed_equilibria.refine(tables, rough), exact, atol=1e-15)
    np.testing.assert_array_equal(mixed_equilibria.refine(tables, exact), exact)
    assert mixed_equilibria._newton(tables, rough, np.array([[True, True], [False, False]])) is None
    prisoners = np.array([[[3.0, 0.0], [5.0, 1.0]], [[3.0, 5.0], [0.0, 1.0]]])
    assert mixed_equilibria._newton(prisoners, np.full((2, 2), 0.5), np.full((2, 2), True)) is None


@pytest.mark.slow
@pytest.mark.parametrize("players", [2, 3])
def test_one_equilibrium_is_among_all(players: int) -> None:
    for seed in range(4):
        size = 5 - players
        table = np.random.default_rng(seed).normal(size=(players, *[size] * players)).round(2)
        game = rv.games.matrix(payoffs=table.tolist())
        found = rv.solve(game, rv.methods.MixedEquilibria(one=True)).record
        every = rv.solve(game, rv.methods.MixedEquilibria()).record["equilibria"][1]
        assert int(found["equilibrium_count"][1]) == 1
        assert not found["complete"][1]
        assert np.abs(every - found["equilibria"][1]).max(axis=(1, 2)).min() < 1e-9
