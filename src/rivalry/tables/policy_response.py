"""One player's best response to the others' fixed policies, and the regret of a policy against it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core import oracles
from rivalry.core.array_games import FiniteGame
from rivalry.core.results import Certificate
from rivalry.core.tolerances import TOLERANCE
from rivalry.schema.validate import check_word, number_of
from rivalry.tables.greedy_play import mix_exploration, refuse_slots, slots_of, states
from rivalry.tables.history import mixed_play
from rivalry.tables.kernels.shapes import Tabulated
from rivalry.tables.policy_answers import answers_asked_twice, policy_numbers
from rivalry.tables.repeated import RepeatedWorld
from rivalry.tables.response_gaps import observes_enough, values_in


class PolicyBestResponse(NamedTuple):
    """A best response to fixed policies, by full state: nature, and remembered and standing actions."""

    value: ndarray  # [round state]: of the best response, discounted
    own: ndarray  # [round state]: of the policy that the player follows
    policy: ndarray  # [round state]: the best response's moves
    coverage: Literal["tight", "upper bound"]

    @property
    def regret(self) -> ndarray:
        """The gain of the best response over the player's own policy, ``[round state]``; at least 0.

        With coverage ``tight`` the player observes the full state. With ``upper bound`` it observes less,
        and no policy of its own observations gains more.
        """
        return np.asarray(np.maximum(self.value - self.own, 0.0))


def best_response(
    tabulated: Tabulated | FiniteGame,
    policies: object,
    player: int,
    discount: float,
    *,
    epsilon: float = 0.0,
    paid: str = "round",
) -> PolicyBestResponse:
    """Return the best response of ``player`` to the others' policies, by policy iteration.

    The best response may depend on the full state: nature's state and the actions that some player remembers,
    at least all standing ones, numbered row-major, nature slowest, then the oldest round, within it player 0.
    Where the player observes less, its regret is an upper bound on the gain of any policy of its own
    observations.

    Parameters
    ----------
    tabulated : Tabulated or FiniteGame
        The game.
    policies : array_like
        Moves ``[player state]`` (whole numbers) or probabilities ``[player state move]``.
    player : int
        The player that responds.
    discount : float
        In [0, 1).
    epsilon : float
        Probability of a uniform random move in all players' policies; the best response does not explore.
    paid : str
        Whether payoffs are paid and discounted per ``round``, or per ``move`` of the player (asynchronous
        play).

    Returns
    -------
    PolicyBestResponse
        Values of the infinite discounted sum, counted from the first payment.

    Raises
    ------
    ValueError
        For a discount outside [0, 1), policies of another shape, more than 40 million decisions (states
        times actions times outcomes), and probabilities other than 0 and 1 where players observe actions of
        the current round.

    Examples
    --------
    >>> import rivalry as rv
    >>> from rivalry.tables import tabulate
    >>> game = tabulate(rv.games.matrix("prisoners_dilemma"), observation="joint")
    >>> grim = [[0, 1, 1, 1], [0, 1, 1, 1]]  # cooperate while both did
    >>> [best_response(game, grim, 0, discount).regret.max().round(3).item() for discount in (0.6, 0.4)]
    [0.0, 0.667]
    """
    tables = tabulated.tables if isinstance(tabulated, Tabulated) else tabulated
    number_of("player", player, len(tables.sizes))
    ((response,),) = responses_to(
        tables, [mix_exploration(tables, policies, epsilon)], {player: discount}, paid
    )
    return response


def responses_to(
    tables: FiniteGame, policies: Sequence[ndarray], discounts: Mapping[int, float], paid: str = "round"
) -> list[list[PolicyBestResponse]]:
    """Return the `best_response` of every player in ``discounts`` to each of several ``policies``.

    These are probabilities, as `mix_exploration` returns them.
    """
    for discount in discounts.values():
        if not 0 <= discount < 1:
            raise ValueError(f"discount: {discount!r} must be in [0, 1)")
    check_word("paid", paid, ("round", "move"))
    play = mixed_play(tables, np.stack(policies), standing=True)
    shape = (len(policies), play.states.rounds, -1)
    columns = []
    for player, discount in discounts.items():
        values = values_in(play, player, discount, paid)
        rows = (values.best.reshape(shape), values.own.reshape(shape), values.action.reshape(shape))
        coverage: Literal["tight", "upper bound"] = "upper bound"
        if observes_enough(tables, player):
            coverage = "tight"
        columns.append([PolicyBestResponse(*row, coverage) for row in zip(*rows, strict=True)])
    return [list(row) for row in zip(*columns, strict=True)]


def policy_regrets(
    tabulated: Tabulated | FiniteGame,
    policies: object,
    discount: object,
    *,
    epsilon: object = 0.0,
) -> ndarray:
    """Return every player's gain by its `best_response` over its own policy, ``[player round state]``.

    ``discount`` and ``epsilon`` are numbers, or one per player. Every policy explores; the best response does
    not. Raises `ValueError` as `best_response` does.

    >>> import rivalry as rv
    >>> from rivalry.tables import tabulate
    >>> game = tabulate(rv.games.matrix("stag_hunt"))
    >>> policy_regrets(game, [[0, 0], [0, 0]], 0.9).max(axis=(1, 2)).tolist()  # both always hunt the stag
    [0.0, 0.0]
    """
    tables = tabulated.tables if isinstance(tabulated, Tabulated) else tabulated
    players = len(tables.sizes)
    discounts = np.broadcast_to(np.asarray(discount, float), (players,)).tolist()
    probabilities = mix_exploration(tables, policies, epsilon)
    (responses,) = responses_to(tables, [probabilities], dict(enumerate(discounts)), "round")
    return np.stack([response.regret for response in responses])


def policy_certificate(
    world: RepeatedWorld, gamma: ndarray, policy: ndarray | Callable[[ndarray], Any]
) -> Certificate:
    """Certify policies of a repeated game by each player's gain by its best response, from every state.

    Parameters
    ----------
    world : RepeatedWorld
        The repeated game.
    gamma : ndarray
        Discount factors, ``[player]``.
    policy : ndarray or callable
        A table ``[state action]`` of probabilities or a list ``[state]`` of actions, for every player; the
        same for each, with a leading axis of players; or a function of what a player remembers that returns
        an action or probabilities. The function is given, per remembered round from the oldest, the player's
        own action and then the others', as points of the action grid.

    Returns
    -------
    Certificate
        The largest gain of each player over all states, as a payment per period.

    Raises
    ------
    ValueError
        For a policy of another shape, probabilities that are negative or do not sum to 1, a function that
        raises or returns anything else, and as `best_response` does.

    Examples
    --------
    >>> import rivalry as rv
    >>> from rivalry.tables.repeated import repeated_form
    >>> world = repeated_form(rv.games.matrix("prisoners_dilemma"))
    >>> grim = np.array([0, 1, 1, 1])  # cooperate while both did
    >>> [policy_certificate(world, np.array([g, g]), grim).claim for g in (0.6, 0.4)]
    ['equilibrium', 'not an equilibrium']
    """
    tables = world.tables
    play = mixed_play(tables, mix_exploration(tables, policy_table(world, policy))[None])
    values = [values_in(play, player, rate) for player, rate in enumerate(gamma.tolist())]
    gain = np.array([np.maximum(value.best - value.own, 0.0).max() for value in values])
    exact = all(observes_enough(tables, player) for player in range(len(gamma)))
    regret = gain * (1 - gamma)
    return Certificate(
        regret,
        regret,
        "tight" if exact else "bounded",
        "dynamic programming against the others' policies, from every state",
        TOLERANCE * world.scale,
        rounding="floating point",
        concept="Nash equilibrium of the policies from every state",
    )


def greedy_table(values: ndarray) -> ndarray:
    """Return the best action of every state of tables of action values, the lowest at ties: ``[.. state]``.

    NaN marks actions that a player lacks.

    Examples
    --------
    >>> greedy_table(np.array([[1.0, 2.0], [3.0, 3.0], [np.nan, 0.0]])).tolist()
    [1, 0, 1]
    """
    return np.where(np.isnan(values), -np.inf, values).argmax(axis=-1)


def policy_table(world: RepeatedWorld, policy: ndarray | Callable[[ndarray], Any]) -> ndarray:
    """Return the actions ``[player state]`` or probabilities ``[player state action]`` of a policy.

    The policy is one of those that `policy_certificate` takes. Raises `ValueError` for another one.
    """
    tables = world.tables
    players, widest, state_count = len(tables.sizes), int(tables.sizes.max()), int(states(tables).max())
    dimensions = {
        (players, state_count, widest): "player state action",
        (players, state_count): "player state",
    }
    if callable(policy):
        return _tabulated(world, policy)
    policy = policy_numbers(policy)
    if policy.shape in [shape[1:] for shape in dimensions]:
        return np.stack([policy] * players)
    if policy.shape in dimensions:
        return policy
    shape = f"{state_count}, {widest}"
    shapes = f"({shape}) [state action] or ({players}, {shape}) [player state action]"
    raise ValueError(f"policy: shape {policy.shape} must be {shapes}")


def policy_names(world: RepeatedWorld) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return names of the actions and of the states of a policy that all players share.

    A state has the names of the remembered actions with ``/`` between them; where players have different
    names of actions, or different memories, they are numbered.

    >>> import rivalry as rv
    >>> from rivalry.tables.repeated import repeated_form
    >>> policy_names(repeated_form(rv.games.matrix("chicken")))[1]
    ('swerve/swerve', 'swerve/straight', 'straight/swerve', 'straight/straight')
    """
    tables, rows = world.tables, oracles.labels(world.game).actions
    names = rows[0] if len(set(rows)) == 1 else tuple(map(str, range(int(tables.sizes.max()))))
    slots = slots_of(tables)
    count = int(states(tables).max())
    players = {source for source, _ in slots[0]}
    if any(row != slots[0] for row in slots) or players - set(range(len(tables.sizes))):
        return names, tuple(map(str, range(count)))
    return names, tuple("/".join(state) for state in product(names, repeat=len(slots[0])))


def _tabulated(world: RepeatedWorld, policy: Callable[..., Any]) -> ndarray:
    """Return a function's probabilities of actions, ``[player state action]``."""
    tables, grid = world.tables, world.action_grid
    players, widest = len(tables.sizes), int(tables.sizes.max())
    table = np.zeros((players, int(states(tables).max()), widest))
    refuse_slots(tables, nature=False)
    cells: list[tuple[int, int]] = []
    observations: list[ndarray] = []
    for player, slots in enumerate(slots_of(tables)):
        sizes = [int(tables.sizes[source]) for source, _ in slots]
        # the oldest round first, within a round the player's own action first
        order = sorted(range(len(slots)), key=lambda k: (-slots[k][1], slots[k][0] != player, slots[k][0]))
        for state, actions in enumerate(product(*map(range, sizes))):
            cells.append((player, state))
            observations.append(np.array([grid[slots[k][0], actions[k]] for k in order]).ravel())
    places = [f"at {observation.tolist()}" for observation in observations]
    answers = answers_asked_twice(policy, [(observation,) for observation in observations], places)
    for (player, state), place, answer in zip(cells, places, answers, strict=True):
        size = int(tables.sizes[player])
        if answer.shape not in ((), (size,)):
            rule = f"must be an action or {size} probabilities"
            raise ValueError(f"policy: {place} shape {answer.shape} {rule}")
        if answer.ndim == 0:
            if answer not in range(size):
                raise ValueError(f"policy: {place} {answer} must be an action, 0 to {size - 1}")
            table[player, state, int(answer)] = 1.0
        else:
            table[player, state, :size] = answer
    return table
