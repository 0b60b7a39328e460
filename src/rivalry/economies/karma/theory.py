"""What is known of a karma economy without a search: constants, exact baselines, a counterexample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rivalry.core.results import Record
from rivalry.economies.karma.baselines import MECHANISMS, exact_baseline
from rivalry.economies.karma.chains import stationary
from rivalry.economies.karma.lasry_lions import find_counterexample
from rivalry.economies.karma.lipschitz import constants, kernel_constant
from rivalry.tables.kernels.shapes import COIN, NOBODY, SOCIETY

if TYPE_CHECKING:
    from rivalry.economies.karma.economy import KarmaEconomy

STEPS = 10_000  # of the baselines: as long as the thesis' simulations
CONSTANTS = ("L_vs", "L_vpi", "L_vrho", "L_qpi", "L_qrho", "L")


def analytic_constants(game: KarmaEconomy) -> Record:
    """Lipschitz constants and, by ``mechanism``, exact baselines of each type; and a Lasry-Lions sum.

    The constants are those of equations 5.1 to 5.4 (``lipschitz_tight``: the smallest that the proofs allow),
    with the least that ``L_pop`` and ``dh`` can be; a step of mirror ascent is proved to contract at
    temperatures above L. The baselines are those of a population of this type alone over `STEPS` steps. The
    counterexample of Lemma 5.1 is a pair of bid laws by private state with ``lasry_lions`` above 0.
    """
    found: Record = {}
    for name, tight in (("lipschitz", False), ("lipschitz_tight", True)):
        each = [_constants(game, k, tight) for k in range(len(game.type_names))]
        found[name] = (("player", "constant"), np.asarray(each))
    found["constant"] = (("constant",), np.asarray(CONSTANTS))
    found["temperature_needed"] = (("player",), found["lipschitz"][1][:, -1])
    exact = [
        [exact_baseline(mechanism, *_own(game, k), STEPS) for mechanism in MECHANISMS]
        for k in range(len(game.type_names))
    ]
    for k, name in enumerate(("efficiency", "reward_fairness", "access_fairness")):
        table = np.asarray([[one[k] for one in row] for row in exact])
        found[f"baseline_{name}"] = (("player", "mechanism"), table)
    found["mechanism"] = (("mechanism",), np.asarray(MECHANISMS))
    return found | _lasry_lions(game)


def _own(game: KarmaEconomy, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The urgencies of a type and how they move, without padding."""
    stakes, chain = np.asarray(game.stakes)[k], np.asarray(game.chain)[k]
    real = np.flatnonzero((stakes > 0) | (chain.sum(axis=0) > 0))
    size = int(real.max()) + 1
    return stakes[:size], chain[:size, :size]


def _constants(game: KarmaEconomy, k: int, tight: bool) -> list[float]:
    urgencies, _ = _own(game, k)
    found = constants(
        float(urgencies.max()),
        float(game.gamma[k]),
        kernel_constant(game.charge, society=game.receiver == SOCIETY, tight=tight),
        max_karma=game.most,
        u_min=float(urgencies.min()),
        tight=tight,
    )
    return [getattr(found, name) for name in CONSTANTS]


def _lasry_lions(game: KarmaEconomy) -> Record:
    """A counterexample for the first type's urgencies, where ties are a coin's or nobody's."""
    if game.tie not in (COIN, NOBODY):
        return {}
    urgencies, chain = _own(game, 0)
    case = find_counterexample(
        urgencies,
        stationary(chain)[1],
        mean_karma=float(game.mean_karma),
        max_karma=game.most,
        tie="nobody" if game.tie == NOBODY else "coin",
    )
    if case is None:
        return {"lasry_lions": ((), np.asarray(np.nan))}
    return {
        "lasry_lions": ((), np.asarray(case.S)),
        "lasry_lions_bids": (("population", "private", "bid"), np.asarray(case.bids)),
        "counterexample": ((), np.asarray(case.text())),
    }
