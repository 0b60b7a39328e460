"""Bayesian search for a planner's rule with Optuna (extra ``tune``)."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from annotated_types import Ge

from rivalry.core.method import Session
from rivalry.methods.design.rule_choices import Choice
from rivalry.methods.design.rule_design import RuleDesign, RuleProblem, stream_of
from rivalry.schema.installation import remedy

PROPOSALS = 3  # number of the random stream of proposals
FIRST = 8  # trials drawn uniformly


class BayesianDesign(RuleDesign):
    """A rule chosen by a tree-structured Parzen estimator, which proposes trials near good earlier ones.

    Options and results are those of `RuleDesign`. The first eight of ``trials`` trials are drawn uniformly;
    each later one is proposed from the mean objectives over seeds of all earlier trials. A
    proposal depends only on the run's seed, the number of the trial and the trials before it, so a resumed
    run is bit-identical with the same version of Optuna. A range with a ``count`` is tried only at these
    values.

    Needs the extra ``tune``.

    Raises
    ------
    ValueError
        As `RuleDesign` does, and if Optuna is not installed.

    References
    ----------
    Bergstra et al. (Advances in Neural Information Processing Systems 2011).

    Examples
    --------
    >>> import rivalry as rv
    >>> BayesianDesign(choices={"mean_karma": {"from": 1.0, "to": 3.0}}).trials
    20
    """

    trials: Annotated[int, Ge(1), "number of trials"] = 20

    def begin(self, world: RuleProblem, stream: np.random.SeedSequence) -> Session:
        """Return a session without trials. Raises `ValueError` without Optuna, and as `RuleDesign` does."""
        _optuna()
        return super().begin(world, stream)

    def propose(self, world: RuleProblem, session: Session, trial: int) -> np.ndarray:
        """Return the codes ``[choice]`` of a trial, proposed by a new sampler from all trials before it."""
        optuna = _optuna()
        (seed,) = stream_of(session["words"], PROPOSALS, trial).generate_state(1, np.uint32)
        # a new sampler per trial, with its own seed: a resumed run proposes the same as an uninterrupted one
        sampler = optuna.samplers.TPESampler(seed=int(seed), n_startup_trials=FIRST)
        study = optuna.create_study(direction="maximize" if self.maximise else "minimize", sampler=sampler)
        spaces = {choice.name: _space(optuna, choice) for choice in world.choices}
        for codes, mean in zip(
            session["codes"][:trial], session["objective"][:trial].mean(axis=1), strict=True
        ):
            is_finite = bool(np.isfinite(mean))
            study.add_trial(
                optuna.trial.create_trial(
                    # failed trials have no objective, and count as no evidence
                    state=getattr(optuna.trial.TrialState, "COMPLETE" if is_finite else "FAIL"),
                    value=float(mean) if is_finite else None,
                    params=dict(zip(spaces, codes.tolist(), strict=True)),
                    distributions=spaces,
                )
            )
        proposal = study.ask(spaces).params
        return np.array([choice.near(float(proposal[choice.name])) for choice in world.choices])


def _space(optuna: Any, choice: Choice) -> Any:
    """Return Optuna's distribution of a choice's codes: ordered for increasing numbers, else categorical."""
    if not choice.values:
        return optuna.distributions.FloatDistribution(choice.low, choice.high, log=choice.log)
    if choice.plain and list(choice.values) == sorted(choice.values):
        return optuna.distributions.FloatDistribution(0.0, len(choice.values) - 1.0, step=1.0)
    return optuna.distributions.CategoricalDistribution(list(choice.ends()))


def _optuna() -> Any:
    """Import Optuna, with logging limited to warnings. Raises `ValueError` if it is not installed."""
    try:
        import optuna
    except ImportError:
        raise ValueError(f"bayesian_design: needs optuna; {remedy('tune')}") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
