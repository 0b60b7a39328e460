"""Recipes of games: variants made by the same factory with changed arguments."""

import copy
import pickle
from typing import Any

import equinox as eqx
import numpy as np
import pytest

import rivalry as rv
from rivalry.core.game import with_
from rivalry.schema.construction import recipe_of, replace_entry, variant

SMALL: dict[str, Any] = {"max_karma": 3, "mean_karma": 1.0, "agents": 8}


@pytest.mark.slow
def test_a_variant_equals_the_game_made_by_the_factory() -> None:
    rich = variant(rv.games.karma(**SMALL, payment="PBS"), mean_karma=2.0, tax=0.1)
    direct = rv.games.karma(max_karma=3, mean_karma=2.0, agents=8, payment="PBS", tax=0.1)
    assert eqx.tree_equal(rich, direct)
    assert eqx.tree_equal(variant(rich, mean_karma=1.0, tax=0.0), rv.games.karma(**SMALL, payment="PBS"))
    assert variant(rv.games.city(network="stubs_2x2", agents=40, mean_karma=2.0), max_karma=5).most == 5
    assert variant(rv.games.routes("pigou"), **{'demand."s>t"': 7.0}).trips.tolist() == [7.0]


def test_dotted_keywords_change_entries_of_tables_and_lists() -> None:
    toll = {"kind": "load", "slope": 1.0, "from": 0.1}
    city = rv.games.city(network="stubs_2x2", agents=40, toll=toll)
    assert np.allclose(variant(city, **{"toll.slope": 3.0}).toll, 3 * city.toll)
    assert city.toll.max() > 0
    types = [{"name": "a", "share": 0.5}, {"name": "b", "share": 0.5, "gamma": 0.5}]
    game = variant(rv.games.karma(**SMALL, types=types), **{"types[1].gamma": 0.75})
    assert game.gamma.tolist() == [0.98, 0.75]
    assert types[1]["gamma"] == 0.5
    with pytest.raises(ValueError, match=r"^types\[2\].gamma: \[2\] must be in 0\.\.1"):
        variant(game, **{"types[2].gamma": 0.5})


def test_games_of_equal_structure_share_compiled_programs() -> None:
    traced = []

    @eqx.filter_jit
    def total(game: Any) -> Any:
        traced.append(1)
        return game.stakes.sum() + game.mean_karma

    game = rv.games.karma(**SMALL)
    found = [float(total(one)) for one in (game, variant(game, mean_karma=2.0), rv.games.karma(**SMALL))]
    assert found == [7.0, 8.0, 7.0]
    assert len(traced) == 1


def test_a_modified_game_has_no_recipe() -> None:
    game = rv.games.karma(**SMALL)
    for other in (with_(game, stakes=[[1.0, 3.0]]), game.with_mean_karma(2.0), game.continuum()):
        assert recipe_of(other) is None
        with pytest.raises(ValueError, match=r"^game: this KarmaEconomy does not know how it was made"):
            variant(other, mean_karma=1.0)
    for same in (copy.deepcopy(game), pickle.loads(pickle.dumps(game))):
        assert float(variant(same, mean_karma=2.0).mean_karma) == 2.0


@pytest.mark.slow
def test_keywords_are_changed_by_the_factory_with_all_that_follows_from_them() -> None:
    small = with_(rv.games.market(capacity=[20.0, 100.0]), capacity=[10.0, 100.0])
    assert eqx.tree_equal(small, rv.games.market(capacity=[10.0, 100.0]))
    assert eqx.tree_equal(with_(small, tax=0.1), rv.games.market(capacity=[10.0, 100.0], tax=0.1))
    assert with_(rv.games.race(no_winner="disaster"), no_winner=0.5).rules.no_winner == "value"
    # a tax per unit of karma, as the factory understands the number
    assert with_(rv.games.karma(**SMALL), tax=0.5).tax.tolist() == [0.0, 0.5, 1.0, 1.5]
    with pytest.raises(ValueError, match=r"^capacity\[0\]: -1 must be at least 0"):
        with_(small, capacity=-1.0)


@pytest.mark.slow
def test_a_game_with_a_function_is_pickled_without_its_recipe() -> None:
    game = rv.games.influencer(resource=lambda b: 1 + b)
    assert eqx.tree_equal(with_(game, reach=0.1), rv.games.influencer(resource=lambda b: 1 + b, reach=0.1))
    assert recipe_of(pickle.loads(pickle.dumps(game))) is None


def test_variants_report_the_errors_of_the_factory() -> None:
    game = rv.games.karma(**SMALL)
    with pytest.raises(
        ValueError, match=r"^mean_carma: is no keyword of karma; did you mean 'mean_karma'\?$"
    ):
        variant(game, mean_carma=2.0)
    with pytest.raises(ValueError, match=r"^mean_karma: 9 must be in \[0, max_karma = 3\]$"):
        variant(game, mean_karma=9.0)


@pytest.mark.parametrize("index", [-1, 2])
def test_an_index_outside_a_list_is_refused(index: int) -> None:
    with pytest.raises(ValueError, match=rf"^unit_cost: \[{index}\] must be in 0..1$"):
        replace_entry([0.1, 0.2], [index], 0.5, "unit_cost", None)
