"""One player's own problem in a period: what its inputs pay while everybody else's stay.

With built-in production, risk and cost the payoff at a fixed performance is ``base + C sigma^g - cost`` in
the own safety ``sigma`` alone. Where it rises with ``l = ln xs`` is where marginal gain exceeds marginal
cost, and the logarithm of their ratio is concave in ``l``: the largest root is the only peak within, and the
few other places that may be better, the ends and thresholds of the cost, are known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from jaxtyping import Array, Float

from rivalry.core.jax import jax, jnp
from rivalry.core.space import Profile
from rivalry.games.race import period
from rivalry.games.race.period import Numbers, Rules, log

if TYPE_CHECKING:
    from rivalry.games.race.model import Race

THRESHOLDS = (period.certification, period.relative_certification, period.penalty)
COSTS = (period.linear, period.quadratic, *THRESHOLDS)
RISKS = (period.winner_only, period.multiplicative, period.additive, period.mixed)
TINY = 1e-200
NUDGE = 1e-12  # in logs: so far from a threshold nothing is decided by rounding


class Own(NamedTuple):
    """The problem of ``player`` in one period; the arrays are ``[player]``, those of rivals as they are."""

    rules: Rules
    numbers: Numbers
    end_on: str
    weight: Array  # of the period's payoff
    ahead: Array  # what it is worth that play goes on
    player: Array | int
    xs: Float[Array, "player"]
    xp: Float[Array, "player"]
    log_p: Float[Array, "player"]
    z: Float[Array, "player"]
    log_s: Float[Array, "player"]
    top: Float[Array, "2"]  # logarithms of the most that can be spent
    least: Float[Array, "2"]  # and of the least that is told apart from nothing

    def of(self, name: str) -> Array:
        """The player's own entry of a parameter."""
        return self.numbers[name][self.player]


class Place(NamedTuple):
    """What the player's performance alone decides."""

    log_xp: Array
    base: Array  # what is paid at own safety 0, before costs
    gain: Array  # what safety adds: C of ``C sigma^g``
    spoil: Array  # theta ln p: by how much performance lowers the log odds


def jumps(rules: Rules) -> str:
    """The part that makes payoffs jump, or nothing."""
    if rules.csf is period.best:
        return "contest = 'best'"
    return f"cost = {rules.cost.__name__!r}" if rules.cost in THRESHOLDS else ""


def known(race: Race) -> bool:
    """Whether the race's parts are those of which the best safety at a fixed performance is known."""
    rules = race.rules
    return rules.production is period.power and rules.risk in RISKS and rules.cost in COSTS


def own_problem(race: Race, x: Profile, player: Array | int) -> Own:
    """The problem of ``player`` in a race of one period against the rivals' inputs at ``x``."""
    numbers = race.numbers_at(0)
    xs, xp = x[:, 0], x[:, 1]
    found = period.outcome(race.rules, numbers, xs, xp)
    space = race.space
    least = space.least if space.least is not None else jnp.full(space.low.shape, 1e-25)
    return Own(
        rules=race.rules,
        numbers=numbers,
        end_on=race.end_on,
        weight=race.weights[0, player],
        ahead=race.ahead[player],
        player=player,
        xs=xs,
        xp=xp,
        log_p=found.log_p,
        z=found.z,
        log_s=found.log_s,
        top=jnp.log(space.high[player, :2]),
        least=jnp.log(least[player, :2]),
    )


def place_of(own: Own, log_xp: Array, log_p: Array, p: Array) -> Place:
    """What follows from own performance ``p``, ``log_p`` in logarithms, of an input ``exp(log_xp)``."""
    i, numbers, rules = own.player, own.numbers, own.rules
    logs = own.log_p.at[i].set(log_p)
    all_p = jnp.exp(own.log_p).at[i].set(p)
    q = rules.csf(logs, all_p, numbers)
    nobody = jnp.maximum(1 - jnp.sum(q), 0.0)
    z = own.z.at[i].set(-jnp.inf)
    safe = rules.risk(z, jax.nn.sigmoid(z), numbers)
    unsafe = jax.nn.sigmoid(-z) if rules.risk is period.winner_only else 1 - safe
    won = period.gains(rules, numbers, all_p, q, nobody, safe, unsafe)[i]
    base = own.weight * won + own.ahead * _goes_on(own, q, nobody, unsafe)
    theta = own.of("scale_penalty")
    spoil = jnp.where(theta > 0, theta * log_p, 0.0)
    return Place(log_xp, base, _gain(own, q, all_p, z), spoil)


def _goes_on(own: Own, q: Array, nobody: Array, unsafe: Array) -> Array:
    """The chance that play goes on; the same for every player."""
    if own.end_on == "win":
        return nobody
    return 1 - jnp.sum(q * unsafe) if own.end_on == "disaster" else jnp.ones_like(nobody)


def _gain(own: Own, q: Array, p: Array, z: Array) -> Array:
    """``C``: what safe wins are worth more than unsafe ones, by how much own safety moves each."""
    i, numbers, rules = own.player, own.numbers, own.rules
    rho = period.rewards(rules, numbers, p)[i]
    harm = period.damages(numbers, len(p))[i]
    worth = own.weight * ((1 - numbers["prize_survives"][i]) * rho + harm)
    if own.end_on == "disaster":
        worth = worth + own.ahead
    each = jnp.where(q > 0, q * jnp.where(q > 0, worth, 0.0), 0.0)
    return jnp.sum(each * moved(own, z))


def moved(own: Own, z: Array) -> Float[Array, "player"]:
    """By how much every winner's chance of a good end moves with ``sigma^g``."""
    numbers, rules, players = own.numbers, own.rules, len(z)
    mine = jnp.arange(players) == own.player
    if rules.risk is period.winner_only:
        return mine * 1.0
    if rules.risk is period.mixed:
        lam = numbers["loser_weight"]
        return jnp.where(mine, 1 - lam, lam / (players - 1))
    w = numbers["safety_weight"]
    if rules.risk is period.additive:
        return jnp.full(players, own.of("safety_weight") / jnp.sum(w))
    others = z.at[own.player].set(jnp.inf)
    together = period.multiplicative(others, others, numbers)
    return jnp.where(own.of("safety_weight") > 0, together, 0.0)


def power_of_safety(own: Own) -> Array:
    """``g``: 1, or the weight of the own safety under multiplicative risk."""
    if own.rules.risk is not period.multiplicative:
        return jnp.asarray(1.0)
    w = own.numbers["safety_weight"]
    return len(w) * own.of("safety_weight") / jnp.sum(w)


def odds(own: Own, at: Place, log_xs: Array) -> Array:
    """Log odds of own safety; nothing built, nothing dangerous."""
    built = at.spoil > -jnp.inf
    log_s = log(own.of("safety_productivity")) + own.of("safety_exponent") * log_xs
    return jnp.where(built, log_s - jnp.where(built, at.spoil, 0.0), jnp.inf)


def value(own: Own, at: Place, log_xs: Array) -> Array:
    """The payoff of inputs ``exp(log_xs)`` and ``exp(at.log_xp)``."""
    i = own.player
    z = odds(own, at, log_xs)
    g = power_of_safety(own)
    safe = jnp.exp(jnp.where(g > 0, -g * jax.nn.softplus(-z), 0.0))
    log_s = log(own.of("safety_productivity")) + own.of("safety_exponent") * log_xs
    xs, xp = jnp.exp(log_xs), jnp.exp(at.log_xp)
    safety = own.z.at[i].set(z) if own.rules.on == "odds" else own.log_s.at[i].set(log_s)
    cost = own.rules.cost(own.xs.at[i].set(xs), own.xp.at[i].set(xp), safety, own.numbers)[i]
    return at.base + at.gain * safe - own.weight * cost


def best_safety(own: Own, at: Place, steps: int) -> tuple[Array, Array]:
    """The best payoff at a performance and the logarithm of the safety input that pays it.

    Derivatives of the payoff by the performance are right: safety inputs within are best (envelope theorem),
    those at thresholds move with them.
    """
    tried = candidates(own, at, steps)
    paid = jax.vmap(lambda log_xs: value(own, at, log_xs))(tried)
    first = jnp.argmax(paid)  # of equally good ones the least: none
    return paid[first], tried[first]


def candidates(own: Own, at: Place, steps: int) -> Float[Array, "candidate"]:
    """Logarithms of the safety inputs among which the best at a performance is; none comes first."""
    top, none = own.top[0], jnp.asarray(-jnp.inf)
    found = [none]
    if own.rules.cost in (period.linear, period.quadratic):
        net = own.of("safety_price") - own.of("safety_subsidy")
        second = own.of("safety_price_slope") if own.rules.cost is period.quadratic else jnp.asarray(0.0)
        found += [peak(own, at, net, second, steps), top]
        if own.rules.cost is period.quadratic:  # where a subsidy above the price is used up
            found.append(log(jnp.maximum(-net, 0.0) / jnp.where(second > 0, second, jnp.inf)))
    else:
        edge = _threshold(own, at)
        slack = NUDGE * (1 + jnp.abs(jnp.where(jnp.isfinite(edge), edge, 0.0)))
        below, above = edge - slack, edge + slack
        outside = peak(own, at, own.of("price"), jnp.asarray(0.0), steps)
        inside = outside
        if own.rules.cost is not period.penalty:
            inside = peak(own, at, own.of("certified_price"), jnp.asarray(0.0), steps)
        found += [jnp.minimum(outside, below), jnp.maximum(inside, above), top]
    return jnp.stack([jnp.minimum(each, top) for each in found])


def _threshold(own: Own, at: Place) -> Array:
    """The logarithm of the safety input from which on the cost counts a player as safe."""
    i, numbers, on_odds = own.player, own.numbers, own.rules.on == "odds"
    if own.rules.cost is period.relative_certification:
        level = jnp.exp(own.z if on_odds else own.log_s).at[i].set(0.0)
        wanted = log(jnp.maximum(jnp.sum(level) / (len(level) - 1) + numbers["margin"][i], 0.0))
    else:
        wanted = log(own.of("minimum"))
    built = at.spoil > -jnp.inf
    spoil = jnp.where(built, at.spoil, 0.0) if on_odds else 0.0
    able = own.of("safety_productivity") > 0
    edge = (wanted + spoil - jnp.where(able, log(own.of("safety_productivity")), 0.0)) / own.of(
        "safety_exponent"
    )
    edge = jnp.where(able | (wanted == -jnp.inf), edge, jnp.inf)
    return jnp.where(~built, -jnp.inf, edge) if on_odds else edge


def peak(own: Own, at: Place, price: Array, second: Array, steps: int) -> Array:
    """``ln xs`` where marginal gain and marginal cost, ``price + second xs``, are equal, the larger if two.

    Newton's steps from above, on a convex function: they fall to the largest root. Where there is none they
    end where the slope turns, or at the least input.
    """
    alpha, g, top = own.of("safety_exponent"), power_of_safety(own), own.top[0]
    shift = log(own.of("safety_productivity")) - at.spoil
    paying = (at.gain > 0) & (g > 0) & jnp.isfinite(shift)
    shift = jax.lax.stop_gradient(jnp.where(paying, shift, 0.0))
    gain = jax.lax.stop_gradient(jnp.where(paying, alpha * g * at.gain, 1.0))
    unit = jnp.where(price > 0, price, TINY)
    level = jnp.log(gain) - jnp.log(jnp.maximum(own.weight * unit, TINY))
    rise = second / unit
    kink = -shift / alpha
    left = 1 - alpha * g
    far = jnp.where(left > 1e-12, kink - (kink - level) / jnp.maximum(left, 1e-12), kink)
    start = jnp.where(kink <= level, (level + alpha * kink) / (1 + alpha), far)
    turn = (alpha * g - 1) / (alpha * (1 + g))  # sigma left of which no peak is
    turn = kink + jnp.where(turn > 0, jnp.log(jnp.maximum(turn, TINY)) - jnp.log1p(-turn), -jnp.inf) / alpha
    low = jnp.minimum(jnp.maximum(turn + 1e-9, own.least[0]), top)

    def step(_: Array, here: Array) -> Array:
        z, steep = shift + alpha * here, rise * jnp.exp(here)
        excess = here + jnp.log1p(steep) - level + jax.nn.softplus(z) + g * jax.nn.softplus(-z)
        sigma = jax.nn.sigmoid(z)
        slope = 1 + steep / (1 + steep) + alpha * (sigma - g * (1 - sigma))
        return jnp.clip(here - excess / jnp.maximum(slope, 1e-12), low, top)

    found = jax.lax.fori_loop(0, steps, step, jnp.clip(start, low, top))
    return jax.lax.stop_gradient(jnp.where(paying, found, -jnp.inf))
