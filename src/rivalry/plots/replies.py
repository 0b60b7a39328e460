"""What a player could gain by another strategy, and what replies to replies lead to."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle as cycle_of
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm
from matplotlib.ticker import MaxNLocator

from rivalry.plots.measures import factors, scaled, word
from rivalry.plots.select import DrawnPoint, point
from rivalry.plots.style import (
    INK,
    MARKERS,
    PALETTE,
    below,
    canvas,
    colours,
    end_marker,
    legend,
    named,
    note,
    widths,
)

if TYPE_CHECKING:
    from xarray import Dataset

LEVELS = 15
DEPTH = 4.0  # times what lies between the median and the top: payoffs further down have one colour
JUMP = 0.12  # of the range drawn: replies further apart are a jump
CYCLE = 24  # moves
TITLES = {"nash": "Nash", "stackelberg": "Stackelberg"}  # of benchmarks that have a person's name


def payoff_landscape(
    data: Dataset, ax: Axes | None = None, *, at: Mapping[str, Any] | None = None, player: int = 0
) -> Axes:
    """One player's payoff by its two inputs, both logarithmic, everybody else where they are.

    ``landscape_payoff [player safety_level performance_level]`` at ``landscape_safety_input [safety_level]``
    and ``landscape_performance_input [performance_level]``, amounts above 0. The player's own point
    (``profile [player axis]``, of which the first two columns) is a circle, filled if ``claim`` is certified;
    its best response, ``landscape_best [player axis]``, a star. Those at 0 lie on the edge. Steps of colour
    are finer towards the highest payoff.

    >>> import numpy as np, xarray as xr
    >>> both = ("safety", "performance")
    >>> inputs = {f"landscape_{name}_input": (f"{name}_level", [0.1, 1, 10]) for name in both}
    >>> payoff = (("player", "safety_level", "performance_level"), np.eye(3)[None])
    >>> view = xr.Dataset({"landscape_payoff": payoff, **inputs})
    >>> payoff_landscape(view).get_xscale()
    'log'
    """
    with canvas(ax) as axes:
        also = ("landscape_safety_input", "landscape_performance_input", "landscape_best", "profile", "claim")
        found = point(data, "landscape_payoff", 3, also, at=at)
        payoff = found.arrays["landscape_payoff"]
        _player(player, len(payoff))
        x, y = found.arrays["landscape_safety_input"], found.arrays["landscape_performance_input"]
        shown = payoff[player].T
        low, high = _depth(shown)
        # finer towards the top: what is at stake is small beside what efforts can cost
        levels = high - (high - low) * np.linspace(1, 0, LEVELS) ** 3
        steps = BoundaryNorm(levels, 256, extend="min")
        drawn = axes.contourf(x, y, shown, levels=levels, norm=steps, cmap="viridis", extend="min")
        bar = axes.figure.colorbar(drawn, cax=axes.inset_axes((1.03, 0.0, 0.04, 1.0)), format="%.3g")
        bar.set_label("own payoff (units of the game)")
        for which in "xy":
            scaled(axes, which, True)
        axes.set_xlim(float(x.min()), float(x.max()))
        axes.set_ylim(float(y.min()), float(y.max()))
        _places(axes, found, player, x, y)
        axes.set_xlabel(f"own {word('safety_input')}")
        axes.set_ylabel(f"own {word('performance_input')}")
        axes.grid(False)
        note(axes, found.words, f"player {player}")
        legend(axes, under=True)
        return axes


def _player(player: int, count: int) -> None:
    if not 0 <= player < count:
        raise ValueError(f"player: {player} must be a whole number from 0 to {count - 1}")


def _depth(payoff: np.ndarray) -> tuple[float, float]:
    """The payoffs between which colours differ: costs without end would leave none for the rest."""
    high, middle = float(np.nanmax(payoff)), float(np.nanmedian(payoff))
    low = max(float(np.nanmin(payoff)), high - DEPTH * (high - middle))
    return (low, high) if low < high else (high - 1.0, high + 1.0)


def _places(axes: Axes, found: DrawnPoint, player: int, x: np.ndarray, y: np.ndarray) -> None:
    worth = found.certified()
    certified = worth is not None and bool(worth)

    def there(name: str) -> tuple[float, float]:
        strategy = found.arrays[name][player]
        return float(np.clip(strategy[0], x.min(), x.max())), float(np.clip(strategy[1], y.min(), y.max()))

    star: dict[str, Any] = {"color": PALETTE[1], "markeredgecolor": "white", "clip_on": False, "zorder": 6}
    if "landscape_best" in found.arrays:
        axes.plot(*there("landscape_best"), "*", markersize=12, label="best reply", **star)
    if "profile" in found.arrays:
        words = "where it is" + ("" if certified else ", not certified")
        mark = end_marker(certified, INK) | {"markersize": 15, "clip_on": False, "zorder": 5}
        mark["markeredgecolor"] = "white" if certified else INK
        axes.plot(*there("profile"), "o", label=words, **mark)


def reaction(data: Dataset, ax: Axes | None = None, *, at: Mapping[str, Any] | None = None) -> Axes:
    """Best replies of two players in one column against the other's, and where the two curves cross.

    ``reaction [duellist place]`` is the reply of each of two players to the rival's ``reaction_at [duellist
    place]``, everything else where it is; ``reaction_here [duellist]`` is where each of them is,
    ``reaction_player [duellist]`` who they are, ``reaction_column []`` the column's name. Crossings are
    equilibria of the game in which these two columns alone can be changed. A jump of a reply is a thin
    dotted line, on which nothing crosses. Their place is filled where ``claim`` is certified. Benchmarks
    are ``reaction_point [.. duellist]``, called ``reaction_point_name [..]``.

    >>> import numpy as np, xarray as xr
    >>> curves = xr.Dataset({"reaction": (("duellist", "place"), [[1.0, 0.0], [0.4, 0.6]]),
    ...                      "reaction_at": (("duellist", "place"), [[0.0, 1.0], [0.0, 1.0]])})
    >>> reaction(curves).get_legend_handles_labels()[1]
    ['reply of player 0', 'reply of player 1', 'crossing']
    """
    with canvas(ax) as axes:
        also = [f"reaction_{name}" for name in ("at", "here", "player", "column", "point", "point_name")]
        found = point(data, "reaction", 2, (*also, "claim"), at=at)
        replies, rivals = found.arrays["reaction"].astype(float), found.arrays["reaction_at"].astype(float)
        if len(replies) != 2:
            raise ValueError(f"reaction: {len(replies)} players; must be two")
        who = [int(k) for k in found.arrays.get("reaction_player", np.arange(2))]
        log = factors(rivals)
        # across lies the first player's strategy, up the second's
        curves = [(replies[0], rivals[0]), (rivals[1], replies[1])]
        floor = float(rivals.min()) if log else -np.inf
        whole = [np.maximum(np.array(curve), floor) for curve in curves]
        jumps = [_jumps(curve, k, log) for k, curve in enumerate(whole)]
        for k in range(2):
            _curve(axes, whole[k], jumps[k], PALETTE[k], f"reply of player {who[k]}")
        broken = (np.insert(whole[k], jumps[k] + 1, np.nan, axis=1) for k in range(2))
        met = crossings(*broken, log=log)
        if len(met):
            axes.plot(
                *met.T, "D", color=INK, markersize=5, markerfacecolor="none", label="crossing", zorder=4
            )
        _benchmarks(axes, found, floor)
        if (here := found.arrays.get("reaction_here")) is not None:
            worth = found.certified()
            sound = worth is not None and bool(worth)
            words = "where they are" + ("" if sound else ", not certified")
            mark = end_marker(sound, INK) | {"zorder": 5, "clip_on": False}
            axes.plot(*np.maximum(here, floor), "o", label=words, **mark)
        for which in "xy":
            scaled(axes, which, log)
        column = str(found.arrays.get("reaction_column", "strategy"))
        axes.set_xlabel(f"{word(column)} of player {who[0]}")
        axes.set_ylabel(f"{word(column)} of player {who[1]}")
        note(axes, found.words, "0 lies on the edge" if log and (replies <= 0).any() else "")
        legend(axes)
        return axes


def _benchmarks(axes: Axes, found: DrawnPoint, floor: float) -> None:
    """Named places among the replies, each with a mark of its own."""
    places = found.arrays.get("reaction_point", np.empty((0, 2))).astype(float)
    names = found.arrays.get("reaction_point_name", np.arange(len(places)))
    marks = zip(MARKERS[1:], PALETTE[2:], strict=False)
    for place, name, (marker, colour) in zip(places, names, cycle_of(marks), strict=False):
        if np.all(np.isfinite(place)):
            label = f"{TITLES.get(str(name), name)} ({place[0]:.4g}, {place[1]:.4g})"
            axes.plot(*np.maximum(place, floor), marker, color=colour, markersize=9, label=label, zorder=3)


def _jumps(curve: np.ndarray, row: int, log: bool) -> np.ndarray:
    """After which places of a curve ``[2 place]`` the next reply, in its ``row``, is far away.

    Few places tell nothing.
    """
    if curve.shape[1] < 1 / JUMP:
        return np.array([], int)
    where = np.log(curve) if log else curve
    span = float(np.ptp(where, axis=1).max())
    return np.flatnonzero(np.abs(np.diff(where[row])) > JUMP * span)


def _curve(axes: Axes, curve: np.ndarray, jumps: np.ndarray, colour: str, label: str) -> None:
    """A curve ``[2 place]`` whose jumps are dotted."""
    for k in jumps:
        axes.plot(*curve[:, k : k + 2], ":", color=colour, linewidth=1.0, label="_jump")
    for piece in np.split(np.arange(curve.shape[1]), jumps + 1):
        axes.plot(*curve[:, piece], color=colour, label="_reply")
    axes.plot([], [], color=colour, label=label)


def crossings(first: np.ndarray, second: np.ndarray, *, log: bool = False) -> np.ndarray:
    """Where two polygons ``[2 place]`` cross, ``[crossing 2]``; ``log``: straight in logarithms.

    NaN breaks a polygon: replies that jump do not meet in between.

    >>> crossings(np.array([[0.0, 2.0], [0.0, 2.0]]), np.array([[0.0, 2.0], [2.0, 0.0]])).tolist()
    [[1.0, 1.0]]
    """
    one, two = (np.log(curve) if log else curve for curve in (first, second))
    a, b = one[:, :-1, None], two[:, None, :-1]
    u, v = np.diff(one)[:, :, None], np.diff(two)[:, None, :]
    across = u[0] * v[1] - u[1] * v[0]
    apart = b - a
    with np.errstate(divide="ignore", invalid="ignore"):
        s = (apart[0] * v[1] - apart[1] * v[0]) / across
        t = (apart[0] * u[1] - apart[1] * u[0]) / across
    meet = (s >= 0) & (s <= 1) & (t >= 0) & (t <= 1)  # those that are parallel compare false
    rows, _ = np.nonzero(meet)
    places = (one[:, rows] + s[meet] * (one[:, rows + 1] - one[:, rows])).T
    places = places[_apart(places)]
    return np.asarray(np.exp(places) if log else places)


def _apart(places: np.ndarray) -> list[int]:
    """One of every group of places that are the same: a curve's corner belongs to two of its pieces."""
    kept: list[int] = []
    for k, place in enumerate(places):
        if not any(np.allclose(place, places[other], rtol=1e-9, atol=1e-9) for other in kept):
            kept.append(k)
    return kept


def deviation(data: Dataset, ax: Axes | None = None, *, at: Mapping[str, Any] | None = None) -> Axes:
    """What a player gains by another first investment, everything later answered in the best way.

    ``deviation_gain [player level]`` at ``deviation_at [player level]`` is the best payoff with that amount
    of ``deviation_column []`` in period 0, less the payoff of the profile; the circle at gain 0 is where
    the player is (``deviation_here [player]``), filled where ``claim`` is certified, and the star is its
    largest gain. Above 0 the profile is no equilibrium.

    >>> import numpy as np, xarray as xr
    >>> view = xr.Dataset({"deviation_gain": (("player", "level"), [[0.1, -0.2, 0.0]]),
    ...                    "deviation_at": (("player", "level"), [[0.0, 1.0, 4.0]])})
    >>> deviation(view).get_ylabel()
    'gain (units of the payoff)'
    """
    with canvas(ax) as axes:
        also = ("deviation_at", "deviation_here", "deviation_column", "claim")
        found = point(data, "deviation_gain", 2, also, at=at)
        gain, amount = found.arrays["deviation_gain"], found.arrays["deviation_at"]
        worth = found.certified()
        sound = worth is not None and bool(worth)
        axes.axhline(0.0, color=INK, linewidth=0.9)
        players = len(gain)
        for k, (colour, wide) in enumerate(zip(colours(players), widths(players), strict=True)):
            order = np.argsort(amount[k], kind="stable")
            axes.plot(
                amount[k][order],
                gain[k][order],
                color=colour,
                linewidth=wide,
                label=named("player", k, players),
            )
            best = int(np.nanargmax(gain[k]))
            if gain[k, best] > 0:
                star: dict[str, Any] = {"color": colour, "markeredgecolor": "white", "zorder": 6}
                axes.plot(amount[k, best], gain[k, best], "*", markersize=12, clip_on=False, **star)
            if "deviation_here" in found.arrays:
                mark = end_marker(sound, colour) | {"zorder": 5, "clip_on": False}
                axes.plot(found.arrays["deviation_here"][k], 0.0, "o", **mark)
        _amounts(axes, amount)
        if "deviation_here" in found.arrays:
            words = "where it is" + ("" if sound else ", not certified")
            axes.plot([], [], "o", label=words, **end_marker(sound, INK))
        if (gain > 0).any():
            axes.plot([], [], "*", markersize=12, color=INK, label=f"largest gain ({np.nanmax(gain):.4g})")
        column = str(found.arrays.get("deviation_column", "performance_investment"))
        axes.set_xlabel(f"own {word(column.split()[0])} in period 0")
        axes.set_ylabel("gain (units of the payoff)")
        note(axes, found.words)
        legend(axes)
        return axes


def _amounts(axes: Axes, amount: np.ndarray) -> None:
    """A scale on which 0 and amounts of many sizes are seen."""
    above = amount[amount > 0]
    if above.size and above.max() > 100 * above.min():
        floor = float(np.quantile(above, 0.1)) if (amount <= 0).any() else float(above.min())
        axes.set_xscale("symlog", linthresh=floor)
        axes.set_xticks([0.0, *(ten for ten in 10.0 ** np.arange(-12, 13) if 5 * floor < ten <= above.max())])
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_xlim(left=float(amount.min()))


def cycle(
    data: Dataset, ax: Axes | None = None, *, at: Mapping[str, Any] | None = None, last: int = CYCLE
) -> Axes:
    """Payoffs after every move of best responses in turn, and below them what the mover gained by it.

    ``move_payoff [move player]``, ``move_gain [move]``, ``move_player [move]``, of which the ``last`` are
    drawn. Where ``cycle_rounds`` tells that the profile came back, one turn is shaded.

    >>> import numpy as np, xarray as xr
    >>> moves = xr.Dataset({"move_payoff": (("move", "player"), np.zeros((4, 2))),
    ...                     "move_gain": ("move", np.ones(4)), "move_player": ("move", [0, 1, 0, 1])})
    >>> cycle(moves).get_ylabel()
    'payoff\\n(units of the game)'
    """
    if last < 1:
        raise ValueError(f"last: {last} must be at least 1")
    with canvas(ax) as axes:
        found = point(data, "move_payoff", 2, ("move_gain", "move_player", "cycle_rounds"), at=at)
        payoff = found.arrays["move_payoff"]
        moves = np.arange(len(payoff))[-last:]
        players = payoff.shape[1]
        mover = found.arrays["move_player"].astype(int)
        shades = colours(players)
        for k, (colour, wide) in enumerate(zip(shades, widths(players), strict=True)):
            label = named("player", k, players)
            axes.plot(
                moves, payoff[moves, k], drawstyle="steps-post", color=colour, linewidth=wide, label=label
            )
            own = moves[mover[moves] == k]
            axes.plot(own, payoff[own, k], "o", color=colour, markersize=4.5, label="_mover")
        axes.plot([], [], "o", color=INK, markersize=4.5, label="the mover's payoff")
        low = below(axes, 1)[0]
        low.bar(moves, found.arrays["move_gain"][moves], 0.7, color=[shades[k] for k in mover[moves]])
        low.axhline(0.0, color=INK, linewidth=0.9)
        low.xaxis.set_major_locator(MaxNLocator(integer=True))
        rounds = found.arrays.get("cycle_rounds")
        turn = int(rounds) * players if rounds is not None else 0
        if turn > 0:
            for panel in (axes, low):
                end = moves[-1] + 0.5
                panel.axvspan(end - turn, end, color=INK, alpha=0.07, linewidth=0, label="_turn")
            axes.fill([], [], color=INK, alpha=0.12, label=f"one turn of the cycle ({turn} moves)")
        low.set_xlabel("move")
        axes.set_ylabel("payoff\n(units of the game)")
        low.set_ylabel("gain of\nthe mover")
        note(
            axes,
            found.words,
            f"the last {len(moves)} of {len(payoff)} moves" if len(moves) < len(payoff) else "",
        )
        legend(axes)
        return axes
