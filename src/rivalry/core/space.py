"""Strategy spaces: boxes, simplices and finite choices, with projection, sampling and grids.

A profile is one array ``[player axis]``. ``mask`` is True for the entries that a player can change. In a box
it is False where both bounds coincide, as those of entries that a player with fewer choices lacks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from math import comb, gcd, prod
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args, runtime_checkable

import numpy as np
from numpy import ndarray

from rivalry.core.tolerances import OUTSIDE, SHARES_SUM, TOLERANCE
from rivalry.core.tree import Tree, in_shape, static
from rivalry.runtime.jax import compiled, concrete_module, floats, jax, jnp, put, put_concrete
from rivalry.schema.validate import as_numbers, check_keywords, check_word

if TYPE_CHECKING:
    from types import ModuleType

    from jaxtyping import Array, Bool, Float, PRNGKeyArray

    Profile = Float[Array, "player axis"]
    Strategy = Float[Array, "axis"]
    PerPlayer = Float[Array, "player"]
    Scalar = Float[Array, ""]
else:

    def __getattr__(name: str) -> Any:
        if name not in ("Profile", "Strategy", "PerPlayer", "Scalar"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from jaxtyping import Array, Float  # loads JAX: only modules that need it anyway get here

        globals().update(
            Profile=Float[Array, "player axis"],
            Strategy=Float[Array, "axis"],
            PerPlayer=Float[Array, "player"],
            Scalar=Float[Array, ""],
        )
        return globals()[name]


Coordinate = Literal["linear", "log", "logit", "shifted"]

GOLDEN = (5**0.5 - 1) / 2
LATTICE = 50_000_000  # most numbers of a lattice on a simplex
LATTICE_AXES = 10  # no lattice beyond: it takes at least two points per axis
EDGE = 1e-9  # in logs: amounts this close to `zero_threshold` are 0, however a compiler rounds a logarithm


@runtime_checkable
class Space(Protocol):
    """A strategy space; profiles are ``[player axis]``."""

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of players and axes."""

    @property
    def mask(self) -> Bool[Array, "player axis"]:
        """True where an entry of a profile can change, False where it is fixed or padding."""

    def project(self, x: Profile) -> Profile:
        """Return the nearest profile of the space (Euclidean, in the space's own coordinates)."""

    def sample(self, key: PRNGKeyArray) -> Profile:
        """Return one uniformly drawn profile; the key is consumed."""

    def grid(self, player: int, points: int) -> Float[Array, "point axis"]:
        """Return about ``points`` strategies of one player that cover its space, corners included."""

    def check(self, x: object, name: str = "start") -> Profile:
        """Return ``x`` as a profile; raise `ValueError` that names the first entry outside the space."""


@runtime_checkable
class Mixtures(Protocol):
    """A strategy space of probabilities: of several distributions per player, side by side."""

    @property
    def entries(self) -> Bool[ndarray, "player axis"]:
        """True where an entry of a profile is a probability, False where it is padding."""

    def pure_strategies(self, x: ndarray, count: int) -> Float[ndarray, "draw player axis"]:
        """Return profiles of pure strategies, drawn by the probabilities of a profile."""

    def sums(self, x: ndarray) -> Float[ndarray, "row"]:
        """Return the sum of each distribution at a profile."""


def as_profile(x: object, shape: tuple[int, int], name: str) -> ndarray:
    """Return ``x`` as a float array ``[player axis]``; with one axis, ``[player]`` is accepted.

    Raises
    ------
    ValueError
        For values that are not finite numbers of this shape; the message starts with ``name``.
    """
    numbers = as_numbers(x, name, f"numbers of shape {shape}")
    full: ndarray = in_shape(numbers, shape, name)
    if not np.isfinite(full).all():
        player, axis = np.argwhere(~np.isfinite(full))[0]
        raise ValueError(f"{name}: player {player}, axis {axis} is {full[player, axis]}; must be finite")
    return full


def short_rounding(shares: object) -> float:
    """Largest distance from 1 of sums over the last axis of float16 or float32; 0 for other types.

    >>> short_rounding(np.full(4, 0.25, np.float32)) == 2.0**-21, short_rounding([0.5, 0.5])
    (True, 0.0)
    """
    array = np.asarray(shares)
    short = array.dtype in (np.float16, np.float32)
    return array.shape[-1] * float(np.finfo(array.dtype).eps) if short else 0.0


def _spread(axes: int, points: int) -> ndarray:
    """Return evenly spread points of the unit cube, ``[point axis]``, its extreme corners first.

    They are a Kronecker sequence by powers of the root of ``g^(axes+1) = g + 1``, a generalised golden ratio
    (Roberts 2018).
    """
    # a fixed-point iteration that contracts at least threefold per pass
    golden = 2.0
    for _ in range(64):
        golden = (1 + golden) ** (1 / (axes + 1))
    steps = golden ** -np.arange(1.0, axes + 1)
    inside = (0.5 + np.arange(1, max(points - 1, 1))[:, None] * steps) % 1
    return np.concatenate([np.zeros((1, axes)), np.ones((1, axes)), inside])


def span(lines: Sequence[Any], xp: ModuleType = np) -> Any:
    """Return the grid that levels span, ``[point axis]``: row-major, the first axis slowest.

    >>> span([np.array([0.0, 1.0]), np.array([2.0, 3.0])]).tolist()
    [[0.0, 2.0], [0.0, 3.0], [1.0, 2.0], [1.0, 3.0]]
    """
    return xp.stack(xp.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, len(lines))


def _finer(lattice: Array, free: Array) -> Array:
    """Lattice of as many points on the axes ``free`` alone, where it is not that of all axes."""
    number, rank = jnp.arange(len(lattice))[:, None], jnp.maximum(jnp.cumsum(free) - 1, 0)
    levels = jnp.floor(len(lattice) ** (1 / jnp.maximum(free.sum(), 1)) + EDGE).astype(int)
    share = jnp.where(free, number // levels**rank % levels / (levels - 1), 0.0)
    # the first and the last point are the lowest and the highest corner
    return jnp.where(jnp.all(free), lattice, lattice[0] + share * (lattice[-1] - lattice[0]))


@check_keywords
class Box(Tree):
    """An interval for every player and axis.

    A box is searched, sampled and stepped through evenly in the coordinates ``y = unconstrain(x)`` of its
    amounts ``x``. Projection clips the amounts, whatever the coordinates.

    All arrays are ``[player axis]``, so that `jax.tree.map` can select players or repeat axes.

    Parameters
    ----------
    low, high
        Bounds of the amounts.
    coordinates
        One word for all axes, or one per axis:

        - ``linear``: ``x`` itself;
        - ``log`` (positive amounts): ``ln x``. Where ``low`` is 0, amounts up to ``zero_threshold`` count as
          0, which is the low end of the box of search coordinates and an isolated point;
        - ``logit`` (shares): ``ln x - ln(1 - x)``;
        - ``shifted`` (amounts with zero as an ordinary bound): ``ln(x + zero_threshold)``.
    zero_threshold
        Zero threshold of ``log``, or shift of ``shifted`` coordinates.
    usual_low, usual_high
        Bounds of initial profiles, by default those of the box. Searches cover the whole box.
    assumed
        True where ``high`` is no bound of the game: the family chose it so that no choice above it pays.
    range_key
        The key of the game that sets ``high``, if there is one.
    unbounded
        Why payoffs have no maximum beyond ``high``, where that is known: a clause of the game's numbers.
    open_low, open_high
        True where the choice has no bound, and the end is that of the range which is searched.

    Examples
    --------
    >>> space = Box.interval(0.0, 1.0, players=3)
    >>> space.shape
    (3, 1)
    >>> amounts = Box.of([[0.0, 100.0]], players=1, coordinates="log", zero_threshold=0.1)
    >>> amounts.grid(0, 4).ravel().round(6).tolist()
    [0.0, 1.0, 10.0, 100.0]
    """

    low: Float[Array, "player axis"]
    high: Float[Array, "player axis"]
    coordinates: Coordinate | tuple[Coordinate, ...] = static(default="linear")
    zero_threshold: Float[Array, "player axis"] | None = None
    usual_low: Float[Array, "player axis"] | None = None
    usual_high: Float[Array, "player axis"] | None = None
    assumed: Bool[Array, "player axis"] | None = None
    range_key: str | None = static(default=None)
    unbounded: str | None = static(default=None)
    open_low: Bool[Array, "player axis"] | None = None
    open_high: Bool[Array, "player axis"] | None = None

    @classmethod
    @check_keywords
    def interval(cls, low: float, high: float, *, players: int, assumed: bool = False) -> Box:
        """Return the same interval ``[low, high]`` for every player; ``assumed`` is of its upper end."""
        box = cls.of([[low, high]], players=players)
        return replace(box, assumed=put(np.ones(box.shape, bool))) if assumed else box

    @classmethod
    @check_keywords
    def of(
        cls,
        bounds: object,
        *,
        players: int,
        coordinates: Coordinate | tuple[Coordinate, ...] = "linear",
        zero_threshold: object = None,
    ) -> Box:
        """Return the same box for every player.

        Parameters
        ----------
        bounds : array_like
            ``[low, high]`` per axis.
        players : int
            Number of players.
        coordinates : str or tuple of str
            One word for all axes, or one per axis; see `Box`.
        zero_threshold : array_like, optional
            A number above 0, or one per axis; see `Box`.

        Raises
        ------
        ValueError
            For invalid bounds, or bounds outside the range of the coordinates.
        """
        edges = floats(bounds)
        if edges.ndim != 2 or edges.shape[1] != 2:
            raise ValueError(f"bounds: shape {edges.shape} must be (axes, 2), one [low, high] per axis")
        axes = len(edges)
        kinds = (coordinates,) * axes if isinstance(coordinates, str) else tuple(coordinates)
        if len(kinds) != axes:
            raise ValueError(f"coordinates: {len(kinds)} words for {axes} axes; must be one, or one per axis")
        smallest = None
        if zero_threshold is not None:
            smallest = np.broadcast_to(floats(zero_threshold), (axes,))
        for axis, (low, high) in enumerate(edges):
            _checked_axis(axis, low, high, kinds[axis], None if smallest is None else smallest[axis])
        edges_of_players = np.broadcast_to(edges, (players, *edges.shape))
        amounts = None if smallest is None else put(np.tile(smallest, (players, 1)))
        word = coordinates if isinstance(coordinates, str) else kinds
        return cls(put(edges_of_players[..., 0]), put(edges_of_players[..., 1]), word, amounts)

    @property
    def shape(self) -> tuple[int, int]:
        return (self.low.shape[0], self.low.shape[1])

    @property
    def mask(self) -> Bool[Array, "player axis"]:
        return put_concrete(self.choices)

    @property
    def choices(self) -> Any:
        """The mask ``[player axis]``, in NumPy outside of traces."""
        xp = concrete_module(self.low, self.high)
        return xp.asarray(self.low) < xp.asarray(self.high)

    @property
    def kinds(self) -> tuple[Coordinate, ...]:
        """The coordinates of every axis."""
        coordinates = self.coordinates
        return (coordinates,) * self.shape[1] if isinstance(coordinates, str) else coordinates

    @property
    def reparametrised(self) -> bool:
        """True if any axis has coordinates other than the amounts themselves."""
        return any(kind != "linear" for kind in self.kinds)

    def project(self, x: Profile) -> Profile:
        return put_concrete(concrete_module(x, self.low).clip(x, self.low, self.high))

    def sample(self, key: PRNGKeyArray) -> Profile:
        usual = self.usual
        low, high = self.unconstrain(usual.low), self.unconstrain(usual.high)
        draws = dealt(self.choices, _draw_uniform(key, self.shape))
        xp = concrete_module(low, draws)
        low, high = xp.asarray(low), xp.asarray(high)
        return self.constrain(put_concrete(low + (high - low) * draws))

    @property
    def usual(self) -> Box:
        """The part of the box from which initial profiles are drawn."""
        low = self.low if self.usual_low is None else self.usual_low
        high = self.high if self.usual_high is None else self.usual_high
        return Box(low, high, self.coordinates, self.zero_threshold)

    def free(self, player: int) -> ndarray:
        """Return the mask ``[axis]`` of a player's entries that can change.

        Inside jit, where sizes must be known, it is True for all.
        """
        if concrete_module(self.low, self.high) is not np:
            return np.ones(self.shape[1], bool)
        # by NumPy: within a trace, what JAX computes of known numbers is unknown
        return self.choices[player]

    def grid(self, player: int, points: int) -> Float[Array, "point axis"]:
        """Return a lattice of the axes that can change, with all corners; evenly spread points of many."""
        xp: Any = concrete_module(self.low, self.high)  # outside jit: nothing is compiled
        low, high = xp.asarray(self.low)[player], xp.asarray(self.high)[player]
        free = self.free(player)
        axes = max(int(free.sum()), 1)
        low_corner, high_corner = (
            xp.asarray(self.unconstrain(edge))[player] for edge in (self.low, self.high)
        )
        if axes > LATTICE_AXES:
            spread = _spread(axes, points)[:, np.cumsum(free) - 1]
            lattice = low_corner + spread * (high_corner - low_corner)
        else:
            # at least both ends of every axis, so that the grid has all corners
            levels = max(2, round(points ** (1 / axes)))
            counts = np.where(free, levels, 1)
            lines = [
                line[:count]
                for line, count in zip(
                    xp.linspace(low_corner, high_corner, levels).T, counts.tolist(), strict=True
                )
            ]
            lattice = span(lines, xp)
            if xp is not np:
                lattice = _finer(lattice, low < high)
        amounts = xp.asarray(self.constrain(lattice[:, None, :], player), dtype=float)[:, 0]
        grid_points = xp.clip(amounts, low, high)  # the coordinate change may leave the box by rounding
        return put_concrete(grid_points)

    def check(self, x: object, name: str = "start") -> Profile:
        full = as_profile(x, self.shape, name)
        low, high = np.asarray(self.low), np.asarray(self.high)
        outside = np.argwhere((full < low) | (full > high))
        if outside.size:
            player, axis = outside[0]
            raise ValueError(
                f"{name}: player {player} is at {full[player, axis]:g}"
                + (f" on axis {axis}" if self.shape[1] > 1 else "")
                + f"; must be in [{low[player, axis]:g}, {high[player, axis]:g}]"
            )
        return put(full)

    def unconstrain(self, x: Array | ndarray) -> Any:
        """Return the search coordinates of amounts ``[.. player axis]``."""
        if not self.reparametrised:
            return x

        def coordinates(xp: ModuleType, kind: str, part: object, axes: ndarray) -> Any:
            return _to_coordinates(xp, kind, part, self._floor(xp, kind, axes))

        return self._by_kind(x, coordinates)

    def constrain(self, y: Array | ndarray, player: int | None = None) -> Any:
        """Return the amounts at search coordinates ``[.. player axis]``, with ``player`` ``[.. 1 axis]``."""
        if not self.reparametrised:
            return y
        rows = slice(None) if player is None else slice(player, player + 1)

        def amounts(xp: ModuleType, kind: str, part: Any, axes: ndarray) -> Any:
            floor = self._floor(xp, kind, axes)
            amounts = _to_amounts(xp, kind, part, None if floor is None else floor[rows])
            if kind != "log" or self.zero_threshold is None:
                return amounts
            low, threshold = (xp.asarray(edge)[rows][:, axes] for edge in (self.low, self.zero_threshold))
            return xp.where((low <= 0) & (part <= xp.log(threshold) + EDGE), 0.0, amounts)

        return self._by_kind(y, amounts)

    def _by_kind(self, x: Any, change: Callable[[Any, str, Any, ndarray], Any]) -> Any:
        """Apply ``change`` to all axes of each kind of coordinates."""
        xp = concrete_module(x, self.low)
        x = xp.asarray(x)
        # all axes of a kind at once: compiled programs do not grow with the number of axes
        kinds = np.array(self.kinds)
        groups = [(kind, np.flatnonzero(kinds == kind)) for kind in dict.fromkeys(self.kinds)]
        with np.errstate(all="ignore"):  # JAX does not warn either
            if len(groups) == 1:
                changed = xp.asarray(change(xp, groups[0][0], x, groups[0][1]))
            else:
                parts = [change(xp, kind, x[..., axes], axes) for kind, axes in groups]
                order = np.argsort(np.concatenate([axes for _, axes in groups]))
                changed = xp.concatenate(parts, axis=-1)[..., order]
        return put_concrete(changed)

    def unconstrained(self) -> Box:
        """Return the linear box of the search coordinates."""
        return Box(self.unconstrain(self.low), self.unconstrain(self.high)) if self.reparametrised else self

    def _floor(self, xp: ModuleType, kind: str, axes: ndarray) -> Any:
        """Return the floor of ``log``, or the shift of ``shifted`` coordinates, ``[player axis]``."""
        if self.zero_threshold is None:
            return None
        threshold, low = xp.asarray(self.zero_threshold)[:, axes], xp.asarray(self.low)[:, axes]
        return xp.where(low > 0, low, threshold) if kind == "log" else threshold


def _checked_axis(axis: int, low: float, high: float, kind: str, zero_threshold: float | None) -> None:
    """Raise `ValueError` for invalid bounds, and for bounds outside the range of the coordinates."""
    check_word("coordinates", kind, get_args(Coordinate))
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise ValueError(f"bounds[{axis}]: [{low}, {high}] must be finite with low below high")
    if kind in ("log", "shifted") and zero_threshold is not None and not 0 < zero_threshold < high:
        raise ValueError(f"zero_threshold[{axis}]: {zero_threshold:g} must be above 0 and below {high:g}")
    if kind == "shifted" and zero_threshold is None:
        raise ValueError(f"zero_threshold[{axis}]: None; must be given for shifted coordinates")
    if (
        (kind == "log" and (low < 0 or (low == 0 and zero_threshold is None)))
        or (kind == "logit" and not 0 < low < high < 1)
        or (kind == "shifted" and low < 0)
    ):
        raise ValueError(f"bounds[{axis}]: [{low}, {high}] is outside the range of {kind} coordinates")


def _to_coordinates(xp: ModuleType, kind: str, x: Any, floor: Any) -> Any:
    if kind == "log":
        return xp.log(x if floor is None else xp.maximum(x, floor))
    if kind == "shifted":
        return xp.log(floor) + xp.log1p(x / floor)  # exact at 0, and for amounts far below the shift
    # log1p: 1 - x would lose the digits of a small share
    return xp.log(x) - xp.log1p(-x) if kind == "logit" else x


def _to_amounts(xp: ModuleType, kind: str, y: Any, floor: Any) -> Any:
    if kind == "log":
        return xp.exp(y)
    if kind == "shifted":
        return floor * xp.expm1(y - xp.log(floor))
    if kind != "logit":
        return y
    return jax.nn.sigmoid(y) if xp is not np else 1 / (1 + np.exp(-y))


@check_keywords
class Simplex(Tree):
    """Shares that sum to one: mixed strategies, or positions on a simplex.

    Parameters
    ----------
    sizes
        Number of entries per player; strategies of players with fewer entries are padded with zeros.
    min_share
        Lower bound of every entry: 0, or a number well below one over the largest size.

    Raises
    ------
    ValueError
        For sizes that are no tuple of whole numbers from 1, and a lower bound that leaves no strategy.

    Examples
    --------
    >>> Simplex((2, 3)).project(jnp.array([[2.0, 0.0, 0.0], [0.5, 0.5, 0.5]])).round(3).tolist()
    [[1.0, 0.0, 0.0], [0.333, 0.333, 0.333]]
    >>> Simplex.of(3, players=2)
    Simplex: sizes (3, 3), min_share 0
    """

    sizes: tuple[int, ...] = static()
    min_share: float = static(default=0.0)

    def __check_init__(self) -> None:
        integers = int | np.integer
        if isinstance(self.sizes, integers):
            players = self.min_share if isinstance(self.min_share, integers) and self.min_share > 0 else 2
            equal = f"Simplex.of({self.sizes}, players={players})"
            raise ValueError(f"sizes: {self.sizes} must be a tuple, one per player; of equal ones: {equal}")
        if not self.sizes or not all(isinstance(size, integers) and size > 0 for size in self.sizes):
            raise ValueError(f"sizes: {self.sizes} must be a tuple of whole numbers from 1, one per player")
        if not 0.0 <= self.min_share * max(self.sizes) < 1.0:
            raise ValueError(f"min_share: {self.min_share} must be from 0 to below 1/{max(self.sizes)}")

    @classmethod
    def of(cls, size: int, *, players: int, min_share: float = 0.0) -> Simplex:
        """Return the space of so many players with ``size`` entries each."""
        return cls((size,) * players, min_share)

    @property
    def shape(self) -> tuple[int, int]:
        return (len(self.sizes), max(self.sizes))

    @property
    def mask(self) -> Bool[Array, "player axis"]:
        return jnp.asarray(self.entries)

    @property
    def entries(self) -> Bool[ndarray, "player axis"]:
        """The mask in NumPy."""
        return np.arange(self.shape[1])[None, :] < np.asarray(self.sizes)[:, None]

    @property
    def spare(self) -> ndarray:
        """One minus the sum of each player's minimal entries, ``[player 1]``."""
        return 1.0 - self.min_share * floats(self.sizes)[:, None]

    def project(self, x: Profile) -> Profile:
        """Return the Euclidean projection, computed by sorting (Duchi et al. 2008, fig. 1).

        Entries are at least ``min_share``.
        """
        mask, spare = self.mask, self.spare
        rank = jnp.arange(1, x.shape[-1] + 1)
        ranked = rank <= jnp.sum(mask, axis=-1, keepdims=True)
        # padding sorts last and adds nothing to the sums
        ordered = -jnp.sort(-jnp.where(mask, x - self.min_share, -jnp.inf), axis=-1)
        total = jnp.cumsum(jnp.where(ranked, ordered, 0.0), axis=-1)
        active = ranked & (ordered - (total - spare) / rank > 0)
        # active entries are the first ones in this order, so their number gives the last
        last_index = jnp.sum(active, axis=-1, keepdims=True) - 1
        shift = (jnp.take_along_axis(total, last_index, axis=-1) - spare) / (last_index + 1)
        return jnp.where(mask, jnp.maximum(x - self.min_share - shift, 0.0) + self.min_share, 0.0)

    def sample(self, key: PRNGKeyArray) -> Profile:
        # normalised exponential draws are uniform on a simplex
        weight = jnp.where(self.entries, jax.random.exponential(key, self.shape), 0.0)
        share = weight / weight.sum(axis=-1, keepdims=True)
        return self.above_minimum(share)

    def above_minimum(self, share: Profile) -> Profile:
        """Return a profile of shares from 0 as one whose entries are at least ``min_share``."""
        return share if not self.min_share else jnp.where(self.mask, self.min_share + self.spare * share, 0.0)

    def grid(self, player: int, points: int) -> Float[Array, "point axis"]:
        """Return the corners and, as far as ``points`` allows, a lattice of equal steps between them.

        With ``min_share``, the lattice is that of the smaller simplex.
        """
        return jnp.asarray(self.lattice(player, points))

    def lattice(self, player: int, points: int) -> Float[ndarray, "point axis"]:
        """Return the grid in NumPy."""
        size = self.sizes[player]
        steps = 1
        # the lattice with one more step has comb(steps + size, size - 1) points
        while size > 1 and comb(steps + size, size - 1) <= points:
            steps += 1
        return self.steps_lattice(player, steps)

    def steps_lattice(self, player: int, steps: int) -> Float[ndarray, "point axis"]:
        """Return the lattice with ``steps`` steps per edge of the simplex above ``min_share``, in NumPy."""
        lattice = simplex_lattice(self.sizes[player], steps) / steps
        if self.min_share:
            lattice = self.min_share + self.spare[player] * lattice
        return np.pad(lattice, ((0, 0), (0, self.shape[1] - lattice.shape[1])))

    def check(self, x: object, name: str = "start") -> Profile:
        full = as_profile(x, self.shape, name)
        mask = self.entries
        lowest = self.min_share * (1 - 1e-6)  # rounding may lower a minimal entry
        violations = np.argwhere((mask & (full < lowest)) | (~mask & (full != 0)))
        if violations.size:
            player, axis = violations[0]
            rule = (
                f"must be at least {self.min_share:g}" if mask[player, axis] else "must be 0 (no such entry)"
            )
            raise ValueError(f"{name}: player {player}, entry {axis} is {full[player, axis]:g}; {rule}")
        for player, total in enumerate(full.sum(axis=1)):
            if abs(total - 1) > max(SHARES_SUM, short_rounding(x)):
                raise ValueError(f"{name}: player {player} sums to {total:.10g}; must sum to 1")
        # shares written as decimals sum to 1 only up to rounding
        return put(full / full.sum(axis=1, keepdims=True))


def simplex_lattice(corners: int, steps: int) -> ndarray:
    """Return all vectors of integers from 0 that sum to ``steps``, ``[point corner]``.

    The first corner's entry falls slowest. Raises `ValueError` for more than `LATTICE` numbers.

    >>> simplex_lattice(3, 1).tolist()
    [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    """
    points = comb(corners + steps - 1, corners - 1)
    if points * corners > LATTICE:
        raise ValueError(f"a grid of {steps} steps on {corners} shares has {points:.3g} points; take fewer")
    # stars and bars: bars at corners - 1 of the slots divide the steps among the corners
    total = corners + steps - 1
    bar_positions = list(combinations(range(total), corners - 1))
    bars = np.asarray(bar_positions, int).reshape(len(bar_positions), corners - 1)
    edges = np.concatenate([np.full((len(bars), 1), -1), bars, np.full((len(bars), 1), total)], axis=1)
    return np.diff(edges, axis=1)[::-1] - 1


@check_keywords
class Choices(Tree):
    """Finitely many pure choices; a profile holds every player's index as a float, ``[player 1]``.

    >>> Choices((2, 3)).grid(1, 99).ravel().tolist()
    [0.0, 1.0, 2.0]
    """

    sizes: tuple[int, ...] = static()

    @property
    def shape(self) -> tuple[int, int]:
        return (len(self.sizes), 1)

    @property
    def mask(self) -> Bool[Array, "player axis"]:
        return put(np.ones(self.shape, bool))

    def project(self, x: Profile) -> Profile:
        return jnp.clip(jnp.round(x), 0, jnp.asarray(self.sizes)[:, None] - 1)

    def sample(self, key: PRNGKeyArray) -> Profile:
        return jax.random.randint(key, self.shape, 0, jnp.asarray(self.sizes)[:, None]).astype(float)

    def grid(self, player: int, points: int) -> Float[Array, "point axis"]:
        """Return all choices of the player; ``points`` is ignored."""
        return jnp.arange(self.sizes[player], dtype=float)[:, None]

    def check(self, x: object, name: str = "start") -> Profile:
        full = as_profile(x, self.shape, name)
        for player, (choice, size) in enumerate(zip(full[:, 0], self.sizes, strict=True)):
            if choice != round(choice) or not 0 <= choice < size:
                raise ValueError(
                    f"{name}: player {player} chooses {choice:g}; must be a whole number in 0..{size - 1}"
                )
        return put(full)


def dealt(mask: Bool[Array | ndarray, "player axis"], draws: Profile) -> Profile:
    """Draws ``[player axis]`` dealt in order to the entries of ``mask``; 0 for the others.

    Entries that cannot change take no draw, so that those of the others do not depend on them.
    """
    xp = concrete_module(mask, draws)
    rank = xp.cumsum(xp.asarray(mask)).reshape(mask.shape) - 1
    return xp.where(mask, xp.ravel(draws)[xp.maximum(rank, 0)], 0.0)


@compiled
def _draw_uniform(key: PRNGKeyArray, shape: tuple[int, ...]) -> Array:
    return jax.random.uniform(key, shape)


def uniform(space: Space, draws: np.random.Generator, *size: int) -> ndarray:
    """Uniform draws ``[.. player axis]`` of entries that can change; 0 for the others."""
    mask = np.asarray(space.mask)
    shares = np.zeros((*size, *mask.shape))
    shares[..., mask] = draws.random((*size, int(mask.sum())))
    return shares


def ends(space: Space) -> tuple[Array, Array]:
    """Return bounds ``[player axis]`` on the numbers of strategies; infinite where a space states none."""
    if isinstance(space, Box):
        return space.low, space.high
    low, high = -np.inf, np.inf
    if isinstance(space, Simplex | Choices):
        low, high = 0.0, 1.0 if isinstance(space, Simplex) else max(space.sizes) - 1.0
    return jnp.full(space.shape, low), jnp.full(space.shape, high)


def fix(space: Space, x: Profile) -> Profile:
    """Profile ``x`` with the entries of a box that cannot change at their values."""
    return jnp.where(space.mask, x, space.low) if isinstance(space, Box) else x


def lattice(space: Space, count: int) -> list[Profile]:
    """Return ``count`` different profiles ``[player axis]`` spread evenly over the space, without sampling.

    Each player's points are those of the space's grid, moved inward to the midpoints of equal intervals.
    Profiles are chosen from all combinations of these points: all of them if ``count`` is their number.

    Raises `ValueError` if the space has fewer than ``count`` profiles.

    >>> places = lattice(Box.interval(0.0, 1.0, players=2), 9)
    >>> sorted(tuple(x.ravel().round(3).tolist()) for x in places)[:4]
    [(0.167, 0.167), (0.167, 0.5), (0.167, 0.833), (0.5, 0.167)]
    """
    if isinstance(space, Box) and (space.reparametrised or space.usual_low is not None):
        inside = Box(space.unconstrain(space.usual.low), space.unconstrain(space.usual.high))
        return [space.constrain(y) for y in lattice(inside, count)]
    players = space.shape[0]
    for points in range(1, 4 * count + 2):
        rows = [_middles(space, player, points) for player in range(players)]
        sizes = [len(row) for row in rows]
        if (total := prod(sizes)) >= count:
            break
    else:  # finitely many choices do not get finer, and would never suffice
        raise ValueError(f"starts: {count} must be at most {total}, all there are")
    # steps of the golden section, coprime to the total, visit different profiles that are far apart
    step = next(s for s in range(max(1, round(GOLDEN * total)), 2 * total + 2) if gcd(s, total) == 1)
    profiles = []
    for k in range(count):
        number, places = (k * step + total // 2) % total, []
        for row, size in zip(rows, sizes, strict=True):
            number, index = divmod(number, size)
            places.append(row[index])
        profiles.append(put(np.stack(places)))
    return profiles


def _middles(space: Space, player: int, points: int) -> ndarray:
    """Return about ``points`` strategies of a player: grid midpoints, or all of finitely many choices."""
    grid = np.asarray(space.grid(player, points))
    if isinstance(space, Choices):  # nothing lies between discrete choices
        return grid
    if points == 1:
        return grid.mean(axis=0, keepdims=True)
    resolution = max(len(np.unique(grid[:, axis])) for axis in range(grid.shape[1]))
    middle = grid.mean(axis=0)
    # n levels from end to end, shrunk by 1 - 1/n, are the midpoints of n equal intervals
    return middle + (grid - middle) * (1 - 1 / resolution)


def stacked_grids(grids: Sequence[Any]) -> Float[Array, "player point axis"]:
    """Return players' grids as one array: shorter ones repeat their last point.

    >>> stacked_grids([np.zeros((1, 2)), np.ones((3, 2))]).shape
    (2, 3, 2)
    """
    longest = max(map(len, grids))
    xp = concrete_module(*grids)
    rows = [xp.pad(grid, ((0, longest - len(grid)), (0, 0)), mode="edge") for grid in grids]
    return put_concrete(xp.stack(rows))


def visibly_apart(space: Space, x: ndarray, y: ndarray, tolerance: float = TOLERANCE) -> ndarray:
    """Mask of choices in which two profiles ``[player axis]`` in a box visibly differ.

    A difference is visible beside the amounts, or beside the range where both are almost zero: around a
    quadratic peak a gain of a millionth of what is at stake moves a choice by a thousandth.
    """
    if not isinstance(space, Box):
        return np.zeros(x.shape, bool)
    range_of = np.asarray(space.high) - np.asarray(space.low)
    size = np.maximum(np.maximum(np.abs(x), np.abs(y)), OUTSIDE * range_of)
    return np.abs(x - y) > np.sqrt(tolerance) * size


def width(space: Space) -> Profile:
    """Return the width of the space, ``[player axis]``, in units of strategy.

    It is 1 for entries that cannot change and on simplices.

    >>> width(Box.interval(0.0, 5.0, players=2)).ravel().tolist()
    [5.0, 5.0]
    """
    if isinstance(space, Box):
        xp = concrete_module(space.low, space.high)
        wide = xp.asarray(space.high) - xp.asarray(space.low)
        return put_concrete(xp.where(wide > 0, wide, 1.0))
    if isinstance(space, Simplex):
        return put(np.ones(space.shape))
    rows = [space.grid(player, 201) for player in range(space.shape[0])]
    spread = jnp.stack([row.max(axis=0) - row.min(axis=0) for row in rows])
    return jnp.where(space.mask & (spread > 0), spread, 1.0)


def reach(space: Space) -> Profile:
    """Width of the entries that can change, ``[player axis]``; 0 of the others."""
    return jnp.where(space.mask, width(space), 0.0)


def narrowest(space: Space, unit: Profile | None = None) -> Scalar:
    """Smallest width of an entry that can change, or smallest ``unit`` ``[player axis]`` of one."""
    units = width(space) if unit is None else unit
    return jnp.min(units, where=space.mask, initial=jnp.inf)


def directions(space: Space) -> list[ndarray]:
    """Return an orthonormal basis of every player's feasible directions ``[axis direction]``, bounds aside.

    On a simplex directions sum to zero over the player's entries; elsewhere they are the axes.

    >>> [own.shape for own in directions(Simplex((2, 3)))]
    [(3, 1), (3, 2)]
    """
    axes = space.shape[1]
    if isinstance(space, Simplex):
        from scipy.linalg import helmert  # takes a tenth of a second to import

        return [np.pad(helmert(size).T, ((0, axes - size), (0, 0))) for size in space.sizes]
    return [np.eye(axes)[:, axes_of_player] for axes_of_player in np.asarray(space.mask)]
