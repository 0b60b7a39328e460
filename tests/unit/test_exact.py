"""Regrets and equilibria of pure strategies on grids, against brute force."""

from itertools import permutations

import numpy as np
import pytest

from rivalry.families.matrix import matrix
from rivalry.tables import equilibria, exact, largest_payoff, payoffs, regrets, tabulate
from tests.contests import every, shared


def recount(table: np.ndarray, actions: tuple[int, ...]) -> np.ndarray:
    """Regrets at a joint action, from ``table [player action_0 ..]``."""
    gains = []
    for player in range(len(actions)):
        line = [
            table[(player, *actions[:player], k, *actions[player + 1 :])]
            for k in range(table.shape[1 + player])
        ]
        gains.append(max(line) - table[(player, *actions)])
    return np.array(gains)


@pytest.mark.parametrize("seed", range(4))
def test_regrets_and_equilibria_of_random_games_match_brute_force(seed: int) -> None:
    table = np.random.default_rng(seed).integers(0, 4, size=(3, 2, 3, 4)).astype(float)  # many ties
    game = tabulate(matrix(payoffs=table.tolist()))
    rests = []
    for actions in every([2, 3, 4]):
        gains = regrets(game, actions)
        np.testing.assert_array_equal(gains, recount(table, actions))
        if np.all(gains == 0):
            rests.append(list(actions))
    assert equilibria(game).tolist() == rests


def test_one_equilibrium_is_listed_per_swap_of_exchangeable_players() -> None:
    game = shared(players=3, steepness=[6.0, 2.0, 6.0], cost=np.zeros(3), third=np.zeros(7), abstention=0.0)
    made = tabulate(game, 5)
    table = made.tables.payoff[0].reshape(3, 5, 5, 5)
    rests = {a for a in every([5] * 3) if np.all(recount(table, a) <= 1e-12 * table.max())}
    assert rests  # this game has some
    found = {tuple(row) for row in equilibria(made).tolist()}
    swapped = {(a[2], a[1], a[0]) for a in found}
    assert found | swapped == rests
    assert all(a[0] <= a[2] for a in found)


@pytest.mark.representative
def test_results_are_the_same_without_a_payoff_table(monkeypatch: pytest.MonkeyPatch) -> None:
    game = shared(players=4, seed=3, steepness=[3.0] * 4, cost=np.zeros(4))
    table = tabulate(game, 5)
    with pytest.warns(UserWarning, match="summed when needed"):
        summed = tabulate(game, 5, max_table_bytes=1)
    assert summed.exchangeable.tolist() == [0, 0, 0, 0]
    assert equilibria(summed).tolist() == equilibria(table).tolist() != []
    assert largest_payoff(summed) == largest_payoff(table)
    for actions in ((0, 1, 2, 3), (4, 4, 0, 2)):
        np.testing.assert_array_equal(regrets(summed, actions), regrets(table, actions))
        for order in permutations(range(4)):
            turned = np.asarray(actions)[list(order)]
            np.testing.assert_allclose(
                payoffs(summed, turned), payoffs(summed, actions)[list(order)], rtol=1e-12
            )
    with pytest.raises(ValueError, match="game: 70 joint actions to go through"):
        equilibria(summed, most=69)
    with pytest.raises(ValueError, match="game: 70 joint actions to go through"):
        largest_payoff(summed, most=69)


def test_a_game_in_which_every_profile_is_an_equilibrium() -> None:
    """No player has influence anywhere, so every joint action is an equilibrium."""
    game = shared(players=2, steepness=[1.0, 2.0], weights=np.zeros(7), cost=np.zeros(2))
    with pytest.warns(UserWarning, match="summed when needed"):
        summed = tabulate(game, 9, max_table_bytes=1)
    assert equilibria(summed).tolist() == [list(actions) for actions in every([9, 9])]


def test_wrong_input() -> None:
    game = tabulate(matrix("chicken"))
    with pytest.raises(ValueError, match=r"actions: .* must be whole numbers, one for each of 2 players"):
        regrets(game, [0.0, 1.0])
    with pytest.raises(ValueError, match=r"actions: player 1 at 2; must be in 0\.\.1"):
        payoffs(game, [[0, 0], [0, 2]])
    with pytest.raises(ValueError, match=r"actions: shape \(1, 2\) must be \(2,\)"):
        regrets(game, [[0, 0]])
    two = game._replace(tables=game.tables._replace(payoff=np.repeat(game.tables.payoff, 2, axis=0)))
    with pytest.raises(ValueError, match="game: has 2 states of nature; must have one"):
        exact.equilibria(two)
