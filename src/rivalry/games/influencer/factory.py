"""The factory of influencer games: its keywords are the keys of a study's ``[game]`` table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from annotated_types import Ge, Gt

from rivalry._jax import jax, jnp, put
from rivalry._registry import near
from rivalry.games.formula import Formula, parse
from rivalry.games.influencer.game import Influencer
from rivalry.games.influencer.kernels import Custom, Exponential, Gaussian, GaussianMatrix, Kernel, PowerLaw
from rivalry.games.resources import check_covariance, checked_weights, resource_points, resource_weights
from rivalry.space import Box

Positive = Annotated[float, Gt(0)]
NotNegative = Annotated[float, Ge(0)]
PerPlayer = Positive | list[Positive] | np.ndarray
Matrices = list[list[float]] | list[list[list[float]]] | np.ndarray

REACH = 0.25
EDGE = 1e-9


def influencer(
    *,
    players: Annotated[int | None, Ge(2), "how many play; needed where no list tells (default 2)"] = None,
    space: Annotated[Literal["interval", "box"], "where players and resource are"] = "interval",
    bounds: Annotated[
        list[float] | list[list[float]] | np.ndarray | None,
        "[low, high] of the interval, or one an axis of the box (default 0 to 1)",
    ] = None,
    kernel: Annotated[
        Literal["gaussian", "power_law", "exponential", "custom"], "how influence fades with distance"
    ] = "gaussian",
    reach: Annotated[
        PerPlayer | None, "standard deviation of each player's influence, in units of the space"
    ] = None,
    variance: Annotated[
        PerPlayer | None, "in place of reach: the number that multiplies each player's covariance (default 1)"
    ] = None,
    covariance: Annotated[
        Matrices | None, "in place of reach: covariance of influence, one matrix or one a player"
    ] = None,
    normalised: Annotated[
        bool, "give Gaussian influence the prefactor of a density: effort thins as it spreads"
    ] = False,
    exponent: Annotated[PerPlayer | None, "power_law: how fast influence falls with the distance"] = None,
    distance_floor: Annotated[Positive, "power_law: distances below this count as this"] = 1e-10,
    influence: Annotated[
        str | Callable[..., Any] | None,
        "custom: a formula of b and x (b1, b2, x1, x2 on a box); in Python also a function of "
        "(x, b, parameters) that gives the logarithm",
    ] = None,
    parameters: Annotated[
        dict[str, float | list[float] | np.ndarray] | None, "custom: the formula's numbers, each per player"
    ] = None,
    resource_points: Annotated[
        dict[str, Any] | list[float] | list[list[float]] | np.ndarray | None,
        "where the resource is: {kind = linspace, grid or points} (default 100 points, 20 an axis on a box)",
    ] = None,
    resource: Annotated[
        str | dict[str, Any] | list[float] | np.ndarray | Callable[..., Any],
        "how much is there: bimodal, unimodal, uniform, {kind = mixture, beta or array}, or a list",
    ] = "uniform",
    normalise: Annotated[bool, "scale the resource to sum 1"] = False,
    budgets: Annotated[PerPlayer, "what multiplies each player's influence"] = 1.0,
    third_party: Annotated[
        str | dict[str, Any] | list[float] | np.ndarray | Callable[..., Any] | None,
        "influence of one who does not move: a formula of b, or one number a point",
    ] = None,
    abstention: Annotated[
        NotNegative | dict[str, float] | None, "Q: staying away has influence Q times all squared distances"
    ] = None,
    zero_influence: Annotated[
        Literal["error", "share", "lost"], "what happens to resource where nobody has any influence"
    ] = "error",
) -> Influencer:
    """Players choose where to act; every resource point is shared in proportion to influence.

    Every keyword is a key of a study's ``[game]``; `rivalry show influencer` lists them with units, defaults
    and bounds. A number given where players may differ is for all of them. Raises `ValueError` for numbers
    out of range, lists of unequal lengths and keywords that the kernel does not take.

    >>> influencer(reach=[0.2, 0.3], resource="bimodal", normalise=True)
    Influencer game of 2 players on [0, 1]
      kernel Gaussian, reach [0.2 0.3]
      resource 1 in all, at 100 points
    """
    return _build(**locals())


def _build(**given: Any) -> Influencer:
    edges = _edges(given["space"], given["bounds"])
    if given["kernel"] == "exponential":
        edges = _above_zero(edges)
    players = _players(given)
    space = Box.of(edges, players=players)
    points = resource_points(given["resource_points"], edges)
    weights = resource_weights(given["resource"], points)
    if given["normalise"]:
        weights = weights / weights.sum()
    return Influencer(
        space=space,
        points=put(points),
        weights=put(weights),
        kernel=_kernel(given, players, points, edges),
        budgets=_per_player("budgets", given["budgets"], players),
        third_party=_third_party(given["third_party"], points),
        abstention=_abstention(given["abstention"]),
        zero_influence=_one_of("zero_influence", given["zero_influence"], ("error", "share", "lost")),
    )


def _edges(space: str, bounds: object) -> list[list[float]]:
    """One [low, high] an axis."""
    _one_of("space", space, ("interval", "box"))
    if bounds is None:
        return [[0.0, 1.0]] if space == "interval" else [[0.0, 1.0], [0.0, 1.0]]
    try:
        edges = np.asarray(bounds, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"bounds: {bounds!r} must be numbers") from None
    edges = edges[None] if edges.ndim == 1 else edges
    if edges.ndim != 2 or edges.shape[1] != 2 or not len(edges):
        raise ValueError(f"bounds: {bounds!r} must be [low, high], or one [low, high] an axis of a box")
    if space == "interval" and len(edges) != 1:
        raise ValueError(f"bounds: {len(edges)} axes are a box; set space = 'box'")
    return edges.tolist()  # type: ignore[no-any-return]


def _above_zero(edges: list[list[float]]) -> list[list[float]]:
    """The exponential kernel has no influence at 0: positions stay above it by 1e-9."""
    low, high = edges[0]
    if low < 0 or high <= EDGE:
        raise ValueError(f"bounds: [{low:g}, {high:g}] must not be below 0 for the exponential kernel")
    return [[max(low, EDGE), high], *edges[1:]]


def _players(given: Mapping[str, Any]) -> int:
    """How many play: what is said, else what the lists tell, else two."""
    listed = {"reach": 0, "variance": 0, "exponent": 0, "budgets": 0, "covariance": 2}
    told = {name: len(given[name]) for name, plain in listed.items() if np.ndim(given[name]) > plain}
    for name, value in (given["parameters"] or {}).items():
        if np.ndim(value) > 0:
            told[f"parameters.{name}"] = len(value)
    said = given["players"]
    if said is not None:
        if isinstance(said, bool) or not isinstance(said, int | np.integer) or said < 2:
            raise ValueError(f"players: {said!r} must be a whole number of at least 2")
        told = {"players": int(said)} | told
    if len(set(told.values())) > 1:
        (first, count), (other, differs) = next(
            (a, b) for a in told.items() for b in told.items() if a[1] != b[1]
        )  # fmt: skip
        raise ValueError(f"{other}: {differs} entries, but {first} says {count} players")
    players = next(iter(told.values()), 2)
    if players < 2:
        raise ValueError(f"{next(iter(told))}: {players} player; must be at least 2")
    return players


def _kernel(given: Mapping[str, Any], players: int, points: np.ndarray, edges: list[list[float]]) -> Kernel:
    kind = _one_of("kernel", given["kernel"], ("gaussian", "power_law", "exponential", "custom"))
    own = {
        "gaussian": ("reach", "variance", "covariance"),
        "power_law": ("exponent",),
        "exponential": (),
        "custom": ("influence", "parameters"),
    }
    for name in ("reach", "variance", "covariance", "exponent", "influence", "parameters"):
        if given[name] is not None and name not in own[kind]:
            raise ValueError(
                f"{name}: is no parameter of the {kind} kernel; it has {', '.join(own[kind]) or 'none'}"
            )
    if given["normalised"] and kind != "gaussian":
        raise ValueError(f"normalised: is for the gaussian kernel, not for {kind}")
    if kind == "gaussian":
        return _gaussian(given, players, len(edges))
    if kind == "custom":
        return _custom(given, players, points, edges)
    if len(edges) > 1:
        raise ValueError(f"kernel: {kind} is for an interval; a box takes gaussian, custom")
    if kind == "power_law":
        floor = _per_player("distance_floor", given["distance_floor"], 1)[0]
        exponent = 1.0 if given["exponent"] is None else given["exponent"]
        return PowerLaw(_per_player("exponent", exponent, players), floor)
    low = np.flatnonzero(points[:, 0] <= 0)
    if low.size:
        raise ValueError(
            f"resource_points[{low[0]}]: {points[low[0], 0]:g} must be above 0 for the exponential kernel"
        )
    return Exponential()


def _gaussian(given: Mapping[str, Any], players: int, axes: int) -> Gaussian | GaussianMatrix:
    variance, covariance = given["variance"], given["covariance"]
    normalised = bool(given["normalised"])
    if variance is None and covariance is None:
        reach = REACH if given["reach"] is None else given["reach"]
        return Gaussian(_per_player("reach", reach, players), normalised)
    if given["reach"] is not None:
        raise ValueError("reach: stands in place of variance and covariance, not beside them")
    each = _per_player("variance", 1.0 if variance is None else variance, players)
    try:
        matrices = np.asarray(np.eye(axes) if covariance is None else covariance, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"covariance: {covariance!r} must be numbers") from None
    if matrices.shape not in ((axes, axes), (players, axes, axes)):
        raise ValueError(
            f"covariance: shape {matrices.shape} must be {(axes, axes)} or {(players, axes, axes)}"
        )
    matrices = np.broadcast_to(matrices, (players, axes, axes))
    for player, matrix in enumerate(matrices):
        check_covariance(matrix, f"covariance[{player}]")
    return GaussianMatrix(each, put(matrices), normalised)


def _custom(given: Mapping[str, Any], players: int, points: np.ndarray, edges: list[list[float]]) -> Custom:
    influence = given["influence"]
    parameters = {
        name: _per_player(f"parameters.{name}", value, players, positive=False)
        for name, value in (given["parameters"] or {}).items()
    }
    if influence is None:
        raise ValueError("influence: the custom kernel needs a formula, or a function (x, b, parameters)")
    log_influence: Any = influence
    if not callable(influence):
        log_influence = _formula_kernel(influence, parameters, len(edges))
    kernel = Custom(log_influence, parameters)
    _try_kernel(kernel, players, points, edges)
    return kernel


def _formula_kernel(text: str, parameters: Mapping[str, Any], axes: int) -> FormulaKernel:
    coordinates = [*_coordinates("b", axes), *_coordinates("x", axes)]
    for name in parameters:
        if name in coordinates:
            raise ValueError(f"parameters.{name}: is a coordinate's name; choose another")
    return FormulaKernel(parse(text, [*coordinates, *parameters], "influence"), axes)


class FormulaKernel(NamedTuple):
    """The logarithm of a formula's influence; formulas with equal text are equal, and compile once."""

    formula: Formula
    axes: int

    def __call__(self, x: Any, b: Any, parameters: Mapping[str, Any]) -> Any:
        """``log f`` of one player at one point."""
        return self.formula.log(_named("b", b, self.axes) | _named("x", x, self.axes) | dict(parameters))


def _coordinates(name: str, axes: int) -> list[str]:
    return [name] if axes == 1 else [f"{name}{axis + 1}" for axis in range(axes)]


def _named(name: str, at: Any, axes: int) -> dict[str, Any]:
    """The coordinates of a point under the names formulas use."""
    values = [at] if axes == 1 else [at[axis] for axis in range(axes)]
    return dict(zip(_coordinates(name, axes), values, strict=True))


def _try_kernel(kernel: Custom, players: int, points: np.ndarray, edges: list[list[float]]) -> None:
    """Refuse a kernel that gives no number, or nothing anywhere, with everybody in the middle and off it."""
    _try_shape(kernel, len(edges))
    low, high = np.asarray(edges).T
    for part in (0.5, 0.37):
        x = np.broadcast_to(low + part * (high - low), (players, len(edges)))
        logs = kernel.logs(jnp.asarray(x), jnp.asarray(points))
        values = np.asarray(logs)
        bad = np.argwhere(np.isnan(values) | np.isposinf(values))
        if bad.size:
            player, point = bad[0]
            raise ValueError(
                f"influence: player {player} at {x[player].tolist()} has log-influence "
                f"{values[player, point]} on point {point}, {points[point].tolist()}; "
                "influence must be finite and not negative"
            )
        nowhere = np.flatnonzero(np.isneginf(values).all(axis=1))
        if nowhere.size:
            raise ValueError(
                f"influence: player {nowhere[0]} at {x[0].tolist()} has none at any resource point"
            )


def _try_shape(kernel: Custom, axes: int) -> None:
    """Refuse a kernel that gives more than one number for one player and one point."""
    place = jnp.zeros(()) if axes == 1 else jnp.zeros(axes)
    own = {name: values[0] for name, values in kernel.parameters.items()}
    shape = np.shape(jax.eval_shape(lambda x, b, own: kernel.log_influence(x, b, own), place, place, own))
    if shape != ():
        raise ValueError(f"influence: shape {shape} for one player and one point; must be a single number")


def _third_party(spec: object, points: np.ndarray) -> Any:
    """Influence of the third party at every point, or None."""
    if spec is None:
        return None
    axes = points.shape[1]
    if isinstance(spec, Mapping):
        spec = _third_party_of_table(spec)
    if isinstance(spec, str):
        formula = parse(spec, _coordinates("b", axes), "third_party")
        values = np.broadcast_to(
            np.asarray(formula(_named("b", points[:, 0] if axes == 1 else points.T, axes))), len(points)
        )
    elif callable(spec):
        values = np.asarray([spec(point[0] if axes == 1 else point) for point in points], dtype=float)
    else:
        try:
            values = np.asarray(spec, dtype=float)
        except (TypeError, ValueError):
            raise ValueError(f"third_party: {spec!r} must be a formula, numbers or a function of b") from None
    return put(checked_weights(values, len(points), "third_party", some=False))


def _third_party_of_table(spec: Mapping[str, Any]) -> Any:
    keys = {"formula": "formula", "array": "values"}
    kind = spec.get("kind")
    if kind not in keys:
        raise ValueError(f"third_party.kind: {kind!r} is unknown; {near(str(kind), keys)}")
    key = keys[kind]
    for other in spec:
        if other not in ("kind", key):
            raise ValueError(f"third_party.{other}: unknown key; {kind} takes {key}")
    if key not in spec:
        raise ValueError(f"third_party.{key}: is missing")
    return spec[key]


def _abstention(spec: object) -> Any:
    if spec is None:
        return None
    if isinstance(spec, Mapping):
        if set(spec) != {"Q"}:
            raise ValueError(f"abstention: {dict(spec)!r} must be {{Q = number}}")
        spec = spec["Q"]
    try:
        q = float(spec)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ValueError(f"abstention: {spec!r} must be a number of at least 0") from None
    if not (np.isfinite(q) and q >= 0):
        raise ValueError(f"abstention: Q = {q:g} must be finite and at least 0")
    return put(q)


def _per_player(name: str, value: Any, players: int, *, positive: bool = True) -> Any:
    """One number a player; a single one goes to all."""
    try:
        numbers = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: {value!r} must be a number, or one a player") from None
    if numbers.shape not in ((), (players,)):
        raise ValueError(
            f"{name}: {numbers.size} entries for {players} players; must be one number, or one a player"
        )
    for player, number in enumerate(np.atleast_1d(numbers)):
        where = f"{name}[{player}]" if numbers.ndim else name
        if not np.isfinite(number):
            raise ValueError(f"{where}: {number} must be finite")
        if positive and number <= 0:
            raise ValueError(f"{where}: {number:g} must be above 0")
    return put(np.broadcast_to(numbers, (players,)))


def _one_of(name: str, value: Any, known: Sequence[str]) -> Any:
    if value not in known:
        raise ValueError(f"{name}: {value!r} is unknown; {near(str(value), known)}")
    return value
