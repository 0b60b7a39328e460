"""Independent Q-learning in a game over periods: the state is the period and the stocks carried into it."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Le
from numpy.random import SeedSequence

from rivalry.core.method import Session
from rivalry.core.needs import Need
from rivalry.core.results import Record, scalar
from rivalry.methods.q_learning.q_learning import QLearning
from rivalry.tables import PeriodTables, greedy_path, over_periods, period_values, tabulate_periods

UNDISCOUNTED = float(np.nextafter(1.0, 0.0))  # over finitely many periods sums equal those for 1


class PeriodQLearning(QLearning):
    """Independent Q-learning in a game over periods, on tables (`rivalry.tables.tabulate_periods`).

    A player's state is the period and the stocks carried into it (technology, where players invest); it
    chooses any of the ``action_grid`` of one period. An epoch is one play from the first period to its end.
    Terminal states have value 0: a win and the last period terminate. Without ``gamma`` rewards are weighted
    by the game's weights of periods and summed, so that the learner's objective is the game's own payoff;
    with it rewards are as paid, and the learner discounts. Options without a meaning here are refused or
    omitted: ``episodes``, ``observation``, ``walk``, a start, ``update = "sequential"``.

    The record has ``policy`` (trial, player, state), ``modal_policy``, ``modal_share`` as `QLearning`, with
    ``period_grid`` (player, action, column), ``state_period`` (state) and ``state_carried`` (state, stock,
    player); ``policy_value`` (trial, player), the exact value of the greedy policies at the start, and
    ``grid_regret`` (trial, player), the largest gain of another policy on the same tables, by dynamic
    programming, with the learner's own discount. The profile is the schedule of the modal policies,
    certified as one in the continuous game.

    Raises
    ------
    ValueError
        For parameters out of range.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.race(horizon=2, contest={"ease_of_winning": 1.0}, end_on="win")
    >>> options = {"exploration": 0.3, "step_size": 0.1}
    >>> learner = PeriodQLearning(action_grid=2, epochs=2000, **options)
    >>> solution = rv.solve(game, learner, seed=1, tolerance=None)
    >>> solution.profile.shape, solution.data.grid_regret.shape
    ((2, 4), (1, 2))
    """

    gamma: Annotated[
        float | list[float] | None, Ge(0), Le(1), "the learner's discount factor (default: the game's)"
    ] = None  # type: ignore[assignment]

    def __check_init__(self) -> None:
        if self.update == "sequential":
            raise ValueError("update: 'sequential' is for play in one place; in periods all move together")

    needs = (Need("several periods in states", lambda game: over_periods(game) and int(game.periods) > 1),)

    def world(self, game: object) -> Any:
        return tabulate_periods(
            game, self.action_grid, weighted=self.gamma is None, max_table_bytes=self.max_table_bytes
        )

    def length(self, world: Any) -> int:
        return QLearning.length(self._played(world), world.tabulated)

    def begin(self, world: Any, stream: SeedSequence) -> Session:
        session = QLearning.begin(self._played(world), world.tabulated, stream)
        session["values"][:, :, -1] = 0.0  # terminal states have value 0
        return session

    def begin_at(self, world: object, stream: SeedSequence, start: object) -> Session:
        raise ValueError("start: PeriodQLearning takes none; play begins in the first period")

    def advance(self, world: Any, session: Session, steps: int) -> int:
        return QLearning.advance(self._played(world), world.tabulated, session, steps)

    def read(self, world: Any, session: Session) -> Record:
        record = QLearning.read(self._played(world), world.tabulated, session)
        # the last position is one period's grid point: of the period in which learning stopped
        record = {
            name: entry for name, entry in record.items() if not name.startswith(("last_", "action_grid"))
        }
        discount = 1.0 if self.gamma is None else self.gamma
        values = [period_values(world, policy, discount) for policy in record["policy"][1]]
        path = greedy_path(world, record["modal_policy"][1])
        points = world.tabulated.action_grid[np.arange(path.shape[1]), path]  # [period player axis]
        period_record: Record = {
            "profile": (("player", "axis"), np.moveaxis(points, 1, 0).reshape(path.shape[1], -1)),
            "status": record.get("status", scalar("converged")),
            "state_period": (("state",), world.period),
            "period_grid": (("player", "action", "column"), world.tabulated.action_grid),
            "policy_value": (("trial", "player"), np.array([policy_value[0] for policy_value, _ in values])),
            "grid_regret": (
                ("trial", "player"),
                np.array([best_value[0] - policy_value[0] for policy_value, best_value in values]),
            ),
        }
        if world.carried.shape[1]:
            period_record["state_carried"] = (("state", "stock", "player"), world.carried)
        return record | period_record

    def _played(self, world: PeriodTables) -> PeriodQLearning:
        """Return the same learner with epochs of the maximal length.

        Plays that end earlier stay in the terminal state.
        """
        return replace(self, episodes=int(world.period[-1]))

    def _discount(self) -> Any:
        if self.gamma is None:
            return UNDISCOUNTED
        return np.minimum(np.asarray(self.gamma, float), UNDISCOUNTED).tolist()
