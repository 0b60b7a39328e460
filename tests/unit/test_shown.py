"""Text representations of games, including traced games and games without arrays."""

from __future__ import annotations

import jax
import pytest

import rivalry as rv


def test_the_repr_of_a_game_names_players_space_and_options() -> None:
    game = rv.games.influencer(reach=[0.2, 0.3], space="box", third_party="1 + 0*b1", abstention=0.5)
    said = repr(game)
    for words in ("2 players", "[0, 1] × [0, 1]", "Gaussian, reach [0.2 0.3]", "third party", "abstention"):
        assert words in said
    assert repr(rv.games.matrix("jordan")) == "Matrix game of 3 players, 2 × 2 × 2 actions (heads, tails)"


@pytest.mark.parametrize("game", [rv.games.influencer(), rv.games.matrix("chicken")])
def test_the_repr_of_a_game_works_when_traced_and_without_arrays(game: object) -> None:
    told = []

    def traced(inner: object) -> float:
        told.append(repr(inner))
        return 0.0

    jax.jit(traced)(game)
    told.append(repr(jax.tree.map(lambda leaf: None, game)))
    assert all(told)
