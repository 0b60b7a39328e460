"""The principal branch of logit equilibria against scalar equations, closed forms, NumPy and pygambit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import expit

import rivalry as rv
from rivalry.methods import QuantalResponse
from rivalry.methods.continuation.quantal_response import LogitSystem
from tests.chunks import assert_same_in_chunks

pytestmark = pytest.mark.mostly_slow

# the principal branch of this game turns back twice: found by a search over random payoffs
FOLDED = rv.games.matrix([[77.0, 3.0], [7.0, 19.0]], [[13.0, 16.0], [1.0, 9.0]])


def branch(game: Any, max_lambda: float, **options: Any) -> Any:
    found = rv.solve(game, QuantalResponse(max_lambda=max_lambda, **options))
    has_limit = bool(np.all(np.isfinite(found.data.limit.values)))
    assert found.status == ("converged" if has_limit else "completed")
    assert found.data.logit_lambda.values[-1] == pytest.approx(max_lambda, rel=1e-14)
    return found.data


def residual(game: Any, x: np.ndarray, precision: float) -> float:
    """The largest difference between a probability and its logit response, by explicit sums."""
    table, worst = np.asarray(game.table), 0.0
    players = list(range(len(table)))
    for player in players:
        factors: list[Any] = [table[player], players]
        for other in players:
            if other != player:
                factors += [x[other, : game.sizes[other]], [other]]
        pays = np.einsum(*factors, [player])
        weights = np.exp(precision * (pays - pays.max()))
        worst = max(worst, np.abs(weights / weights.sum() - x[player, : len(pays)]).max())
    return worst


def test_a_symmetric_branch_solves_the_scalar_equation() -> None:
    """In the stag hunt the branch is p = 1/(1 + exp(lambda (3 - 4p))), with one root below one half."""
    data = branch(rv.games.matrix("stag_hunt"), 10.0, step=0.3)
    for precision, x in zip(data.logit_lambda.values, data.logit_profile.values, strict=True):
        root = brentq(lambda p: p - expit(precision * (4 * p - 3)), 0.0, 0.5, xtol=1e-15)  # noqa: B023
        assert x[:, 0] == pytest.approx(root, abs=1e-12)
        assert x.sum(axis=1) == pytest.approx(1.0, abs=1e-15)
    assert data.logit_stable.values.all()
    assert data.limit.values.tolist() == [[0, 1], [0, 1]]
    assert data.fold_lambda.size == data.crossing_lambda.size == 0


@pytest.mark.default
def test_branches_cross_where_the_symmetric_equilibrium_loses_stability() -> None:
    """Both choose with p = 1/(1 + exp(-lambda (2p - 1))), of slope lambda/2 at one half: 1 at lambda = 2."""
    data = branch(rv.games.matrix("coordination"), 8.0)
    assert data.crossing_lambda.values == pytest.approx([2.0], abs=1e-9)
    assert data.logit_profile.values == pytest.approx(0.5)
    assert np.array_equal(data.logit_stable.values, data.logit_lambda.values < 2)
    assert data.limit_distance == 0


@pytest.mark.parametrize("actions", [3, 4, 5])
@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e9])
def test_crossings_of_any_multiplicity_are_located(actions: int, unit: float) -> None:
    """At uniform play the slope of the response is lambda/n, n - 1 times: 1 at lambda = n."""
    game = rv.games.matrix(payoffs=unit * np.stack([np.eye(actions)] * 2))
    data = branch(game, 2.0 * actions / unit)
    assert data.crossing_lambda.values * unit == pytest.approx([actions], rel=1e-9)
    assert data.fold_lambda.size == data.unresolved_lambda.size == 0


def test_a_complex_pair_that_crosses_is_no_crossing_of_branches() -> None:
    """In rock, paper, scissors of three kinds of losses the dynamic turns: uniform play stays alone."""
    game = rv.games.matrix(
        [[0.0, -3.0, 1.0], [1.0, 0.0, -3.0], [-3.0, 1.0, 0.0]],
        np.array([[0.0, 1.0, -3.0], [-3.0, 0.0, 1.0], [1.0, -3.0, 0.0]]).tolist(),
    )
    data = branch(game, 20.0)
    assert not data.logit_stable.values.all()
    assert data.crossing_lambda.size == data.fold_lambda.size == data.unresolved_lambda.size == 0


@pytest.mark.parametrize("prize", [1.0, 9.0])
def test_asymmetric_matching_pennies(prize: float) -> None:
    """Row's own payoff does not change its Nash strategy, one half, but moves its logit choices."""
    data = branch(rv.games.matrix([[prize, 0], [0, 1]], [[0, 1], [1, 0]]), 60.0, step=0.3)
    for precision, x in zip(data.logit_lambda.values, data.logit_profile.values, strict=True):

        def row(q: float, precision: float = precision) -> float:
            return float(expit(precision * ((prize + 1) * q - 1)))

        # column's response falls in row's probability, which rises in column's: one root
        q = brentq(lambda q, k=precision: q - expit(k * (1 - 2 * row(q, k))), 0.0, 1.0, xtol=1e-15)
        assert x[:, 0] == pytest.approx([row(q), q], abs=1e-10)
    assert data.limit.values[:, 0] == pytest.approx([0.5, 1 / (1 + prize)], abs=1e-12)
    between = (data.logit_lambda.values > 0) & (data.logit_lambda.values < 20)
    assert np.all(data.logit_profile.values[between, 0, 0] > 0.5) == (prize > 1)
    assert data.logit_stable.values.all()


def roots(precision: float) -> int:
    """The number of logit equilibria of `FOLDED`: zeros of one equation in the log odds of player 0."""
    table = np.asarray(FOLDED.table)
    p = expit(np.linspace(-80 * precision, 80 * precision, 400_001))
    q = expit(
        precision * (p * (table[1, 0, 0] - table[1, 0, 1]) + (1 - p) * (table[1, 1, 0] - table[1, 1, 1]))
    )
    gain = q * (table[0, 0, 0] - table[0, 1, 0]) + (1 - q) * (table[0, 0, 1] - table[0, 1, 1])
    odds = np.linspace(-80 * precision, 80 * precision, 400_001)
    return int(np.sum(np.diff(np.sign(odds - precision * gain)) != 0))


def test_the_branch_goes_through_folds_where_the_number_of_equilibria_changes() -> None:
    data = branch(FOLDED, 1.0)
    first, second = data.fold_lambda.values
    assert first > second
    assert [roots(second * (1 - 1e-6)), roots(second * (1 + 1e-6))] == [1, 3]
    assert [roots(first * (1 - 1e-6)), roots(first * (1 + 1e-6))] == [3, 1]
    at = data.logit_lambda.values
    turning = np.flatnonzero(np.diff(np.sign(np.diff(at))))
    assert len(turning) == 2
    assert not data.logit_stable.values[turning[0] + 2 : turning[1] - 1].any()
    assert max(residual(FOLDED, x, k) for k, x in zip(at, data.logit_profile.values, strict=True)) < 1e-10
    assert data.limit.values.tolist() == [[0, 1], [0, 1]]


@pytest.mark.parametrize("sizes", [(3, 2), (2, 3, 2), (4, 4), (1, 3)])
def test_points_are_logit_equilibria_with_exact_regrets(sizes: tuple[int, ...]) -> None:
    game = rv.games.matrix(payoffs=np.random.default_rng(sum(sizes)).normal(size=(len(sizes), *sizes)))
    data = branch(game, 40.0, step=0.3)
    pairs = list(zip(data.logit_lambda.values, data.logit_profile.values, strict=True))
    away = [residual(game, x, precision) for precision, x in pairs]
    assert max(away) < 1e-10
    assert data.logit_residual.values == pytest.approx(away, abs=1e-12)
    for row in (0, len(pairs) // 2, len(pairs) - 1):
        x, proof = pairs[row][1], rv.certificate(game, pairs[row][1])
        assert data.logit_regret.values[row] == pytest.approx(proof.regret, abs=1e-14)
        assert data.logit_payoff.values[row] == pytest.approx(np.asarray(game.payoffs(x)), abs=1e-14)
    # a mistake of size d costs at least d, and is made with odds of at most exp(-lambda d)
    bound = (max(sizes) - 1) / (np.e * data.logit_lambda.values[1:, None])
    assert np.all(data.logit_regret.values[1:] <= bound + 1e-12)
    if np.isfinite(data.limit_distance):
        assert rv.certificate(game, data.limit.values).claim == "equilibrium"
    start = np.zeros_like(pairs[0][1])
    for player, size in enumerate(sizes):
        start[player, :size] = 1 / size
    assert np.array_equal(pairs[0][1], start)


@pytest.mark.default
def test_the_derivative_is_that_of_the_equations() -> None:
    rng = np.random.default_rng(3)
    system = LogitSystem(rng.normal(size=(3, 2, 3, 2)))
    y = rng.normal(size=system.unknowns + 1)
    steps = 1e-6 * np.eye(len(y))
    slopes = [(system.evaluate(y + h).value - system.evaluate(y - h).value) / 2e-6 for h in steps]
    assert system.evaluate(y).derivative == pytest.approx(np.array(slopes).T, abs=1e-8)


def test_units_of_payoff_only_scale_lambda() -> None:
    game = rv.games.matrix("chicken")
    other = rv.games.matrix(payoffs=1000 * np.asarray(game.table) + 7)
    ours, theirs = branch(game, 5.0, step=0.3), branch(other, 0.005, step=0.3)
    assert theirs.logit_lambda.values == pytest.approx(ours.logit_lambda.values / 1000, rel=1e-9)
    assert theirs.logit_profile.values == pytest.approx(ours.logit_profile.values, abs=1e-9)


def test_a_session_in_pieces_has_the_same_bits() -> None:
    assert_same_in_chunks(QuantalResponse(max_lambda=1.0), FOLDED, 7)


@pytest.mark.default
def test_too_few_points_are_no_convergence() -> None:
    found = rv.solve(FOLDED, QuantalResponse(max_lambda=1.0), max_steps=20)
    assert found.status == "iteration limit"
    assert found.data.logit_lambda.values[-1] < 1
    assert np.isnan(found.data.limit_distance) == np.isnan(found.data.limit).all()


@pytest.mark.default
def test_what_is_not_a_finite_game_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^max_lambda: -1(\.0)? must be above 0"):
        rv.solve(FOLDED, QuantalResponse(max_lambda=-1.0))
    with pytest.raises(ValueError, match=r"^game: no player has two actions"):
        rv.solve(rv.games.matrix([[1.0]], [[1.0]]), QuantalResponse())
    with pytest.raises(ValueError, match="finite"):
        rv.solve(rv.games.influencer(reach=[0.2, 0.2]), QuantalResponse())


def test_the_figure_shows_probabilities_folds_and_the_limit() -> None:
    data = rv.solve(FOLDED, QuantalResponse(max_lambda=1.0, step=0.3)).data
    axes = rv.plots.logit_branch(data)
    panels = axes.child_axes
    assert [panel.get_title() for panel in panels] == ["player 0", "player 1"]
    marks = [line for line in panels[0].lines if line.get_marker() == "o"]
    assert [line.get_ydata()[0] for line in marks] == data.limit.values[0].tolist()
    dotted = [line.get_xdata()[0] for line in panels[0].lines if line.get_linestyle() == ":"]
    assert dotted == data.fold_lambda.values.tolist()
    labels = axes.get_legend_handles_labels()[1]
    assert {"stable", "unstable", "fold"} <= set(labels)
    assert "crossing of branches" not in labels
    axes.figure.canvas.draw()
    ticks = [text.get_text() for panel in panels for text in panel.get_xticklabels(which="both")]
    assert any(ticks)
    assert not any("$" in tick for tick in ticks)  # mathematics is literal in our figures


@pytest.mark.parametrize("seed", range(3))
def test_points_agree_with_pygambit(seed: int, tmp_path: Path) -> None:
    pygambit = pytest.importorskip("pygambit", minversion="17.0.0b2")  # which iterates over profiles by row
    rng = np.random.default_rng(seed)
    sizes = ((2, 2), (3, 3), (2, 2, 2))[seed]
    game = rv.games.matrix(payoffs=rng.integers(0, 10, (len(sizes), *sizes)).astype(float))
    rv.interop.write_nfg(game, tmp_path / "game.nfg")
    theirs = pygambit.read_nfg(str(tmp_path / "game.nfg"))
    for wanted in (0.1, 1.0):
        (point,) = pygambit.qre.logit_solve_lambda(theirs, [wanted])
        expected = [[p for _, p in row] for row in point.profile]
        ours = rv.solve(game, QuantalResponse(max_lambda=float(point.lam)))
        assert ours.profile.values == pytest.approx(np.array(expected), abs=1e-6)


def test_lambda_is_fitted_where_the_likelihood_of_the_branch_is_largest() -> None:
    """In the stag hunt one number describes the branch: p = expit(lambda (4p - 3)), maximised over lambda."""
    counts = [[30.0, 70.0], [20.0, 80.0]]
    data = branch(rv.games.matrix("stag_hunt"), 3.0, counts=counts)
    # both play alike, so the likelihood is largest where p is the share of all plays, 1/4
    assert data.fitted_profile.values[:, 0] == pytest.approx(0.25, abs=1e-12)
    assert data.fitted_lambda.item() == pytest.approx(np.log(3.0) / 2.0, rel=1e-12)
    exact = 50 * np.log(0.25) + 150 * np.log(0.75)
    assert data.log_likelihood.item() == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize(("counts", "precision"), [([[5, 5], [7, 7]], 0.0), ([[0, 9], [0, 9]], np.inf)])
def test_the_fit_may_be_an_end_of_the_branch(counts: list[list[float]], precision: float) -> None:
    data = branch(rv.games.matrix("stag_hunt"), 3.0, counts=counts)
    # certain play is the likelier the larger lambda is, beyond the end of the branch too
    assert data.fitted_lambda.item() == pytest.approx(precision, abs=1e-12)
    assert np.isfinite(data.log_likelihood.item())


@pytest.mark.default
def test_counts_suit_the_game() -> None:
    with pytest.raises(ValueError, match=r"counts: \(2, 1\) numbers for players with \(2, 2\) actions"):
        rv.solve(rv.games.matrix("stag_hunt"), QuantalResponse(counts=[[1, 2], [3]]))


@pytest.mark.parametrize(("factor", "constant"), [(1.0, 1e3), (1.0, 1e6), (2.0**-20, -1e6), (2.0**20, 1e6)])
def test_units_and_constants_of_payoffs_change_only_lambda(factor: float, constant: float) -> None:
    """The same branch in lambda times the unit, whatever a player has besides."""
    tables = np.array([[[1.5, -1.0], [-0.75, 2.0]], [[-1.0, 1.0], [1.0, -1.0]]])
    base = rv.solve(rv.games.matrix(*tables), QuantalResponse(max_lambda=50.0))
    moved = factor * (tables + np.array([constant, 0.0])[:, None, None])
    found = rv.solve(rv.games.matrix(*moved), QuantalResponse(max_lambda=50.0 / factor))
    assert found.status == base.status == "converged"
    assert found.data.logit_lambda.values * factor == pytest.approx(base.data.logit_lambda.values, rel=1e-8)
    for name in ("logit_profile", "limit"):
        assert found.data[name].values == pytest.approx(base.data[name].values, abs=1e-8)
    payoffs = found.data.logit_payoff.values / factor - np.array([constant, 0.0])
    assert payoffs == pytest.approx(base.data.logit_payoff.values, abs=1e-8)


def test_the_branch_goes_on_at_log_odds_of_millions() -> None:
    """Rounding of log odds is relative to their size."""
    tables = 1e6 * np.array([[[1.5, -1.0], [-0.75, 2.0]], [[-1.0, 1.0], [1.0, -1.0]]])
    found = rv.solve(rv.games.matrix(*tables), QuantalResponse())
    assert found.status == "converged"
    # indifference of the other player, by hand
    assert found.data.limit.values == pytest.approx(np.array([[0.5, 0.5], [3 / 5.25, 2.25 / 5.25]]), abs=1e-9)


@pytest.mark.parametrize("factors", [(1, 1), (1 / 60, 1), (1, 1e-3), (1e3, 1), (60, 60)])
def test_the_usual_end_does_not_depend_on_units(factors: tuple[float, float]) -> None:
    """Ranges of 60 and .7: at one precision for both, the second player would still tremble."""
    tables = np.array([[[40.0, 0.0], [0.0, 60.0]], [[0.7, 0.0], [0.0, 0.3]]])
    base = rv.solve(rv.games.matrix(*tables), QuantalResponse())
    found = rv.solve(rv.games.matrix(*(tables * np.reshape(factors, (2, 1, 1)))), QuantalResponse())
    assert (base.status, base.claim) == (found.status, found.claim) == ("converged", "equilibrium")
    assert np.all((base.data.limit.values == 0) | (base.data.limit.values == 1))
    assert found.data.limit.values == pytest.approx(base.data.limit.values, abs=1e-12)
    x, y = (found.data.logit_profile.values[:, player] for player in (0, 1))
    rates = found.data.player_lambda.values * factors
    # logit responses by hand: the odds of the first action
    middle = (x.min(axis=1) > 1e-6) & (y.min(axis=1) > 1e-6)
    gain = 40 * y[:, 0] - 60 * y[:, 1], 0.7 * x[:, 0] - 0.3 * x[:, 1]
    for strategy, rate, win in zip((x, y), rates.T, gain, strict=True):
        odds = np.log(strategy[middle, 0] / strategy[middle, 1])
        assert odds == pytest.approx(rate[middle] * win[middle], abs=1e-6)


def test_a_branch_without_a_limit_has_not_converged() -> None:
    tables = [[40.0, 0.0], [0.0, 60.0]], [[0.7, 0.0], [0.0, 0.3]]
    found = rv.solve(rv.games.matrix(*tables), QuantalResponse(max_lambda=1.0))
    assert np.all(np.isnan(found.data.limit.values))
    assert found.status == "completed"
