"""The examples of branches, a custom market and a custom race, against their closed forms."""

from pathlib import Path

import numpy as np
import pytest

import rivalry as rv
from rivalry.schema.registry import from_file

pytestmark = pytest.mark.slow


EXAMPLES = Path(__file__).parents[2] / "docs" / "tutorial" / "examples"


@pytest.mark.parametrize("players", [3])
def test_a_market_loses_its_symmetric_equilibrium(players: int) -> None:
    market = from_file("scale_market.py:scale_market", EXAMPLES)(players=players)
    data = rv.solve(market, rv.methods.Branches(parameter="economies", low=1.0, high=3.0)).data
    # equal quantities q: 1 - (n + 1) q + k q - m q^2 = 0; symmetry breaks at -1 + k - 2 m q = 0
    strain = 1.0
    q = (np.sqrt(players**2 - 4 * strain) - players) / (-2 * strain)
    np.testing.assert_allclose(players * q - strain * q**2, 1.0)
    np.testing.assert_allclose(data.symmetric_loss_parameter, [1 + 2 * strain * q], atol=1e-9)
    np.testing.assert_allclose(data.symmetric_loss_position.values, q, atol=1e-9)
    together = data.isel(row=np.flatnonzero(data.branch.values == 0))
    x, k = together.branch_position.values[:, :, 0], together.branch_parameter.values
    equal = (np.sqrt((players + 1 - k) ** 2 + 4 * strain) - (players + 1 - k)) / (2 * strain)
    np.testing.assert_allclose(x, np.repeat(equal[:, None], players, axis=1), atol=1e-9)
    np.testing.assert_array_equal(together.branch_stable, k < 1 + 2 * strain * q)
    assert np.any(data.branch_group.values.max(axis=1) > 0)


def test_a_race_has_two_folds() -> None:
    race = from_file("effort_race.py:effort_race", EXAMPLES)(rivalry=2.0)
    data = rv.solve(race, rv.methods.Branches(parameter="prize", low=2.5, high=5.5)).data
    bend, height = np.arccosh(np.sqrt(2.0)), 2.0 * np.sqrt(0.5)
    np.testing.assert_allclose(
        np.sort(data.fold_parameter), [4 + bend - height, 4 - bend + height], atol=1e-9
    )
    x, prize = data.branch_position.values[:, 0, 0], data.branch_parameter.values
    np.testing.assert_allclose(x, prize + 2 * np.tanh(x - 4), atol=1e-9)
    np.testing.assert_array_equal(data.branch_stable, 2 / np.cosh(x - 4) ** 2 < 1)
    assert float(data.branch_regret.max()) < 1e-9  # payoffs are concave in the player's own effort
