"""Design of a game's parameters by a leader who anticipates the equilibrium, or what its players learn."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np
from annotated_types import Ge, Le
from numpy import ndarray
from numpy.random import SeedSequence

from rivalry.certificates.certify import certificate
from rivalry.core.game import PopulationGame, is_agents, is_population, measures
from rivalry.core.method import ENDINGS, BaseLearner, Learner, Session, as_learner, read_session, run_session
from rivalry.core.needs import PAYOFFS, Need, fits
from rivalry.core.payoffs import payoffs
from rivalry.core.results import CLAIMS, UNREFUTED, Record, indexed, scalar
from rivalry.methods import METHODS
from rivalry.methods.continuation.parameters import VariedEntries, entries_of, precise
from rivalry.methods.design.search import (
    Choice,
    DesignSearch,
    accepts,
    check_values,
    choice_record,
    choices_of,
    grid_of,
    reduced,
    set_to,
)
from rivalry.methods.limit_sets.nearby_equilibria import SearchPoints, ends_from, random_starts
from rivalry.methods.populations.logit_equilibrium import solve_in_stages
from rivalry.methods.populations.newton import ENOUGH, PopulationNewton
from rivalry.population import record_of, uniform
from rivalry.population.oracles import mean_field_refusal, refuse_mean_field
from rivalry.runtime.jax import floats, put
from rivalry.schema.construction import is_number, recipe_of, variant
from rivalry.schema.keys import parse_key
from rivalry.schema.registry import load, near
from rivalry.text.statistics import half_width

FINE = 1e-6  # tolerance of the refinement, relative to the range between two grid values
WELFARE = "welfare"
LONGEST = max(map(len, CLAIMS))

SEEDS = 3
# the worst of a trial counts
STATUSES = ("converged", "completed", "iteration limit", "cycling", "not found", "refused")
CHOOSABLE = STATUSES.index("cycling")  # only statuses before it may be chosen
REMARK = 200  # characters
PLAIN = (str, int, float, list, tuple, dict, type(None))  # which compare by one truth value
RUNS, DRAWS, PROBE = 0, 1, 2  # streams
CONVERGED = ENDINGS.index("converged")

# the players' possible gains relative to their payoffs, by the name in their records
LOSSES = ("mean_relative_exploitability", "relative_exploitability")


class Trials(NamedTuple):
    """A game, what is set, the values on the grid, and whether the grid is refined."""

    game: Any
    choices: tuple[Choice, ...]
    entries: tuple[VariedEntries, ...]
    grid: ndarray  # [trial choice]
    refined: bool

    def at(self, values: ndarray) -> Any:
        """Return the game with values of the choices."""
        game = self.game
        for entry, value in zip(self.entries, values, strict=True):
            game = entry.set(game, put(float(value)))
        return game

    def accepts(self, choice: Choice, value: float) -> bool:
        """True for a value of a choice that the game accepts."""
        return not self.entries[self.choices.index(choice)].refusal(self.game, value)


class Design(DesignSearch):
    """Parameters chosen by a designer whose objective is evaluated at the players' equilibrium.

    ``choices`` says what is set: a table of parameters, each with ``{from, to, count}``, evenly spaced, or a
    list of values. A parameter is an array of the game, all of whose entries take the value, an entry
    ``tax[0]``, or several between commas, ``"tax, subsidy"``. ``objective`` is a metric of the game or
    ``welfare``, the sum of payoffs, or a table of weights; in Python also a function of a game and a profile.
    The metrics in ``spending``, each times its weight, are subtracted. A metric that is not a single number
    counts as its sum, or as its smallest entry where it is written ``min(..)``.

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

    objective: Annotated[
        str | dict[str, float] | Callable[[Any, Any], float],
        "a metric of the game, or welfare, or a table of weights",
    ] = WELFARE
    pick: Annotated[
        Literal["pessimistic", "optimistic"],
        "which of several equilibria the designer assumes: the worst or the best",
    ] = "pessimistic"
    tries: Annotated[int, Ge(1), Le(100_000), "starting points of best-response dynamics per trial"] = 4
    refine: Annotated[int, Ge(0), Le(1_000_000), "maximum number of trials between grid values"] = 20
    points: SearchPoints = 201

    usual: ClassVar[str] = "sum"
    needs = (PAYOFFS,)

    def __check_init__(self) -> None:
        choices = choices_of(self.choices)
        for choice in choices:
            if not choice.plain:
                raise ValueError(f"choices: {choice.name}: {list(choice.values)!r} must be a list of numbers")
        grid_of(choices)  # refuses ranges without a count

    def world(self, game: object) -> Trials:
        """Return the grid of trials.

        Raise `ValueError` for a parameter, value or metric that the game refuses.
        """
        game = precise(game)  # one program for all trials, whichever array was set
        choices = choices_of(self.choices)
        entries = tuple(entries_of(game, name, "choices") for name in self.choices)
        for entry, choice in zip(entries, choices, strict=True):
            for value in choice.candidates:
                if reason := entry.refusal(game, value):
                    raise ValueError(f"choices: {value:g} {reason}, as a value of {entry.name}")
        if any(self._weights().values()):
            self.check_measures(_metrics(game, _middle(game)))
        grid = choice_record(choices, grid_of(choices))["parameters"][1]
        is_range = len(choices) == 1 and not choices[0].values
        return Trials(game, choices, entries, grid, is_range and self.refine > 0 and len(grid) > 1)

    def _trials(self, world: Trials) -> int:
        return len(world.grid) + (self.refine if world.refined else 0)

    def begin(self, world: Trials, stream: SeedSequence) -> Session:
        """Return a session with random starts; the first is the middle of the space."""
        return self.begin_at(world, stream, _middle(world.game))

    def begin_at(self, world: Trials, stream: SeedSequence, start: object) -> Session:
        """Return a session whose first start is ``start``; the others are random."""
        start_profile = floats(start)
        trials, players = self._trials(world), len(start_profile)
        return {
            "starts": random_starts(world.game.space, stream, self.tries, start_profile),
            "done": np.array([0]),
            "finished": np.zeros(1, bool),
            "codes": np.full((trials, len(world.entries)), np.nan),  # the values themselves
            "objective": np.full((trials, 3), np.nan),  # as picked, best, worst
            "claim": np.full(trials, "", f"U{LONGEST}"),
            "equilibria": np.zeros(trials, int),
            "regret": np.full((trials, players), np.nan),
            "profile": np.full((trials, *start_profile.shape), np.nan),
        }

    def propose(self, world: Trials, session: Session, trial: int) -> ndarray | None:
        """Return the values of a trial: of the grid, then of Brent's bounded search; None at its end.

        The search looks up earlier trials, so that it can resume after an interruption.
        """
        grid = world.grid[:, 0]
        if trial < len(grid):
            return np.asarray(world.grid[trial])
        from scipy.optimize import minimize_scalar

        # Only trials of the grid set the bracket and what a failed trial counts: an interrupted search must
        # take the same steps, whatever later trials find.
        before_search = self._trial_losses(session, len(grid))[: len(grid)]
        lowest = int(np.nanargmin(before_search))
        failed = np.max(before_search, where=np.isfinite(before_search), initial=-np.inf) + 1.0
        ordered = np.sort(grid)
        at = int(np.searchsorted(ordered, grid[lowest]))
        low, high = ordered[max(at - 1, 0)], ordered[min(at + 1, len(ordered) - 1)]

        def loss(value: float) -> float:
            trials = np.flatnonzero(session["codes"][:trial, 0] == value)
            if not trials.size:
                raise _Untried(value)
            loss = float(self._trial_losses(session, len(grid))[trials[0]])
            return loss if np.isfinite(loss) else float(failed)

        limits = {"maxiter": self._trials(world) - len(grid), "xatol": FINE * (high - low)}
        try:
            minimize_scalar(loss, bounds=(low, high), method="bounded", options=limits)
        except _Untried as untried:
            return np.array(untried.args)
        session["finished"][0] = True
        return None

    def _trial_losses(self, session: Session, grid_size: int | None = None) -> ndarray:
        """Return the quantity to minimise, ``[trial]``.

        It is infinite for trials that are not certified, if any of the first ``grid_size`` trials (all) is.
        """
        loss: ndarray = (-1.0 if self.maximise else 1.0) * session["objective"][:, 0]
        certified = np.isin(session["claim"], UNREFUTED)
        return np.where(certified, loss, np.inf) if certified[:grid_size].any() else loss

    def _answer(self, world: Trials, session: Session, trial: int, seed: int) -> None:
        """Find equilibria: of the ends of best responses the certified count, if there are any."""
        game = world.at(session["codes"][trial])
        # neighbouring trials have near equilibria
        before = session["profile"][max(trial - 1, 0) : trial]
        starts = np.concatenate([before[np.isfinite(before).all(axis=(1, 2))], session["starts"]])
        profiles = ends_from(game, starts, points=self.points)
        proofs = [certificate(game, x) for x in profiles]
        certified = [end for end, proof in enumerate(proofs) if proof.claim in UNREFUTED]
        counted = certified or list(range(len(proofs)))
        session["equilibria"][trial], session["claim"][trial] = len(certified), "not decided"
        if counted:
            values_found = np.array([self._objective_at(game, put(profiles[end])) for end in counted])
            ends = int(np.argmin(values_found)), int(np.argmax(values_found))
            optimistic, pessimistic = ends[self.maximise], ends[not self.maximise]
            selected = optimistic if self.pick == "optimistic" else pessimistic
            session["objective"][trial] = values_found[[selected, optimistic, pessimistic]]
            end = counted[selected]
            session["claim"][trial] = proofs[end].claim
            session["regret"][trial], session["profile"][trial] = proofs[end].regret, profiles[end]

    def _objective_at(self, game: Any, profile: Any) -> float:
        """Return the objective at a profile of a game."""
        gained = float(self.objective(game, profile)) if callable(self.objective) else 0.0
        return gained + self.worth(_metrics(game, profile) if any(self._weights().values()) else {})

    def read(self, world: Trials, session: Session) -> Record:
        """Return the trials so far, and the best certified one."""
        count = int(session["done"][0])
        names = ("codes", "objective", "claim", "equilibria", "regret", "profile")
        parameters, objective, claims, equilibria, regret, profile = (
            session[name][:count].copy() for name in names
        )
        certified = np.isin(claims, UNREFUTED)
        record = {
            **indexed("choice", choice_name=[choice.name for choice in world.choices]),
            **indexed("trial", "choice", parameters=parameters),
            **indexed(
                "trial",
                objective=objective[:, 0],
                objective_best=objective[:, 1],
                objective_worst=objective[:, 2],
                trial_claim=claims,
                trial_certified=certified,
                trial_equilibria=equilibria,
            ),
            **indexed("trial", "player", trial_regret=regret),
            **indexed("trial", "player", "axis", trial_profile=profile),
        }
        loss = self._trial_losses(session)[:count]
        if not np.any(np.isfinite(loss)):
            undefined = np.full(session["profile"].shape[1:], np.nan)
            status = "not found" if count else "iteration limit"
            return record | {"profile": (("player", "axis"), undefined), "status": scalar(status)}
        optimum = int(np.nanargmin(loss))
        record |= {
            "profile": (("player", "axis"), profile[optimum].copy()),
            "chosen": scalar(optimum),
            "chosen_objective": scalar(objective[optimum, 0]),
            **self._decision(world.choices, parameters[optimum], world.accepts),
        }
        if count >= len(world.grid) and not certified.any():
            record["status"] = scalar("not found")
        elif count >= len(world.grid) and (
            not world.refined or session["finished"][0] or count == self._trials(world)
        ):
            record["status"] = scalar("converged")
        return record

    def played(self, game: object, record: Record) -> Any:
        """Return the game of a record's profile: the given game with the chosen parameters."""
        if "chosen_parameters" not in record:
            return game
        return self.world(game).at(np.asarray(record["chosen_parameters"][1]))


class _Untried(Exception):
    """A value that the search asks for, and no trial has had."""


def _middle(game: Any) -> Any:
    """Return a profile in the middle of the space's search grid."""
    rows = [np.asarray(game.space.grid(player, 9)) for player in range(game.space.shape[0])]
    return game.space.project(put(np.stack([row[len(row) // 2] for row in rows])))


def _metrics(game: Any, profile: Any) -> Record:
    """Return the metrics of a game, and the sum of payoffs as welfare where it defines none."""
    record = dict(measures(game, profile))
    if WELFARE not in record:
        record[WELFARE] = scalar(np.sum(payoffs(game, profile)))
    return record


class RuleProblem(NamedTuple):
    """A game, the choices and the players' method."""

    game: Any
    choices: tuple[Choice, ...]
    method: BaseLearner


class RuleDesign(DesignSearch):
    """Keywords of a game chosen by a planner who evaluates the play of the game's population, or a solution.

    ``choices`` says what is set: a table of keywords of the game, each with a list of values, numbers, words
    or lists, or a range ``{from, to, count, scale}``: ``count`` values, which a grid needs, evenly spaced or
    with ``scale = "log"`` in logarithms; between integers, integers. ``"toll.slope"`` refers to an entry of a
    table. Every trial builds the game anew and plays it from the start, ``seeds`` times, by
    ``response_method``: a table such as ``{kind = "q_learning", training = 100000}`` or ``{kind = "newton",
    beta = 100.0}`` (default: ``newton`` where there is a mean field, else ``q_learning``), of roads also
    ``{kind = "user_equilibrium"}``. All trials use the same seeds; solvers, which draw nothing, have one. All
    combinations are tried, or ``trials`` random ones; no derivatives are used.

    ``objective`` is a metric of the players' record, or a weighted sum, ``{efficiency = 1.0,
    reward_fairness = 2.0}``; in Python also a function of a record. An array counts as its mean, or written
    ``min(agent_reward)`` as its smallest entry. The metrics in ``spending``, each times its weight, are
    subtracted. One step is one run of the players.

    The record holds ``choice_name`` (choice), ``parameters`` (trial, choice), for words their position in the
    list, ``parameter_label``; ``trial_objective`` and ``trial_exploitability``, relative to payoffs, the mean
    over agents (trial, seed); ``trial_objective_mean``, ``trial_objective_low``, ``.._high``, a 95 % interval
    over seeds (of Newton's method the number itself); ``default_trial``, the one with the game as it is, if
    any; ``trial_status``, the worst of its runs, ``refused`` where the game cannot be built, for the reason
    in ``trial_remark``. The trial with the best mean is ``chosen``, with ``chosen_rule`` in words,
    ``chosen_parameters``, ``chosen_label``, ``chosen_objective``, and ``chosen_bound`` (choice) where the
    value is an end of the numbers tried, beyond which the game has others. A run of a solver that did not
    converge is never chosen; for learners exploitability measures the distance from equilibrium. The rest is
    the record of the chosen trial's first seed, with the certificate of its players. The best of many noisy
    means is biased upwards: replicate the chosen rule with other seeds before reporting its value.

    Raises
    ------
    ValueError
        For values that the game refuses, and for measures that the players' record lacks.

    Examples
    --------
    >>> import rivalry as rv
    >>> play = {"kind": "simulation", "plays": "stake", "evaluation": 500}
    >>> method = RuleDesign(choices={"urgencies": [[1.0, 5.0], [1.0, 3.0]]}, response_method=play)
    >>> solution = rv.solve(rv.games.karma(agents=20), method)
    >>> solution.status, solution.data.trial_objective.shape, solution.data.chosen_label.values.tolist()
    ('converged', (2, 3), ['1 and 3'])
    """

    objective: Annotated[
        str | dict[str, float] | Callable[[Record], float],
        "a metric of the players' record, or a table of weights",
    ] = "efficiency"
    trials: Annotated[
        int | None, Ge(1), Le(1_000_000), "number of combinations to draw (default: all are tried)"
    ] = None
    seeds: Annotated[
        int | None, Ge(1), Le(100_000), "runs per trial (default: 3; 1 for solvers, which are deterministic)"
    ] = None
    response_method: Annotated[
        Any, "how players respond to rules: {kind = .., ..} (default: newton, or q_learning)"
    ] = None

    usual: ClassVar[str] = "mean"

    def __check_init__(self) -> None:
        if self.trials is None:
            grid_of(choices_of(self.choices))  # refuses ranges without a count

    needs = (
        Need("a population, or a game without payoffs of profiles", lambda game: not PAYOFFS.met(game)),
        Need("a factory that can rebuild the game", lambda game: recipe_of(game) is not None),
    )

    def world(self, game: object) -> RuleProblem:
        """Return the design problem. Raise `ValueError` for a keyword or a value that the game refuses."""
        rules = RuleProblem(game, choices_of(self.choices), method_of(self.response_method, game))
        check_values(game, rules.choices)
        if not _draws(rules) and (self.seeds or 1) > 1:
            raise ValueError(f"seeds: {self.seeds} must be 1: the players' method draws nothing")
        return rules

    def check_world(self, world: RuleProblem) -> None:
        """Raise `ValueError` where the players' method does not fit; a run checks names of metrics."""
        world.method.check_world(world.method.world(world.game))

    def begin(self, world: RuleProblem, stream: SeedSequence) -> Session:
        """Return a session without trials.

        Raise `ValueError` for an objective that the players' record lacks.
        """
        words = stream.generate_state(4, np.uint32)
        with warnings.catch_warnings(action="ignore"):  # agents that have not learned are in no equilibrium
            self.check_measures(expected_record(world.game, world.method, stream_of(words, PROBE, 0)))
        trials, seeds = self._trials(world), self._seeds(world)
        return {
            "words": words,
            "done": np.array([0]),
            "codes": np.full((trials, len(world.choices)), np.nan),
            "objective": np.full((trials, seeds), np.nan),
            "exploitability": np.full((trials, seeds), np.nan),
            "status": np.zeros((trials, seeds), int),
            "remark": np.full(trials, "", f"U{REMARK}"),
            "now": _packed({}),  # of the trial's first run
            "best": _packed({}),
        }

    def propose(self, world: RuleProblem, session: Session, trial: int) -> ndarray:
        """Return the codes ``[choice]`` of a trial, given the results of all earlier ones."""
        if self.trials is None:
            return np.asarray(grid_of(world.choices)[trial])
        # by trial: draws do not depend on where a run was interrupted
        rng = np.random.default_rng(stream_of(session["words"], DRAWS, trial))
        return np.array([choice.sample(rng) for choice in world.choices])

    def read(self, world: RuleProblem, session: Session) -> Record:
        """Return the trials so far, and the best complete one."""
        trials = -(-int(session["done"][0]) // self._seeds(world))
        objective, status = session["objective"][:trials], session["status"][:trials]
        mean = objective.mean(axis=1)
        # one run of a solver has no noise
        half = half_width(objective.T) if _draws(world) else np.where(np.isnan(mean), np.nan, 0.0)
        record = choice_record(world.choices, session["codes"][:trials]) | {
            **indexed(
                "trial",
                "seed",
                trial_objective=objective.copy(),
                trial_exploitability=session["exploitability"][:trials].copy(),
            ),
            **indexed(
                "trial",
                trial_objective_mean=mean,
                trial_objective_low=mean - half,
                trial_objective_high=mean + half,
                trial_status=np.asarray([STATUSES[k] for k in status.max(axis=1)], "U15"),
                trial_remark=session["remark"][:trials].copy(),
            ),
        }
        default = _default_codes(world)
        if (same := np.flatnonzero((session["codes"][:trials] == default).all(axis=1))).size:
            record["default_trial"] = scalar(same[0])
        over, optimum = int(session["done"][0]) >= self.length(world), self._optimum(session)
        if optimum < 0:
            return record | {"status": scalar("not found" if over else "iteration limit")}
        labels = record["parameter_label"][1][optimum]
        pairs = zip(record["choice_name"][1], labels, strict=True)
        settings = set_to(world.choices, session["codes"][optimum])
        record |= indexed(
            chosen=optimum,
            chosen_rule=", ".join(f"{name} {label}" for name, label in pairs),
            chosen_objective=mean[optimum],
            status="converged" if over else "iteration limit",
        )
        record |= indexed("choice", chosen_label=labels) | self._decision(
            world.choices,
            record["parameters"][1][optimum],
            lambda choice, number: accepts(world.game, choice, settings, number),
        )
        return _unpacked(session["best"]) | record

    def played(self, game: object, record: Record) -> Any:
        """Return the game under the chosen rule."""
        if "chosen" not in record:
            return game
        choices, numbers = choices_of(self.choices), record["chosen_parameters"][1]
        codes = [choice.code(float(number)) for choice, number in zip(choices, numbers, strict=True)]
        return variant(game, **set_to(choices, np.array(codes)))

    def _trials(self, world: RuleProblem) -> int:
        return self.trials or len(grid_of(world.choices))

    def _seeds(self, world: RuleProblem) -> int:
        return self.seeds or (SEEDS if _draws(world) else 1)

    def _answer(self, world: RuleProblem, session: Session, trial: int, seed: int) -> None:
        """Run the players once under the rule of a trial; keep the record of the best trial's first run."""
        record = self._run(world, session, trial, seed)
        if seed == 0:
            session["now"] = _packed(record)
        if seed == self._seeds(world) - 1 and self._optimum(session) == trial:
            session["best"] = session["now"]

    def _run(self, world: RuleProblem, session: Session, trial: int, seed: int) -> Record:
        try:
            # the stream depends on the seed alone: all rules are compared with common random numbers
            game = variant(world.game, **set_to(world.choices, session["codes"][trial]))
            record = run_players(game, world.method, stream_of(session["words"], RUNS, seed))
        except ValueError as error:  # values accepted separately may be refused together
            session["remark"][trial] = str(error)
            session["status"][trial, seed] = STATUSES.index("refused")
            return {}
        if not int(session["done"][0]):
            self.check_measures(record)
        status = str(record["status"][1])
        session["status"][trial, seed] = STATUSES.index(status)
        losses = (reduced(record, name) for name in LOSSES if name in record)
        session["exploitability"][trial, seed] = next(losses, np.nan)
        if status == "converged" or _draws(world):
            gained = float(self.objective(record)) if callable(self.objective) else 0.0
            session["objective"][trial, seed] = gained + self.worth(record)
        return record

    def _optimum(self, session: Session) -> int:
        """Return the trial with the best mean among those whose runs are complete, the first of several.

        -1: none.
        """
        mean = session["objective"].mean(axis=1) * (1.0 if self.maximise else -1.0)
        complete = np.isfinite(mean) & (session["status"].max(axis=1) < CHOOSABLE)
        return int(np.argmax(np.where(complete, mean, -np.inf))) if complete.any() else -1


def _draws(world: RuleProblem) -> bool:
    """Whether the players' method draws random numbers: learners do, of agents, and solvers do not."""
    is_solver = isinstance(world.method, _Stationary)
    return not is_solver and (is_population(world.game) or is_agents(world.game))


def _default_codes(world: RuleProblem) -> ndarray:
    """Codes ``[choice]`` of the game as it is, NaN where its value is none of a list."""
    recipe = recipe_of(world.game)
    codes = np.full(len(world.choices), np.nan)
    for k, choice in enumerate(world.choices):
        value: Any = recipe and recipe.given
        for part in parse_key(choice.name):
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):  # a default that the game fills in
                value = None
        if is_number(value) and not choice.values:
            codes[k] = value
        elif isinstance(value, PLAIN) and value in choice.values:
            codes[k] = choice.values.index(value)
    return codes


def stream_of(words: ndarray, *key: int) -> SeedSequence:
    """Return a stream of a session, one per key, independent of draws from the others."""
    return SeedSequence(words.tolist(), spawn_key=key)


def _packed(record: Record) -> ndarray:
    """Return a record as bytes, since a session holds arrays alone."""
    arrays = {json.dumps([name, *dims]): np.asarray(array) for name, (dims, array) in record.items()}
    file = BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    return np.frombuffer(file.getvalue(), np.uint8).copy()


def _unpacked(packed: ndarray) -> Record:
    record: Record = {}
    with np.load(BytesIO(packed.tobytes())) as arrays:
        for key, array in arrays.items():
            name, *dims = json.loads(key)
            record[name] = tuple(dims), array
    return record


class _Stationary(BaseLearner):
    """The logit equilibrium of a population by Newton's method, as an answer of one step."""

    method: PopulationNewton

    def world(self, game: PopulationGame) -> PopulationGame:
        refuse_mean_field(game)
        return game

    def length(self, world: PopulationGame) -> int:
        return 1

    def begin(self, world: PopulationGame, stream: SeedSequence) -> dict[str, Record]:
        return {}

    def advance(self, world: PopulationGame, session: dict[str, Record], steps: int) -> int:
        state, residual = solve_in_stages(self.method, world)
        ended = CONVERGED if residual <= ENOUGH else int(self.method.ending(world, state))
        # the report is without a remedy: the search continues with the next rule
        session["record"] = {
            "profile": (("state", "action"), np.asarray(state.profile)),
            "status": scalar(ENDINGS[ended] if ended else "iteration limit"),
            **self.method.report(world, state, "converged"),
            **record_of(world, state.profile, None)[0],
        }
        return 1

    def read(self, world: PopulationGame, session: dict[str, Record]) -> Record:
        """Return the record of the equilibrium, before the step that of uniform play."""
        return dict(session["record"]) if session else record_of(world, uniform(world), None)[0]


def method_of(table: object, game: object) -> BaseLearner:
    """Return the response method for a game, from a table or as given. Raise `ValueError` if invalid.

    By default: Newton's method where the game has a mean field, else Q-learning.
    """
    if table is None:
        stationary = is_population(game) and not mean_field_refusal(game)
        table = {"kind": "newton" if stationary else "q_learning"}
    method = _from_table(dict(table), game) if isinstance(table, Mapping) else table
    if isinstance(method, PopulationNewton):
        return _Stationary(method)
    if not isinstance(method, Learner):
        kind = type(method).__name__
        raise ValueError(f"response_method: {kind} must be newton, or a learner, as q_learning is")
    return as_learner(method)


def _from_table(options: dict[str, Any], game: object) -> Any:
    """Return the first class of the table's kind that fits the game, with its options."""
    kind = options.pop("kind", None)
    if not (isinstance(kind, str) and kind in METHODS):
        raise ValueError(f"response_method: kind {kind!r} is no method; {near(str(kind), METHODS)}")
    classes = [load(target) for target in METHODS[kind].targets]
    target = next((target_class for target_class in classes if fits(target_class, game)), None)
    if target is None:
        raise ValueError(f"response_method: {kind!r} does not fit this game")
    try:
        return target(**options)
    except (TypeError, ValueError) as error:
        raise ValueError(f"response_method: {error}") from None


def run_players(game: object, method: BaseLearner, sequence: SeedSequence) -> Record:
    """Return the record of the players' run in a game; ``status`` is its final status."""
    world = method.world(game)
    session = method.begin(world, sequence)
    _, finished = run_session(method, world, session, method.length(world))
    return read_session(method, world, session, finished)


def expected_record(game: object, method: BaseLearner, sequence: SeedSequence) -> Record:
    """Return a record with the expected names, before the first step; empty where nothing is known then."""
    world = method.world(game)
    record = dict(method.read(world, method.begin(world, sequence)))
    numeric = any(dims == () and array.dtype.kind in "biuf" for dims, array in record.values())
    return record if numeric else {}
