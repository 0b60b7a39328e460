"""The table of trained networks, from arrays written by hand."""

import numpy as np

from rivalry.lab.store.head import packages_of
from rivalry.lab.study import Study
from rivalry.results import tables_of
from rivalry.results.reader import Reader

GAME = {"family": "matrix", "name": "shapley"}
ARRAYS = {
    "resumed": np.asarray(0.0),
    "regret": np.array([0.1, 0.3]),
    "trained_best_response_gain": np.array([0.2, 0.4]),
    "trained_best_response_gain_band": np.array([0.01, 0.05]),
    "exploitability": np.full(2, np.nan),
    "exploring_efficiency": np.asarray(0.25),
}


def rows(**changes: np.ndarray) -> dict[str, str]:
    """Texts of the table by quantity."""
    (table,) = tables_of(Reader(ARRAYS | changes))
    return {row["quantity"].text: row["largest over players"].text for row in table.rows}


def test_gains_are_the_largest_over_players_with_the_band_of_their_estimate() -> None:
    assert rows() == {
        "gain": "0.3",
        "exploring efficiency": "0.25",
        "trained best response gain": "0.400 ± 0.050",
    }


def test_bands_within_rounding_error_are_left_out() -> None:
    bands = np.full(2, 5e-17)
    assert rows(trained_best_response_gain_band=bands)["trained best response gain"] == "0.4"


def test_a_training_that_resumed_says_so() -> None:
    (table,) = tables_of(Reader(ARRAYS | {"resumed": np.asarray(1.0)}))
    assert table.title == "outcomes of training, resumed from a checkpoint"


def test_there_is_no_table_without_networks() -> None:
    assert list(tables_of(Reader({name: array for name, array in ARRAYS.items() if name != "resumed"}))) == []


def test_studies_of_networks_record_their_libraries() -> None:
    plain, deep = ({"name": "a", "kind": kind} for kind in ("pure_equilibria", "rllib.dqn"))
    assert packages_of(Study(name="one", game=GAME, method=[plain])) == set()
    assert packages_of(Study(name="one", game=GAME, method=[plain, deep | {"name": "b"}])) == {"ray", "torch"}
