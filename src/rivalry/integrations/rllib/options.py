"""Options that all deep learners of RLlib have, and what an algorithm adds to them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import equinox as eqx
from annotated_types import Ge, Gt, Le, Lt, MinLen

from rivalry.core.method import BaseLearner
from rivalry.methods.continuous.mixtures import check_action_grid
from rivalry.methods.q_learning.exploration import check_whole
from rivalry.schema.annotations import Count, Natural

Table = dict[str, Any]


class LearnerOptions(BaseLearner):
    """The options of a deep learner; `rivalry.integrations.rllib.algorithms.DeepLearner` describes them."""

    iterations: Annotated[Count, "iterations of sampling and learning"] = 100
    batch: Annotated[Count, "steps per iteration"] = 400
    envs: Annotated[Count, "copies of the game played in parallel"] = 8
    runners: Annotated[Natural, "processes that play; 0: this process, reproducible"] = 0
    periods: Annotated[Count, "periods per episode"] = 50
    moves: Annotated[
        Literal["any", "levels", "steps", "grid", "native"],
        "choices: any, a grid point, a step, a step on a grid, or native play",
    ] = "any"
    step: Annotated[float, Gt(0), Lt(1), "longest step along an axis, as a share of the box"] = 0.05
    action_grid: Annotated[
        int | Table | list[Table], Ge(2), "grid points per axis, or the levels of the axes"
    ] = 21
    observation: Annotated[
        Literal["none", "own", "joint"] | None, "positions or last choices that a player observes"
    ] = None
    policies: Annotated[Literal["independent", "shared"], "networks per player or per class"] = "independent"
    followers: Annotated[Literal["learn", "oracle"], "followers learn or best-respond exactly"] = "learn"
    hidden: Annotated[list[Count], MinLen(1), "units per hidden layer"] = eqx.field(
        default_factory=lambda: [64, 64]
    )
    gamma: Annotated[
        float | None, Ge(0), Le(1), "discount factor per period; default: the game's, 0 without observations"
    ] = None
    evaluation: Annotated[Count, "periods in which learned policies are evaluated"] = 1000
    rounds: Annotated[Count, "periods of play without exploration before the profile is read"] = 100
    best_response_iterations: Annotated[Natural, "iterations of training each best response; 0: none"] = 20
    settings: Annotated[Table, "settings for RLlib's training()"] = eqx.field(default_factory=dict)

    algorithm = ""
    kind = ""
    of_numbers, of_boxes = "", ""  # kinds of outputs for numbered actions and in boxes; none: not played
    needed = ""

    def __check_init__(self) -> None:
        check_action_grid(self.action_grid)
        if self.moves == "grid":
            check_whole("action_grid", self.action_grid, 2)

    @property
    def fragment(self) -> int | str:
        """Steps per copy between two updates, as RLlib takes them."""
        return "auto"

    def family(self, space: object) -> str:
        """Return the kind of outputs of networks for an action space, see `PolicyNetwork`.

        Raises `ValueError` for spaces that the algorithm cannot play.
        """
        # inside: Gymnasium belongs to the extras `deep` and `envs`
        from gymnasium.spaces import Discrete

        family = self.of_numbers if isinstance(space, Discrete) else self.of_boxes
        if not family:
            raise ValueError(f"{self.kind}: needs {self.needed}")
        return family

    def training_settings(self) -> Table:
        """Return the options of the algorithm as RLlib's ``training()`` takes them."""
        raise NotImplementedError

    def first_deviation(self) -> float:
        """Return the standard deviation of normal policies before training; 1 is RLlib's own."""
        return 1.0

    def random_share(self) -> float:
        """Return the probability of a random action in trained policies, beyond that of their outputs."""
        return 0.0
