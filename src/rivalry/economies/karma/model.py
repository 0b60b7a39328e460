"""Karma economy as a population game: agents who meet at random bid conserved karma for places.

Source: Vaishampayan (ETH Zurich 2024), chapters 2 and 3; Elokda et al., Dynamic Games and Applications 2023.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from numpy import ndarray

from rivalry.core.oracles import at_home
from rivalry.core.space import Profile, Scalar, Simplex
from rivalry.core.tree import static
from rivalry.economies.karma import transitions
from rivalry.economies.karma.chains import SHARES_ROUNDING
from rivalry.economies.karma.checks import any_bid, require_all_bids
from rivalry.economies.karma.contests import BiddingContest
from rivalry.economies.karma.transitions import expect_after, level_of, randomly_rounded
from rivalry.economies.kernels import shapes
from rivalry.runtime.jax import concrete_module, floats, jax, jnp, put
from rivalry.text.display import Description, OneLineRepr, count_text


class Policies(Simplex):
    """Policies ``[state action]``; a state is (type, private state, karma), row-major.

    The shapes ``[type private karma bid]`` and, for one type, ``[private karma bid]`` are accepted as well.
    Agents choose among the amounts ``bids`` up to their karma.
    """

    stakes: Float[Array, "type private"] = eqx.field(kw_only=True)
    labels: tuple[tuple[str, ...], ...] = eqx.field(static=True, kw_only=True)  # [type private], or none
    types: tuple[str, ...] = eqx.field(static=True, kw_only=True)
    bids: tuple[int, ...] = eqx.field(static=True, kw_only=True)

    @property
    def mask(self) -> Bool[Array, "player axis"]:
        return put(self.entries)

    @property
    def entries(self) -> Bool[ndarray, "player axis"]:
        return super().entries & np.isin(np.arange(self.shape[1]), self.bids)

    def lattice(self, player: int, points: int) -> Float[ndarray, "point axis"]:
        allowed = self.entries[player]
        shares = Simplex((int(allowed.sum()),)).lattice(0, points)
        full = np.zeros((len(shares), len(allowed)))
        full[:, allowed] = shares
        return full

    def check(self, x: object, name: str = "start") -> Profile:
        """Return numbers as a policy with rows normalised to sum to 1.

        Raises `ValueError` for another shape, negative probabilities, rows that do not sum to 1 within 1e-8,
        and positive probabilities of bids above karma or not allowed.
        """
        full, head = self._reshape(x, name), "policy" if name == "policy" else f"{name}: policy"
        bids = np.arange(full.shape[1])
        above = bids[None, :] > np.tile(bids, len(full) // len(bids))[:, None]
        for wrong, rule in (
            (~np.isfinite(full) | (full < 0), "must be at least 0 and finite"),
            (above & (full != 0), "must be 0: no bid is above karma"),
            (~self.entries & (full != 0), f"must be 0: bids are {list(self.bids)}"),
        ):
            for state, bid in np.argwhere(wrong):
                where = f"{head} puts {full[state, bid]:g} on bid {bid} at {self._state(state)}"
                raise ValueError(f"{where}; {rule}")
        sums = full.sum(axis=1)
        for state in np.flatnonzero(np.abs(sums - 1) > SHARES_ROUNDING):
            raise ValueError(f"{head} sums to {sums[state]:.10g} at {self._state(state)}; must sum to 1")
        return put(full / sums[:, None])

    def _reshape(self, x: object, name: str) -> ndarray:
        levels = self.shape[1]
        full = (*self.stakes.shape, levels, levels)
        try:
            array = floats(x)
        except (TypeError, ValueError):
            raise ValueError(f"{name}: must be numbers of shape {self.shape} (states, bids)") from None
        if array.shape not in (self.shape, full, full[1:] if full[0] == 1 else full):
            shapes = f"{self.shape} (states, bids), or {full} (types, private states, karma, bids)"
            raise ValueError(f"{name}: shape {array.shape} must be {shapes}")
        return array.reshape(self.shape)

    def _state(self, state: int | np.integer) -> str:
        """Return a state's label: ``u=1, k=5``, with the type if there are several."""
        levels, stakes = self.shape[1], np.asarray(self.stakes)
        kind, private = divmod(int(state) // levels, stakes.shape[1])
        label = self.labels[kind][private : private + 1] if self.labels else ()
        parts = [f"type {self.types[kind]!r}"] if len(self.types) > 1 else []
        urgency = f"u={stakes[kind, private]:g}" + "".join(f" ({word})" for word in label if word)
        return ", ".join([*parts, urgency, f"k={int(state) % levels}"])


Distribution = Float[Array, "state"]
Policy = Float[Array, "state action"]
Values = Float[Array, "state"]


class Around(NamedTuple):
    """The environment that one agent faces: the rivals' bids and the level of redistribution.

    ``rivals`` is ``[class bid]``. Classes are levels of urgency if the higher urgency wins ties, and
    otherwise there is one class. It is ``[class bid karma]`` where a loser receives no more than it can hold.
    """

    rivals: Float[Array, "class bid"] | Float[Array, "class bid karma"]
    level: Scalar


class Flows(NamedTuple):
    """Karma per agent and step that is paid to society, exceeds what can be held, and is taken as tax."""

    paid: Scalar
    overflow: Scalar
    taxed: Scalar
    after: Float[Array, "karma"]  # the distribution of karma before the redistribution


class KarmaEconomy(OneLineRepr, eqx.Module):
    """A continuum of agents of one or more types; a state is (type, private state, karma), row-major.

    A private state has an urgency, ``stakes [type private]``, the cost of losing. It follows the Markov chain
    ``chain [type private private]`` or, after a place was won, ``served_chain``. Agents meet in random groups
    of ``contest.participants``, and the highest bids win; ``charge [bid bid]`` is a winner's payment, by the
    highest losing bid (`kernels.shapes.Economy`). Finitely many agents may
    observe a signal of their peers, ``signal [own peer]``; a continuum may not. The surplus, karma paid to
    society or in excess of what agents can hold, is redistributed among all agents, up to the ``level``.

    >>> import rivalry as rv
    >>> game = rv.games.karma()
    >>> game.space.shape
    (42, 21)
    """

    stakes: Float[Array, "type private"]
    chain: Float[Array, "type private private"]
    served_chain: Float[Array, "type private private"]  # of agents that won
    rewards: Float[Array, "outcome rewarded_type state"]  # of losing and winning; absent: -urgency and 0
    gamma: Float[Array, "type"]  # discount factors
    share: Float[Array, "type"]  # of the population
    mean_karma: Scalar  # karma per agent
    tax: Float[Array, "karma"]  # due before a redistribution, in expectation
    charge: Int[ndarray, "bid bid"]
    signal: Int[ndarray, "own peer"]  # what agents see, by own karma and the peer's; absent: nothing
    initial: Int[ndarray, "agent"]  # karma that agents start with; absent: mean_karma each
    most: int = static()  # karma that an agent can hold
    bids: tuple[int, ...] = static()  # amounts that agents may bid, ascending from 0
    receiver: int = static()
    tie: int = static()
    overflow: int = static()
    own_bid: bool = static()  # winners pay what they bid, whatever the rival's bid
    type_names: tuple[str, ...] = static()
    private_names: tuple[tuple[str, ...], ...] = static()  # [type private], or none
    agents: int = static()  # number of agents, where they are finitely many
    every: int = static()  # steps between redistributions
    idle: float = static()  # share of agents that meet nobody in a step
    contest: BiddingContest = static()
    by_outcome: bool = static()  # the two chains may differ

    def _title_and_parameters(self) -> Description:
        population = count_text(self.agents, "agent") if self.agents else "a continuum of agents"
        types = count_text(len(self.type_names), "type") + f" ({', '.join(self.type_names)})"
        numbers: dict[str, Any] = {"urgencies": np.asarray(self.stakes).ravel(), "gamma": self.gamma}
        numbers |= {"mean_karma": self.mean_karma, "max_karma": self.most}
        bids = f"0 to {self.most}" if any_bid(self) else ", ".join(map(str, self.bids))
        title = f"Karma economy of {population}, {types}, bids {bids}"
        if not self.in_pairs:
            title += (
                f", contests of {self.contest.participants} for {count_text(self.contest.places, 'place')}"
            )
        return title, numbers

    # required members of a population game

    @property
    def shape(self) -> tuple[int, int, int]:
        """The numbers of types, private states and karma levels."""
        types, private = self.stakes.shape
        return types, private, self.most + 1

    @property
    def space(self) -> Policies:
        """Policies ``[state action]``: in every state probabilities of the allowed bids up to karma."""
        types, private, levels = self.shape
        sizes = tuple(range(1, levels + 1)) * (types * private)
        return Policies(
            sizes, stakes=self.stakes, labels=self.private_names, types=self.type_names, bids=self.bids
        )

    @property
    def discount(self) -> Distribution:
        _, private, levels = self.shape
        if concrete_module(self.gamma) is np:
            return put(np.repeat(floats(self.gamma), private * levels))
        return jnp.repeat(self.gamma, private * levels, total_repeat_length=self.space.shape[0])

    @property
    def legal(self) -> Bool[Array, "state action"]:
        return self.space.mask

    def continuum(self) -> KarmaEconomy:
        """Return the economy without what describes finitely many agents only."""
        unseen = np.zeros((0, 0), dtype=int)
        return replace(self, agents=0, initial=self.initial[:0], signal=unseen)

    def environment(self, mu: Distribution, pi: Policy) -> Around:
        """Return the rivals' bids and the level at which the population absorbs the surplus of this step.

        Parameters
        ----------
        mu : Array
            Distribution of states, ``[state]``.
        pi : Array
            Policy, ``[state action]``.

        References
        ----------
        Vaishampayan (ETH Zurich 2024), 2.2 and 6.1.
        """
        environment_before = Around(self.rivals(mu, pi), jnp.zeros(()))
        flows = self.flows(environment_before, mu, pi)
        retained = flows.overflow if self.overflow != shapes.BURN else 0.0
        return environment_before._replace(level=level_of(flows.after, flows.paid + retained + flows.taxed))

    def balance(self, environment: Around, mu: Distribution, pi: Policy) -> Around:
        """Return the error of the rivals' bids and, in place of the level, the relative error of mean karma.

        In a stationary population karma is conserved whatever the level, which therefore sets its mean.
        """
        mean = self.karma_distribution(mu) @ jnp.arange(self.most + 1.0)
        return Around(
            self.rivals(mu, pi) - environment.rivals, mean / jnp.maximum(self.mean_karma, 1e-12) - 1
        )

    def reward(self, environment: Around) -> Policy:
        """Return the mean reward of winning or losing, ``[state action]``; idle agents lose nothing."""
        win = self.win_probabilities(environment).win[self.tie_classes()]  # [type private bid]
        refused, served = shapes.rewards_of(self)[..., None]
        mean = served + (refused - served) * ((1 - self.idle) * (1 - win))
        return jnp.broadcast_to(mean[:, :, None, :], (*self.shape, self.most + 1)).reshape(-1, self.most + 1)

    def expect(self, environment: Around):  # type: ignore[no-untyped-def]
        """Return the map of next values to expectations by bid, ``[state] -> [state action]``."""
        outcomes, ties = self.outcomes(environment), self.tie_classes().reshape(-1)

        def mean(values: Values) -> Policy:
            unserved = redistributed(values, self.chain)
            served = redistributed(values, self.served_chain) if self.by_outcome else unserved
            return outcomes.means(served, unserved, ties).reshape(-1, self.most + 1)

        def redistributed(values: Values, chain: Float[Array, "type private private"]) -> Array:
            # values are pulled back through the step in reverse: private states, redistribution, payments
            ahead = jnp.einsum("tzy,tyk->tzk", chain, values.reshape(self.shape))
            return self.after_redistribution(ahead.reshape(-1, self.most + 1), environment.level)

        return mean

    # analyses

    def win_probabilities(self, environment: Around) -> transitions.WinProbabilities:
        """Return the probabilities of winning and of ties of bids that meet another, ``[class bid]``."""
        if not self.in_pairs:
            return self.contest.win_probabilities(self._bids(environment))
        return transitions.win_probabilities(self._bids(environment), *self._ties())

    def outcomes(self, environment: Around) -> transitions.Outcomes:
        """Return the payments at every bid; as tails of sums where the winner pays its own bid."""
        meeting = self._outcomes_of_meeting(environment)
        return transitions.WithIdle(meeting, self.idle) if self.idle else meeting

    def _outcomes_of_meeting(self, environment: Around) -> transitions.OwnBid | transitions.ByTable:
        bids, chances, to_peer = (
            self._bids(environment),
            self.win_probabilities(environment),
            self.receiver == shapes.PEER,
        )
        charge = jnp.asarray(self.charge)
        if not self.in_pairs:
            return self.contest.outcomes(bids, charge, to_peer=to_peer)
        if self.overflow == shapes.ROOM:
            return transitions.ByTable.with_room(
                self._full_distribution(environment), chances, self._ties()[0], charge
            )
        if self.own_bid:
            return transitions.OwnBid(bids.sum(axis=0), chances, to_peer)
        return transitions.ByTable.of(bids, chances, charge, to_peer)

    def flows(self, environment: Around, mu: Distribution, pi: Policy) -> Flows:
        """Return the inflows to the surplus in a step and the distribution of karma before redistribution."""
        outcomes = self.outcomes(environment)
        levels = self.most + 1
        ties = self.tie_classes().reshape(-1)
        bids = (mu[:, None] * pi).reshape(-1, levels, levels)
        _, back = jax.vjp(lambda values: outcomes.means(values, values, ties), jnp.zeros((len(ties), levels)))
        after_payment = back(bids)[0].sum(axis=0)
        karma = jnp.arange(float(levels))
        paid = jnp.sum(bids.sum(axis=1) * outcomes.paid()[ties]) if self.receiver == shapes.SOCIETY else 0.0
        # payments to peers stay among agents, so the missing amount exceeded what peers can hold
        overflow = self.karma_distribution(mu) @ karma - after_payment @ karma - paid
        taxed = after_payment @ jnp.minimum(self.tax, karma)
        # row k' of the identity: the transpose of the map of values, which moves mass forward
        after = expect_after(jnp.eye(levels), randomly_rounded(self.tax), -1) @ after_payment
        return Flows(jnp.asarray(paid, dtype=float), overflow, taxed, after)

    def rescale(self, factor: int) -> KarmaEconomy:
        """Return the economy with ``factor`` times the karma and ``factor`` times the largest amount of it.

        Raises `ValueError` where payments are not the own bid, karma is taxed, bids are listed or peers'
        karma is seen: these have their own units.
        """
        require_all_bids(self, "a list has units of its own")
        if self.signal.size:
            raise ValueError("signal: must be 'none': what is seen of peers has units of its own")
        if not self.own_bid or np.any(np.asarray(self.tax) > 0):
            raise ValueError("payment: must be PBP or PBS without a tax; others have units of their own")
        largest = self.most * factor
        bids = np.arange(largest + 1)
        return replace(
            self,
            mean_karma=self.mean_karma * factor,
            most=largest,
            bids=tuple(range(largest + 1)),
            tax=jnp.zeros(largest + 1),
            charge=np.repeat(bids[:, None], largest + 1, axis=1),
            initial=self.initial * factor,
        )

    def with_mean_karma(self, mean_karma: float) -> KarmaEconomy:
        """Return the economy with another mean karma, with which all agents start.

        Raises `ValueError` for mean karma outside [0, most].
        """
        if not 0 <= mean_karma <= self.most:
            raise ValueError(
                f"mean_karma: {mean_karma} must be in [0, {self.most}], from nothing to all that can be held"
            )
        return replace(self, mean_karma=jnp.asarray(float(mean_karma)), initial=self.initial[:0])

    # parts

    @property
    def mean_chain(self) -> Float[Array, "type private private"]:
        """The chain of agents that are served half of the time: all start in its stationary distribution."""
        return 0.5 * (self.chain + self.served_chain) if self.by_outcome else self.chain

    @property
    def in_pairs(self) -> bool:
        return self.contest.participants == 2

    def karma_distribution(self, mu: Distribution) -> Float[Array, "karma"]:
        return mu.reshape(self.shape).sum(axis=(0, 1))

    def tie_classes(self) -> Int[Array, "type private"]:
        """Return the class of every private state in ties: its rank by urgency if that decides, else 0."""
        if self.tie != shapes.HIGHEST_STAKE:
            return jnp.zeros(self.stakes.shape, dtype=int)
        flat = self.stakes.ravel()
        # side left: equal urgencies share a class
        return jnp.searchsorted(jnp.sort(flat), flat).reshape(self.stakes.shape)

    def _ties(self) -> tuple[Float[Array, "class class"], Float[Array, "class class"]]:
        """Return the probabilities that the row's class wins a tie, and that the column's does."""
        if self.tie in (shapes.COIN, shapes.LOWEST_INDEX):  # in a continuum agents have no numbers
            return jnp.full((1, 1), 0.5), jnp.full((1, 1), 0.5)
        if self.tie == shapes.NOBODY:
            return jnp.zeros((1, 1)), jnp.zeros((1, 1))
        rank = jnp.arange(self.stakes.size)
        above = 0.5 * (jnp.sign(rank[:, None] - rank[None, :]) + 1)
        return above, 1 - above

    def rivals(self, mu: Distribution, pi: Policy) -> Array:
        """Return the joint distribution of a rival's class and bid, and of its karma if its room matters."""
        levels, count = self.most + 1, 1 if self.tie != shapes.HIGHEST_STAKE else self.stakes.size
        member = jax.nn.one_hot(self.tie_classes().reshape(-1), count)  # [row class]
        masses, chances = mu.reshape(-1, levels), pi.reshape(-1, levels, levels)
        form = "rc,rk,rkb->cbk" if self.overflow == shapes.ROOM else "rc,rk,rkb->cb"
        return jnp.einsum(form, member, masses, chances)

    def _full_distribution(self, environment: Around) -> Array:
        """Return the rivals as a distribution, with missing mass at bid 0."""
        rivals = environment.rivals
        # between Newton steps bids need not sum to 1; a whole distribution keeps the kernel conserving mass
        return rivals.at[(0,) * rivals.ndim].add(1 - rivals.sum())

    def _bids(self, environment: Around) -> Float[Array, "class bid"]:
        bids = self._full_distribution(environment)
        return bids.sum(axis=-1) if self.overflow == shapes.ROOM else bids

    def after_redistribution(self, values: Float[Array, "row karma"], level: Scalar) -> Array:
        """Return expected values after tax and redistribution, by karma after payments, ``[row karma]``."""
        # values are pulled back: the tax, levied before the redistribution, is applied last
        ahead = expect_after(values, randomly_rounded(level), 1)
        return expect_after(ahead, randomly_rounded(self.tax), -1)


at_home(KarmaEconomy, "rivalry.economies.karma.oracles")
