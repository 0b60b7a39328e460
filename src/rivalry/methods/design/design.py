"""Design of a game's parameters by a leader who anticipates the equilibrium."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import product
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from annotated_types import Ge, Le
from numpy import ndarray
from numpy.random import SeedSequence

from rivalry.certificates.certify import certificate
from rivalry.core.game import Record, measures
from rivalry.core.method import BaseLearner, Session
from rivalry.core.needs import PAYOFFS
from rivalry.core.payoffs import payoffs
from rivalry.core.results import CLAIMS, UNREFUTED, scalar
from rivalry.methods.continuation.parameters import VariedEntries, entries_of, precise
from rivalry.methods.design.rule_choices import bound_of, check_weights, choices_of
from rivalry.methods.limit_sets.nearby_equilibria import SearchPoints, ends_from, random_starts
from rivalry.runtime.jax import floats, put

FINE = 1e-6  # tolerance of the refinement, relative to the range between two grid values
WELFARE = "welfare"
LONGEST = max(map(len, CLAIMS))

Objective = Callable[[Any, Any], float]


class Trials(NamedTuple):
    """A game, the parameters set, their values on the grid, and whether the grid is refined."""

    game: Any
    entries: tuple[VariedEntries, ...]
    grid: ndarray  # [trial choice]
    refined: bool


class Design(BaseLearner):
    """Parameters chosen by a designer whose objective is evaluated at the players' equilibrium.

    ``choices`` says what is set: a table of parameters, each with ``{from, to, count}``, evenly spaced, or a
    list of values. A parameter is an array of the game, all of whose entries take the value, an entry
    ``tax[0]``, or several between commas, ``"tax, subsidy"``. ``objective`` is a metric of the game or
    ``welfare``, the sum of payoffs; in Python also a function of a game and a profile. The metrics in
    ``spending``, each times its weight, are subtracted. A metric that is not a single number counts as its
    sum.

    One step is one trial, first the whole grid. Then, for a single choice between ``from`` and ``to``,
    Brent's bounded search between the neighbours of the best grid value (``refine`` trials at most). Every
    trial runs sequential best responses, refined by Newton's method, from ``tries`` starts, and from the
    equilibrium of the previous trial; a search of the players' whole spaces certifies every distinct end.
    Of several equilibria the designer counts on the worst, or with ``pick = "optimistic"`` on the best. A
    trial without a certified equilibrium is marked and never chosen; if there is no other the status is
    ``not found``.

    The record holds ``choice_name`` (choice), ``parameters`` (trial, choice), ``objective`` (trial),
    ``objective_best``, ``objective_worst`` over the equilibria found, ``trial_claim``, ``trial_certified``,
    ``trial_equilibria`` (their number), ``trial_regret`` (trial, player) and ``trial_profile`` (trial,
    player, axis); and for the chosen trial its number ``chosen``, ``chosen_parameters`` (choice),
    ``chosen_objective``, ``chosen_bound`` (choice), ``the largest tried`` or ``the smallest tried`` where the
    game accepts values beyond the chosen one that were not tried, and the profile, payoffs, metrics and
    certificate of the players in that game. The objective between grid values is unknown, as are equilibria
    that no start led to.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.influencer(reach=[0.25] * 2, resource="bimodal")
    >>> method = Design(choices={"reach": [0.1, 0.25]}, objective="welfare", tries=1)
    >>> solution = rv.solve(game, method, start=[0.3, 0.6])
    >>> solution.status, solution.claim, solution.data.chosen_parameters.values.tolist()
    ('converged', 'equilibrium', [0.1])
    """

    choices: Annotated[
        dict[str, Any], "the design variables: parameter = {from, to, count}, or a list of values"
    ]
    objective: Annotated[str | Objective, "a metric of the game, or welfare"] = WELFARE
    spending: Annotated[
        dict[str, float] | None, "metrics subtracted from the objective, with their weights"
    ] = None
    maximise: Annotated[bool, "whether the objective is maximised; else it is minimised"] = True
    pick: Annotated[
        Literal["pessimistic", "optimistic"],
        "which of several equilibria the designer assumes: the worst or the best",
    ] = "pessimistic"
    tries: Annotated[int, Ge(1), Le(100_000), "starting points of best-response dynamics per trial"] = 4
    refine: Annotated[int, Ge(0), Le(1_000_000), "maximum number of trials between grid values"] = 20
    points: SearchPoints = 201

    def __check_init__(self) -> None:
        _grids(self.choices)
        check_weights(spending=self.spending)

    needs = (PAYOFFS,)

    def world(self, game: object) -> Trials:
        """Return the grid of trials.

        Raise `ValueError` for a parameter, value or metric that the game refuses.
        """
        game = precise(game)  # one program for all trials, whichever array was set
        entries = tuple(entries_of(game, name, "choices") for name in self.choices)
        grids = _grids(self.choices)
        for entry, values in zip(entries, grids, strict=True):
            for value in values:
                if reason := entry.refusal(game, float(value)):
                    raise ValueError(f"choices: {value:g} {reason}, as a value of {entry.name}")
        self._check_measures(game)
        (choice, *further) = self.choices.values()
        refined = not further and isinstance(choice, dict) and self.refine > 0 and len(grids[0]) > 1
        return Trials(game, entries, np.array(list(product(*grids)), float), refined)

    def _check_measures(self, game: object) -> None:
        option_of_metric = dict.fromkeys(self.spending or {}, "spending")
        if isinstance(self.objective, str) and self.objective != WELFARE:
            option_of_metric[self.objective] = "objective"
        metrics = measures(game, _middle(game)) if option_of_metric else {}
        for name, option in option_of_metric.items():
            if name not in metrics:
                words = ", ".join(sorted([*metrics, *([WELFARE] if option == "objective" else [])]))
                raise ValueError(f"{option}: {name!r} is no measure of this game; it has {words}")

    def length(self, world: Trials) -> int:
        """Return the number of trials on the grid and of the refinement."""
        return len(world.grid) + (self.refine if world.refined else 0)

    def begin(self, world: Trials, stream: SeedSequence) -> Session:
        """Return a session with random starts; the first is the middle of the space."""
        return self.begin_at(world, stream, _middle(world.game))

    def begin_at(self, world: Trials, stream: SeedSequence, start: object) -> Session:
        """Return a session whose first start is ``start``; the others are random."""
        start_profile = floats(start)
        trials, players = self.length(world), len(start_profile)
        return {
            "starts": random_starts(world.game.space, stream, self.tries, start_profile),
            "done": np.array([0]),
            "finished": np.zeros(1, bool),
            "parameters": np.full((trials, len(world.entries)), np.nan),
            "objective": np.full((trials, 3), np.nan),  # as picked, best, worst
            "claim": np.full(trials, "", f"U{LONGEST}"),
            "equilibria": np.zeros(trials, int),
            "regret": np.full((trials, players), np.nan),
            "profile": np.full((trials, *start_profile.shape), np.nan),
        }

    def advance(self, world: Trials, session: Session, steps: int) -> int:
        """Run up to ``steps`` trials."""
        before = int(session["done"][0])
        for values in world.grid[before : before + steps]:
            self._run_trial(world, session, values)
        trials = int(session["done"][0]) - before
        if before + trials < len(world.grid) or session["finished"][0] or not world.refined:
            return trials
        return trials + self._refine(world, session, steps - trials)

    def _refine(self, world: Trials, session: Session, steps: int) -> int:
        """Run Brent's bounded search.

        It looks up earlier trials, so that it can resume after an interruption.
        """
        from scipy.optimize import minimize_scalar

        before, grid = int(session["done"][0]), world.grid[:, 0]
        max_trials = len(session["claim"])
        # Only trials of the grid set the bracket and what a failed trial counts: an interrupted search must
        # take the same steps, whatever later trials find.
        before_search = self._loss(session, len(grid))[: len(grid)]
        lowest = int(np.nanargmin(before_search))
        failed = np.max(before_search, where=np.isfinite(before_search), initial=-np.inf) + 1.0
        ordered = np.sort(grid)
        at = int(np.searchsorted(ordered, grid[lowest]))
        low, high = ordered[max(at - 1, 0)], ordered[min(at + 1, len(ordered) - 1)]

        def loss(value: float) -> float:
            trials = np.flatnonzero(session["parameters"][: int(session["done"][0]), 0] == value)
            if not trials.size:
                if int(session["done"][0]) - before == steps:
                    raise _StepLimit
                self._run_trial(world, session, np.array([value]))
                trials = np.array([int(session["done"][0]) - 1])
            loss = float(self._loss(session, len(grid))[trials[0]])
            return loss if np.isfinite(loss) else float(failed)

        limits = {"maxiter": max_trials - len(grid), "xatol": FINE * (high - low)}
        with suppress(_StepLimit):
            minimize_scalar(loss, bounds=(low, high), method="bounded", options=limits)
            session["finished"][0] = True
        return int(session["done"][0]) - before

    def _loss(self, session: Session, grid_size: int | None = None) -> ndarray:
        """Return the quantity to minimise, ``[trial]``.

        It is infinite for trials that are not certified, if any of the first ``grid_size`` trials (all) is.
        """
        loss: ndarray = (-1.0 if self.maximise else 1.0) * session["objective"][:, 0]
        certified = np.isin(session["claim"], UNREFUTED)
        return np.where(certified, loss, np.inf) if certified[:grid_size].any() else loss

    def _run_trial(self, world: Trials, session: Session, values: ndarray) -> None:
        """Run a trial: of the ends of best responses the certified count, if there are any."""
        k = int(session["done"][0])
        game = _set(world, values)
        # neighbouring trials have near equilibria
        before = session["profile"][max(k - 1, 0) : k]
        starts = np.concatenate([before[np.isfinite(before).all(axis=(1, 2))], session["starts"]])
        profiles = ends_from(game, starts, points=self.points)
        proofs = [certificate(game, put(x)) for x in profiles]
        certified = [end for end, proof in enumerate(proofs) if proof.claim in UNREFUTED]
        counted = certified or list(range(len(proofs)))
        session["parameters"][k], session["equilibria"][k] = values, len(certified)
        session["claim"][k] = "not decided"
        if counted:
            values_found = np.array([self._objective_at(game, profiles[end]) for end in counted])
            ends = int(np.argmin(values_found)), int(np.argmax(values_found))
            optimistic, pessimistic = ends[self.maximise], ends[not self.maximise]
            selected = optimistic if self.pick == "optimistic" else pessimistic
            session["objective"][k] = values_found[[selected, optimistic, pessimistic]]
            trial = counted[selected]
            session["claim"][k] = proofs[trial].claim
            session["regret"][k], session["profile"][k] = proofs[trial].regret, profiles[trial]
        session["done"][0] = k + 1

    def _objective_at(self, game: Any, x: ndarray) -> float:
        """Return the objective at a profile of a game."""
        profile = put(x)
        metrics = measures(game, profile)
        if not isinstance(self.objective, str):
            gained = float(self.objective(game, profile))
        elif self.objective == WELFARE and WELFARE not in metrics:
            gained = float(np.sum(payoffs(game, profile)))
        else:
            gained = float(np.sum(metrics[self.objective][1]))
        spent = (weight * float(np.sum(metrics[name][1])) for name, weight in (self.spending or {}).items())
        return gained - sum(spent)

    def read(self, world: Trials, session: Session) -> Record:
        """Return the trials so far, and the best certified one."""
        count, trial = int(session["done"][0]), ("trial",)
        names = ("parameters", "objective", "claim", "equilibria", "regret", "profile")
        parameters, objective, claims, equilibria, regret, profile = (
            session[name][:count].copy() for name in names
        )
        certified = np.isin(claims, UNREFUTED)
        record: Record = {
            "choice_name": (("choice",), np.asarray([entry.name for entry in world.entries])),
            "parameters": (("trial", "choice"), parameters),
            "objective": (trial, objective[:, 0]),
            "objective_best": (trial, objective[:, 1]),
            "objective_worst": (trial, objective[:, 2]),
            "trial_claim": (trial, claims),
            "trial_certified": (trial, certified),
            "trial_equilibria": (trial, equilibria),
            "trial_regret": (("trial", "player"), regret),
            "trial_profile": (("trial", "player", "axis"), profile),
        }
        loss = self._loss(session)[:count]
        if not np.any(np.isfinite(loss)):
            undefined = np.full(session["profile"].shape[1:], np.nan)
            status = "not found" if count else "iteration limit"
            return record | {"profile": (("player", "axis"), undefined), "status": scalar(status)}
        optimum = int(np.nanargmin(loss))
        record |= {
            "profile": (("player", "axis"), profile[optimum].copy()),
            "chosen": scalar(optimum),
            "chosen_parameters": (("choice",), parameters[optimum].copy()),
            "chosen_objective": scalar(objective[optimum, 0]),
            "chosen_bound": (("choice",), np.asarray(self._bounds(world, parameters[optimum]), "U18")),
        }
        if count >= len(world.grid) and not certified.any():
            record["status"] = scalar("not found")
        elif count >= len(world.grid) and (not world.refined or session["finished"][0]):
            record["status"] = scalar("converged")
        return record

    def _bounds(self, world: Trials, values: ndarray) -> list[str]:
        """Return for every choice whether the chosen value is an end of those tried."""

        def accepts(entry: VariedEntries, value: float) -> bool:
            return not entry.refusal(world.game, value)

        columns = zip(world.entries, world.grid.T, values, strict=True)
        return [bound_of(values, value, partial(accepts, entry)) for entry, values, value in columns]

    def played(self, game: object, record: Record) -> Any:
        """Return the game of a record's profile: the given game with the chosen parameters."""
        if "chosen_parameters" not in record:
            return game
        return _set(self.world(game), np.asarray(record["chosen_parameters"][1]))


class _StepLimit(Exception):
    """The requested number of trials is done."""


def _set(world: Trials, values: ndarray) -> Any:
    game = world.game
    for entry, value in zip(world.entries, values, strict=True):
        game = entry.set(game, put(float(value)))
    return game


def _middle(game: Any) -> Any:
    """Return a profile in the middle of the space's search grid."""
    rows = [np.asarray(game.space.grid(player, 9)) for player in range(game.space.shape[0])]
    return game.space.project(put(np.stack([row[len(row) // 2] for row in rows])))


def _grids(choices: dict[str, Any]) -> list[ndarray]:
    """Return the values of every choice. Raise `ValueError` if they are invalid."""
    options = choices_of(choices)
    for option in options:
        if not option.plain:
            raise ValueError(f"choices: {option.name}: {list(option.values)!r} must be a list of numbers")
    return [np.array([option.number(code) for code in option.grid()]) for option in options]
