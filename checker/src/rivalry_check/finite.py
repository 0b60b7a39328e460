"""Claims about finite games and about policies, checked in rational arithmetic."""

from fractions import Fraction
from itertools import product
from math import lcm, prod
from re import fullmatch

from rivalry_check import Refuted

NUMBER = r"-?((0|[1-9][0-9]*)(/[1-9][0-9]*)?|0x[01]\.[0-9a-f]+p[+-][0-9]{1,4})"


def require(holds, reason):
    if not holds:
        raise Refuted(reason)


def numbers(texts, count):
    """Return fractions such as ``-3/4``, and doubles in hexadecimal."""
    if len(texts) != count or not all(fullmatch(NUMBER, text) for text in texts):
        raise ValueError(f"{count} fractions are needed, not {str(texts)[:40]}")
    return [Fraction(float.fromhex(text) if "x" in text else text) for text in texts]


def shares(texts, count, whose):
    found = numbers(texts, count)
    require(min(found) >= 0 and sum(found) == 1, f"{whose}: probabilities are below 0 or do not sum to 1")
    return tuple(found)


def place(index, end, begin=0):
    if type(index) is not int or not begin <= index < end:
        raise ValueError(f"{index!r} must be a whole number from {begin} to {end - 1}")
    return index


def dot(one, other):
    return sum(a * b for a, b in zip(one, other, strict=True) if a and b)


def within(claimed, low, high, what):
    """Return in words what is claimed of a number that is proved to be at least ``low``, at most ``high``."""
    least, most = numbers(claimed, 2)
    require(least <= low, f"{what} is proved to be at least {float(low)!r}, not {float(least)!r}")
    require(most >= high, f"{what} is proved to be at most {float(high)!r}, not {float(most)!r}")
    return f"{what} is {low if least == most else f'from {float(least)!r} to {float(most)!r}'}"


def game(document):
    """Return the numbers of actions, all joint actions, and per player what each of these pays."""
    sizes, count = document["actions"], len(document["payoffs"][0])
    if min(sizes) < 1 or prod(sizes) != count or len(sizes) != len(document["payoffs"]):
        raise ValueError("payoffs are needed for every player and joint action")
    joint = list(product(*map(range, sizes)))
    return sizes, joint, [dict(zip(joint, numbers(row, count), strict=True)) for row in document["payoffs"]]


def instead(joint, player, action):
    return (*joint[:player], action, *joint[player + 1 :])


def pure_equilibria(document):
    """At every joint action a player gains by another action, or it is in the list."""
    sizes, joint, pays = game(document)
    claimed = {tuple(one) for one in document["equilibria"]}
    require(claimed <= set(joint), "the list has a joint action that the game lacks")
    moves = [(player, action) for player, size in enumerate(sizes) for action in range(size)]
    for one in joint:
        gain, player, action = max((pays[p][instead(one, p, a)] - pays[p][one], p, a) for p, a in moves)
        require(gain > 0 or one in claimed, f"{one} is an equilibrium and not in the list")
        require(gain <= 0 or one not in claimed, f"{one}: player {player} gains {gain} by action {action}")
    return f"{len(claimed)} pure {'equilibrium' if len(claimed) == 1 else 'equilibria'}, complete"


def extreme_equilibria(document):
    """Equilibria of two players: pairs of vertices of the best-response polytopes that have all labels.

    A label is an action. A vertex has it if it is not played, or a best response of the other player. Actions
    that are strictly dominated are left out one by one.
    """
    sizes, _, pays = game(document)
    (rows, columns), left = map(range, sizes), [list(range(size)) for size in sizes]
    pays = [[pays[0][i, j] for j in columns] for i in rows], [[pays[1][i, j] for i in rows] for j in columns]
    for player, action, by in document["dominated"]:
        known = action in left[player] and by in left[player]
        worse = known and all(pays[player][action][k] < pays[player][by][k] for k in left[1 - player])
        require(worse, f"action {action} of player {player} is not strictly dominated by {by}")
        left[player].remove(action)
    bits = [1 << k for k in range(sum(map(len, left)))]
    firsts = vertices(pays[1], left[1], left[0], bits)
    seconds = vertices(pays[0], left[0], left[1], bits[len(left[0]) :] + bits[: len(left[0])])
    labels, missing = list(seconds), set()
    having = [sum(1 << i for i, one in enumerate(labels) if one & bit) for bit in bits]
    for one, x in firsts.items():
        fits = (1 << len(labels)) - 1
        for bit, those in zip(bits, having, strict=True):
            fits &= -1 if one & bit else those
        missing |= {(x, seconds[labels[i]]) for i in range(fits.bit_length()) if fits >> i & 1}
    count = len(missing)
    for k, equilibrium in enumerate(document["equilibria"]):
        x, y = map(shares, equilibrium, sizes, (f"equilibrium {k}",) * 2)
        for player, other, own in ((0, y, x), (1, x, y)):
            worth = [dot(other, line) for line in pays[player]]
            gain, best = max(worth) - dot(own, worth), worth.index(max(worth))
            require(not gain, f"equilibrium {k}: player {player} gains {gain} by action {best}")
        require((x, y) in missing, f"equilibrium {k} is not an extreme one, or occurs twice")
        missing.remove((x, y))
    for pair in missing:
        raise Refuted(
            f"an equilibrium is not in the list: {' and '.join(' '.join(map(str, x)) for x in pair)}"
        )
    return f"{count} extreme {'equilibrium' if count == 1 else 'equilibria'}, complete"


def vertices(payoffs, rivals, own, labels):
    """Return by labels, as shares, the vertices but 0 of ``{z >= 0, C z <= 1}``; C are payoffs made positive.

    C has a row per action of the rival and a column per own action. All edges are followed from 0 on. With
    right sides that grow by tiny e, e^2, .. the polytope is simple.
    """
    size, count, low = len(own), len(rivals), min(map(min, payoffs)) - 1
    table, found = [], {}
    for k, rival in enumerate(rivals):
        line = [payoffs[rival][action] for action in own]
        unit = lcm(*((u - low).denominator for u in line))
        table.append([*(int((u - low) * unit) for u in line), *(int(i == k) for i in range(count)), unit])
    basic = list(range(size, size + count))
    waiting, seen = [(table, basic, 1)], {frozenset(basic)}
    parts = (-1, *basic)  # ratios of right sides, and of equal ones those of e, e^2, ..
    while waiting:
        table, basic, scale = waiting.pop()
        point = {variable: line[-1] for variable, line in zip(basic, table, strict=True) if line[-1]}
        zero = sum(bit for variable, bit in enumerate(labels) if variable not in point)
        if total := sum(point.get(variable, 0) for variable in range(size)):
            played = {action: Fraction(point.get(variable, 0), total) for variable, action in enumerate(own)}
            found[zero] = tuple(played.get(action, 0) for action in range(len(payoffs[0])))
        for column in set(range(size + count)) - set(basic):
            out = None
            for k, line in enumerate(table):
                if line[column] > 0 and (out is None or less(line, table[out], column, parts)):
                    out = k
            after = frozenset(basic) - {basic[out]} | {column}
            if after not in seen:
                seen.add(after)
                new, chosen = [], table[out]
                for line in table:
                    pairs = zip(line, chosen, strict=True)
                    new.append([(a * chosen[column] - line[column] * b) // scale for a, b in pairs])
                new[out] = chosen
                waiting.append((new, [*basic[:out], column, *basic[out + 1 :]], chosen[column]))
    return found


def less(line, other, column, parts):
    """Return whether the first ratio of two lines' parts to their columns that differs is the smaller one."""
    return next(
        one < two
        for one, two in ((line[k] * other[column], other[k] * line[column]) for k in parts)
        if one != two
    )


def dual_bound(value, gains, multipliers):
    """Return what no distribution with gains of at least 0 has more of; None: there is none such."""
    factors = numbers(multipliers, len(gains))
    require(min(factors, default=0) >= 0, "a multiplier is below 0")
    priced = [dot(factors, [gain[k] for gain in gains]) for k in range(len(value))]
    return None if max(priced) < 0 else max(map(sum, zip(value, priced, strict=True)))


def correlated_equilibrium(document):
    """No player gains by another action where one is drawn; multipliers bound the welfare of all such."""
    sizes, joint, pays = game(document)
    chance, gains = shares(document["distribution"], len(joint), "the distribution"), []
    for player, size in enumerate(sizes):
        for action, other in product(range(size), repeat=2):
            if action != other:
                new = [pays[player][one] - pays[player][instead(one, player, other)] for one in joint]
                gains.append([u if one[player] == action else 0 for one, u in zip(joint, new, strict=True)])
                gain = -dot(chance, gains[-1])
                require(gain <= 0, f"player {player} gains {gain} by action {other} where {action} is drawn")
    welfare = [sum(own[one] for own in pays) for one in joint]
    bound = dual_bound(welfare, gains, document["multipliers"])
    name = "the highest welfare of correlated equilibria"
    return within(document["bound"], dot(chance, welfare), bound, name)


def commitment(document):
    """The follower's action is a best response; multipliers per action bound what the leader can get."""
    sizes, _, pays = game(document)
    leader = place(document["leader"], 2)
    rows, columns = (range(sizes[k]) for k in (leader, 1 - leader))
    own, rival = ({one[:: 1 - 2 * leader]: u for one, u in pays[k].items()} for k in (leader, 1 - leader))
    chance = shares(document["strategy"], len(rows), "the commitment")
    worth = [dot(chance, [rival[i, j] for i in rows]) for j in columns]
    response, bounds = place(document["response"], len(columns)), []
    gain = max(worth) - worth[response]
    require(not gain, f"the follower gains {gain} by action {worth.index(max(worth))}")
    for j, multipliers in zip(columns, document["multipliers"], strict=True):
        gains = [[rival[i, j] - rival[i, k] for i in rows] for k in columns]
        bounds.append(dual_bound([own[i, j] for i in rows], gains, multipliers))
    high, reached = max(b for b in bounds if b is not None), dot(chance, [own[i, response] for i in rows])
    return within(document["bound"], reached, high, "the most that a commitment pays")


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
        end, values = len(gets), numbers(document["values"][player], len(sets))
        for (before, count), most in list(zip(sets, values, strict=True))[::-1]:
            move = max(gets[end - count : end])
            require(move <= most, f"player {player} gets {move} at an information set of value {most}")
            end, gets[1 + before] = end - count, gets[1 + before] + most
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
        raise ValueError("a player moves twice in a round")

    def choice(mover, state, now, policies):
        """Return actions with probabilities, by what is observed: earlier rounds, or this one so far."""
        seen = 0
        for who, ago in observes[mover]:
            seen = (
                seen * sizes[who]
                + (joint[state // len(joint) ** (ago - 1) % len(joint)] if ago else now)[who]
            )
        given = policies[mover][seen]
        if type(given) is int:
            return [(place(given, sizes[mover]), 1)]
        if not all(ago for _, ago in slots):
            raise ValueError("where players observe moves of the same round policies must be pure")
        return [(a, p) for a, p in enumerate(shares(given, sizes[mover], f"policy of {mover}")) if p]

    def outcomes(state, policies, fixed):
        """Return the joint actions of a round with probabilities; actions of absent players stand."""
        found = {joint[state % len(joint)]: 1}
        for mover in rounds[state // histories]:
            found = {
                instead(one, mover, action): chance * p
                for one, chance in found.items()
                for action, p in fixed.get(mover) or choice(mover, state, one, policies)
            }
        return found

    def worth(chances, state, player, values):
        first, discount = (state // histories + 1) % len(rounds) * histories, discounts[player]
        after = {one: first + (state * len(joint) + number[one]) % histories for one in chances}
        return sum(p * (pays[player][one] + discount * values[after[one]]) for one, p in chances.items())

    if not document["sessions"]:
        raise ValueError("sessions: at least one is needed")
    largest = [(0, 0)] * len(sizes)
    for session in document["sessions"]:
        policies, *values = (
            session["policies"],
            *([numbers(v, count) for v in session[k]] for k in ("own", "best")),
        )
        for player, (own, best) in enumerate(zip(*values, strict=True)):
            changes = []
            for state in range(count):
                now = outcomes(state, policies, {})
                moves = range(sizes[player] if player in rounds[state // histories] else 0)
                every = [outcomes(state, policies, {player: [(action, 1)]}) for action in moves] or [now]
                most = max(worth(one, state, player, best) for one in every)
                changes.append((worth(now, state, player, own) - own[state], most - best[state]))
            (low, high), (less, more) = ((min(each), max(each)) for each in zip(*changes, strict=True))
            gain = max(best[place(k, count)] - own[k] for k in session["states"]) * (1 - discounts[player])
            largest[player] = tuple(map(max, largest[player], (gain + less - high, gain + more - low)))
    gains = zip(document["gain"], largest, strict=True)
    said = [within(claim, *one, f"the gain of player {k}") for k, (claim, one) in enumerate(gains)]
    return f"{'; '.join(said)}; sessions: {len(document['sessions'])}"


CLAIMS = (pure_equilibria, extreme_equilibria, correlated_equilibrium, commitment, value, policy)


def check(document):
    """Return what a document proves, in words."""
    return {claim.__name__: claim for claim in CLAIMS}[document["claim"]](document)
