"""Design of a game's rules by a planner who anticipates what its players learn, or how they end up."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, NamedTuple

import numpy as np
from annotated_types import Ge, Le
from numpy import ndarray
from numpy.random import SeedSequence

from rivalry.core.game import is_agents, is_population
from rivalry.core.method import ENDINGS, BaseLearner, Learner, Session, as_learner, read_session, run_session
from rivalry.core.needs import PAYOFFS, Need, fits
from rivalry.core.results import Record, indexed, scalar
from rivalry.methods import METHODS
from rivalry.methods.design.rule_choices import (
    Choice,
    accepts,
    bound_of,
    check_values,
    check_weights,
    choice_record,
    choices_of,
    grid_of,
    set_to,
)
from rivalry.methods.populations.logit_equilibrium import solve_in_stages
from rivalry.methods.populations.newton import ENOUGH, PopulationNewton
from rivalry.methods.q_learning.exploration import Table
from rivalry.population import record_of, uniform
from rivalry.population.oracles import mean_field_refusal, refuse_mean_field
from rivalry.schema.construction import is_number, recipe_of, variant
from rivalry.schema.keys import parse_key
from rivalry.schema.registry import load, near
from rivalry.text.statistics import half_width

SEEDS = 3
# the worst of a trial counts
STATUSES = ("converged", "completed", "iteration limit", "cycling", "not found", "refused")
CHOOSABLE = STATUSES.index("cycling")  # only statuses before it may be chosen
REMARK = 200  # characters
PLAIN = (str, int, float, list, tuple, dict, type(None))  # which compare by one truth value
RUNS, DRAWS, PROBE = 0, 1, 2  # streams
NOW, BEST = "now", "best"  # records stored in a session
Objective = Callable[[Record], float]
CONVERGED = ENDINGS.index("converged")

# the players' possible gains relative to their payoffs, by the name in their records
LOSSES = ("mean_relative_exploitability", "relative_exploitability")


class RuleProblem(NamedTuple):
    """A game, the choices and the players' method; ``last_game`` holds the game of the last trial."""

    game: Any
    choices: tuple[Choice, ...]
    method: Any
    last_game: dict[bytes, Any]

    def at(self, codes: ndarray) -> Any:
        """Return the game under a rule. Raise `ValueError` where its factory refuses it."""
        key = codes.tobytes()
        if key not in self.last_game:
            self.last_game.clear()
            self.last_game[key] = variant(self.game, **set_to(self.choices, codes))
        return self.last_game[key]


class RuleDesign(BaseLearner):
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

    choices: Annotated[
        Table,
        "the design variables: keyword = {from, to, count, scale}, or a list of values",
    ]
    objective: Annotated[
        str | dict[str, float] | Objective, "a metric of the players' record, or a table of weights"
    ] = "efficiency"
    spending: Annotated[
        dict[str, float] | None, "metrics subtracted from the objective, with their weights"
    ] = None
    maximise: Annotated[bool, "whether the objective is maximised; else it is minimised"] = True
    trials: Annotated[
        int | None, Ge(1), Le(1_000_000), "number of combinations to draw (default: all are tried)"
    ] = None
    seeds: Annotated[
        int | None, Ge(1), Le(100_000), "runs per trial (default: 3; 1 for solvers, which are deterministic)"
    ] = None
    response_method: Annotated[
        Any, "how players respond to rules: {kind = .., ..} (default: newton, or q_learning)"
    ] = None

    def __check_init__(self) -> None:
        choices = choices_of(self.choices)
        if self.trials is None:
            grid_of(choices)  # refuses ranges without a count
        if isinstance(self.objective, Mapping) and not self.objective:
            raise ValueError("objective: {} must have at least one measure")
        check_weights(objective=self.objective, spending=self.spending)

    needs = (
        Need("a population, or a game without payoffs of profiles", lambda game: not PAYOFFS.met(game)),
        Need("a factory that can rebuild the game", lambda game: recipe_of(game) is not None),
    )

    def world(self, game: object) -> RuleProblem:
        """Return the design problem. Raise `ValueError` for a keyword or a value that the game refuses."""
        rules = RuleProblem(game, choices_of(self.choices), method_of(self.response_method, game), {})
        check_values(game, rules.choices)
        if not _draws(rules) and (self.seeds or 1) > 1:
            raise ValueError(f"seeds: {self.seeds} must be 1: the players' method draws nothing")
        return rules

    def length(self, world: RuleProblem) -> int:
        """Return the number of runs of the players."""
        return self._trials(world) * self._seeds(world)

    def check_world(self, world: RuleProblem) -> None:
        """Raise `ValueError` where the players' method does not fit; a run checks names of metrics."""
        if isinstance(world.method, PopulationNewton):
            refuse_mean_field(world.game)
        else:
            learner = as_learner(world.method)
            learner.check_world(learner.world(world.game))

    def begin(self, world: RuleProblem, stream: SeedSequence) -> Session:
        """Return a session without trials.

        Raise `ValueError` for an objective that the players' record lacks.
        """
        words = stream.generate_state(4, np.uint32)
        with warnings.catch_warnings(
            action="ignore"
        ):  # agents that have not learned yet are not in equilibrium
            record = expected_record(world.game, world.method, stream_of(words, PROBE, 0))
        self._check_measures(record)
        trials, seeds = self._trials(world), self._seeds(world)
        return {
            "words": words,
            "done": np.array([0]),
            "codes": np.full((trials, len(world.choices)), np.nan),
            "objective": np.full((trials, seeds), np.nan),
            "exploitability": np.full((trials, seeds), np.nan),
            "status": np.zeros((trials, seeds), int),
            "remark": np.full(trials, "", f"U{REMARK}"),
        }

    def advance(self, world: RuleProblem, session: Session, steps: int) -> int:
        """Run up to ``steps`` runs of the players."""
        seeds, begin = self._seeds(world), int(session["done"][0])
        end = min(begin + steps, self.length(world))
        for run in range(begin, end):
            trial, seed = divmod(run, seeds)
            if seed == 0:
                session["codes"][trial] = self.propose(world, session, trial)
            self._run(world, session, trial, seed)
            session["done"][0] += 1
            if seed == seeds - 1:
                if self._optimum(session) == trial:
                    _store_record(session, BEST, _load_record(session, NOW))
                _store_record(session, NOW, {})
        return end - begin

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
        record |= {
            **indexed(
                chosen=optimum,
                chosen_rule=", ".join(f"{name} {label}" for name, label in pairs),
                chosen_objective=mean[optimum],
                status="converged" if over else "iteration limit",
            ),
            **indexed(
                "choice",
                chosen_parameters=record["parameters"][1][optimum],
                chosen_label=labels,
                chosen_bound=np.asarray(_bounds(world, session["codes"][optimum]), "U18"),
            ),
        }
        return _load_record(session, BEST) | record

    def played(self, game: object, record: Record) -> Any:
        """Return the game under the chosen rule."""
        if "chosen" not in record:
            return game
        choices, numbers = choices_of(self.choices), record["chosen_parameters"][1]
        codes = [choice.code(float(number)) for choice, number in zip(choices, numbers, strict=True)]
        return variant(game, **set_to(choices, np.array(codes)))

    # parts

    def _trials(self, world: RuleProblem) -> int:
        return self.trials or len(grid_of(world.choices))

    def _seeds(self, world: RuleProblem) -> int:
        return self.seeds or (SEEDS if _draws(world) else 1)

    def _gains(self) -> Mapping[str, float] | Objective:
        return {self.objective: 1.0} if isinstance(self.objective, str) else self.objective

    def _check_measures(self, record: Record) -> None:
        """Raise `ValueError` for metrics that a record of the players lacks; an empty record passes."""
        plain = {key for key, (_, array) in record.items() if np.asarray(array).dtype.kind in "biuf"}
        for option, weights in (("objective", self._gains()), ("spending", self.spending)):
            for name in weights if isinstance(weights, Mapping) and record else ():
                metric = _parts(name)[1]
                if metric not in plain:
                    reason = f"{metric!r} is no metric of the players' record; {near(metric, plain)}"
                    raise ValueError(f"{option}: {reason}")

    def _run(self, world: RuleProblem, session: Session, trial: int, seed: int) -> None:
        """Run the players once under the rule of a trial."""
        try:
            # the stream depends on the seed alone: all rules are compared with common random numbers
            game = world.at(session["codes"][trial])
            record = run_players(game, world.method, stream_of(session["words"], RUNS, seed))
        except ValueError as error:  # values accepted separately may be refused together
            session["remark"][trial] = str(error)
            session["status"][trial, seed] = STATUSES.index("refused")
            return
        if not int(session["done"][0]):
            self._check_measures(record)
        value = objective_value(self._gains(), record) - objective_value(self.spending or {}, record)
        status = str(record["status"][1])
        session["status"][trial, seed] = STATUSES.index(status)
        losses = (_reduce(record, name) for name in LOSSES if name in record)
        session["exploitability"][trial, seed] = next(losses, np.nan)
        converged = status == "converged" or _draws(world)
        session["objective"][trial, seed] = value if converged else np.nan
        if seed == 0:
            _store_record(session, NOW, record)

    def _optimum(self, session: Session) -> int:
        """Return the trial with the best mean among those whose runs are complete, the first of several.

        -1: none.
        """
        mean = session["objective"].mean(axis=1) * (1.0 if self.maximise else -1.0)
        complete = np.isfinite(mean) & (session["status"].max(axis=1) < CHOOSABLE)
        return int(np.argmax(np.where(complete, mean, -np.inf))) if complete.any() else -1


def _draws(world: RuleProblem) -> bool:
    """Whether the players' method draws random numbers: learners do, of agents, and solvers do not."""
    is_solver = isinstance(world.method, PopulationNewton)
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


def _bounds(world: RuleProblem, codes: ndarray) -> list[str]:
    """Return for every choice whether the chosen value is an end of those tried."""
    settings = set_to(world.choices, codes)
    return [
        bound_of(choice.tried, choice.number(float(code)), partial(accepts, world.game, choice, settings))
        for choice, code in zip(world.choices, codes, strict=True)
    ]


def stream_of(words: ndarray, *key: int) -> SeedSequence:
    """Return a stream of a session, one per key, independent of draws from the others."""
    return SeedSequence(words.tolist(), spawn_key=key)


def _store_record(session: Session, prefix: str, record: Record) -> None:
    """Store a record in a session's arrays, replacing the previous one."""
    for name in [name for name in session if name.startswith(f"{prefix}:")]:
        del session[name]
    for name, (_, array) in record.items():
        session[f"{prefix}:{name}"] = np.array(array)
    dims = {name: list(dims) for name, (dims, _) in record.items()}
    # a session holds arrays alone: names of dimensions are stored as bytes
    session[f"{prefix}_dims"] = np.frombuffer(json.dumps(dims).encode(), np.uint8).copy()


def _load_record(session: Session, prefix: str) -> Record:
    dims = json.loads(session[f"{prefix}_dims"].tobytes())
    return {name: (tuple(of), session[f"{prefix}:{name}"]) for name, of in dims.items()}


def method_of(table: object, game: object) -> Any:
    """Return the response method for a game, from a table or as given. Raise `ValueError` if invalid.

    By default: Newton's method where the game has a mean field, else Q-learning.
    """
    if table is None:
        stationary = is_population(game) and not mean_field_refusal(game)
        table = {"kind": "newton" if stationary else "q_learning"}
    method = _from_table(dict(table), game) if isinstance(table, Mapping) else table
    if not isinstance(method, Learner | PopulationNewton):
        kind = type(method).__name__
        raise ValueError(f"response_method: {kind} must be newton, or a learner, as q_learning is")
    return method


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


def run_players(game: object, method: Any, sequence: SeedSequence) -> Record:
    """Return the record of the players' run in a game; ``status`` is its final status."""
    if isinstance(method, PopulationNewton):
        return _solve_population(game, method)
    learner = as_learner(method)
    world = learner.world(game)
    session = learner.begin(world, sequence)
    _, finished = run_session(learner, world, session, learner.length(world))
    return read_session(learner, world, session, finished)


def expected_record(game: Any, method: Any, sequence: SeedSequence) -> Record:
    """Return a record with the expected names: of uniform play, or of learners before the first step.

    Empty where nothing is known before the first step.
    """
    if isinstance(method, PopulationNewton):
        refuse_mean_field(game)
        return record_of(game, uniform(game), None)[0]
    learner = as_learner(method)
    world = learner.world(game)
    record = dict(learner.read(world, learner.begin(world, sequence)))
    numeric = any(dims == () and array.dtype.kind in "biuf" for dims, array in record.values())
    return record if numeric else {}


def _solve_population(game: Any, method: PopulationNewton) -> Record:
    refuse_mean_field(game)
    state, residual = solve_in_stages(method, game)
    ended = CONVERGED if residual <= ENOUGH else int(method.ending(game, state))
    record: Record = {
        "profile": (("state", "action"), np.asarray(state.profile)),
        "status": scalar(ENDINGS[ended] if ended else "iteration limit"),
    }
    # the report is without a remedy: the search continues with the next rule
    record |= method.report(game, state, "converged")
    return record | record_of(game, state.profile, None)[0]


def objective_value(weights: Mapping[str, float] | Objective, record: Record) -> float:
    """Return the weighted sum of metrics of a record, each the mean of its known entries, or their
    ``min(..)``.

    Examples
    --------
    >>> objective_value({"reward": 1.0, "min(reward)": 2.0}, {"reward": (("agent",), np.array([-1.0, -3.0]))})
    -8.0
    """
    if callable(weights):
        return float(weights(record))
    return float(sum(weight * _reduce(record, name) for name, weight in weights.items()))


def _reduce(record: Record, name: str) -> float:
    reduce, metric = _parts(name)
    if metric not in record:  # not defined under this rule
        return np.nan
    array = np.asarray(record[metric][1], float)
    finite = array[~np.isnan(array)]  # empty classes have no reward
    if not finite.size:
        return np.nan
    return float(finite.min() if reduce == "min" else finite.mean())


def _parts(name: str) -> tuple[str, str]:
    """Return the reduction of a metric's entries to one number, and the metric's name."""
    match = re.fullmatch(r"(min|mean)\((\w+)\)", name)
    return (match[1], match[2]) if match else ("mean", name)
