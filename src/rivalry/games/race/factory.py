"""The factory of races: its keywords are the keys of a study's ``[game]`` table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal
from warnings import warn

import equinox as eqx
import numpy as np
from annotated_types import Ge, Gt, Le

from rivalry.core.jax import jnp, put
from rivalry.core.registry import near
from rivalry.core.space import Box
from rivalry.core.validate import checked, limit
from rivalry.games.race.beliefs import FIXED, Believing, Minds, belief
from rivalry.games.race.checks import (
    alone,
    clashes,
    disaster,
    number,
    one_of,
    per_player,
    players_of,
    tried,
    weighted,
)
from rivalry.games.race.model import COLUMNS, Race
from rivalry.games.race.period import CONTESTS, COSTS, RISKS, SPILLS, Rules, power

Numbers = float | list[float] | list[list[float]] | np.ndarray
NotNegative = Annotated[float, Ge(0)]
Amounts = NotNegative | list[NotNegative] | list[list[NotNegative]] | np.ndarray
Positive = Annotated[float, Gt(0)]
Positives = Positive | list[Positive] | list[list[Positive]] | np.ndarray
Share = Annotated[float, Ge(0), Le(1)]
Shares = Share | list[Share] | list[list[Share]] | np.ndarray

NAMES = (
    *("A", "B", "alpha", "beta", "theta", "w", "win_a", "win_b", "lose_a", "lose_b", "keep_prize"),
    *("r_s", "r_p", "r2_s", "r2_p", "r", "r_certified", "s_min", "margin", "fine", "tax", "subsidy"),
    *("liability", "r_inv_s", "r_inv_p", "r_share_s", "r_share_p", "dep_s", "dep_p"),
)
RARE = 1e-4  # of the largest effort that could pay: starts come from above it
LEAST = 1e-25  # the smallest effort that is told apart from none
MOST, FARTHEST = 1e4, 1e12  # efforts are searched at least so far, and never further


@checked
def race(
    *,
    players: Annotated[
        int | None, Ge(2), Le(2_000), "how many play; needed where no list tells (default 2)"
    ] = None,
    A: Annotated[Amounts, "productivity in safety"] = 10.0,
    B: Annotated[Amounts, "productivity in performance"] = 10.0,
    alpha: Annotated[Positives, "power of the safety input; above 1 replies are searched less surely"] = 0.5,
    beta: Annotated[Positives, "power of the performance input"] = 0.5,
    theta: Annotated[Amounts, "how much performance spoils safety: a power of p"] = 0.5,
    production: Annotated[
        Literal["power"] | Callable[..., Any],
        "power, or a function (xs, xp, numbers) -> (ln s, ln p) of one's own",
    ] = "power",
    csf: Annotated[
        Literal["ratio", "logit", "best"] | Callable[..., Any],
        "who wins: ratio or logit of performance, best, or a function (ln p, p, numbers) -> chances",
    ] = "ratio",
    m: Annotated[Positive | list[Positive], "decisiveness of the contest"] = 1.0,
    kappa: Annotated[
        Positive | list[Positive] | None,
        "ease of winning: 1/kappa is the weight of nobody's win (default: somebody wins)",
    ] = None,
    risk: Annotated[
        Literal["winner_only", "multiplicative", "additive", "mixed"] | Callable[..., Any],
        "whose safety counts: a word, or a function (z, sigma, numbers) -> chances by winner",
    ] = "winner_only",
    w: Annotated[Amounts, "multiplicative, additive: weight of each player's safety"] = 1.0,
    lam: Annotated[Share | list[Share], "mixed: weight of the losers' safety"] = 0.0,
    win_a: Annotated[Numbers, "prize of winning"] = 1.0,
    win_b: Annotated[Numbers, "what a unit of one's own performance adds to it"] = 0.0,
    lose_a: Annotated[Numbers, "what losing is worth"] = 0.0,
    lose_b: Annotated[Numbers, "what a unit of performance adds to it"] = 0.0,
    lose_index: Annotated[
        Literal["own", "winner"], "whose parameters and performance a loser's reward takes"
    ] = "own",
    keep_prize: Annotated[bool | list[bool] | np.ndarray, "rewards are kept after a disaster"] = False,
    d: Annotated[
        Numbers | list[list[list[float]]], "cost of a disaster: to each player, or a matrix [player][winner]"
    ] = 1.0,
    no_win: Annotated[
        Literal["harmless", "disaster"] | float | list[float] | np.ndarray,
        "what it is worth that nobody wins: 0, the cost of a disaster, or a number",
    ] = "harmless",
    cost: Annotated[
        Literal["linear", "quadratic", "certification", "relative_certification", "penalty"]
        | Callable[..., Any],
        "what inputs cost: a word, or a function (xs, xp, ln of safety, numbers) -> costs",
    ] = "linear",
    r_s: Annotated[Amounts, "price of a unit of safety input"] = 0.1,
    r_p: Annotated[Amounts, "price of a unit of performance input"] = 0.1,
    r2_s: Annotated[Amounts, "quadratic: rise of that price with the safety input"] = 0.0,
    r2_p: Annotated[Amounts, "quadratic: rise of that price with the performance input"] = 0.0,
    r: Annotated[
        Amounts | None,
        "price of either input, in place of r_s and r_p (certification, penalty: default 0.1)",
    ] = None,
    r_certified: Annotated[Amounts, "certification: that price for those who are safe enough"] = 0.05,
    s_min: Annotated[Amounts, "certification, penalty: the least safety, as `on` says"] = 1.0,
    margin: Annotated[Numbers, "relative_certification: by how much to exceed the others' mean"] = 0.0,
    fine: Annotated[Amounts, "penalty: what those below s_min pay"] = 0.0,
    on: Annotated[Literal["odds", "effort"], "what `s_min` is about: odds of safety, or s itself"] = "odds",
    tax: Annotated[Amounts, "on a unit of performance input (linear and quadratic cost)"] = 0.0,
    subsidy: Annotated[Amounts, "on a unit of safety input (linear and quadratic cost)"] = 0.0,
    liability: Annotated[Amounts, "what the winner of an unsafe win pays beside d"] = 0.0,
    horizon: Annotated[int | Literal["inf"] | float, 'periods, at least 1; "inf": without end'] = 1,
    gamma: Annotated[Shares, "each player's discount factor a period"] = 1.0,
    discount: Annotated[
        list[float] | list[list[float]] | np.ndarray | None, "in place of gamma: one weight a period"
    ] = None,
    discount_offset: Annotated[
        Literal[0, 1], "whether the first period counts fully, or is discounted once"
    ] = 0,
    end_on: Annotated[
        Literal["none", "win", "disaster"], "what ends play: nothing, a first win, an unsafe win"
    ] = "none",
    invest: Annotated[bool, "players may invest in A and B"] = False,
    share: Annotated[bool, "players may give away of their lead in A and B; implies invest"] = False,
    r_inv_s: Annotated[Amounts, "price of a unit invested in A"] = 0.01,
    r_inv_p: Annotated[Amounts, "price of a unit invested in B"] = 0.01,
    r_share_s: Annotated[Amounts, "price of a unit of sharing A"] = 0.0,
    r_share_p: Annotated[Amounts, "price of a unit of sharing B"] = 0.0,
    dep_s: Annotated[Shares, "part of A lost every period"] = 0.0,
    dep_p: Annotated[Shares, "part of B lost every period"] = 0.0,
    spill: Annotated[Literal["sum", "max", "union"], "how leads given away by several add up"] = "sum",
    share_units: Annotated[
        Literal["fraction", "rate"], "sharing is a fraction, or a rate x of which 1-exp(-x) is the fraction"
    ] = "fraction",
    transition: Annotated[
        Callable[..., Any] | None, "a function (numbers, inputs [player column], period) -> numbers"
    ] = None,
    beliefs: Annotated[
        list[dict[str, Any]] | None,
        "one table a player: keys of the race as that player takes them to be; {} believes the truth",
    ] = None,
    beliefs_play: Annotated[
        Literal["actual", "subjective"],
        "with beliefs: to reply to what rivals do, or to solve one's own believed race and play one's part",
    ] = "actual",
) -> Race | Believing | Minds:
    """Players race for a risky technology: performance wins, safety makes the win end well.

    Every keyword is a key of a study's ``[game]``; `rivalry show race` lists them with units, defaults and
    bounds. A number is for all players; a list has one entry a player; a list of lists one row a period.
    Raises `ValueError` for numbers out of range, lists of unequal lengths, and parts that do not go together.

    >>> game = race(theta=[0.5, 0.7])
    >>> game.payoffs(game.inputs(xs=[1.0, 1.0], xp=[2.0, 2.0])).round(4).tolist()
    [-0.2682, -0.3264]
    """
    return _believing(dict(locals()))


def _believing(given: dict[str, Any]) -> Race | Believing | Minds:
    """The race, with what its players believe of it. Raises `ValueError`."""
    beliefs, play = given.pop("beliefs"), given.pop("beliefs_play")
    one_of("beliefs_play", play, ("actual", "subjective"))
    true = _build(**given)
    if beliefs is None:
        return true
    if not isinstance(beliefs, list | tuple) or len(beliefs) != true.players:
        told = f"{len(beliefs)} tables" if isinstance(beliefs, list | tuple) else repr(beliefs)
        raise ValueError(f"beliefs: {told} for {true.players} players; give one table a player")
    given = given | {"players": true.players}
    races = [_believed(given, k, table) for k, table in enumerate(beliefs)]
    highest = jnp.max(jnp.stack([race.space.high for race in (true, *races)]), axis=0)
    box = replace(true.space, high=highest)
    minds = tuple(belief(race, list(table)) for race, table in zip(races, beliefs, strict=True))
    found = Believing(box, eqx.tree_at(lambda race: race.space, true, box), minds)
    return found if play == "actual" else Minds(found)


def _believed(given: dict[str, Any], k: int, table: Any) -> Race:
    """The race that player ``k`` believes in. Raises `ValueError`."""
    if not isinstance(table, Mapping):
        raise ValueError(f"beliefs[{k}]: {table!r} must be a table of keys of the race")
    for name in table:
        if name in FIXED:
            raise ValueError(f"beliefs[{k}].{name}: is the same for everybody; no belief may change it")
        if name not in given:
            raise ValueError(f"beliefs[{k}].{name}: is no key of the race; {near(name, given)}")
    try:
        return _build(**(given | dict(table)))
    except ValueError as error:
        raise ValueError(f"beliefs[{k}].{error}") from None


def _build(**given: Any) -> Race:
    players = players_of(given, [*NAMES, "d", "gamma"])
    clashes(given)
    endless = _endless(given)
    periods = 1 if endless else _periods(given["horizon"])
    limit("players", players, players)
    limit("horizon", periods, players, len(COLUMNS))
    numbers, damage = _numbers(given, players, periods)
    rules = _rules(given)
    _sharing_passes(given, players)
    weights = put(_weights(given, players, periods))
    columns = COLUMNS[: 6 if given["share"] else 4 if given["invest"] else 2]
    end_on = one_of("end_on", given["end_on"], ("none", "win", "disaster"))
    units = one_of("share_units", given["share_units"], ("fraction", "rate"))
    found = Race(
        space=_space(numbers, np.asarray(weights), columns, units),
        numbers=numbers,
        weights=weights,
        ahead=jnp.zeros(players),
        rules=rules,
        columns=columns,
        end_on=end_on,
        spill=one_of("spill", given["spill"], SPILLS),
        share_units=units,
        damage=damage,
        transition=given["transition"],
        gamma=per_player("gamma", given["gamma"], players, 1) if endless else None,
    )
    tried(found)
    return found


def _periods(horizon: Any) -> int:
    if isinstance(horizon, bool) or not isinstance(horizon, int) or horizon < 1:
        raise ValueError(f'horizon: {horizon!r} must be a whole number, at least 1, or "inf"')
    return horizon


def _endless(given: dict[str, Any]) -> bool:
    """Whether the horizon has no end; refuses what has no stationary reading then."""
    if given["horizon"] not in ("inf", float("inf")):
        return False
    gamma = number("gamma", given["gamma"])
    if np.any(gamma >= 1):
        raise ValueError(f"gamma: {np.max(gamma):g} must be below 1 where horizon = inf")
    if given["kappa"] is None:
        raise ValueError("kappa: must be given where horizon = inf, or the first period ends the race")
    for name in ("invest", "share"):
        if given[name]:
            raise ValueError(
                f"horizon: inf is for effort only ({name} = true lets stocks grow without bound)"
            )
    if given["discount"] is not None or given["transition"] is not None:
        name = "discount" if given["discount"] is not None else "transition"
        raise ValueError(f"{name}: goes with a finite horizon, not with inf")
    return True


def _numbers(given: dict[str, Any], players: int, periods: int) -> tuple[dict[str, Any], str]:
    given = _priced(given)
    names = [name for name in NAMES if name != "w" and given[name] is not None]
    found = {name: per_player(name, given[name], players, periods) for name in names}
    found["w"] = weighted(given["w"], players, periods)
    found["m"] = alone("m", given["m"], periods)
    found["lam"] = alone("lam", given["lam"], periods)
    if given["kappa"] is not None:
        found["kappa"] = alone("kappa", given["kappa"], periods)
    found["d"], damage = disaster(given["d"], players, periods)
    no_win = given["no_win"]
    if isinstance(no_win, str):
        one_of("no_win", no_win, ("harmless", "disaster"))
        no_win = 0.0
    found["no_win"] = per_player("no_win", no_win, players, periods)
    if np.any(np.asarray(found["alpha"]) > 1):
        warn(
            "alpha: above 1 safety has rising returns, and a player's best reply is only searched",
            stacklevel=6,
        )
    return found, damage


def _priced(given: dict[str, Any]) -> dict[str, Any]:
    """Where inputs have a price each, ``r`` stands for both; elsewhere it is the price itself."""
    each = given["cost"] in ("linear", "quadratic")
    if given["r"] is None:
        return given if each else {**given, "r": 0.1}
    return {**given, "r_s": given["r"], "r_p": given["r"], "r": None} if each else given


def _rules(given: dict[str, Any]) -> Rules:
    words: dict[str, dict[str, Any]] = {"csf": CONTESTS, "risk": RISKS, "cost": COSTS}
    words["production"] = {"power": power}
    found: dict[str, Any] = {}
    for name, known in words.items():
        value = given[name]
        found[name] = value if callable(value) else known[one_of(name, value, list(known))]
    return Rules(
        **found,
        lose_index=one_of("lose_index", given["lose_index"], ("own", "winner")),
        no_win="disaster" if given["no_win"] == "disaster" else "value",
        on=one_of("on", given["on"], ("odds", "effort")),
    )


def _sharing_passes(given: dict[str, Any], players: int) -> None:
    if given["share"] and given["spill"] == "sum" and players > 2:
        warn("spill: with three players or more a sum can lift a laggard above the leader", stacklevel=6)


def _weights(given: dict[str, Any], players: int, periods: int) -> np.ndarray:
    """``[period player]``: what a period's payoff is multiplied by."""
    offset = given["discount_offset"]
    if isinstance(offset, bool) or offset not in (0, 1):
        raise ValueError(f"discount_offset: {offset!r} must be 0 or 1")
    if given["discount"] is not None:
        found = number("discount", given["discount"])
        found = found[:, None] if found.ndim == 1 else found
        if len(found) != periods or found.shape[1] not in (1, players):
            raise ValueError(
                f"discount: {len(found)} weights for a horizon of {periods} periods; give one a period"
            )
        return np.broadcast_to(found, (periods, players)).copy()
    gamma = np.asarray(per_player("gamma", given["gamma"], players, 1))
    return np.asarray(gamma ** (np.arange(periods)[:, None] + offset))


def _by_performance(numbers: dict[str, Any], stake: float, often: float) -> float:
    """What rewards that grow with performance add at most, where it is bought for all that it brings."""
    each = max(np.max(np.abs(np.asarray(numbers[name]))) for name in ("win_b", "lose_b"))
    each *= np.max(np.asarray(numbers["B"]))
    if not each > 0:
        return 0.0
    beta, price = np.max(np.asarray(numbers["beta"])), max(np.min(np.asarray(numbers["r_p"])), 1e-12)
    bought = FARTHEST  # from above: the largest input that pays for itself, or as far as is ever searched
    for _ in range(200):
        bought = min((stake + often * each * bought**beta) / price, FARTHEST)
    return float(each * bought**beta)


def _space(numbers: dict[str, Any], weights: np.ndarray, columns: tuple[str, ...], units: str) -> Box:
    """Efforts in logarithms from nothing, investments and rates from nothing, shares from 0 to 1.

    No input is worth more than the largest gain that all periods together can bring.
    """
    periods, players = weights.shape
    stake = max(np.max(np.abs(np.asarray(numbers[n]))) for n in ("win_a", "lose_a", "d", "no_win"))
    often = 4 * max(weights.sum(axis=0).max() / max(weights[0].max(), 1e-12), 1.0)
    stake = often * max(stake, 1e-12)
    stake += often * _by_performance(numbers, stake, often)
    box = []
    for column in columns:
        if column in ("xs", "xp"):
            price = np.min(np.asarray(numbers[f"r_{column[1]}"]))
            top = min(stake / max(price, 1e-12), FARTHEST)
            box.append((max(MOST, top), "log", LEAST, RARE * top, top))
        elif column.startswith("inv"):
            price = np.min(np.asarray(numbers[f"r_{column}"]))
            stock = np.max(np.asarray(numbers["A" if column == "inv_s" else "B"]))
            top = min(stake / max(price, 1e-12), 1e9)
            box.append((top, "shifted", max(0.1 * stock, 1e-3), 0.0, top))
        elif units == "fraction":
            box.append((1.0, "linear", 1.0, 0.0, 1.0))
        else:
            box.append((50.0, "shifted", 0.1, 0.0, 5.0))
    tops, kinds, *edges = zip(*(box * periods), strict=True)
    high, least, usual_low, usual_high = (
        put(np.broadcast_to(np.asarray(edge), (players, len(kinds))).copy()) for edge in (tops, *edges)
    )
    return Box(put(np.zeros(high.shape)), high, tuple(kinds), least, usual_low, usual_high)
