"""Masks in infos alone, and the state of all agents: environments that wrappers of boxes take."""

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from pettingzoo.test import api_test, parallel_api_test

import rivalry as rv
from rivalry.envs import aec_env, parallel_env
from tests.unit.env_families import unchecked


def economy() -> Any:
    return rv.games.karma(agents=4, max_karma=6, mean_karma=3.0)


@pytest.mark.slow
def test_masks_in_infos_are_those_of_the_observations() -> None:
    plain, boxed = (parallel_env(economy(), mask=where, periods=5) for where in ("observation", "info"))
    assert isinstance(boxed.observation_space("agent_0"), spaces.Box)
    assert isinstance(plain.observation_space("agent_0"), spaces.Dict)
    (seen, _), (rows, infos) = plain.reset(seed=1), boxed.reset(seed=1)
    for _ in range(5):
        for name, one in seen.items():
            np.testing.assert_array_equal(rows[name], one["observation"])
            np.testing.assert_array_equal(infos[name]["action_mask"], one["action_mask"])
            assert boxed.observation_space(name).contains(rows[name])
        bids = {name: int(one["action_mask"].sum()) - 1 for name, one in seen.items()}
        seen = plain.step(bids)[0]
        rows, _, _, _, infos = boxed.step(bids)


@pytest.mark.slow
def test_the_state_is_all_observations() -> None:
    for game in (economy(), rv.games.market()):
        env = parallel_env(game, periods=3, mask="info", normalize_spaces=True)
        seen, _ = env.reset(seed=2)
        np.testing.assert_array_equal(env.state(), np.concatenate([seen[name] for name in env.agents]))
        assert env.state_space.contains(env.state())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_pettingzoo_accepts_them() -> None:
    parallel_api_test(parallel_env(economy(), mask="info", illegal="clip"), num_cycles=8)
    api_test(aec_env(economy(), mask="info", illegal="clip"), num_cycles=8)


def test_a_wrong_place_is_refused() -> None:
    with pytest.raises(ValueError, match="mask: 'infos' is unknown; did you mean 'info'"):
        unchecked(economy(), mask="infos")
