"""One player's best response to the others' fixed policies, and the regret of a policy against it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import compress, product
from math import prod
from typing import Any, Literal, NamedTuple

import numpy as np

from rivalry.core import oracles
from rivalry.core.array_games import FiniteGame
from rivalry.core.results import Certificate
from rivalry.core.tolerances import TIE, TOLERANCE
from rivalry.schema.validate import number_of
from rivalry.tables.greedy_play import checked_policies, choices, refuse_slots, slots_of, states
from rivalry.tables.history import fixed_play
from rivalry.tables.kernels.shapes import Tabulated
from rivalry.tables.policy_answers import answers_asked_twice, policy_numbers
from rivalry.tables.repeated import RepeatedWorld
from rivalry.tables.response_gaps import observes_enough, values_in

DENSE = 1200  # most unknowns of a linear solve; larger systems are solved by sweeps
MOST_STATES = 4_000_000
NONE = np.zeros(0)
SWEEPS = 8  # of policy evaluation between two policy improvements
SWEEP_CONVERGED = 1e-14  # of the largest value: a sweep that changes no more has converged


class PolicyBestResponse(NamedTuple):
    """A best response to fixed policies, by full state: nature times all standing actions."""

    value: np.ndarray  # [round state]: of the best response, discounted
    own: np.ndarray  # [round state]: of the policy that the player follows
    policy: np.ndarray  # [round state]: the best response's moves
    coverage: Literal["exact", "upper bound"]

    @property
    def regret(self) -> np.ndarray:
        """The gain of the best response over the player's own policy, ``[round state]``; at least 0.

        With coverage ``exact`` the player observes the full state. With ``upper bound`` it observes less,
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

    The best response may depend on the full state: nature's state times the number of joint actions, plus the
    standing joint action. Where the player observes less, its regret is an upper bound on the gain of any
    policy of its own observations.

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
        For a discount outside [0, 1), policies of another shape, players that observe the current round or
        more than one round back, and too many states.

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
    tables: FiniteGame, policies: Sequence[np.ndarray], discounts: Mapping[int, float], paid: str = "round"
) -> list[list[PolicyBestResponse]]:
    """Return the `best_response` of every player in ``discounts`` to each of several ``policies``.

    These are probabilities, as `mix_exploration` returns them.
    """
    for discount in discounts.values():
        _check(tables, discount, paid)
    common, responses = _model(tables), list[list[PolicyBestResponse]]()
    for chances in policies:
        responses.append([])
        possible = (chances > 0).any(axis=1).sum(axis=1).tolist()
        room = 2 * max(1, *(prod(compress(possible, row)) for row in common.movers))
        for player, discount in discounts.items():
            counts = paid == "round" or common.movers[:, player]
            rate = np.broadcast_to(np.asarray(counts, dtype=float), len(common.movers))
            own_discount = np.where(rate > 0, discount, 1.0)
            pays = tables.payoff[:, player]
            model = common._replace(pays=pays, rate=rate, discount=own_discount, chances=chances, room=room)
            current = _policy_value(model, -1, np.zeros(model.shape, dtype=np.int64))
            value, policy = _optimal_policy(model, player, TIE * float(np.abs(pays).max()) / (1 - discount))
            complete = bool(np.bincount(model.seen[player]).max() == 1)
            response = PolicyBestResponse(value, current, policy, "exact" if complete else "upper bound")
            responses[-1].append(response)
    return responses


def policy_regrets(
    tabulated: Tabulated | FiniteGame,
    policies: object,
    discount: object,
    *,
    epsilon: object = 0.0,
    paid: str = "round",
) -> np.ndarray:
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
    discounts = np.broadcast_to(np.asarray(discount, dtype=float), (players,)).tolist()
    chances = mix_exploration(tables, policies, epsilon)
    (responses,) = responses_to(tables, [chances], dict(enumerate(discounts)), paid)
    return np.stack([response.regret for response in responses])


def policy_certificate(
    world: RepeatedWorld, gamma: np.ndarray, policy: np.ndarray | Callable[[np.ndarray], Any]
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
        raises or returns anything else, and as `best_response` does; for probabilities other than 0 and 1
        where players remember more than one round.

    Examples
    --------
    >>> import rivalry as rv
    >>> from rivalry.tables.repeated import repeated_form
    >>> world = repeated_form(rv.games.matrix("prisoners_dilemma"))
    >>> grim = np.array([0, 1, 1, 1])  # cooperate while both did
    >>> [policy_certificate(world, np.array([g, g]), grim).claim for g in (0.6, 0.4)]
    ['equilibrium', 'not an equilibrium']
    """
    tables, chances = world.tables, policy_table(world, policy)
    if remembers_more(tables):
        gain, exact = _gains_with_memory(tables, chances, gamma)
    else:
        (responses,) = responses_to(
            tables, [mix_exploration(tables, chances)], dict(enumerate(gamma.tolist()))
        )
        gain = np.array([response.regret.max() for response in responses])
        exact = all(response.coverage == "exact" for response in responses)
    regret = gain * (1 - gamma)
    return Certificate(
        regret,
        regret,
        "exact" if exact else "bounded",
        "dynamic programming against the others' policies, from every state",
        TOLERANCE * world.scale,
        rounding="floating point",
        concept="Nash equilibrium of the policies from every state",
    )


def remembers_more(tables: FiniteGame) -> bool:
    """True if some player observes more than nature now and the actions of the last round."""
    players = len(tables.sizes)
    return any(ago != int(source != players) for slots in slots_of(tables) for source, ago in slots)


def _gains_with_memory(tables: FiniteGame, policy: np.ndarray, gamma: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return each player's largest gain over all states, of any memory, and if it is exact."""
    if policy.ndim == 3:
        chances = mix_exploration(tables, policy)
        if np.any((chances != 0) & (chances != 1)):
            rule = "must be 0 or 1 where players remember more than one round, or observe the current one"
            raise ValueError(f"policy: probabilities {rule}")
        policy = chances.argmax(axis=2)
    play = fixed_play(tables, policy[None])
    values = [values_in(play, player, rate) for player, rate in enumerate(gamma.tolist())]
    gain = np.array([max(float((value.best - value.own).max()), 0.0) for value in values])
    return gain, all(observes_enough(tables, player) for player in range(len(gamma)))


def greedy_table(values: np.ndarray) -> np.ndarray:
    """Return the best action of every state of tables of action values, the lowest at ties: ``[.. state]``.

    NaN marks actions that a player lacks.

    Examples
    --------
    >>> greedy_table(np.array([[1.0, 2.0], [3.0, 3.0], [np.nan, 0.0]])).tolist()
    [1, 0, 1]
    """
    return np.asarray(np.where(np.isnan(values), -np.inf, values).argmax(axis=-1))


def policy_table(world: RepeatedWorld, policy: np.ndarray | Callable[[np.ndarray], Any]) -> np.ndarray:
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


def _tabulated(world: RepeatedWorld, policy: Callable[..., Any]) -> np.ndarray:
    """Return a function's probabilities of actions, ``[player state action]``."""
    tables, grid = world.tables, world.action_grid
    players, widest = len(tables.sizes), int(tables.sizes.max())
    table = np.zeros((players, int(states(tables).max()), widest))
    refuse_slots(tables, nature=False)
    cells: list[tuple[int, int]] = []
    observations: list[np.ndarray] = []
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


def mix_exploration(tables: FiniteGame, policies: object, epsilon: object = 0.0) -> np.ndarray:
    """Return policies as probabilities ``[player state move]``, with uniform exploration mixed in.

    ``policies`` are moves or probabilities; ``epsilon`` is a number, or one per player.

    Raises
    ------
    ValueError
        For another shape, for probabilities that are negative or do not sum to 1, and for exploration outside
        [0, 1].
    """
    counts, state_count = choices(tables), states(tables)
    array, available = np.asarray(policies), np.arange(counts.max()) < counts[:, None]
    if array.ndim == 3:
        if (
            array.shape[0] != len(counts)
            or array.shape[1] < state_count.max()
            or array.shape[2] != counts.max()
        ):
            raise ValueError(
                f"policies: shape {array.shape} must be ({len(counts)}, {state_count.max()}, {counts.max()})"
            )
        chances = np.array(array, dtype=float)
        bad = np.any((chances < 0) | (chances != 0) & ~available[:, None], axis=2)
        bad |= ~(np.abs(chances.sum(axis=2) - 1) <= 1e-9)  # NaN too
        used = np.arange(chances.shape[1]) < state_count[:, None]
        for player in np.flatnonzero(np.any(bad & used, axis=1)):
            raise ValueError(f"policies: probabilities of player {player} must be at least 0 and sum to 1")
    else:
        chances = np.eye(counts.max())[np.clip(checked_policies(tables, array), 0, counts.max() - 1)]
    explores = np.broadcast_to(np.asarray(epsilon, dtype=float), (len(counts),))
    wrong = np.flatnonzero(~((explores >= 0) & (explores <= 1)))
    if wrong.size:
        raise ValueError(f"epsilon: {explores[wrong[0]]} must be in [0, 1]")
    share = explores[:, None, None]
    return np.asarray((1 - share) * chances + share * (available / counts[:, None])[:, None, :])


def observations(tables: FiniteGame) -> np.ndarray:
    """Return the number of every player's observation in every state, ``[player state]``.

    Raises `ValueError` for slots other than nature now and actions one round back.

    >>> import rivalry as rv
    >>> from rivalry.tables import tabulate
    >>> observations(tabulate(rv.games.matrix("chicken")).tables).tolist()
    [[0, 0, 1, 1], [0, 1, 0, 1]]
    """
    refuse_slots(tables, nature=True)
    sizes = tuple(tables.sizes.tolist())
    natures, players = tables.payoff.shape[0], len(sizes)
    stands = np.unravel_index(np.arange(natures * int(np.prod(sizes))), (natures, *sizes))
    numbers = np.zeros((players, len(stands[0])), dtype=np.int64)
    for player, slots in enumerate(slots_of(tables)):
        for source, ago in slots:
            if ago != (0 if source == players else 1):
                raise ValueError(
                    f"observation_slots: player {player} looks {ago} rounds back at {source}; "
                    "must be 1 for this"
                )
            number, size = (stands[0], natures) if source == players else (stands[1 + source], sizes[source])
            numbers[player] = numbers[player] * size + number
    return numbers


class _Model(NamedTuple):
    """The decision problem of one player against fixed policies; the last five fields are its own."""

    next_nature: np.ndarray  # [nature joint branch]; joint of length 1: independent of actions
    branch_probability: np.ndarray  # the same, not cumulative
    movers: np.ndarray  # [round player]
    seen: np.ndarray  # [player state]
    alone: np.ndarray  # [player]: observes its own action only
    moves: np.ndarray  # [player standing move]
    sizes: np.ndarray
    strides: np.ndarray
    shape: tuple[int, int]  # rounds, states
    pays: np.ndarray = NONE  # [nature joint]: the player's payoff
    rate: np.ndarray = NONE  # [round]: 1 where the payoff counts, else 0
    discount: np.ndarray = NONE  # [round]
    chances: np.ndarray = NONE  # [player observation move]
    room: int = 0  # twice the number of joint moves of all players


def _check(tables: FiniteGame, discount: Any, paid: str) -> None:
    if not 0 <= discount < 1:
        raise ValueError(f"discount: {discount!r} must be in [0, 1)")
    if paid not in ("round", "move"):
        raise ValueError(f"paid: {paid!r} is unknown; must be 'round' or 'move'")
    if not tables.payoff.size:
        raise ValueError(
            "game: has no joint table, which a best response over all states needs; take fewer grid points"
        )
    count = len(tables.order) * tables.payoff.shape[0] * tables.payoff.shape[2]
    if count > MOST_STATES:
        raise ValueError(f"game: {count} states to go through; must be at most {MOST_STATES}")


def _model(tables: FiniteGame) -> _Model:
    """Data that the decision problems of all players against all policies have in common."""
    from rivalry.tables.kernels import contests

    natures, players, joints = tables.payoff.shape
    movers = (tables.order[:, :, None] == np.arange(players)).any(axis=1)
    moves = tables.action_map
    if not moves.size:  # a move is the action chosen; padded moves stay
        standing, move = np.indices((tables.sizes.max(),) * 2)
        moves = np.where(move < tables.sizes[:, None, None], move, standing)
    return _Model(
        next_nature=tables.next_nature,
        branch_probability=np.diff(tables.nature_cdf, axis=2, prepend=0.0),
        movers=movers,
        seen=observations(tables),
        alone=np.array([slots == [(source, 1)] for source, slots in enumerate(slots_of(tables))]),
        moves=np.ascontiguousarray(moves, dtype=np.int64),
        sizes=tables.sizes,
        strides=contests.strides_of(tables.sizes),
        shape=(len(movers), natures * joints),
    )


def _optimal_policy(model: _Model, player: int, tie: float) -> tuple[np.ndarray, np.ndarray]:
    """Return a best response's value and moves, ``[round state]``, by policy iteration (Howard 1960).

    With few states a policy's value is a linear solve. Otherwise it is swept ``SWEEPS`` times between two
    improvements (Puterman and Shin 1978), until an improving sweep changes values by rounding only.
    """
    # the own policy's most probable move
    policy = np.tile(model.chances[player].argmax(axis=1)[model.seen[player]], (model.shape[0], 1))
    if _small(model):
        while True:
            value, better = _solve(model, player, policy), policy.copy()
            _sweep(model, player, better, value.copy(), tie)
            if np.array_equal(better, policy):
                return value, policy
            policy = better
    value = np.zeros(model.shape)
    while not _sweep(model, player, policy, value, tie):
        for _ in range(SWEEPS):
            _sweep(model, player, policy, value)
    return value, policy


def _policy_value(model: _Model, player: int, policy: np.ndarray) -> np.ndarray:
    """Return a policy's value ``[round state]``, the others' fixed; player -1: all players' policies."""
    if _small(model):
        return _solve(model, player, policy)
    value = np.zeros(model.shape)
    while not _sweep(model, player, policy, value):
        pass
    return value


def _small(model: _Model) -> bool:
    return model.shape[0] * model.shape[1] <= DENSE


def _sweep(
    model: _Model, player: int, policy: np.ndarray, value: np.ndarray, tie: float | None = None
) -> bool:
    """Update ``value`` in place, last round first; with a ``tie`` also improve ``policy``.

    Returns whether values changed by rounding only.
    """
    from rivalry.tables.kernels import best_response as kernels

    desk = kernels.changes(len(model.sizes), model.room)
    arrays = (model.seen, model.chances, model.moves, model.sizes, model.strides, desk)
    before = value.copy()
    for round_ in range(model.shape[0] - 1, -1, -1):
        ahead, movers = _ahead(model, round_, value), model.movers[round_].copy()
        for opponent in np.flatnonzero(movers & model.alone).tolist():
            if opponent != player:
                ahead, movers[opponent] = _average(model, opponent, ahead), False
        choice = (policy[round_], tie or 0.0, tie is not None, value[round_])
        kernels.back_up(ahead, player, movers, *arrays, *choice)
    return bool(np.abs(value - before).max() <= SWEEP_CONVERGED * np.abs(value).max())


def _average(model: _Model, opponent: int, ahead: np.ndarray) -> np.ndarray:
    """Return ``ahead`` averaged over the move of ``opponent``, which observes its own action only."""
    size = int(model.sizes[opponent])
    grid = ahead.reshape(len(ahead), -1, size, int(model.strides[opponent]))
    step = np.zeros((size, size))  # [standing, then]
    for move in range(model.moves.shape[2]):
        standing = np.arange(size)
        np.add.at(step, (standing, model.moves[opponent, :size, move]), model.chances[opponent, :size, move])
    return np.ascontiguousarray(np.matmul(step, grid).reshape(ahead.shape))


def _ahead(model: _Model, round_: int, value: np.ndarray) -> np.ndarray:
    """Return the value of a joint action, ``[nature joint]``: payoff plus discounted continuation."""
    natures, joints = model.pays.shape
    continuation = value[(round_ + 1) % model.shape[0]].reshape(natures, joints)
    if natures > 1:
        after = continuation[model.next_nature, np.arange(joints)[None, :, None]]
        continuation = (model.branch_probability * after).sum(axis=2)
    return np.asarray(model.rate[round_] * model.pays + model.discount[round_] * continuation)


def _solve(model: _Model, player: int, policy: np.ndarray) -> np.ndarray:
    """Return the value of a policy by one linear system, for few states."""
    from rivalry.tables.kernels import best_response as kernels

    rounds, count = model.shape
    natures, joints = model.pays.shape
    nature, right, system = np.arange(count) // joints, np.zeros(rounds * count), np.zeros((0, 0))
    later_counts = bool(np.any(model.discount))
    if later_counts:
        system = np.eye(rounds * count)
    desk = kernels.changes(len(model.sizes), model.room)
    arrays = (model.seen, model.chances, model.moves, model.sizes, model.strides, desk)
    for round_ in range(rounds):
        leads = np.zeros((count, joints))
        kernels.chain(player, model.movers[round_], *arrays, policy[round_], leads)
        rows = slice(round_ * count, (round_ + 1) * count)
        right[rows] = model.rate[round_] * (leads * model.pays[nature]).sum(axis=1)
        if not later_counts:
            continue
        after = leads
        if model.next_nature.shape[2] > 1 or natures > 1:
            after = np.zeros((count, natures, joints))
            for branch in range(model.next_nature.shape[2]):
                for target in range(natures):
                    matches = model.next_nature[nature, :, branch] == target
                    after[:, target] += leads * model.branch_probability[nature, :, branch] * matches
        next_round = (round_ + 1) % rounds
        system[rows, next_round * count : (next_round + 1) * count] -= model.discount[round_] * after.reshape(
            count, -1
        )
    return np.asarray((np.linalg.solve(system, right) if later_counts else right).reshape(rounds, count))
