"""Policies drawn at random beside a logit equilibrium: what experiments on them share."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import equinox as eqx
import numpy as np
from annotated_types import Ge, Gt, Le
from jaxtyping import Array, Float

from rivalry.core.game import PopulationGame
from rivalry.core.jax import put
from rivalry.core.needs import POPULATION, Need, fits
from rivalry.core.results import Record
from rivalry.methods.populations.logit_equilibrium import equilibrium
from rivalry.methods.populations.newton import ENOUGH
from rivalry.population import uniform
from rivalry.population.distances import DISTANCES, entropies
from rivalry.population.random_policies import (
    ENTROPY_RULES,
    GENERATORS,
    Drawn,
    EntropyRule,
    Rule,
    as_undecided,
    draw_policies,
)

Session = dict[str, np.ndarray]
Many = Float[Array, "policy state action"]

BATCH = 32  # policies in one call of a program


class OnDrawn(eqx.Module):
    """The options of an experiment, its equilibrium, and which policies it looks at, batch by batch."""

    beta: Annotated[float, Gt(0), "inverse temperature of the equilibrium, per unit of payoff"] = 1.0
    policies: Annotated[int, Ge(1), Le(1_000_000), "how many that qualify are looked at"] = 200
    generator: Annotated[Rule, "how policies are drawn"] = "dirichlet_state"
    entropy_rule: Annotated[
        EntropyRule, "they have at least the equilibrium's entropy: in the mean over states, or in every one"
    ] = "mean"
    draws: Annotated[int, Ge(1), "how many are drawn at the most, until enough qualify"] = 100_000

    def __check_init__(self) -> None:
        if not 0 < self.beta < np.inf:
            raise ValueError(f"beta: {self.beta} must be above 0 and finite")
        for name in ("policies", "draws", "map_steps"):
            value = getattr(self, name, 1)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name}: {value!r} must be a whole number, at least 1")
        words = (("generator", GENERATORS), ("entropy_rule", ENTROPY_RULES), ("distance", DISTANCES))
        for name, known in words:
            if getattr(self, name, known[0]) not in known:
                raise ValueError(f"{name}: {getattr(self, name)!r} must be one of {', '.join(known)}")

    needs: ClassVar[tuple[Need, ...]] = (
        POPULATION,
        Need("bids of 0 to what is held, which rises in steps of 1", lambda game: _bids(game.legal)),
    )

    def world(self, game: Any) -> PopulationGame:
        """The population itself. Raises `ValueError` for other games."""
        if not fits(type(self), game):
            raise ValueError(f"game: {type(game).__name__} must be a population of agents who bid")
        found: PopulationGame = game
        return found

    def length(self, world: PopulationGame) -> int:
        """One step is one policy."""
        return self.policies

    def begin(self, world: PopulationGame, stream: np.random.SeedSequence) -> Session:
        """The equilibrium, and the words that policies are drawn from."""
        policy, mu, residual = equilibrium(world, self.beta)
        return {
            "words": stream.generate_state(4, np.uint32),
            "equilibrium": policy,
            "law": mu,
            "residual": np.array([residual]),
            "drawn": np.zeros(1, dtype=np.int64),
            "taken": np.zeros(1, dtype=np.int64),
        }

    def advance(self, world: PopulationGame, session: Session, steps: int) -> int:
        """Looks at that many policies more; in batches of one size, so chunks change nothing."""
        if not session["residual"][0] <= ENOUGH:
            return 0
        first = int(session["taken"][0])
        last = min(first + steps, self.policies)
        while len(session.get("number", ())) < last:
            numbers, chosen, drawn = self._chosen(session, self.policies - len(session.get("number", ())))
            session["drawn"][0] = drawn
            if not len(numbers):
                last = len(session.get("number", ()))
                break
            padding = [np.asarray(uniform(world))] * (BATCH - len(numbers))
            measured = self.measured(world, session, put(np.stack([*chosen, *padding])))
            for name, values in {"number": numbers, **measured}.items():
                new = np.asarray(values)[: len(numbers)]
                session[name] = np.concatenate([session[name], new]) if name in session else new
        session["taken"][0] = last
        return last - first

    def measured(self, world: PopulationGame, session: Session, policies: Many) -> dict[str, Any]:
        """What is measured of each policy, ``[policy ..]``."""
        raise NotImplementedError

    def _chosen(self, session: Session, most: int) -> tuple[np.ndarray, np.ndarray, int]:
        """The next policies that qualify, a batch at the most: numbers, themselves, and where to go on."""
        target = session["equilibrium"]
        actions, first = target.shape[1], int(session["drawn"][0])
        shaped = target.reshape(-1, actions, actions)
        numbers: list[int] = []
        kept: list[np.ndarray] = []
        while first < self.draws and len(kept) < min(BATCH, most):
            count = min(8 * BATCH, self.draws - first)
            drawn = self._drawn(session, len(shaped), actions - 1, count, first)
            fit = np.flatnonzero(as_undecided(drawn.policies, shaped, self.entropy_rule))
            fit = fit[: min(BATCH, most) - len(kept)]
            numbers += (first + fit).tolist()
            kept += list(drawn.policies[fit].reshape(-1, *target.shape))
            full = len(kept) == min(BATCH, most)
            first = numbers[-1] + 1 if full else first + count
        return np.array(numbers, dtype=np.int64), np.array(kept), first

    def _drawn(self, session: Session, private: int, most: int, count: int, first: int) -> Drawn:
        words = np.random.SeedSequence(session["words"].tolist())
        return draw_policies(self.generator, count, private, most, words, first)

    def about(self, session: Session) -> Record:
        """All that decides the answer, and the equilibrium."""
        actions = session["equilibrium"].shape[1]
        shaped = session["equilibrium"].reshape(-1, actions, actions)
        taken, drawn = int(session["taken"][0]), int(session["drawn"][0])
        solved = session["residual"][0] <= ENOUGH
        done = taken >= self.policies or drawn >= self.draws
        record: Record = {
            "status": (
                (),
                np.asarray(("completed" if done else "iteration limit") if solved else "not found"),
            ),
            "generator": ((), np.asarray(self.generator)),
            "entropy_rule": ((), np.asarray(self.entropy_rule)),
            "beta": ((), np.asarray(float(self.beta))),
            "equilibrium": (("state", "action"), session["equilibrium"]),
            "equilibrium_residual": ((), session["residual"][0]),
            "equilibrium_entropy": ((), np.asarray(entropies(put(shaped))).mean()),
            "words": (("word",), session["words"].astype(np.int64)),  # datasets pad whole numbers with -1
            "drawn": ((), np.asarray(drawn)),
            "kept": ((), np.asarray(taken)),
        }
        if taken:
            record["number"] = (("policy",), session["number"][:taken])
            record["population_residual"] = (("policy",), session["population_residual"][:taken])
            # each policy's numbers again, one at a time: they are few, and policies are many
            each = [
                self._drawn(session, len(shaped), actions - 1, 1, int(number)).parameters
                for number in record["number"][1]
            ]
            for name in each[0]:
                values = np.concatenate([one[name] for one in each])
                record[f"drawn_{name}"] = (("policy", "private")[: values.ndim], values)
        return record


def _bids(legal: Any) -> bool:
    """Whether actions are bids of 0 to k in blocks of states whose k rises in steps of 1."""
    legal = np.asarray(legal)
    states, actions = legal.shape
    triangle = np.tri(actions, dtype=bool)
    return states % actions == 0 and np.array_equal(legal, np.tile(triangle, (states // actions, 1)))
