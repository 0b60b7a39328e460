"""Claims about finite games and about policies, checked in rational arithmetic."""

from fractions import Fraction
from itertools import product
from math import gcd, inf, lcm, nextafter, prod

from rivalry_check import Damaged, Refuted


def require(holds, reason):
    if not holds:
        raise Refuted(reason)


def numbers(texts, count):
    """Return fractions such as ``-3/4``, and doubles in hexadecimal."""
    if len(texts) != count:
        raise Damaged(f"{count} fractions are needed, not {len(texts)}")
    return [Fraction(float.fromhex(text) if "x" in text else text) for text in texts]


def shares(texts, count, whose):
    found = numbers(texts, count)
    require(min(found) >= 0 and sum(found) == 1, f"{whose}: probabilities are below 0 or do not sum to 1")
    return tuple(found)


def place(index, end, begin=0):
    if not begin <= index < end:
        raise Damaged(f"{index!r} must be a whole number from {begin} to {end - 1}")
    return index


def dot(one, other):
    return sum(a * b for a, b in zip(one, other, strict=True) if a and b)


def within(claimed, low, high, what):
    """Return in words what is claimed of a number that is proved to be at least ``low``, at most ``high``."""
    least, most = numbers(claimed, 2)
    require(least <= low, f"{what} is proved to be at least {float(low)!r}, not {float(least)!r}")
    require(most >= high, f"{what} is proved to be at most {float(high)!r}, not {float(most)!r}")
    return f"{what} is {low if least == most else f'from {outward(least, -inf)} to {outward(most, inf)}'}"


def outward(number, end):
    """Return the next double towards an end in words."""
    found = float(number)
    exact = (found >= number) if end > 0 else (found <= number)
    return repr(found if exact else nextafter(found, end))


def counted(kind, equilibria, shown):
    """Return in words how many equilibria there are, and the first of them, sorted."""
    count, texts = len(equilibria), sorted(equilibria)[:shown]
    said = f"{count} {kind} {'equilibrium' if count == 1 else 'equilibria'}, complete"
    more = f", and {count - len(texts)} more (--points)" if len(texts) < count else ""
    return f"{said}{': ' * (count > 0)}{', '.join(texts)}{more}"


def game(document):
    """Return the numbers of actions, all joint actions, and per player what each of these pays."""
    sizes, count = document["actions"], len((document["payoffs"] or [()])[0])
    if not sizes or prod(sizes) != count or len(sizes) != len(document["payoffs"]):
        raise Damaged("payoffs are needed for every player and joint action")
    joint = list(product(*map(range, sizes)))
    return sizes, joint, [dict(zip(joint, numbers(row, count), strict=True)) for row in document["payoffs"]]


def instead(joint, player, action):
    return (*joint[:player], action, *joint[player + 1 :])


def pure_equilibria(document, shown):
    """At every joint action a player gains by another action, or it is in the list."""
    sizes, joint, pays = game(document)
    claimed = {tuple(one) for one in document["equilibria"]}
    if len(claimed) < len(document["equilibria"]):
        raise Damaged("an equilibrium occurs twice")
    require(claimed <= set(joint), "the list has a joint action that the game lacks")
    moves = [(player, action) for player, size in enumerate(sizes) for action in range(size)]
    for one in joint:
        gain, player, action = max((pays[p][instead(one, p, a)] - pays[p][one], p, a) for p, a in moves)
        require(gain > 0 or one in claimed, f"{one} is an equilibrium and not in the list")
        require(gain <= 0 or one not in claimed, f"{one}: player {player} gains {gain} by action {action}")
    return counted("pure", [f"({', '.join(map(str, one))})" for one in claimed], shown)


def extreme_equilibria(document, shown):
    """Equilibria of two players: pairs of vertices of the best-response polyhedra that have all labels.

    A label is an action. A vertex has it if it is not played, or a best response of the other player. Actions
    that are strictly dominated are left out one by one.
    """
    sizes, joint, pays = game(document)
    if len(sizes) != 2:
        raise Damaged("extreme equilibria are those of two players")
    left = [dict.fromkeys(range(size)) for size in sizes]
    pays = [{one[:: 1 - 2 * k]: pays[k][one] for one in joint} for k in (0, 1)]  # [own action, other's]
    for player, action, by in document["dominated"]:
        known = action in left[player] and by in left[player]
        worse = known and all(pays[player][action, k] < pays[player][by, k] for k in left[1 - player])
        require(worse, f"action {action} of player {player} is not strictly dominated by {by}")
        del left[player][action]
    bits = [{action: 1 << (action + k * sizes[0]) for action in left[k]} for k in (0, 1)]
    firsts, seconds = (vertices(pays[1 - k], bits[k], bits[1 - k], sizes[k]) for k in (0, 1))
    every = [*bits[0].values(), *bits[1].values()]
    having = {bit: {y for y, labels in seconds.items() if labels & bit} for bit in every}
    missing = set()
    for x, labels in firsts.items():
        missing |= {(x, y) for y in set.intersection(*(having[bit] for bit in every if not labels & bit))}
    for k, equilibrium in enumerate(document["equilibria"]):
        x, y = map(shares, equilibrium, sizes, (f"equilibrium {k}",) * 2)
        for player, own, other in ((0, x, y), (1, y, x)):
            worth = [dot(other, [pays[player][a, b] for b in range(len(other))]) for a in range(len(own))]
            gain, best = max(worth) - dot(own, worth), worth.index(max(worth))
            require(not gain, f"equilibrium {k}: player {player} gains {gain} by action {best}")
        require((x, y) in missing, f"equilibrium {k} is not an extreme one, or occurs twice")
        missing.remove((x, y))
    for pair in missing:
        raise Refuted(
            f"an equilibrium is not in the list: {' and '.join(' '.join(map(str, x)) for x in pair)}"
        )
    return counted(
        "extreme",
        [" and ".join(f"({', '.join(row)})" for row in pair) for pair in document["equilibria"]],
        shown,
    )


def profile(document):
    """What every player gains by its best action where the others play their strategies."""
    sizes, joint, pays = game(document)
    if len(document["strategies"]) != len(sizes):
        raise Damaged(f"{len(sizes)} strategies are needed, not {len(document['strategies'])}")
    whose = [f"player {player}" for player in range(len(sizes))]
    each = list(map(shares, document["strategies"], sizes, whose))
    gains = []
    for player, own in enumerate(each):
        worth = [0] * len(own)
        for one in joint:
            others = (each[k][action] for k, action in enumerate(one) if k != player)
            worth[one[player]] += prod(others) * pays[player][one]
        gains.append(max(worth) - dot(own, worth))
    for player, (gain, claimed) in enumerate(zip(gains, numbers(document["gain"], len(gains)), strict=True)):
        require(gain == claimed, f"player {player} gains {gain}, not {claimed}")
    texts = " and ".join(f"({', '.join(map(str, own))})" for own in each)
    if not any(gains):
        return f"an equilibrium: {texts}"
    return f"players gain {', '.join(map(str, gains))} at {texts}"


def vertices(pays, own, rivals, size):
    """Return the vertices x of ``{(x, v): x >= 0, v >= what rivals get by each action}`` and their labels.

    Inequalities are added one by one to a cone with known rays (Motzkin's double description). A new ray lies
    between two that one of them separates, if an edge joins these: no other ray has all labels they share.
    """
    unit, count, every = lcm(*(u.denominator for u in pays.values())), len(own), sum(own.values())
    rows = [(bit, [int(pays[rival, action] * unit) for action in own]) for rival, bit in rivals.items()]
    (first, start), rays = rows[0], {(*([0] * count), 1): every}
    for k, bit in enumerate(own.values()):
        rays[*(int(i == k) for i in range(count)), start[k]] = every - bit + first
    for label, row in rows[1:]:
        slack = {ray: ray[-1] - dot(row, ray[:-1]) for ray in rays}
        found = {ray: have if slack[ray] else have | label for ray, have in rays.items() if slack[ray] >= 0}
        ends = ([(ray, have) for ray, have in rays.items() if slack[ray] * sign > 0] for sign in (1, -1))
        for (one, some), (other, more) in product(*ends):
            both, simple = some & more, some.bit_count() == count  # then as many labels as an edge are one
            if both.bit_count() >= count - 1 and (
                simple or sum(both & a == both for a in rays.values()) == 2
            ):
                ray = [slack[one] * b - slack[other] * a for a, b in zip(one, other, strict=True)]
                found[tuple(x // gcd(*ray) for x in ray)] = both | label
        rays = found
    shares = {ray: dict(zip(own, ray, strict=False)) for ray in rays if any(ray[:-1])}
    return {
        tuple(Fraction(x.get(k, 0), sum(x.values())) for k in range(size)): rays[ray]
        for ray, x in shares.items()
    }


def correlated_equilibrium(document):
    """No player gains by another action where one is drawn; multipliers bound the welfare of all such.

    With a leader this is so for the follower alone, and the leader's payoff is bounded: the most that a
    commitment pays to one of two players, since one of the actions drawn for the follower pays it.
    """
    sizes, joint, pays = game(document)
    chance, gains = shares(document["distribution"], len(joint), "the distribution"), []
    leader = place(document["leader"], len(sizes)) if document["claim"] == "commitment" else None
    if leader is not None and len(sizes) != 2:
        raise Damaged("a commitment is one of two players")
    for player, size in enumerate(sizes):
        for action, other in product(range(size), repeat=2):
            if action != other and player != leader:
                new = [pays[player][one] - pays[player][instead(one, player, other)] for one in joint]
                gains.append([u if one[player] == action else 0 for one, u in zip(joint, new, strict=True)])
                gain = -dot(chance, gains[-1])
                require(gain <= 0, f"player {player} gains {gain} by action {other} where {action} is drawn")
    factors = numbers(document["multipliers"], len(gains))
    require(min(factors, default=0) >= 0, "a multiplier is below 0")
    worth = [sum(own[one] for k, own in enumerate(pays) if leader in (None, k)) for one in joint]
    bound = max(u + dot(factors, [gain[k] for gain in gains]) for k, u in enumerate(worth))
    name = (
        "the highest welfare of correlated equilibria"
        if leader is None
        else "the most that a commitment pays"
    )
    return within(document["bound"], dot(chance, worth), bound, name)


def value(document):
    """Each player's strategy limits what the other gets, as the values of information sets prove."""
    reach, limits = [], []
    for player, (sets, strategy) in enumerate(zip(document["sets"], document["strategies"], strict=True)):
        reach.append([Fraction(1)])  # probabilities that own moves allow each move, after that of none
        for (before, count), texts in zip(sets, strategy, strict=True):
            first = reach[player][1 + place(before, len(reach[player]) - 1, -1)]
            reach[player] += [first * p for p in shares(texts, count, f"a set of player {player}")]
    for player, sets in enumerate(document["sets"]):
        gets = [Fraction(0)] * len(reach[player])
        for *last, paid in document["leaves"]:
            mine, theirs = (1 + place(last[k], len(reach[k]) - 1, -1) for k in (player, 1 - player))
            gets[mine] += numbers([paid], 1)[0] * reach[1 - player][theirs] * (1 - 2 * player)
        for before, count in sets[::-1]:  # the last moves first: each set is worth its best move
            gets[1 + before] += max(gets[-count:])
            del gets[-count:]
        limits.append(gets[0])
    return within(document["bound"], -limits[1], limits[0], "the value for player 0")


def policy(document):
    """What players gain per period by other policies, from values of their own and of the best ones.

    A period's operator T, of the own policy or of the best action, is monotone and contracts by the discount
    d. So numbers v prove that the values are from ``v + min(T v - v) / (1 - d)`` to the same with max.
    """
    sizes, joint, pays = game(document)
    rounds, observes, memory = (document[name] for name in ("rounds", "observes", "memory"))
    number, histories = {one: k for k, one in enumerate(joint)}, len(joint) ** place(memory, 9, 1)
    count, discounts = len(rounds) * histories, numbers(document["discount"], len(sizes))
    require(min(discounts) >= 0 and max(discounts) < 1, "a discount factor is not from 0 to below 1")
    slots = [(place(who, len(sizes)), place(ago, memory + 1)) for own in observes for who, ago in own]
    if any(len({place(who, len(sizes)) for who in row}) < len(row) for row in rounds):
        raise Damaged("a player moves twice in a round")

    def chances(given, mover):
        """Return actions with probabilities."""
        if type(given) is int:
            return [(place(given, sizes[mover]), 1)]
        if not all(ago for _, ago in slots):
            raise Damaged("where players observe moves of the same round policies must be pure")
        return [(a, p) for a, p in enumerate(shares(given, sizes[mover], f"policy of {mover}")) if p]

    def worth(state, player, values, policies, fixed=None):
        """Return what a player gets and the values that follow, by policies or by a fixed own action."""
        found = {joint[state % len(joint)]: 1}  # actions of absent players stand
        for mover in rounds[state // histories]:
            before, found = found, {}
            for now, chance in before.items():
                seen = 0
                for who, ago in observes[mover]:  # of earlier rounds, or of this one so far
                    past = joint[state // len(joint) ** (ago - 1) % len(joint)] if ago else now
                    seen = seen * sizes[who] + past[who]
                given = policies[mover][seen] if fixed is None or mover != player else fixed
                found |= {instead(now, mover, action): chance * p for action, p in chances(given, mover)}
        first = (state // histories + 1) % len(rounds) * histories
        after = {one: first + (state * len(joint) + number[one]) % histories for one in found}
        return sum(
            p * (pays[player][one] + discounts[player] * values[after[one]]) for one, p in found.items()
        )

    if not document["sessions"]:
        raise Damaged("sessions: at least one is needed")
    largest = [(0, 0)] * len(sizes)
    for session in document["sessions"]:
        for player, size in enumerate(sizes):
            own, best = (numbers(session[name][player], count) for name in ("own", "best"))
            changes = []
            for state in range(count):
                moves = range(size) if player in rounds[state // histories] else [None]
                most = max(worth(state, player, best, session["policies"], action) for action in moves)
                mine = worth(state, player, own, session["policies"])
                changes.append((mine - own[state], most - best[state]))
            (low, high), (less, more) = ((min(each), max(each)) for each in zip(*changes, strict=True))
            gain = max(best[place(k, count)] - own[k] for k in session["states"]) * (1 - discounts[player])
            largest[player] = tuple(map(max, largest[player], (gain + less - high, gain + more - low)))
    gains = zip(document["gain"], largest, strict=True)
    said = [within(claim, *one, f"the gain of player {k}") for k, (claim, one) in enumerate(gains)]
    return f"{'; '.join(said)}; sessions: {len(document['sessions'])}"


CLAIMS = {
    "pure_equilibria": pure_equilibria,
    "extreme_equilibria": extreme_equilibria,
    "profile": profile,
    "correlated_equilibrium": correlated_equilibrium,
    "commitment": correlated_equilibrium,
    "value": value,
    "policy": policy,
}


def check(document, shown=None):
    """Return what a document proves, in words."""
    claim = CLAIMS[document["claim"]]
    return claim(document, shown) if claim in (pure_equilibria, extreme_equilibria) else claim(document)
