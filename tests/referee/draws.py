"""Random games of every family, with tiny and huge numbers, corners and asymmetries, at random profiles.

Shapes are few, so that few programs compile; numbers are drawn anew for every case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import rivalry as rv
from rivalry.runtime.jax import jnp
from tests.duel import formulas
from tests.race_keys import KEYS, nested
from tests.referee import models
from tests.referee.models import Case, Payoff
from tests.referee.search import settle


def cases(seed: int, count: int, families: list[str] | None = None) -> Iterator[Case]:
    """Yield ``count`` cases, the families in turn; every case has a random stream of its own."""
    names = families or list(FAMILIES)
    for number in range(count):
        name = names[number % len(names)]
        yield FAMILIES[name](np.random.default_rng([seed, number]))._replace(name=f"{name}-{seed}-{number}")


def wide(rng: np.random.Generator, low: float, high: float, size: Any = None) -> np.ndarray:
    """Draw numbers that are uniform in their logarithm."""
    return np.exp(rng.uniform(np.log(low), np.log(high), size))


def box(low: np.ndarray, high: np.ndarray) -> tuple[Callable[..., np.ndarray], Callable[..., np.ndarray]]:
    """Return dense candidates and the projection of a box that is the same for all players."""

    def candidates(rng: np.random.Generator, player: int) -> np.ndarray:
        axes = len(low)
        count = {1: 2001, 2: 61, 3: 17}[axes]
        lines = [np.linspace(low[k], high[k], count) for k in range(axes)]
        grid = np.stack(np.meshgrid(*lines), axis=-1).reshape(-1, axes)
        return np.concatenate([grid, rng.uniform(low, high, (400, axes))])

    return candidates, lambda own: np.clip(own, low, high)


def simplex(corners: int, centres: np.ndarray) -> tuple[Callable[..., np.ndarray], Callable[..., np.ndarray]]:
    """Return candidates on a simplex and its faces, some proportional to ``centres``, and the projection."""

    def candidates(rng: np.random.Generator, player: int) -> np.ndarray:
        spread = rng.dirichlet(np.ones(corners), 1500)
        faces = rng.dirichlet(np.ones(corners), 1500) * (rng.random((1500, corners)) < 0.6)
        near = centres * (rng.random((1500, corners)) < rng.uniform(0.2, 1, (1500, 1)))
        near = near ** rng.choice([0.5, 1.0, 2.0], (1500, 1)) * (near > 0)
        found = np.concatenate([spread, faces, near, np.eye(corners)])
        found = found[found.sum(axis=1) > 0]
        return found / found.sum(axis=1, keepdims=True)

    def project(own: np.ndarray) -> np.ndarray:
        own = np.maximum(own, 0.0)
        total = own.sum(axis=1, keepdims=True)
        return np.where(total > 0, own / np.where(total > 0, total, 1.0), 1 / corners)

    return candidates, project


def inside(space: Any) -> Any:
    """Return the candidates and projection with coordinates of 1e-9 at least, the least that is allowed."""
    candidates, project = space

    def kept(own: np.ndarray) -> np.ndarray:
        return project(np.maximum(own, 2e-9))

    return lambda rng, player: kept(candidates(rng, player)), kept


def checked(game: Any, x: np.ndarray) -> Any:
    """Place our profile in the package's game."""
    return game.space.check(x, "profile")


def placed(
    rng: np.random.Generator, payoff: Payoff, players: int, candidates: Any, project: Any
) -> np.ndarray:
    """Draw a profile: at random, on the boundary, the same for all, or near where best responses end."""
    start = np.stack([rng.choice(candidates(rng, player), axis=0) for player in range(players)])
    kind = rng.integers(4)
    if kind == 0:
        return start
    if kind == 1:
        return project(np.repeat(start[:1], players, axis=0))
    ended = settle(payoff, start, candidates, project, rng)
    if kind == 2:
        return ended
    spread = 10.0 ** rng.uniform(-7, -1)
    return project(ended + spread * rng.standard_normal(ended.shape) * np.abs(start).max())


def _finished(
    rng: np.random.Generator, make: Any, payoff: Payoff, players: int, space: Any, **more: Any
) -> Case:
    candidates, project = space
    with np.errstate(all="ignore"):
        profile = placed(rng, payoff, players, candidates, project)
    place = more.pop("place", checked)
    return Case("", make, place, profile, payoff, candidates, project, **more)


def _influence(
    rng: np.random.Generator, keys: Any, points: np.ndarray, weights: np.ndarray, space: Any, **more: Any
) -> Case:
    """Return a game of influence over points ``[point axis]``."""
    players = len(next(keys[name] for name in ("reach", "alpha", "exponent") if name in keys))
    places = points.tolist() if points.shape[1] > 1 else points[:, 0].tolist()
    make = partial(rv.games.influencer, resource_points=places, resource=weights, **keys)
    return _finished(rng, make, formulas.influence(keys, players, points, weights), players, space, **more)


def line(rng: np.random.Generator) -> Case:
    """Three players on a line; budgets, a third party and abstention come and go by their numbers."""
    points = np.linspace(0.01, 0.99, 40)
    weights = wide(rng, 1e-3, 1e3) * rng.random(40) ** rng.integers(1, 6)
    reach, budgets = wide(rng, 0.02, 1.0, 3), wide(rng, 0.1, 10, 3)
    third = wide(rng, 1e-8, 1e6) * np.exp(-((points - rng.random()) ** 2) / (2 * wide(rng, 0.02, 1) ** 2))
    keys = {"reach": reach, "budgets": budgets, "third_party": third, "abstention": wide(rng, 1e-6, 1e4)}
    return _influence(rng, keys, points[:, None], weights, box(np.zeros(1), np.ones(1)))


def plane(rng: np.random.Generator) -> Case:
    """Two players in a square, with a kernel that a formula names: nothing but a search stands behind it."""
    points = rng.random((30, 2))
    weights = wide(rng, 1e-2, 1e2) * rng.random(30) ** rng.integers(1, 8)
    width = wide(rng, 0.01, 0.5, 2)

    def make() -> Any:
        return rv.games.influencer(
            space="box", bounds=[[0, 1], [0, 1]], kernel="custom", parameters={"w": width},
            influence="exp(-(abs(b1 - x1) + abs(b2 - x2)) / w)", resource_points=points, resource=weights,
        )  # fmt: skip

    payoff = models.contest(models.laplace(points, width), weights, lambda positions: [], "error")
    candidates, project = box(np.zeros(2), np.ones(2))
    return _finished(rng, make, payoff, 2, (lambda r, i: np.concatenate([candidates(r, i), points]), project))


def gaussians(rng: np.random.Generator, dimensions: int, reaches: tuple[float, float]) -> Case:
    """Two players in a box with Gaussian influence."""
    points = rng.random((30, dimensions))
    weights = wide(rng, 1e-2, 1e2) * rng.random(30) ** rng.integers(1, 8)
    keys = {"space": "box", "bounds": [[0, 1]] * dimensions}
    keys |= {"reach": wide(rng, *reaches, 2), "budgets": wide(rng, 0.1, 10, 2)}
    candidates, project = box(np.zeros(dimensions), np.ones(dimensions))
    space = (lambda r, i: np.concatenate([candidates(r, i), points]), project)
    return _influence(rng, keys, points, weights, space)


def battlefields(corners: int) -> Callable[[np.random.Generator], Case]:
    """Return the draw of Blotto games of so many battlefields."""

    def draw(rng: np.random.Generator) -> Case:
        prizes = wide(rng, 0.2, 10, corners)
        keys = {"space": "simplex", "corners": corners, "kernel": "blotto", "zero_influence": "share"}
        keys |= {"exponent": rng.uniform(0.3, 4, 2)}
        space = inside(simplex(corners, prizes))
        case = _influence(rng, keys, np.eye(corners), prizes, space, attained=False)
        if rng.random() < 0.5:
            share = prizes / prizes.sum()
            case = case._replace(profile=np.repeat(share[None], 2, axis=0))
        return case

    return draw


def opinions(rng: np.random.Generator) -> Case:
    """Three players on a triangle with Dirichlet influence."""
    points = rng.dirichlet(np.ones(3), 25) * 0.97 + 0.01
    weights = wide(rng, 0.1, 10, 25)
    keys = {"space": "simplex", "corners": 3, "kernel": "dirichlet", "alpha": wide(rng, 0.3, 20, 3)}
    return _influence(rng, keys, points, weights, inside(simplex(3, points.mean(axis=0))), attained=False)


def _race_keys(rng: np.random.Generator, players: int, least: float, harm: tuple[float, float]) -> Any:
    """Draw the numbers of a race, prices from ``least`` on, as the factory takes them."""
    numbers = {
        "A": wide(rng, 0.1, 1e3, players), "B": wide(rng, 0.1, 1e3, players),
        "alpha": rng.uniform(0.2, 1, players), "beta": rng.uniform(0.2, 1, players),
        "theta": rng.uniform(0, 1.5, players), "win_a": wide(rng, 0.1, 10, players),
        "d": wide(rng, *harm, players), "r_s": wide(rng, least, 10, players),
        "r_p": wide(rng, least, 10, players),
    }  # fmt: skip
    named = nested({KEYS[symbol].split(".")[-1]: value for symbol, value in numbers.items()})
    return named | {"players": players}


def racing(rng: np.random.Generator) -> Case:
    """Three competitors in one period."""
    keys = _race_keys(rng, 3, 1e-3, (1e-3, 1e7))
    make = partial(rv.games.race, **keys)
    most = float(np.min(make().space.high))

    def candidates(rng: np.random.Generator, player: int) -> np.ndarray:
        lines = np.concatenate([[0.0], np.geomspace(1e-12, most, 90)])
        grid = np.stack(np.meshgrid(lines, lines), axis=-1).reshape(-1, 2)
        return np.concatenate([grid, wide(rng, 1e-6, 1e3, (400, 2))])

    return _finished(
        rng, make, formulas.race(keys, 3), 3, (candidates, lambda own: np.clip(own, 0.0, most)),
        place=lambda game, x: game.inputs(safety_input=x[:, 0], performance_input=x[:, 1]), attained=False,
    )  # fmt: skip


def two_periods(rng: np.random.Generator) -> Case:
    """Two competitors in two periods."""
    keys = _race_keys(rng, 2, 1e-2, (1e-2, 1e3)) | {"horizon": 2, "gamma": float(rng.uniform(0.1, 1))}

    def candidates(rng: np.random.Generator, player: int) -> np.ndarray:
        lines = np.concatenate([[0.0], np.geomspace(1e-6, 1e2, 12)])
        grid = np.stack(np.meshgrid(*[lines] * 4), axis=-1).reshape(-1, 4)
        return np.concatenate([grid, wide(rng, 1e-6, 1e2, (400, 4))])

    space = (candidates, lambda own: np.clip(own, 0.0, 1e2))
    return _finished(rng, partial(rv.games.race, **keys), formulas.race(keys, 2), 2, space, attained=False)


def _market(rng: np.random.Generator, players: int, largest: Any, **keys: Any) -> Case:
    """Return a market; the best price is a supremum that no price attains where firms undercut each other."""
    make = partial(rv.games.market, **keys)
    attained = keys.get("choice") != "price"
    space = _amounts(make, largest)
    return _finished(
        rng, make, formulas.market({"demand": "linear"} | keys, players), players, space, attained=attained
    )


def _some_below(rng: np.random.Generator, firms: int) -> np.ndarray:
    """Return costs as parts of the highest price: that of one firm, at least, is below it."""
    return rng.uniform(0, 1.1, firms) * np.where(np.arange(firms) == rng.integers(firms), 0.9, 1.0)


def outputs(rng: np.random.Generator) -> Case:
    """Three firms choose quantities, with convex and fixed costs."""
    a, b = wide(rng, 1, 1e4), wide(rng, 1e-2, 1e2)
    c, d = a * _some_below(rng, 3), wide(rng, 1e-3, 10, 3) * b * rng.integers(0, 2, 3)
    fixed = a**2 / b * rng.choice([0, 1e-6, 0.01, 0.05], 3)
    return _market(rng, 3, a / b, intercept=a, slope=b, unit_cost=c, convex_cost=d, fixed_cost=fixed)


def prices(rng: np.random.Generator) -> Case:
    """Two firms undercut each other."""
    a, b = wide(rng, 1, 1e4), wide(rng, 1e-2, 1e2)
    return _market(rng, 2, a, choice="price", intercept=a, slope=b, unit_cost=a * _some_below(rng, 2))


def tastes(rng: np.random.Generator) -> Case:
    """Three firms price against logit demand."""
    keys = {"taste_spread": wide(rng, 0.05, 2), "quality": rng.uniform(0, 4, 3)}
    keys |= {"unit_cost": rng.uniform(0, 2, 3), "outside_option": float(rng.uniform(-2, 2))}
    return _market(rng, 3, 10.0, demand="logit", **keys)


def varieties(rng: np.random.Generator) -> Case:
    """Two firms sell substitutes or complements."""
    size, b = wide(rng, 1, 1e3), wide(rng, 0.1, 10)
    keys = {"demand": "differentiated", "choice": "quantity", "intercept": size, "slope": b}
    keys |= {"substitution": float(b * rng.uniform(-0.9, 0.9)), "unit_cost": size * rng.uniform(0, 0.9, 2)}
    return _market(rng, 2, size / b, **keys)


def elastic(rng: np.random.Generator) -> Case:
    """Two firms choose quantities at a constant elasticity of demand."""
    size, eta, c = wide(rng, 0.1, 1e3), float(rng.uniform(1.1, 4)), wide(rng, 0.1, 10, 2)
    keys = {"demand": "isoelastic", "market_size": size, "elasticity": eta, "unit_cost": c}
    return _market(rng, 2, (size / c.min()) ** eta, **keys)


def _amounts(make: Callable[[], Any], largest: Any) -> Any:
    """Return candidates and projection between the package's bounds, which may differ between firms."""
    space = make().space
    low, high = np.asarray(space.low), np.minimum(np.asarray(space.high), 1e3 * largest)

    def candidates(rng: np.random.Generator, player: int) -> np.ndarray:
        grid = np.linspace(low[player], high[player], 2001)
        return np.concatenate([grid, rng.uniform(low[player], high[player], (400, 1))])

    return candidates, lambda own: np.clip(own, low.max(), high.min())  # inside every firm's


def finite(*sizes: int) -> Callable[[np.random.Generator], Case]:
    """Return the draw of finite games with so many actions per player."""

    def draw(rng: np.random.Generator) -> Case:
        kind = rng.integers(3)
        payoffs = rng.integers(-3, 4, (len(sizes), *sizes)).astype(float)  # ties on purpose
        if kind == 1:
            payoffs = rng.standard_normal((len(sizes), *sizes))
        payoffs = payoffs * wide(rng, 1e-9, 1e9) + (kind == 2) * wide(rng, 1, 1e3)
        width = max(sizes)

        def make() -> Any:
            return rv.games.matrix(payoffs=payoffs.tolist())

        def candidates(rng: np.random.Generator, player: int) -> np.ndarray:
            own = np.zeros((sizes[player] + 200, width))
            own[: sizes[player], : sizes[player]] = np.eye(sizes[player])
            own[sizes[player] :, : sizes[player]] = rng.dirichlet(np.ones(sizes[player]), 200)
            return own

        def project(own: np.ndarray) -> np.ndarray:
            own = np.maximum(own, 0.0)
            return own / own.sum(axis=1, keepdims=True)

        return _finished(rng, make, models.tables(payoffs), len(sizes), (candidates, project))

    return draw


class Bumps:
    """A plain class of one's own, with spikes; its fields have names that mean nothing to the package."""

    def __init__(self, height: np.ndarray, centre: np.ndarray, width: np.ndarray, pull: float) -> None:
        self.height, self.centre, self.width, self.pull = height, centre, width, pull
        self.scale = 1e6  # no word of the package's
        self.space = rv.Box(jnp.zeros((2, 1)), jnp.ones((2, 1)))

    def payoffs(self, x: Any) -> Any:
        """Return the payoffs at ``x`` [player axis]."""
        parts = self.height * jnp.exp(-(((x - self.centre) / self.width) ** 2))
        return parts.sum(axis=1) - self.pull * (x[:, 0] - x[::-1, 0]) ** 2


def custom(rng: np.random.Generator) -> Case:
    """Two players of a plain class with five bumps each, wide enough for a grid of 201 points to see."""
    height, centre = wide(rng, 1e-2, 1e2, (2, 5)), rng.random((2, 5))
    width, pull = wide(rng, 0.01, 0.3, (2, 5)), float(rng.uniform(0, 5))

    def make() -> Any:
        return Bumps(height, centre, width, pull)

    payoff = models.bumps(height, centre, width, pull)
    return _finished(rng, make, payoff, 2, box(np.zeros(1), np.ones(1)))


class Rugged:
    """A plain class with needles, kinks, jumps, and a penalty on choices that exceed a cap together."""

    def __init__(self, **parts: np.ndarray) -> None:
        self.parts = parts
        self.space = rv.Box(jnp.zeros((2, 1)), jnp.ones((2, 1)))

    def payoffs(self, x: Any) -> Any:
        """Return the payoffs at ``x`` [player axis]."""
        return models.ruggedness(self.parts, x[:, 0], x[::-1, 0], jnp)


class Misled(Rugged):
    """A game whose registered best response is given by numbers, right or wrong."""


@rv.oracles.best_response.register(Misled)
def _(game: Misled, x: Any, player: Any) -> Any:
    own = jnp.clip(game.parts["believed"][player], 0.0, 1.0)[None]
    return own, game.payoffs(x.at[player].set(own))[player], "tight"


def rugged(kind: type[Rugged]) -> Callable[[np.random.Generator], Case]:
    """Return the draw of games of a plain class, by numbers alone: one program serves all of them."""

    def draw(rng: np.random.Generator) -> Case:
        scale = wide(rng, 1e-6, 1e6)
        parts = {
            "height": scale * wide(rng, 1e-2, 1, (2, 3)) * rng.integers(0, 2, (2, 3)),
            "centre": rng.random((2, 3)),
            "width": wide(rng, 1e-5, 0.3, (2, 3)),
            "curve": scale * wide(rng, 1e-2, 1, 2) * rng.integers(0, 2, 2),
            "peak": rng.random((2, 1)),
            "kink": scale * wide(rng, 1e-2, 1, 2) * rng.integers(0, 2, 2),
            "jump": scale * rng.normal(size=2) * (rng.random(2) < 0.3),
            "step": rng.random(2),
            "pull": rng.uniform(-0.5, 0.5, 2),
            "cap": rng.uniform(0.3, 2.0, 2),
            "penalty": scale * wide(rng, 10, 1e9, 2) * (rng.random(2) < 0.5),
            "level": scale * rng.normal(size=2) * rng.choice([0.0, 1.0, 1e3]),
            "believed": rng.random(2),
        }
        grid, project = box(np.zeros(1), np.ones(1))

        def candidates(rng: np.random.Generator, player: int) -> np.ndarray:
            own = grid(rng, player)
            around = 10.0 ** -np.arange(1.0, 17.0)
            places = np.concatenate([parts["centre"][player], parts["peak"][player], parts["step"][[player]]])
            near = places[:, None] + np.concatenate([-around, [0.0], around])
            return np.concatenate([own, np.clip(near.reshape(-1, 1), 0.0, 1.0)])

        def payoff(x: np.ndarray, player: int, own: np.ndarray) -> np.ndarray:
            mine = {name: part[player] for name, part in parts.items()}
            return models.ruggedness(mine, own[:, 0], x[1 - player, 0], np)

        case = _finished(
            rng, lambda: kind(**{name: jnp.asarray(part) for name, part in parts.items()}), payoff, 2,
            (candidates, project), attained=False, misled=kind is Misled,
        )  # fmt: skip
        if rng.random() < 0.7:  # right, or nearly so
            tops = []
            for player in range(2):
                own = candidates(rng, player)
                tops.append(own[np.argmax(payoff(case.profile, player, own)), 0])
            parts["believed"] = np.array(tops) + rng.choice([0.0, 1.0]) * 10.0 ** rng.uniform(-12, -1, 2)
        return case

    return draw


FAMILIES: dict[str, Callable[[np.random.Generator], Case]] = {
    "line": line,
    "plane": plane,
    "square": partial(gaussians, dimensions=2, reaches=(0.03, 1.0)),
    "cube": partial(gaussians, dimensions=3, reaches=(0.1, 1.5)),
    "blotto5": battlefields(5),
    "blotto8": battlefields(8),
    "dirichlet": opinions,
    "race": racing,
    "periods": two_periods,
    "cournot": outputs,
    "bertrand": prices,
    "logit": tastes,
    "differentiated": varieties,
    "isoelastic": elastic,
    "bimatrix": finite(4, 4),
    "trimatrix": finite(3, 3, 3),
    "custom": custom,
    "rugged": rugged(Rugged),
    "misled": rugged(Misled),
}
