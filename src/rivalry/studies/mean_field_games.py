"""Mean-field games over a finite horizon, and iterations of time-dependent policies in them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy import ndarray

from rivalry.core.method import BaseLearner, Session, generator_from_array, generator_to_array
from rivalry.core.needs import Need
from rivalry.core.results import Certificate, Record, scalar
from rivalry.core.space import short_rounding
from rivalry.core.tolerances import ROUNDING, TOLERANCE
from rivalry.core.tree import Tree, static
from rivalry.population import horizon
from rivalry.population.horizon import HorizonGame
from rivalry.schema.validate import checked

ROW_SUM = 1e-12  # largest error of a row of probabilities in float64
EMPTY = 1e-25  # added to the mass at a position, of which the logarithm is taken


class FiniteHorizonPlay(BaseLearner):
    """Iteration of a time-dependent policy in a mean-field game over a finite horizon.

    Every round computes the flow of the policy and replaces the policy by the ``update``:

    - ``fictitious_play``: the average with the best response, weighted 1/(k+1) in round k by the mass in each
      state;
    - ``mirror_descent``: the softmax of the sum of ``rate`` times the action values so far;
    - ``fixed_point``: a step of ``damping`` to the best response; 1 is undamped;
    - ``none``: the policy itself is evaluated.

    The first policy is uniform unless ``policy`` is given. The certificate is the exploitability, the gain of
    a single agent by its best response to the flow, exact by backward induction. With ``agents`` the final
    policy is also played by so many agents: their mean payoff, and the largest distance of their frequencies
    of states from the flow, in total variation over periods.

    References
    ----------
    Perrin et al., Fictitious Play for Mean Field Games, NeurIPS 2020; Perolat et al., Scaling up Mean Field
    Games with Online Mirror Descent, AAMAS 2022.

    Examples
    --------
    >>> import rivalry as rv
    >>> solution = rv.solve(left_right(), FiniteHorizonPlay(update="mirror_descent", rate=1.0))
    >>> solution.data.policy.values[0, 0].round(6).tolist(), solution.claim
    ([0.666667, 0.333333], 'equilibrium')
    """

    update: Annotated[
        Literal["fictitious_play", "mirror_descent", "fixed_point", "none"], "what a round changes"
    ] = "fictitious_play"
    rounds: Annotated[int, Ge(0), Le(1_000_000), "number of rounds"] = 100
    rate: Annotated[float, Gt(0), "learning rate of mirror descent"] = 0.1
    damping: Annotated[float, Gt(0), Le(1), "step of the fixed-point iteration"] = 1.0
    temperature: Annotated[float, Ge(0), "of softmax responses in place of best responses; 0: best"] = 0.0
    policy: Annotated[list[Any] | ndarray | None, "first policy, [period][state][action]"] = None
    agents: Annotated[int, Ge(0), "agents that play the final policy; 0: none"] = 0

    needs = (Need("a mean-field game over a finite horizon", lambda game: isinstance(game, HorizonGame)),)

    def world(self, game: Any) -> HorizonGame:
        """Return the game. Raise `ValueError` for a first policy that is none."""
        self._initial_policy(game)
        return game

    def _initial_policy(self, game: HorizonGame) -> ndarray:
        even = horizon.uniform_policy(game)
        if self.policy is None:
            return even
        pi = np.array(self.policy, dtype=float)
        if pi.shape != even.shape:
            raise ValueError(f"policy: shape {pi.shape} must be {even.shape}, [period][state][action]")
        total = pi.sum(axis=2, keepdims=True)
        rounding = short_rounding(self.policy)
        if not (np.all(pi >= 0) and np.allclose(total, 1, rtol=0, atol=max(rounding, ROW_SUM))):
            raise ValueError("policy: must be probabilities that sum to 1 in every state")
        # rows of float32 sum to 1 up to their rounding; those of float64 stay as they are
        return pi / total if rounding else pi

    def length(self, world: HorizonGame) -> int:
        """Return the number of rounds; an evaluation has none."""
        return 0 if self.update == "none" else self.rounds

    def begin(self, world: HorizonGame, stream: np.random.SeedSequence) -> Session:
        """Return a session at the first policy."""
        pi = self._initial_policy(world)
        rng = np.random.default_rng(stream)
        return {
            "pi": pi,
            "scores": np.log(np.maximum(pi, EMPTY)),
            "round": np.array([0]),
            "rng": generator_to_array(rng),
        }

    def advance(self, world: HorizonGame, session: Session, steps: int) -> int:
        """Iterate up to ``steps`` rounds."""
        rounds = min(steps, self.length(world) - int(session["round"][0]))
        for _ in range(rounds):
            session["round"][0] += 1
            session["pi"] = self._next_policy(world, session)
        return rounds

    def _next_policy(self, game: HorizonGame, session: Session) -> ndarray:
        pi = session["pi"]
        flow = horizon.policy_flow(game, pi)
        if self.update == "mirror_descent":
            session["scores"] = (
                session["scores"] + self.rate * horizon.values_in_flow(game, flow, pi, population=pi).actions
            )
            return horizon.response(session["scores"], 1.0)
        response = horizon.response(
            horizon.values_in_flow(game, flow, population=pi).actions, self.temperature
        )
        if self.update == "fixed_point":
            return np.asarray(pi + self.damping * (response - pi))
        weight = 1 / (1 + int(session["round"][0]))
        return horizon.average(pi, response, flow, horizon.policy_flow(game, response), weight)

    def read(self, world: HorizonGame, session: Session) -> Record:
        """Return the policy, its flow and value, the best response's value, and the certificate."""
        pi = session["pi"]
        flow = horizon.policy_flow(world, pi)
        value, response_value = (
            float(world.first @ horizon.values_in_flow(world, flow, policy, population=pi).states[0])
            for policy in (pi, None)
        )
        gain = np.maximum(np.array([response_value - value]), 0.0)
        # in an equilibrium all actions may pay the same: then the scale is that of uniform play
        at_stake = max(_at_stake(world, play) for play in (pi, horizon.uniform_policy(world)))
        allowed = TOLERANCE * at_stake + ROUNDING * abs(value)
        method = "backward induction in the policy's own flow"
        proof = Certificate(
            gain, gain, "tight", method, allowed, rounding="floating point", concept="mean field"
        )
        record: Record = {
            "policy": (("period", "state", "action"), pi.copy()),
            "flow": (("time", "state"), flow),
            "value": scalar(value),
            "best_response_value": scalar(response_value),
            "exploitability": scalar(response_value - value),
            "status": scalar("completed"),
        }
        if self.agents:
            rng = generator_from_array(session["rng"])
            distributions, paid = horizon.play_agents(world, pi, self.agents, rng)
            record["agents_payoff"] = scalar(paid)
            record["agents_distance"] = (), np.abs(distributions - flow).sum(axis=1).max() / 2
        return record | proof.record()


def _at_stake(game: HorizonGame, pi: ndarray) -> float:
    """Return the value of the best response in the flow of a policy less that of the worst play."""
    flow = horizon.policy_flow(game, pi)
    best_value, worst_value = (
        horizon.values_in_flow(game, flow, worst=minimum, population=pi).states[0]
        for minimum in (False, True)
    )
    return float(game.first @ (best_value - worst_value))


class WalkMirrorDescent(FiniteHorizonPlay):
    """Mirror descent in the crowd game with the updates of OpenSpiel, in place along a depth-first walk.

    OpenSpiel sums the values of positions after a move, and reads the policy of a state from these sums when
    its walk reaches the state: values that the walk has computed before are then in the sums already, others
    are not (`CrowdGame.known`). The first policy is uniform throughout its round.
    """

    needs = (Need("the crowd game", lambda game: isinstance(game, CrowdGame)),)

    def _next_policy(self, game: Any, session: Session) -> ndarray:
        flow, scores = horizon.policy_flow(game, session["pi"]), session["scores"]
        past_first_round = int(session["round"][0]) > 1
        values, new = game.final_reward(flow[-1]), scores.copy()
        for t in reversed(range(game.horizon)):
            ahead = self.rate * (after := game.transition(t, flow[t]) @ values)
            new[t] += ahead
            pi = (
                horizon.response(scores[t] + ahead * game.known[t], 1.0)
                if past_first_round
                else session["pi"][t]
            )
            values = (pi * (game.reward(t, flow[t]) + after)).sum(axis=1)
        session["scores"] = new
        return horizon.response(new, 1.0)


class CrowdGame(Tree):
    """Agents on a ring who avoid each other and like its middle; see `crowd`."""

    first: ndarray
    paid: ndarray  # [period state action]: rewards that do not depend on the distribution
    chances: ndarray  # [state action next_state]
    known: ndarray  # [period state action]: 1 where a depth-first walk has valued the move before the state
    horizon: int = static()
    actions: int = static(default=3)

    def reward(self, t: int, mu: ndarray) -> ndarray:
        return np.asarray(self.paid[t] - np.log(mu + EMPTY)[:, None])

    def transition(self, t: int, mu: ndarray) -> ndarray:
        return self.chances

    def final_reward(self, mu: ndarray) -> ndarray:
        return np.zeros(len(mu))


@checked
def crowd(
    *,
    size: Annotated[int, Ge(3), Le(1000), "positions on the ring"] = 10,
    horizon: Annotated[int, Ge(1), Le(300), "periods"] = 10,
    cost_of_first_visit: Annotated[bool, "the cost of moves as OpenSpiel values it"] = False,
) -> CrowdGame:
    """Return the crowd game of Perrin et al. (2020) on a ring: moves -1, 0, 1, and noise of the same size.

    An agent at x receives ``1 - |x - size//2| / (size//2) - log(mass at x)``, and pays ``|move| / size`` for
    its last move, so that a move of the last period is free. Here the cost is paid with the move. With
    ``cost_of_first_visit`` it is a property of position and period instead, as in OpenSpiel's algorithms:
    they value a state once, with the move of the first path of a depth-first walk that reaches it.

    Examples
    --------
    >>> crowd().chances[0, 0].round(3).tolist()
    [0.333, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.333, 0.333]
    """
    chances = np.zeros((size, 3, size))
    for x in range(size):
        for action in range(3):
            for noise in (-1, 0, 1):
                chances[x, action, (x + action - 1 + noise) % size] += 1 / 3
    middle = size // 2
    paid = np.zeros((horizon, size, 3)) + (1 - np.abs(np.arange(size) - middle) / middle)[None, :, None]
    moves, neighbours = _walk(size, horizon)
    if cost_of_first_visit:
        paid -= np.abs(moves)[:, :, None] / size
    else:
        paid[:-1] -= np.abs(np.arange(3) - 1) / size
    return CrowdGame(np.full(size, 1 / size), paid, chances, neighbours, horizon)


def _walk(size: int, periods: int) -> tuple[ndarray, ndarray]:
    """Walk through the crowd game depth first: positions, moves and noise in order, each position once.

    Returns the move by which each ``[period position]`` is reached first, 0 in the first period, and whether
    the value of each move ``[period position action]`` was known by then.
    """
    moves, neighbours = np.zeros((periods, size)), np.zeros((periods, size, 3))
    positions, valued = set(), set()

    def visit(t: int, x: int, move: int) -> None:
        if t == periods or (t, x) in positions:
            return
        positions.add((t, x))
        moves[t, x] = move
        neighbours[t, x] = [(t, (x + step) % size) in valued for step in (-1, 0, 1)]
        for step in (-1, 0, 1):
            state = t, (x + step) % size
            if state not in valued:
                for noise in (-1, 0, 1):
                    visit(t + 1, (x + step + noise) % size, step)
                valued.add(state)

    for x in range(size):
        visit(0, x, 0)
    return moves, neighbours


class LeftRight(Tree):
    """Agents who all go left or right once, and pay for company there; see `left_right`."""

    first: ndarray
    horizon: int = static(default=1)
    actions: int = static(default=2)

    def reward(self, t: int, mu: ndarray) -> ndarray:
        return np.zeros((3, 2))

    def transition(self, t: int, mu: ndarray) -> ndarray:
        return np.broadcast_to(np.eye(3)[1:], (3, 2, 3))

    def final_reward(self, mu: ndarray) -> ndarray:
        return np.array([0.0, -mu[1], -2 * mu[2]])


@checked
def left_right() -> LeftRight:
    """Return the game left-right of Cui and Koeppl (2021): costs are shares, twice on the right.

    States are the middle, where all begin, left and right.
    """
    return LeftRight(np.array([1.0, 0.0, 0.0]))
