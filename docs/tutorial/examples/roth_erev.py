from typing import Annotated

import numpy as np

from rivalry.extend import TableLearner, played, tables_of


class RothErev(TableLearner):
    """Choose each action in proportion to the payoffs that it has earned (Roth and Erev 1995)."""

    forgetting: Annotated[float, "fraction of past payoffs lost per round, below 1"] = 0.0

    def begin(self, world, stream):
        payoff, sizes = tables_of(world).payoff[0], tables_of(world).sizes
        propensity = (np.arange(sizes.max()) < sizes[:, None]) * np.ptp(payoff, axis=1, keepdims=True)
        return {"propensity": propensity, "counts": 0 * propensity, "seed": stream.generate_state(4)}

    def advance(self, world, session, steps):
        payoff, sizes = tables_of(world).payoff[0], tables_of(world).sizes
        for _ in range(steps):
            rng = np.random.default_rng([*session["seed"], int(session["counts"].sum())])
            actions = [rng.choice(len(row), p=row / row.sum()) for row in session["propensity"]]
            earned = payoff[:, np.ravel_multi_index(actions, sizes)] - payoff.min(axis=1)
            session["propensity"] *= 1 - self.forgetting
            session["propensity"][range(len(sizes)), actions] += earned
            session["counts"][range(len(sizes)), actions] += 1
        return steps

    def read(self, world, session):
        return played(world, session["counts"] / max(session["counts"][0].sum(), 1))
