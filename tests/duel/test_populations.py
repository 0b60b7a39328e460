"""Random karma economies: no claim contradicts what one agent can gain."""

import numpy as np
import pytest

import rivalry as rv
from rivalry.lab.study import parameters
from tests.duel.draws import ALIKE
from tests.duel.populations import duel_of_economy, economies, gain_of_one

SEED, DRAWN, NIGHTLY = 1, 200, 40


def test_every_declared_key_is_drawn() -> None:
    drawn = {name for one in economies(SEED, 0, DRAWN) for name in one.keys}
    assert drawn == {row.name for row in parameters(rv.games.karma)}


@pytest.mark.nightly
@pytest.mark.parametrize("first", range(0, NIGHTLY, ALIKE))
def test_no_word_is_wrong(first: int) -> None:
    assert [line for one in economies(SEED, first, ALIKE) for line in duel_of_economy(one).lines()] == []


@pytest.mark.slow
def test_the_referee_sees_that_bidding_nothing_is_no_best_response() -> None:
    game = rv.games.karma(max_karma=4, mean_karma=2.0, gamma=0.9)
    first = np.eye(game.legal.shape[1])[np.zeros(len(game.legal), dtype=int)]
    found = rv.solve(game, rv.methods.Evaluate(), first)
    gained, _, moved = gain_of_one(game, found.data.distribution.values, first)
    assert moved < 1e-9
    assert gained[0] > 0.1
    np.testing.assert_allclose(gained, found.certificate.regret, rtol=1e-6)
