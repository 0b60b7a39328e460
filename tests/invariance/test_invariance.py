"""The same game in other words has the same status, claim and end, and the same numbers.

A table of methods and changes: units and constants of payoffs, the order of players and of actions, and an
action that nobody would take. A cell does not apply for a reason (`Row.apart`), or fails today for one.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from rivalry.methods import METHODS
from tests.invariance.games import ROWS, WITHOUT, Row, solved
from tests.invariance.test_boxes import ROWS as ON_BOXES

# a method that ends early warns; the table compares its status
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

CHANGES = ("unit", "constant", "players", "actions", "dummy")
CLOSE = 1e-9
MILLION = 2.0**20  # exact in binary, so that payoffs keep their digits


def cells() -> Iterator[Any]:
    """All cells of the table; the default tests take one of each row, another change each time."""
    for number, (name, row) in enumerate(ROWS.items()):
        admitted = [(change, which) for change in CHANGES for which in cases(row, change)]
        for change, which in admitted:
            why = row.failing.get(f"{change} {which}", row.failing.get(change))
            marks = [pytest.mark.xfail(strict=True, reason=why)] if why else []
            if row.slow or (change, which) != admitted[number % len(admitted)]:
                marks.append(pytest.mark.slow)
            yield pytest.param(name, change, which, marks=marks, id=f"{name}-{change}-{which}")


def cases(row: Row, change: str) -> range:
    """Numbers of the cases of a change that apply to a method."""
    if change in row.apart:
        return range(0)
    return range(len(row.factors) if change == "unit" else 1)


def words(found: Any) -> tuple[object, ...]:
    """What is said of a result."""
    return found.status, found.claim, found.end_state


def agree(row: Row, base: Any, found: Any, factors: np.ndarray, constants: np.ndarray) -> None:
    """Compare words, numbers without a unit, and payoffs in the first units."""
    assert words(found) == words(base)
    for name in row.same:
        shapes = [some.data[name].values.shape for some in (base, found)]
        assert shapes[0] == shapes[1]
        np.testing.assert_allclose(
            found.data[name].values, base.data[name].values, rtol=CLOSE, atol=CLOSE, err_msg=name
        )
    spans = np.ptp(row.tables.reshape(len(row.tables), -1), axis=1)
    for name in row.payoffs:
        values = (found.data[name].values - constants) / factors
        difference = np.abs(values - base.data[name].values) / spans
        # the last digits of a constant are lost in the result
        assert difference.max() <= CLOSE + np.max(np.abs(constants) / factors / spans) * 2.0**-51, name


@pytest.mark.representative
@pytest.mark.parametrize(("name", "change", "which"), [*cells()])
def test_the_same_game_has_the_same_results(name: str, change: str, which: int) -> None:
    row, ones = ROWS[name], np.ones(2)
    base = solved(row, row.tables, ones, row.start)
    if change == "unit":
        factors = np.array(row.factors[which])
        found = solved(row, row.tables * factors[:, None, None], factors, row.start)
        agree(row, base, found, factors, 0 * ones)
    elif change == "constant":
        constants = np.array([MILLION, -2 * MILLION]) * (
            [1.0, -0.5] if name in ("evolutionary_stability", "fermi") else 1
        )
        found = solved(row, row.tables + constants[:, None, None], ones, row.start)
        agree(row, base, found, ones, constants)
    else:
        renamed(row, base, change)


def renamed(row: Row, base: Any, change: str) -> None:
    """Compare results where players or actions are permuted, or an action is added that never pays."""
    tables, start = row.tables, row.start
    if change == "players":
        tables = np.swapaxes(tables, 1, 2)[::-1]
        start = None if start is None else start[::-1]
    elif change == "actions":
        tables = tables[:, ::-1, ::-1]
        start = None if start is None else start[:, ::-1]
    else:
        # dominated by far, and of no consequence for the other player
        further = np.stack([tables[0].min(axis=0) - 1.0, tables[1].mean(axis=0)])[:, None]
        tables = np.concatenate([tables, further], axis=1)
        start = None if start is None else np.pad(start, ((0, 0), (0, 1)))
    found = solved(row, np.ascontiguousarray(tables), np.ones(2), start)
    assert words(found) == words(base)
    for name in row.same:
        ours, theirs = base.data[name].values, found.data[name].values
        if base.data[name].ndim == 1:  # by type
            ours = ours[::-1] if change == "actions" else ours
        else:
            ours = ours[..., ::-1, :] if change == "players" else ours
            ours = ours[..., ::-1] if change == "actions" else ours
            theirs = theirs[..., : ours.shape[-1]] if change == "dummy" else theirs
        np.testing.assert_allclose(theirs, ours, rtol=CLOSE, atol=CLOSE, err_msg=name)


def test_each_method_has_a_row_or_a_reason() -> None:
    assert not set(ROWS) & set(WITHOUT)
    assert set(METHODS) <= set(ROWS) | set(ON_BOXES) | set(WITHOUT), "add a row to tests/invariance/games.py"
    for row in ROWS.values():
        assert set(row.apart) <= {*CHANGES, "unlike"}
