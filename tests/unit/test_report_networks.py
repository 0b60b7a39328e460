"""The table of networks in the report, from small datasets written by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from rivalry.lab.answer.details import networks
from rivalry.lab.store.head import packages_of
from rivalry.lab.study import Study

MADE_BY = {"rivalry": "1.0", "ray": "2.60.0", "torch": "2.13.0"}
GAME = {"family": "matrix", "name": "shapley"}


def data(**more: Any) -> xr.Dataset:
    """Return a network with two seeds, one of them resumed, and a method without networks."""
    over = ("algorithm", "replication")
    variables = {
        "status": (over, [["converged"] * 2, ["iteration limit"] * 2]),
        "resumed": (over, [[np.nan] * 2, [0.0, 1.0]]),
        "regret": ((*over, "player"), [[[0.0, 0.0]] * 2, [[0.1, 0.3], [0.5, 0.2]]]),
        "exploring_regret": ((*over, "player"), [[[np.nan] * 2] * 2, [[1.0, 2.0], [2.0, 1.0]]]),
    }
    return xr.Dataset(variables | more, coords={"algorithm": ["reply", "ppo"], "replication": [0, 1]})


def test_gains_are_maxima_over_players_averaged_over_seeds() -> None:
    found = networks(data(), MADE_BY)
    assert found is not None
    assert found.columns == ["Gain", "… exploring"]
    half = 12.706204736432095 * np.std([0.3, 0.5], ddof=1) / np.sqrt(2)  # Student's t, 1 degree
    assert found.rows == [("ppo", 2, "1 resumed", [f"0.4 ± {half:.1f}", "2"])]
    assert found.libraries == "ray 2.60.0 and torch 2.13.0"
    assert not found.trained


def test_trained_gains_are_shown_with_their_confidence_band() -> None:
    one = data().isel(replication=[0])
    over = ("algorithm", "replication", "player")
    one["trained_best_response_gain"] = (over, [[[np.nan] * 2], [[0.2, 0.4]]])
    one["trained_best_response_gain_band"] = (over, [[[np.nan] * 2], [[0.01, 0.05]]])
    found = networks(one, {"rivalry": "1.0"})
    assert found is not None
    assert found.columns == ["… exploring", "Gain by training"]
    assert found.rows == [("ppo", 1, "uninterrupted", ["2", "0.400 ± 0.050"])]
    assert found.trained
    assert found.libraries == ""


def test_bands_within_rounding_error_are_left_out() -> None:
    one = data().isel(replication=[0])
    over = ("algorithm", "replication", "player")
    one["trained_best_response_gain"] = (over, np.zeros((2, 1, 2)))
    one["trained_best_response_gain_band"] = (over, np.full((2, 1, 2), 5e-17))
    found = networks(one, MADE_BY)
    assert found is not None
    assert found.rows[0][3] == ["2", "0"]


def test_columns_without_a_value_in_any_row_are_left_out() -> None:
    over = ("algorithm", "replication")
    empty = data(efficiency=(over, np.full((2, 2), np.nan)), exploitability=(over, [[0.5] * 2, [0.25] * 2]))
    found = networks(empty, MADE_BY)
    assert found is not None
    assert found.columns == ["Gain", "… exploring", "Exploitability"]
    assert [len(parts) for *_, parts in found.rows] == [3]
    assert found.rows[0][3][2] == "0.25"


def test_there_is_no_table_without_networks() -> None:
    assert networks(data().drop_vars("resumed"), MADE_BY) is None
    assert networks(data().isel(algorithm=[0]), MADE_BY) is None


def test_studies_of_networks_record_their_libraries() -> None:
    plain, deep = ({"name": "a", "kind": kind} for kind in ("pure_equilibria", "rllib.dqn"))
    assert packages_of(Study(name="one", game=GAME, method=[plain])) == set()
    assert packages_of(Study(name="one", game=GAME, method=[plain, deep | {"name": "b"}])) == {"ray", "torch"}
