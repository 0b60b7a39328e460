"""A whole run on the simplex: three Dirichlet kernels, from a start to the certified kind of end.

Ours is `rivalry.solve` with the flow, its polish, its spectrum and the recorded path, once its programs are
compiled. Beside it SciPy's stiff solver with the gradients in NumPy, to a fixed time: ends agree to 1e-5.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

START = [[0.5, 0.3, 0.2], [0.2, 0.5, 0.3], [0.3, 0.2, 0.5]]
ALPHA, TIME = 2.0, 60.0


def made() -> Any:
    import rivalry as rv

    modes = (np.eye(3) * 0.8 + 0.2 / 3).tolist()
    resource = {"kind": "mixture", "means": modes, "covariances": [(0.1 * np.eye(3)).tolist()] * 3}
    return rv.games.influencer(
        space="simplex", corners=3, kernel="dirichlet", alpha=[ALPHA] * 3, resource=resource
    )


def in_scipy(game: Any) -> Callable[[], np.ndarray]:
    from scipy.integrate import solve_ivp
    from scipy.special import digamma, gammaln

    points, weights, corner = np.asarray(game.points), np.asarray(game.weights), game.kernel.reference_corner

    def slope(_: float, flat: np.ndarray) -> np.ndarray:
        x = flat.reshape(3, 3)
        a = ALPHA * x / x[:, [corner]]
        logs = (a - 1) @ np.log(points).T + (gammaln(a.sum(axis=1)) - gammaln(a).sum(axis=1))[:, None]
        influence = np.exp(logs - logs.max(axis=0))
        share = influence / influence.sum(axis=0)
        pulls = np.log(points)[None] - digamma(a)[:, None] + digamma(a.sum(axis=1))[:, None, None]
        d = ALPHA / x[:, [corner], None] * pulls
        d[:, :, corner] = 0.0
        d[:, :, corner] = -(x[:, None] / x[:, [corner], None] * d).sum(axis=2)
        gradient = ((weights * share * (1 - share))[:, :, None] * d).sum(axis=1)
        return (gradient - gradient.mean(axis=1, keepdims=True)).ravel()

    def run() -> np.ndarray:
        found = solve_ivp(slope, (0.0, TIME), np.ravel(START), method="LSODA", rtol=1e-9, atol=1e-11)
        return found.y[:, -1].reshape(3, 3)

    return run


def test_influencer_simplex(race: Callable[..., Any]) -> None:
    import rivalry as rv

    game = made()

    def ours() -> np.ndarray:
        return np.asarray(rv.solve(game, rv.methods.GradientFlow(), start=START, tolerance=None).profile)

    def close(one: np.ndarray, two: np.ndarray) -> None:
        np.testing.assert_allclose(one, two, atol=1e-5)

    race(ours, in_scipy(game), rival="SciPy, LSODA", same=close, name="influencer_simplex")
