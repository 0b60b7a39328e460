"""Eigenvalues along a branch of rest points, against independent derivatives."""

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.game import with_
from rivalry.influencers import symmetric_spectrum
from rivalry.methods.limit_sets.eigenvalues import spectra
from rivalry.methods.limit_sets.newton import rest_point

pytestmark = pytest.mark.slow

HOPF = 0.15818468164430274


def test_eigenvalues_at_the_centre_match_its_blocks() -> None:
    game = rv.games.influencer(players=4, resource="bimodal")
    reaches = [0.3, 0.25, 0.2]
    found = rv.methods.spectra(game, "reach", reaches, [0.5] * 4)
    for k, reach in enumerate(reaches):
        known = symmetric_spectrum(with_(game, reach=reach), [0.5])
        expected = np.sort(np.concatenate([np.repeat(known.split, 3), known.together]).real)
        np.testing.assert_allclose(np.sort(found.scan_eigenvalues_real[k]), expected, rtol=1e-8)
    assert found.scan_stable.values.tolist() == [True, True, False]
    np.testing.assert_allclose(found.scan_position, 0.5, atol=1e-10)


def test_a_complex_pair_crosses_at_the_hopf_point() -> None:
    game = rv.games.influencer(players=3, resource="bimodal")
    found = spectra(game, "reach", [*np.linspace(0.17, 0.16, 11), HOPF, 0.158], [0.374, 0.5, 0.626])
    assert found.scan_stable.values[:-2].all()
    assert not found.scan_stable.values[-1]  # beyond the Hopf point
    assert float(found.scan_eigenvalues_real[-2].max()) == pytest.approx(0.0, abs=1e-5)
    assert float(found.scan_eigenvalues_imag[-2].max()) == pytest.approx(62.28242444425924, rel=1e-8)
    assert rv.plots.spectrum(found, source="scan").get_xlabel() == "reach"


def test_eigenvalues_at_an_asymmetric_rest_point() -> None:
    game = rv.games.influencer(reach=[0.08] * 3, resource="bimodal")
    x = rest_point(game, game.space.check([0.2578, 0.2578, 0.3275]))
    assert x is not None
    values, held = rv.methods.spectrum(game, x)
    assert not held
    assert values[0] == pytest.approx(576.65, abs=0.01)
    assert sorted(values[1:].imag) == pytest.approx([-685.0, 685.0], abs=0.1)


def test_a_lost_branch_gives_missing_values() -> None:
    game = rv.games.influencer(
        players=2, resource="bimodal", third_party="exp(-b^2/0.02) + exp(-(1-b)^2/0.02)"
    )
    # the branch of separate parties ends where the centre becomes stable
    found = spectra(game, "reach", [0.14, 0.3], [0.264, 0.736])
    assert np.isfinite(found.scan_eigenvalues_real[0]).all()
    assert np.isnan(found.scan_eigenvalues_real[1]).all()
    assert not found.scan_stable[1]


def test_invalid_input_is_refused() -> None:
    game = rv.games.influencer(players=2, resource="bimodal")
    with pytest.raises(ValueError, match="must be at least two finite numbers"):
        spectra(game, "reach", [0.1], [0.5, 0.5])
    with pytest.raises(ValueError, match="raech: no array of this game; it has"):
        spectra(game, "raech", [0.1, 0.2], [0.5, 0.5])
    with pytest.raises(ValueError, match="start: player 1 is at 3"):
        spectra(game, "reach", [0.1, 0.2], [0.5, 3.0])
