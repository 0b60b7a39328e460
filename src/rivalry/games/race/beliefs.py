"""Players who think they play another race than they do: one believed game each, none ever updated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from rivalry.core.certify import Reply
from rivalry.core.jax import jax, jnp
from rivalry.core.results import COVERAGES, Coverage, Record
from rivalry.core.space import Box, Profile, Strategy
from rivalry.games.race.game import Race, Transition
from rivalry.games.race.metrics import measures, outcomes
from rivalry.games.race.own_problem import jumps
from rivalry.games.race.period import Rules

FIXED = ("players", "horizon", "invest", "share", "share_units", "beliefs", "beliefs_play")


class Belief(eqx.Module):
    """What one player takes to be otherwise; every number that is not here is believed as it is."""

    numbers: dict[str, Array]
    rules: Rules = eqx.field(static=True)
    without: tuple[str, ...] = eqx.field(static=True, default=())  # numbers that the believed race lacks
    end_on: str = eqx.field(static=True, default="none")
    spill: str = eqx.field(static=True, default="sum")
    damage: str = eqx.field(static=True, default="victim")
    transition: Transition | None = eqx.field(static=True, default=None)
    weights: Float[Array, "period player"] | None = None
    gamma: Float[Array, "player"] | None = None


def belief(race: Race, keys: Sequence[str]) -> Belief:
    """What ``race``, made with other values of ``keys``, says about them."""
    named = {name: race.numbers[name] for name in keys if name in race.numbers}
    timed = any(name in keys for name in ("gamma", "discount", "discount_offset"))
    return Belief(
        numbers=named,
        rules=race.rules,
        without=("kappa",) if "kappa" in keys and "kappa" not in race.numbers else (),
        end_on=race.end_on,
        spill=race.spill,
        damage=race.damage,
        transition=race.transition,
        weights=race.weights if timed else None,
        gamma=race.gamma if timed else None,
    )


class Believing(eqx.Module):
    """A race in which every player maximises what it believes to get, the rivals' actual actions given.

    ``payoffs`` are the believed ones, and so are best replies, certificates and whatever is learned from
    payoffs; `measures` are those of the true race, with ``believed`` and ``realised`` payoffs (player), and,
    over several periods, the technology that everybody expects, ``believed_A`` and ``believed_B``
    (believer, stage, player). The true race's arrays are the game's own: ``with_(game, theta=0.7)`` changes
    it for everybody who has no other belief. Made by `race` where ``beliefs`` is given.
    """

    space: Box
    true: Race
    beliefs: tuple[Belief, ...]

    @property
    def jumps(self) -> str:
        """The part of a believed race that makes its payoffs jump, or nothing."""
        return next(filter(None, (jumps(mind.rules) for mind in self.beliefs)), "")

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and "true" in self.__dict__ and name in self.true.numbers:
            return self.true.numbers[name]
        raise AttributeError(f"this race has no {name!r}")

    def __repr__(self) -> str:
        if isinstance(self.true.weights, jax.core.Tracer):
            return str(eqx.tree_pformat(self))
        told = [
            f"  player {i} believes otherwise of {', '.join([*b.numbers, *b.without]) or 'no number'}"
            for i, b in enumerate(self.beliefs)
        ]
        return "\n".join([repr(self.true), *told])

    @property
    def players(self) -> int:
        """How many play."""
        return self.true.players

    @property
    def periods(self) -> int:
        """How many periods a profile spells out."""
        return self.true.periods

    @property
    def columns(self) -> tuple[str, ...]:
        """The inputs of a period."""
        return self.true.columns

    @property
    def scale(self) -> Float[Array, ""]:
        """The largest prize and disaster together that anybody believes in."""
        return jnp.max(jnp.stack([self.believed(i).scale for i in range(self.players)]))

    @property
    def axis_names(self) -> tuple[str, ...]:
        """Those of the true race."""
        return self.true.axis_names

    def believed(self, player: int) -> Race:
        """The race that ``player`` thinks it plays."""
        mind, true = self.beliefs[player], self.true
        kept = {name: value for name, value in true.numbers.items() if name not in mind.without}
        return Race(
            space=self.space,
            numbers=kept | mind.numbers,
            weights=true.weights if mind.weights is None else mind.weights,
            ahead=true.ahead,
            rules=mind.rules,
            columns=true.columns,
            end_on=mind.end_on,
            spill=mind.spill,
            share_units=true.share_units,
            damage=mind.damage,
            transition=mind.transition,
            gamma=true.gamma if mind.gamma is None else mind.gamma,
        )

    def believed_races(self) -> list[Race]:
        """The races that the players think they play, one each."""
        return [self.believed(player) for player in range(self.players)]

    def inputs(self, strategies: object = None, **columns: object) -> Profile:
        """The profile of inputs as users write them; see `rivalry.games.race.inputs.profile_of`."""
        return self.true.inputs(strategies, **columns)

    def schedule(self, x: Profile) -> Float[Array, "period player column"]:
        """A profile by period, player and column."""
        return self.true.schedule(x)

    def payoffs(self, x: Profile) -> Float[Array, "player"]:
        """What each player believes to get."""
        return jnp.stack([race.payoffs(x)[i] for i, race in enumerate(self.believed_races())])

    def payoff_against(self, x: Profile, player: int | Array) -> Callable[[Strategy], Float[Array, ""]]:
        """What ``player`` believes to get, as a function of its own strategy."""

        def of(i: int) -> Callable[[Strategy], Array]:
            return lambda strategy: self.believed(i).payoffs(x.at[i].set(strategy))[i]

        if isinstance(player, int):
            return of(player)
        each = [of(i) for i in range(self.players)]
        return lambda strategy: jax.lax.switch(player, each, strategy)

    def gradients(self, x: Profile) -> Profile:
        """Every player's own gradient in the race that it believes in."""
        return jnp.stack([race.gradients(x)[i] for i, race in enumerate(self.believed_races())])

    @property
    def best_reply(self) -> Callable[[Profile, int | Array], tuple[Strategy, Array, Coverage]]:
        """``best_reply(x, player)``, in the race that the player believes in, where such races know one."""
        known = [race.best_reply for race in self.believed_races()]

        def reply(x: Profile, player: int | Array) -> tuple[Strategy, Array, Coverage]:
            return _of_one(known, [(x, i) for i in range(self.players)], player)

        return reply

    @property
    def proved_reply(self) -> Callable[[Profile, int], Reply]:
        """The same for certificates, where the believed races know one."""
        known = [race.proved_reply for race in self.believed_races()]
        return lambda x, player: known[player](x, player)

    def refuses(self, name: str, value: float) -> str:
        """As in the true race."""
        return self.true.refuses(name, value)

    def named_start(self, name: str) -> Profile:
        """As in the true race."""
        return self.true.named_start(name)

    def measures(self, x: Profile) -> Record:
        """Those of the true race, and what its players think of it."""
        found = measures(self.true, x)
        found["believed"] = (("player",), np.asarray(self.payoffs(x)))
        found["realised"] = (("player",), np.asarray(self.true.payoffs(x)))
        if self.periods > 1:
            paths = [measures(race, x) for race in self.believed_races()]
            for name in ("A", "B"):
                rows = np.stack([path[name][1] for path in paths])
                found[f"believed_{name}"] = (("believer", "stage", "player"), rows)
        return found

    def outcomes(self, x: Profile) -> dict[str, tuple[tuple[str, ...], Array]]:
        """The true race's measures and both payoffs, as arrays that JAX can trace."""
        both = {"believed": self.payoffs(x), "realised": self.true.payoffs(x)}
        return outcomes(self.true, x) | {name: (("player",), array) for name, array in both.items()}


def _of_one(
    known: Sequence[Any], given: Sequence[tuple[Any, Any]], which: int | Array
) -> tuple[Strategy, Array, Coverage]:
    """The best reply that the race of number ``which``, which may be traced, gives to its arguments."""
    if isinstance(which, int):
        found: tuple[Strategy, Array, Coverage] = known[which](*given[which])
        return found
    seen: list[Coverage] = []

    def of(i: int) -> Callable[[Array], tuple[Array, Array]]:
        def branch(_: Array) -> tuple[Array, Array]:
            strategy, payoff, coverage = known[i](*given[i])
            seen.append(coverage)
            return jnp.asarray(strategy, dtype=float), jnp.asarray(payoff, dtype=float)

        return branch

    strategy, payoff = jax.lax.switch(which, [of(i) for i in range(len(known))], jnp.zeros(()))
    return strategy, payoff, min(seen, key=COVERAGES.index)


class Minds(eqx.Module):
    """Every player solves the race that it believes in, and plays its own part of what it finds.

    A profile has one row for each player in each mind, ``[believer * players + player axis]``: an equilibrium
    is one of every believed race. `measures` are those of the true race at what is played, the row of each
    player in its own mind: ``played`` (actor, axis), ``expected`` (actor), what each thinks to get, and
    ``realised`` (actor); the true race's own have ``actor`` for ``player``. Made by `race` with
    ``beliefs_play = "subjective"``.
    """

    believing: Believing

    @property
    def jumps(self) -> str:
        """The part of a believed race that makes its payoffs jump, or nothing."""
        return self.believing.jumps

    @property
    def players(self) -> int:
        """Rows of a profile: players times minds."""
        return self.believing.players**2

    @property
    def space(self) -> Box:
        """The race's box, once for every mind."""
        n = self.believing.players
        every: Box = jax.tree.map(lambda edge: jnp.tile(edge, (n, 1)), self.believing.space)
        return every

    @property
    def scale(self) -> Float[Array, ""]:
        """The largest prize and disaster together that anybody believes in."""
        return self.believing.scale

    @property
    def axis_names(self) -> tuple[str, ...]:
        """Those of the true race."""
        return self.believing.axis_names

    @property
    def player_names(self) -> tuple[str, ...]:
        """``0 in mind 1`` and so on."""
        n = self.believing.players
        return tuple(f"{player} in mind {mind}" for mind in range(n) for player in range(n))

    def minds(self, x: Profile) -> Float[Array, "mind own axis"]:
        """A profile by mind."""
        n = self.believing.players
        return x.reshape(n, n, -1)

    def played(self, x: Profile) -> Float[Array, "actor axis"]:
        """What is played: everybody's own row in its own mind."""
        rows = jnp.arange(self.believing.players)
        return self.minds(x)[rows, rows]

    def payoffs(self, x: Profile) -> Float[Array, "player"]:
        """What each mind thinks that each player gets."""
        races = self.believing.believed_races()
        return jnp.concatenate([race.payoffs(part) for race, part in zip(races, self.minds(x), strict=True)])

    @property
    def best_reply(self) -> Callable[[Profile, int | Array], tuple[Strategy, Array, Coverage]]:
        """``best_reply(x, row)``, within the mind that the row belongs to."""
        known = [race.best_reply for race in self.believing.believed_races()]

        def reply(x: Profile, row: int | Array) -> tuple[Strategy, Array, Coverage]:
            mind, player = divmod(row, len(known))
            return _of_one(known, [(part, player) for part in self.minds(x)], mind)

        return reply

    @property
    def proved_reply(self) -> Callable[[Profile, int], Reply]:
        """The same for certificates, where the believed races know one."""
        known = [race.proved_reply for race in self.believing.believed_races()]

        def reply(x: Profile, row: int) -> Reply:
            mind, player = divmod(row, len(known))
            found: Reply = known[mind](self.minds(x)[mind], player)
            return found

        return reply

    def named_start(self, name: str) -> Profile:
        """As in the true race, in every mind."""
        return jnp.tile(self.believing.named_start(name), (self.believing.players, 1))

    def measures(self, x: Profile) -> Record:
        """Those of the true race at what is played; see the class."""
        actual = self.played(x)
        renamed = {"player": "actor"}
        found: Record = {
            name: (tuple(renamed.get(dim, dim) for dim in dims), array)
            for name, (dims, array) in measures(self.believing.true, actual).items()
        }
        n = self.believing.players
        expected = np.asarray(self.payoffs(x)).reshape(n, n)[np.arange(n), np.arange(n)]
        found["played"] = (("actor", "axis"), np.asarray(actual))
        found["expected"] = (("actor",), expected)
        found["realised"] = (("actor",), np.asarray(self.believing.true.payoffs(actual)))
        return found
