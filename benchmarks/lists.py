"""Complete lists of equilibria: how long they take, and how many boxes.

Each game in a process of its own, first without programs that are loaded, then once more. Times are seconds
of processor time; the search ends after `LIMIT` seconds, however many processes share the machine.

python -m benchmarks.lists                 all games, as a table
python -m benchmarks.lists NAME ..         some of them
python -m benchmarks.lists --stack         a stack of 1,000 games of 5 x 5, beside QuantEcon without a proof
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import rivalry as rv

LIMIT = 100.0  # seconds of search


class Custom(eqx.Module):
    """A game on ranges of choices; ``rule`` returns payoffs of profiles ``[player axis]``."""

    rule: Callable[[jax.Array], jax.Array] = eqx.field(static=True)
    low: np.ndarray
    high: np.ndarray

    @property
    def space(self) -> rv.Box:
        return rv.Box(jnp.asarray(self.low), jnp.asarray(self.high))

    def payoffs(self, x: jax.Array) -> jax.Array:
        return self.rule(x)


def custom(rule: Callable[[jax.Array], jax.Array], players: int, low: Any, high: Any) -> Custom:
    """Return a game in which all players choose between the same bounds, ``[axis]``."""
    ends = [np.tile(np.atleast_1d(np.asarray(end, dtype=float)), (players, 1)) for end in (low, high)]
    return Custom(rule, *ends)


def cournot(players: int) -> Custom:
    """Return different firms that face the price 1 - Q - Q^3/2."""
    costs = np.linspace(0.02, 0.2, players)

    def rule(x: jax.Array) -> jax.Array:
        total = jnp.sum(x)
        return x[:, 0] * (1 - total - 0.5 * total**3 - costs)

    return custom(rule, players, 0.0, 1.0)


def contest(players: int) -> Custom:
    """Return a Tullock contest for prizes of different worth."""
    worth = np.linspace(1.0, 2.0, players)

    def rule(x: jax.Array) -> jax.Array:
        return jnp.asarray(worth * x[:, 0] / jnp.sum(x) - x[:, 0])

    return custom(rule, players, 0.01, 1.0)


def public_good(players: int) -> Custom:
    """Return gifts to a public good of which all have a share of different worth."""
    worth = np.linspace(0.7, 1.0, players)

    def rule(x: jax.Array) -> jax.Array:
        return jnp.asarray(worth * jnp.sqrt(0.01 + jnp.sum(x)) - 0.5 * x[:, 0] - 0.2 * x[:, 0] ** 2)

    return custom(rule, players, 0.0, 2.0)


def logit(players: int) -> Custom:
    """Return prices under logit demand with different qualities and costs."""
    quality, cost = np.linspace(1.5, 2.5, players), np.linspace(0.8, 1.2, players)

    def rule(x: jax.Array) -> jax.Array:
        weight = jnp.exp((quality - x[:, 0]) / 0.25)
        return (x[:, 0] - cost) * weight / (1 + jnp.sum(weight))

    return custom(rule, players, 0.0, 4.0)


def price_and_quality(players: int) -> Custom:
    """Return firms that choose a price and a quality, whose cost is quadratic, under logit demand."""
    cost = np.linspace(0.5, 0.7, players)

    def rule(x: jax.Array) -> jax.Array:
        price, quality = x[:, 0], x[:, 1]
        weight = jnp.exp(quality - price)
        return (price - cost) * weight / (1 + jnp.sum(weight)) - 0.5 * quality**2

    return custom(rule, players, [0.0, 0.0], [5.0, 2.0])


def meetings(x: jax.Array) -> jax.Array:
    """Return payoffs of players who want to be where tanh of twice the others' mean is, on both axes."""
    others = (jnp.sum(x, axis=0) - x) / (len(x) - 1)
    return -jnp.sum(jnp.square(x - jnp.tanh(2 * others)), axis=1)


def crossed(x: jax.Array) -> jax.Array:
    """Return payoffs of players whose best response on one axis depends on the others' other axis."""
    others = jnp.sum(x[:, ::-1], axis=0) - x[:, ::-1]
    return jnp.sum(x * jnp.sin(others + jnp.array([0.3, -0.2])) - 0.75 * x**2, axis=1)


def variants(players: int) -> Custom:
    """Return quantities of variants of a good, with demand that bends."""
    cost = np.linspace(0.1, 0.3, players)

    def rule(x: jax.Array) -> jax.Array:
        own = x[:, 0]
        return own * (jnp.exp(-own - 0.5 * (jnp.sum(own) - own)) - cost)

    return custom(rule, players, 0.0, 1.5)


def line_of_meetings(x: jax.Array) -> jax.Array:
    """Return payoffs of two players who only want to meet: every common place is an equilibrium."""
    return -jnp.square(x[:, 0] - x[::-1, 0])


def plane(reach: Any, players: int, points: int) -> Any:
    """Return influencers in the plane."""
    return rv.games.influencer(
        space="box",
        players=players,
        bounds=[[0.0, 1.0], [0.0, 1.0]],
        **reach,
        resource_points={"kind": "grid", "num": points},
    )


def blotto(**more: Any) -> Any:
    """Return two players who divide a budget over battlefields, three unless said otherwise."""
    given: dict[str, Any] = {"corners": 3, "exponent": 1.0, "resource": [1.0, 2.0, 3.0]} | more
    return rv.games.influencer(space="simplex", kernel="blotto", **given)


def dirichlet(corners: int) -> Any:
    """Return two influencers on a simplex with a Dirichlet kernel."""
    return rv.games.influencer(space="simplex", corners=corners, kernel="dirichlet", alpha=2.0)


GAMES: dict[str, Callable[[], Any]] = {
    "Cournot, 2 firms": lambda: cournot(2),
    "Cournot, 5 firms": lambda: cournot(5),
    "Cournot, 10 firms": lambda: cournot(10),
    "contest, 3 players": lambda: contest(3),
    "contest, 10 players": lambda: contest(10),
    "public good, 6 players": lambda: public_good(6),
    "logit prices, 2 firms": lambda: logit(2),
    "logit prices, 5 firms": lambda: logit(5),
    "logit prices, 10 firms": lambda: logit(10),
    "variants, 5 firms": lambda: variants(5),
    "price and quality, 2 firms": lambda: price_and_quality(2),
    "price and quality, 3 firms": lambda: price_and_quality(3),
    "meetings in the plane, 3 players": lambda: custom(meetings, 3, [-1.0, -1.0], [1.0, 1.0]),
    "crossed responses, 3 players": lambda: custom(crossed, 3, [-2.0, -2.0], [2.0, 2.0]),
    "influencers on a line, 3": lambda: rv.games.influencer(reach=[0.17] * 3, resource="bimodal"),
    "influencers in the plane, 2": lambda: plane({"covariance": [[0.3, 0.1], [0.1, 0.2]]}, 2, 6),
    "influencers in the plane, 2, narrow": lambda: plane({"covariance": [[0.05, 0.0], [0.0, 0.03]]}, 2, 6),
    "influencers in the plane, 2, 400 points": lambda: plane({"covariance": [[0.3, 0.1], [0.1, 0.2]]}, 2, 20),
    "influencers in the plane, 3": lambda: plane({"covariance": [[0.3, 0.1], [0.1, 0.2]]}, 3, 6),
    "race, 2 players": lambda: rv.games.race(),
    "race, 3 players": lambda: rv.games.race(players=3),
    "race, 2 players, 2 periods": lambda: rv.games.race(horizon=2),
    "Blotto, 3 battlefields, third party": lambda: blotto(third_party=[0.05] * 3),
    "Blotto, 3 battlefields": lambda: blotto(),
    "Blotto, 3 battlefields, exponent 2": lambda: blotto(exponent=2.0),
    "Blotto, 4 battlefields": lambda: blotto(corners=4, resource=[1.0, 2.0, 3.0, 4.0]),
    "Dirichlet kernel, 2 corners": lambda: dirichlet(2),
    "Dirichlet kernel, 3 corners": lambda: dirichlet(3),
    "a line of equilibria": lambda: custom(line_of_meetings, 2, 0.0, 1.0),
}


def measure(name: str) -> dict[str, Any]:
    """Return the row of a game."""
    game = GAMES[name]()
    taken = []
    for _ in range(2):
        begun = time.process_time()
        try:
            found = rv.all_equilibria(game, max_seconds=LIMIT)
        except ValueError as error:
            return {"game": name, "refused": str(error)}
        taken.append(time.process_time() - begun)
        if not found.complete:
            break
    # shares add up to one: each player has a choice less
    fixed = game.space.shape[0] if isinstance(game.space, rv.Simplex) else 0
    return {
        "game": name,
        "players": game.space.shape[0],
        "choices": int(np.sum(game.space.mask)) - fixed,
        "equilibria": len(found),
        "complete": found.complete,
        "boxes": int(found.solution.record["boxes"][1]),
        "cold": round(taken[0], 1),
        "warm": round(taken[-1], 2) if len(taken) > 1 else None,
        "reason": found.reason,
    }


def main(names: list[str]) -> None:
    """Print a table of rows, each measured by a process of its own."""
    print("| game | players | choices | equilibria | complete | boxes | cold | warm |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for name in names or GAMES:
        run = [sys.executable, "-m", "benchmarks.lists", "--row", name]
        done = subprocess.run(run, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"| {name} | failed: {done.stderr.strip().splitlines()[-1]} |", flush=True)
            continue
        row = json.loads(done.stdout.splitlines()[-1])
        if "refused" in row:
            print(f"| {name} | refused: {row['refused']} |", flush=True)
            continue
        warm = "" if row["warm"] is None else row["warm"]
        cells = [*(row[key] for key in ("game", "players", "choices", "equilibria"))]
        cells += ["yes" if row["complete"] else f"no: {row['reason']}", row["boxes"], row["cold"], warm]
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def stack(count: int = 1000) -> None:
    """Print milliseconds of processor time per game, ours and theirs in turn, after they count the same."""
    from quantecon.game_theory import NormalFormGame, Player, vertex_enumeration

    games = np.random.default_rng(0).random((count, 2, 5, 5))
    rivals = [NormalFormGame((Player(A), Player(B.T.copy()))) for A, B in games]
    theirs = [len(vertex_enumeration(game)) for game in rivals]
    assert rv.all_equilibria(games).counts.tolist() == theirs
    for _ in range(3):
        begun = time.process_time()
        rv.all_equilibria(games)
        middle = time.process_time()
        for game in rivals:
            vertex_enumeration(game)
        ours, others = middle - begun, time.process_time() - middle
        print(f"rivalry {1e3 * ours / count:.3f} ms, QuantEcon {1e3 * others / count:.3f} ms per game")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--stack"]:
        stack()
    elif sys.argv[1:2] == ["--row"]:
        print(json.dumps(measure(sys.argv[2])))
    else:
        main(sys.argv[1:])
