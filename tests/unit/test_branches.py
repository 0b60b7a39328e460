"""Branches of equilibria of influencer games, against closed forms and independently computed values."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.certificates.certify import certificate
from rivalry.core.game import jacobian, with_
from rivalry.methods.continuation import pseudo_arclength
from rivalry.runtime.jax import put
from tests import jaxcont_curves

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from xarray import Dataset


def influencer(players: int, **changes: object) -> rv.Game:
    game: rv.Game = rv.games.influencer(**{"players": players, "reach": 0.2, "resource": "bimodal"} | changes)
    return game


@cache
def three() -> Dataset:
    learner = rv.methods.Branches(parameter="reach", low=0.08, high=0.3)
    return rv.solve(influencer(3), learner).data


@cache
def five() -> Dataset:
    learner = rv.methods.Branches(parameter="reach", low=0.065, high=0.3, certify="none")
    return rv.solve(influencer(5), learner).data


def rows_of(data: Dataset, branch: int) -> Dataset:
    return data.isel(row=np.flatnonzero(data.branch.values == branch))


def sizes_of(data: Dataset) -> dict[int, tuple[int, ...]]:
    """Return the group sizes of every branch, largest first."""
    found = {}
    for branch in np.unique(data.branch.values):
        groups = rows_of(data, int(branch)).branch_group.values[0]
        found[int(branch)] = tuple(sorted(np.bincount(groups), reverse=True))
    return found


def branches_with(data: Dataset, *sizes: int) -> list[int]:
    return [branch for branch, own in sizes_of(data).items() if own == sizes]


def test_the_centre_loses_stability_at_the_closed_form() -> None:
    data, game = three(), influencer(3)
    points, weights = np.asarray(game.points)[:, 0], np.asarray(game.weights)
    mean = weights @ points / weights.sum()
    expected = np.sqrt(0.5 * (weights @ (points - mean) ** 2) / weights.sum())
    np.testing.assert_allclose(data.symmetric_loss_parameter, [expected], atol=1e-10)
    np.testing.assert_allclose(data.event_eigenvalues_real[0, :2], 0.0, atol=1e-9)
    assert data.event_moves.values[0] == "splits group 0"
    centre = rows_of(data, 0)
    np.testing.assert_allclose(centre.branch_position.values, mean, atol=1e-12)
    np.testing.assert_array_equal(centre.branch_stable, centre.branch_parameter > expected)


def test_mirror_symmetric_branch_is_stable_and_pair_branches_are_saddles() -> None:
    data = three()
    (mirror,) = branches_with(data, 1, 1, 1)
    rows = rows_of(data, mirror)
    np.testing.assert_allclose(rows.branch_position.sum("player").values, 1.5, atol=1e-10)
    below = (rows.branch_parameter < 0.1888) & (rows.branch_parameter > 0.1582)
    assert below.sum() > 5
    assert bool(rows.branch_stable[below].all())
    pairs = branches_with(data, 2, 1)
    assert len(pairs) == 2
    for pair in pairs:
        own = rows_of(data, pair).isel(row=slice(1, None))
        assert not own.branch_stable.any()
        assert bool((own.branch_eigenvalues_real.min("eigenvalue") < 0).all())
        assert float(own.branch_parameter.max()) < 0.188815


def test_the_mirror_branch_ends_in_a_supercritical_hopf_point() -> None:
    data = three()
    np.testing.assert_allclose(data.hopf_parameter, [0.15818468164430274], atol=1e-9)
    np.testing.assert_allclose(data.hopf_frequency, [62.28242444425924], rtol=1e-7)
    at = np.sort(data.hopf_position.values[0, :, 0])
    np.testing.assert_allclose((at[2] - at[0]) / 2, 0.15036106100538038, atol=1e-9)
    assert float(data.hopf_lyapunov[0]) < 0
    assert float(data.event_residual.max()) < 1e-10


def test_the_pair_branch_is_a_saddle_at_a_short_reach() -> None:
    data = three()
    pair = next(
        rows_of(data, branch).isel(row=-1)
        for branch in branches_with(data, 2, 1)
        if rows_of(data, branch).branch_position.values[-1].min() < 0.5
    )
    assert float(pair.branch_parameter) == 0.08
    np.testing.assert_allclose(
        np.sort(pair.branch_position.values[:, 0]), [0.257798, 0.257798, 0.327506], atol=1e-6
    )
    np.testing.assert_allclose(pair.branch_eigenvalues_real, [576.65, -667.3, -667.3], atol=0.05)
    np.testing.assert_allclose(pair.branch_eigenvalues_imag, [0.0, 685.0, -685.0], atol=0.05)
    assert pair.branch_moves.values.tolist() == ["splits group 0", "moves groups", "moves groups"]
    np.testing.assert_allclose(pair.branch_regret.max(), 19.30, atol=0.01)


@pytest.mark.parametrize("which", [three, five])
def test_labelled_eigenvalues_equal_those_of_the_full_jacobian(which: object) -> None:
    data = which()  # type: ignore[operator]
    game = influencer(data.sizes["player"])
    for row in range(0, data.sizes["row"], 17):
        here = data.isel(row=row)
        full = np.linalg.eigvals(
            np.asarray(
                jacobian(with_(game, reach=float(here.branch_parameter)), put(here.branch_position.values))
            )
        )
        ours = here.branch_eigenvalues_real.values + 1j * here.branch_eigenvalues_imag.values
        apart = np.abs(ours[:, None] - full[None, :])
        assert apart.min(axis=1).max() <= 1e-6 * np.abs(full).max()
        assert apart.min(axis=0).max() <= 1e-6 * np.abs(full).max()
        groups = here.branch_group.values
        splitting = np.sum(np.char.startswith(here.branch_moves.values.astype(str), "splits"))
        assert splitting == len(groups) - len(np.unique(groups))


def test_regrets_and_payoffs_along_branches_equal_those_of_certificates() -> None:
    data = three()
    assert set(data.branch_coverage.values) == {"lower bound"}
    for row in range(3, data.sizes["row"], 40):
        here = data.isel(row=row)
        game = with_(influencer(3), reach=float(here.branch_parameter))
        x = put(here.branch_position.values)
        np.testing.assert_allclose(here.branch_regret, certificate(game, x).regret, atol=1e-6)
        np.testing.assert_allclose(here.branch_payoff, game.payoffs(x), rtol=1e-12)


def test_three_of_five_split_at_a_short_reach() -> None:
    data = five()
    np.testing.assert_allclose(data.symmetric_loss_parameter, [0.231250], atol=1e-6)
    assert sorted(own for own in sizes_of(data).values()) == [
        (2, 2, 1), (3, 1, 1), (3, 2), (3, 2), (4, 1), (4, 1), (5,)
    ]  # fmt: skip
    for branch in branches_with(data, 3, 2):
        rows = rows_of(data, branch).isel(row=slice(1, None))
        (event,) = np.flatnonzero(data.event_branch.values == branch)
        split = float(data.event_parameter[event])
        assert split == pytest.approx(0.070697, abs=1e-6)
        assert data.event_kind.values[event] == "split"
        np.testing.assert_array_equal(rows.branch_stable, rows.branch_parameter > split)
        named = int(str(data.event_moves.values[event]).split()[-1])
        assert np.sum(rows.branch_group.values[0] == named) == 3


def test_with_unequal_modes_the_first_bifurcation_is_transcritical() -> None:
    resource = {"kind": "mixture", "means": [0.25, 0.75], "stds": [0.1, 0.1], "weights": [1.0, 0.8]}
    game = influencer(
        3, resource=resource, resource_points={"kind": "linspace", "start": 0.001, "stop": 0.999, "num": 100}
    )
    learner = rv.methods.Branches(parameter="reach", low=0.16, high=0.22, certify="none")
    data = rv.solve(game, learner).data
    loss = float(data.symmetric_loss_parameter[0])
    sides = [
        np.sign(rows_of(data, branch).branch_parameter.values[1] - loss)
        for branch in branches_with(data, 2, 1)
    ]
    assert sorted(sides) == [-1.0, 1.0]
    # the upper branch turns at a fold and is stable where the centre is stable too
    assert data.fold_parameter.size >= 1
    stable = data.branch_stable.values & (data.branch_group.max("player").values > 0)
    assert data.branch_parameter.values[stable].max() > loss


@pytest.mark.nightly
def test_jaxcont_computes_the_same_branches(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("jaxcont")
    monkeypatch.setattr(pseudo_arclength, "follow", jaxcont_curves.follow)
    learner = rv.methods.Branches(parameter="reach", low=0.08, high=0.3, certify="none")
    theirs = rv.solve(influencer(3), learner).data
    ours = three()
    np.testing.assert_allclose(theirs.branch_parameter, ours.branch_parameter, atol=1e-8)
    np.testing.assert_allclose(theirs.branch_position, ours.branch_position, atol=1e-8)
    np.testing.assert_allclose(theirs.event_parameter, ours.event_parameter, atol=1e-8)


def test_the_mirror_branch_is_reached_from_the_asymmetric_one() -> None:
    """The asymmetric branch meets (1/2, 1/2 - a, 1/2 + a) where its parameter turns back, at reach .15124."""
    learner = rv.methods.Branches(parameter="reach", low=0.05, high=0.4, certify="none")
    data = rv.solve(influencer(3, reach=0.1), learner, start=[[0.651], [0.562], [0.741]]).data
    assert data.event_kind.values.tolist() == ["split", "hopf"]
    np.testing.assert_allclose(data.event_parameter, [0.15124, 0.15818468], atol=5e-6)
    at, half = float(data.event_parameter[0]), data.event_position.values[0, :, 0]
    np.testing.assert_allclose(np.sort(half).sum(), 1.5, atol=1e-9)
    # the Jacobian of all players is singular there, and the gradients vanish
    matrix = np.asarray(jacobian(influencer(3, reach=at), put(data.event_position.values[0])))
    sizes = np.linalg.svd(matrix, compute_uv=False)
    assert sizes[-1] < 1e-6 * sizes[0]


def test_what_is_not_followed_is_named_where_modes_are_unequal() -> None:
    modes = {"kind": "mixture", "means": [0.25, 0.75], "weights": [0.6, 0.4], "stds": [0.1, 0.1]}
    options: dict[str, Any] = {"low": 0.12, "high": 0.3, "certify": "none"}
    game = influencer(3, resource=modes)
    one = rv.solve(game, rv.methods.Branches(parameter="reach", switch=1, **options))
    two = rv.solve(game, rv.methods.Branches(parameter="reach", switch=2, **options))
    # the flow ends where the branches of one generation have no stable point
    reach = 0.158
    end = rv.solve(rv.with_(game, reach=reach), rv.methods.GradientFlow(), [[0.3], [0.45], [0.55]]).profile
    places = np.sort(np.asarray(end).ravel())
    assert np.min(np.diff(places)) > 0.05
    stable = one.data.isel(row=np.flatnonzero(one.data.branch_stable.values))
    assert not np.any(stable.branch_parameter.values < 0.168)
    rows = two.data.isel(row=np.flatnonzero(two.data.branch_stable.values))
    near = np.argsort(np.abs(rows.branch_parameter.values - reach))[:2]
    listed = np.sort(rows.branch_position.values[near, :, 0], axis=1)
    np.testing.assert_allclose(listed, [places] * 2, atol=0.02)
    assert (one.status, two.status) == ("completed", "converged")
    assert len(two.data.unfollowed_parameter) == 0
    assert "not followed" in one.data.branch_ending.values
    assert "branches split or cross; new branches are not followed" in repr(one)
    assert "not followed" not in repr(two)
    np.testing.assert_allclose(
        one.data.unfollowed_parameter.values, two.data.split_parameter.values, atol=1e-3
    )


def test_a_density_has_one_quadrature_along_a_parameter() -> None:
    # 256 nodes are needed at the low end of the range and 64 at the high end
    game = influencer(3, resource_points={"kind": "continuous"})
    for parameter in (
        "reach",
        lambda reach: influencer(3, reach=reach, resource_points={"kind": "continuous"}),
    ):
        data = rv.solve(game, rv.methods.Thresholds(parameter, low=0.1, high=0.3, points=21)).data
        threshold = float(data.threshold)
        assert data.crossing.values == pytest.approx([threshold], abs=1e-10)
    data = rv.solve(game, rv.methods.Branches(parameter="reach", low=0.1, high=0.3, certify="none")).data
    assert data.symmetric_loss_parameter.values == pytest.approx([threshold], abs=1e-10)
