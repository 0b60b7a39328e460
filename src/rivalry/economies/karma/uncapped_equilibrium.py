"""Equilibria of karma economies without a cap: the largest karma grows until hardly any agent holds it."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from annotated_types import Gt, Lt
from jaxtyping import Array, Float
from numpy import ndarray

from rivalry.core.game import scale_of
from rivalry.core.method import BaseLearner, Session
from rivalry.core.needs import Need
from rivalry.core.results import Record, indexed
from rivalry.economies.karma.model import Around, KarmaEconomy
from rivalry.economies.kernels.shapes import rewards_of
from rivalry.methods.populations.logit_equilibrium import equilibrium
from rivalry.methods.populations.newton import ENOUGH
from rivalry.methods.populations.response import (
    SHARPNESS,
    ExplorationShare,
    InverseTemperature,
    inverse_temperature,
)
from rivalry.population import action_values, policy_values
from rivalry.population.operators import Distribution, Policy, Values, by_type
from rivalry.population.oracles import refuse_mean_field, state_types
from rivalry.runtime.jax import compiled, jax, jnp, put
from rivalry.schema.construction import variant
from rivalry.text.display import bound_in_words

CAPS = 20  # most caps that are tried
SHORTEST, LONGEST = 1.25, 2.0  # factors of the cap from one to the next
TAIL = 5  # levels below the cap from which the decline of the tail is measured
FAR = 3  # caps up to which the karma of one agent is followed
ROUNDS, SETTLED = 20_000, 1e-13  # of value iteration; relative change at which it ends
KARMA = Need("a karma economy", lambda game: isinstance(game, KarmaEconomy))


class UncappedEquilibrium(BaseLearner):
    """Logit equilibrium of a karma economy in which agents may hold any amount of karma.

    The game's ``max_karma`` is the first cap. While more than ``cut`` of all agents are at the cap, it is
    raised to where the tail of the distribution falls below ``cut``, at least by a quarter and at most to
    twice its value. Newton's method then starts at the last equilibrium; agents above the old cap bid as
    those at it.

    Profile, certificate and metrics are of the economy with the last cap, ``cap``. ``tried_cap`` and
    ``tried_share`` (trial) are the caps and the shares of agents at them. ``uncapped_bound`` (player) bounds
    the mean gain of an agent that may hold any amount, where all others keep to the policy and the cap: an
    agent with three times the cap is assumed to have its largest reward from then on. ``truncation`` states
    cap, share and bound in words. The status is ``not found`` where Newton's method fails at a cap.

    Raises
    ------
    ValueError
        For options out of range, games without a stationary population, and tables that have a row for every
        amount of karma, as these do not say what holds above the cap.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.karma(max_karma=4, mean_karma=1.0, gamma=0.5)
    >>> data = rv.solve(game, UncappedEquilibrium(beta=5.0, cut=1e-4)).data
    >>> bool(data.share_at_max_karma <= 1e-4), int(data.cap) > 4
    (True, True)
    """

    beta: InverseTemperature = None
    exploration: ExplorationShare = 0.0
    cut: Annotated[float, Gt(0), Lt(1), "largest share of agents at the cap"] = 1e-9

    needs = (KARMA,)

    def world(self, game: Any) -> Any:
        """Return the game. Raises `ValueError` where it has no stationary population or its cap is fixed."""
        refuse_mean_field(game)
        try:
            variant(game, max_karma=game.most + 1)
        except ValueError as error:
            raise ValueError(f"max_karma: {game.most} cannot grow: {error}") from None
        return game

    def length(self, world: object) -> int:
        return CAPS

    def begin(self, world: KarmaEconomy, stream: np.random.SeedSequence) -> Session:
        """Return a session before the first cap is tried."""
        return {
            "policy": np.zeros((0, 0)),
            "distribution": np.zeros(0),
            "next_cap": np.array([world.most]),
            **{name: np.zeros(0) for name in ("cap", "share", "residual")},
        }

    def advance(self, world: KarmaEconomy, session: Session, steps: int) -> int:
        """Solve the economy at one cap per step, until few enough agents are at it."""
        for count in range(steps):
            if self._is_over(session):
                return count
            game = variant(world, max_karma=int(session["next_cap"][0]))
            policy, mu, residual = self._solved(game, session["policy"])
            shares = np.asarray(game.karma_distribution(put(mu)))
            for name, value in {"cap": game.most, "share": shares[-1], "residual": residual}.items():
                session[name] = np.append(session[name], value)
            session["policy"], session["distribution"] = policy, mu
            session["next_cap"][0] = self._next_cap(shares)
        return steps

    def _is_over(self, session: Session) -> bool:
        """True if few enough agents are at the last cap, or no equilibrium was found there."""
        if not len(session["cap"]):
            return False
        return bool(session["share"][-1] <= self.cut or not session["residual"][-1] <= ENOUGH)

    def _solved(self, game: Any, policy: ndarray) -> tuple[ndarray, ndarray, float]:
        """Return policy, distribution and residual at a cap; ``policy`` is that at a lower one, or empty."""
        start = extended(game, policy) if policy.size else None
        return equilibrium(game, inverse_temperature(game, self.beta, SHARPNESS), self.exploration, start)

    def _next_cap(self, shares: Float[ndarray, "karma"]) -> int:
        """Return the cap at which an exponential tail with the decline below the present one ends."""
        cap = len(shares) - 1
        before, after = shares[max(cap - 1 - TAIL, 0)], shares[max(cap - 1, 0)]
        decline = np.log(before / after) / TAIL if 0 < after < before else 0.0
        missing = np.log(shares[-1] / self.cut) / decline if decline and shares[-1] > 0 else np.inf
        return int(np.ceil(np.clip(cap + missing, SHORTEST * cap, LONGEST * cap)))

    def read(self, world: Any, session: Session) -> Record:
        game = variant(world, max_karma=int(session["cap"][-1]))
        share, residual = float(session["share"][-1]), float(session["residual"][-1])
        beta = float(inverse_temperature(world, self.beta, SHARPNESS))
        bound = gain_without_cap(game, put(session["policy"]), put(session["distribution"]))
        status = "converged" if share <= self.cut else "iteration limit"
        held = f"{game.most} units hold all but at most {bound_in_words(share, 2)} of agents"
        gain = f"one that may hold any amount gains at most {bound_in_words(bound.max())}"
        return {
            "profile": (("state", "action"), session["policy"]),
            **indexed(
                status=status if residual <= ENOUGH else "not found",
                concept=f"logit at beta {beta:.6g}",
                beta=beta,
                exploration=float(self.exploration),
                residual=residual,
                cap=game.most,
                truncation=f"{held}; {gain} if the others keep to the cap",
            ),
            **indexed("trial", tried_cap=session["cap"].astype(int), tried_share=session["share"]),
            "uncapped_bound": (("player",), bound),
        }

    def played(self, game: object, record: Record) -> Any:
        """Return the economy with the last cap."""
        return variant(game, max_karma=int(record["cap"][1]))


def extended(game: KarmaEconomy, policy: ndarray) -> Policy:
    """Return a policy ``[state action]`` of a lower cap in a game: agents above that cap bid as at it."""
    types, private, levels = game.shape
    lower = policy.shape[1]
    rows = policy.reshape(types, private, lower, lower)[:, :, np.minimum(np.arange(levels), lower - 1)]
    return put(np.pad(rows, [(0, 0)] * 3 + [(0, levels - lower)]).reshape(-1, levels))


def gain_without_cap(game: KarmaEconomy, policy: Policy, mu: Distribution) -> Float[ndarray, "type"]:
    """Bound the mean gain of one agent per type whose karma has no cap, in a stationary population.

    The agent's largest values are followed up to several caps; from there on it is assumed to have its
    largest reward in every step.
    """
    # a receipt of all winners' bids still leads to no more than the widest amount
    wide = variant(game, max_karma=(FAR + game.contest.places) * game.most)
    return np.asarray(_gain_in(wide, game, policy, mu))


@compiled
def _gain_in(wide: Any, game: Any, policy: Policy, mu: Distribution) -> Array:
    env = game.environment(mu, policy)
    padding = [(0, 0)] + [(0, wide.most - game.most)] * (env.rivals.ndim - 1)
    best = _largest_values(wide, Around(jnp.pad(env.rivals, padding), env.level), FAR * game.most)
    of_held = best.reshape(wide.shape)[:, :, : game.most + 1].ravel()
    return by_type(game, mu * (of_held - policy_values(game, env, policy))) / game.share


def _largest_values(game: Any, env: Around, enough: int) -> Values:
    """Return upper bounds on values, where an agent has its largest reward from an amount of karma on."""
    is_rich = jnp.arange(len(game.discount)) % (game.most + 1) >= enough
    most = jnp.max(rewards_of(game)[1], axis=1)[state_types(game)] / (1 - game.discount)
    smallest = SETTLED * scale_of(game) * (1 - jnp.max(game.gamma))

    def update(carry: tuple[Array, Values, Array]) -> tuple[Array, Values, Array]:
        count, values, _ = carry
        q = jnp.where(game.legal, action_values(game, env, values), -jnp.inf)
        new = jnp.where(is_rich, most, jnp.max(q, axis=1))
        return count + 1, new, jnp.max(values - new)

    # values fall from the largest ones: those of every round are upper bounds
    begin = (jnp.asarray(0), most, jnp.asarray(jnp.inf))
    return jax.lax.while_loop(lambda c: (c[0] < ROUNDS) & (c[2] > smallest), update, begin)[1]
