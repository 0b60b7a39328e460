"""Claims about finite games and about policies, checked in rational arithmetic."""

import json
from fractions import Fraction
from hashlib import sha256
from itertools import product
from math import gcd, inf, lcm, nextafter, prod

from rivalry_check import Damaged, Refuted, cost, spend


def require(holds, reason):
    if not holds:
        raise Refuted(reason)


def numbers(texts, count):
    """Return fractions such as ``-3/4``, and doubles in hexadecimal."""
    if len(texts) != count:
        raise Damaged(f"{count} fractions are needed, not {len(texts)}")
    return [Fraction(float.fromhex(text) if "x" in text else text) for text in texts]


def shares(texts, count, owner):
    probabilities = numbers(texts, count)
    require(
        min(probabilities) >= 0 and dot(probabilities, [1] * count) == 1,
        f"{owner}: probabilities are below 0 or do not sum to 1",
    )
    return tuple(probabilities)


def place(index, end, begin=0):
    if not begin <= index < end:
        raise Damaged(f"{index!r} must be a whole number from {begin} to {end - 1}")
    return index


def dot(left, right):
    """Return a sum of products; numbers with other denominators make it longer, term by term."""
    total = 0
    for a, b in zip(left, right, strict=True):
        if a and b:
            spend(cost(total, a, b))
            total += a * b
    return total


def common(numbers):
    """Return the least common multiple of denominators."""
    unit = 1
    for number in numbers:
        spend(cost(unit, number.denominator))
        unit = lcm(unit, number.denominator)
    return unit


def dearest(*tables):
    """Return the steps of a product of two numbers of tables."""
    return 4 * max((cost(number) for table in tables for number in table), default=1)


def within(claimed, low, high, subject):
    """Return in words what is claimed of a number that is proved to be at least ``low``, at most ``high``."""
    lower, upper = numbers(claimed, 2)
    require(lower <= low, f"{subject} is proved to be at least {float(low)!r}, not {float(lower)!r}")
    require(upper >= high, f"{subject} is proved to be at most {float(high)!r}, not {float(upper)!r}")
    return (
        f"{subject} is {low if lower == upper else f'from {outward(lower, -inf)} to {outward(upper, inf)}'}"
    )


def outward(number, end):
    """Return the next double towards an end in words."""
    double = float(number)
    exact = (double >= number) if end > 0 else (double <= number)
    return repr(double if exact else nextafter(double, end))


def counted(kind, equilibria, limit):
    """Return in words how many equilibria there are, and the first of them, sorted."""
    count, texts = len(equilibria), sorted(equilibria)[:limit]
    head = f"{count} {kind} {'equilibrium' if count == 1 else 'equilibria'}, complete"
    suffix = f", and {count - len(texts)} more (--points)" if len(texts) < count else ""
    return f"{head}{': ' * (count > 0)}{', '.join(texts)}{suffix}"


def game(document):
    """Return the numbers of actions, all joint actions, and per player what each of these pays."""
    sizes, count = document["actions"], len((document["payoffs"] or [()])[0])
    spend(len(sizes) * count)
    product_of_sizes = 1
    for size in sizes if len(sizes) == len(document["payoffs"]) else ():
        product_of_sizes = min(product_of_sizes * size, count + 1)
    if not sizes or product_of_sizes != count:
        raise Damaged("payoffs are needed for every player and joint action")
    joint = list(product(*map(range, sizes)))
    return sizes, joint, [dict(zip(joint, numbers(row, count), strict=True)) for row in document["payoffs"]]


def instead(joint, player, action):
    return (*joint[:player], action, *joint[player + 1 :])


def pure_equilibria(document, limit):
    """At every joint action a player gains by another action, or it is in the list."""
    sizes, joint, pays = game(document)
    claimed = {tuple(actions) for actions in document["equilibria"]}
    if len(claimed) < len(document["equilibria"]):
        raise Damaged("an equilibrium occurs twice")
    require(claimed <= set(joint), "the list has a joint action that the game lacks")
    moves = [(player, action) for player, size in enumerate(sizes) for action in range(size)]
    dear = dearest(*(table.values() for table in pays)) + len(sizes)
    spend(len(joint) * len(moves) * dear)
    for actions in joint:
        gain, player, action = max(
            (pays[p][instead(actions, p, a)] - pays[p][actions], p, a) for p, a in moves
        )
        require(gain > 0 or actions in claimed, f"{actions} is an equilibrium and not in the list")
        require(
            gain <= 0 or actions not in claimed, f"{actions}: player {player} gains {gain} by action {action}"
        )
    return counted("pure", [f"({', '.join(map(str, actions))})" for actions in claimed], limit)


def extreme_equilibria(document, limit):
    """Equilibria of two players: pairs of vertices of the best-response polyhedra that have all labels.

    A label is an action. A vertex has it if it is not played, or a best response of the other player. Actions
    that are strictly dominated are left out one by one.
    """
    sizes, joint, pays = game(document)
    if len(sizes) != 2:
        raise Damaged("extreme equilibria are those of two players")
    remaining = [dict.fromkeys(range(size)) for size in sizes]
    # [own action, other's]
    pays = [{actions[:: 1 - 2 * k]: pays[k][actions] for actions in joint} for k in (0, 1)]
    units = [common(table.values()) for table in pays]
    whole = [{k: int(u * unit) for k, u in table.items()} for table, unit in zip(pays, units, strict=True)]
    dear = dearest(*(table.values() for table in whole))
    for player, action, dominator in document["dominated"]:
        if isinstance(dominator, list):
            mixture = shares(dominator, sizes[player], f"a mixture of player {player}")
            weights, name = {k: p for k, p in enumerate(mixture) if p}, "a mixture"
        else:
            weights, name = {dominator: 1}, dominator
        unit = common(map(Fraction, weights.values()))
        spend(len(remaining[1 - player]) * len(weights) * dear)
        factors = [int(p * unit) for p in weights.values()]
        worse = remaining[player].keys() >= {action, *weights} and all(
            unit * whole[player][action, k] < dot(factors, [whole[player][by, k] for by in weights])
            for k in remaining[1 - player]
        )
        require(worse, f"action {action} of player {player} is not strictly dominated by {name}")
        del remaining[player][action]
    bits = [{action: 1 << (action + k * sizes[0]) for action in remaining[k]} for k in (0, 1)]
    firsts, seconds = (vertices(pays[1 - k], bits[k], bits[1 - k], sizes[k]) for k in (0, 1))
    all_bits = [*bits[0].values(), *bits[1].values()]
    holders = {bit: {y for y, labels in seconds.items() if labels & bit} for bit in all_bits}
    missing = set()
    spend(len(firsts) * (len(seconds) + len(all_bits)))
    for x, labels in firsts.items():
        missing |= {(x, y) for y in set.intersection(*(holders[bit] for bit in all_bits if not labels & bit))}
    for k, equilibrium in enumerate(document["equilibria"]):
        x, y = map(shares, equilibrium, sizes, (f"equilibrium {k}",) * 2)
        for player, strategy, rival in ((0, x, y), (1, y, x)):
            values = [
                dot(rival, [pays[player][a, b] for b in range(len(rival))]) for a in range(len(strategy))
            ]
            gain, argmax = max(values) - dot(strategy, values), values.index(max(values))
            require(not gain, f"equilibrium {k}: player {player} gains {gain} by action {argmax}")
        require((x, y) in missing, f"equilibrium {k} is not an extreme one, or occurs twice")
        missing.remove((x, y))
    for pair in missing:
        raise Refuted(
            f"an equilibrium is not in the list: {' and '.join(' '.join(map(str, x)) for x in pair)}"
        )
    return counted(
        "extreme",
        [" and ".join(f"({', '.join(row)})" for row in pair) for pair in document["equilibria"]],
        limit,
    )


def profile(document):
    """What every player gains by its best action where the others play their strategies."""
    sizes, joint, pays = game(document)
    if len(document["strategies"]) != len(sizes):
        raise Damaged(f"{len(sizes)} strategies are needed, not {len(document['strategies'])}")
    owners = [f"player {player}" for player in range(len(sizes))]
    strategies = list(map(shares, document["strategies"], sizes, owners))
    gains = []
    for player, strategy in enumerate(strategies):
        values = [0] * len(strategy)
        for actions in joint:
            rival_probabilities = [strategies[k][action] for k, action in enumerate(actions) if k != player]
            spend(len(sizes) + cost(values[actions[player]], pays[player][actions], *rival_probabilities))
            values[actions[player]] += prod(rival_probabilities) * pays[player][actions]
        gains.append(max(values) - dot(strategy, values))
    for player, (gain, claimed) in enumerate(zip(gains, numbers(document["gain"], len(gains)), strict=True)):
        require(gain == claimed, f"player {player} gains {gain}, not {claimed}")
    texts = " and ".join(f"({', '.join(map(str, strategy))})" for strategy in strategies)
    if not any(gains):
        return f"an equilibrium: {texts}"
    return f"players gain {', '.join(map(str, gains))} at {texts}"


def vertices(pays, bits, rivals, size):
    """Return the vertices x of ``{(x, v): x >= 0, v >= what rivals get by each action}`` and their labels.

    Inequalities are added one by one to a cone with known rays (Motzkin's double description). A new ray lies
    between two that one of them separates, if an edge joins these: no other ray has all labels they share.
    """
    unit, count, all_bits = common(pays.values()), len(bits), sum(bits.values())
    rows = [(bit, [int(pays[rival, action] * unit) for action in bits]) for rival, bit in rivals.items()]
    dear = dearest(*(row for _, row in rows)) * count
    (first_bit, start), rays = rows[0], {(*([0] * count), 1): all_bits}
    for k, bit in enumerate(bits.values()):
        rays[*(int(i == k) for i in range(count)), start[k]] = all_bits - bit + first_bit
    for label, row in rows[1:]:
        spend(len(rays) * dear)
        slack = {ray: ray[-1] - sum(a * b for a, b in zip(row, ray, strict=False)) for ray in rays}
        next_rays = {
            ray: labels if slack[ray] else labels | label for ray, labels in rays.items() if slack[ray] >= 0
        }
        ends = ([(ray, labels) for ray, labels in rays.items() if slack[ray] * sign > 0] for sign in (1, -1))
        for (ray_above, labels_above), (ray_below, labels_below) in product(*ends):
            spend(1)
            shared = labels_above & labels_below
            simple = labels_above.bit_count() == count  # then as many labels as an edge are one
            if shared.bit_count() < count - 1:
                continue
            spend(dear + (0 if simple else len(rays)))
            if simple or sum(shared & labels == shared for labels in rays.values()) == 2:
                ray = [
                    slack[ray_above] * b - slack[ray_below] * a
                    for a, b in zip(ray_above, ray_below, strict=True)
                ]
                next_rays[tuple(x // gcd(*ray) for x in ray)] = shared | label
        rays = next_rays
    shares = {ray: dict(zip(bits, ray, strict=False)) for ray in rays if any(ray[:-1])}
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
    dear = dearest(chance, *(table.values() for table in pays)) + len(sizes)
    for player, size in enumerate(sizes):
        for action, deviation in product(range(size), repeat=2):
            spend(len(joint) * dear)
            if action != deviation and player != leader:
                losses = [
                    pays[player][actions] - pays[player][instead(actions, player, deviation)]
                    for actions in joint
                ]
                gains.append(
                    [u if actions[player] == action else 0 for actions, u in zip(joint, losses, strict=True)]
                )
                gain = -dot(chance, gains[-1])
                require(
                    gain <= 0, f"player {player} gains {gain} by action {deviation} where {action} is drawn"
                )
    factors = numbers(document["multipliers"], len(gains))
    require(min(factors, default=0) >= 0, "a multiplier is below 0")
    values = [sum(table[actions] for k, table in enumerate(pays) if leader in (None, k)) for actions in joint]
    bound = max(u + dot(factors, [gain[k] for gain in gains]) for k, u in enumerate(values))
    name = (
        "the highest welfare of correlated equilibria"
        if leader is None
        else "the most that a commitment pays"
    )
    return within(document["bound"], dot(chance, values), bound, name)


def value(document):
    """Each player's strategy limits what the other gets, as the values of information sets prove."""
    reach, limits = [], []
    for player, (sets, strategy) in enumerate(zip(document["sets"], document["strategies"], strict=True)):
        reach.append([Fraction(1)])  # probabilities that own moves allow each move, after that of none
        for (before, count), texts in zip(sets, strategy, strict=True):
            probability = reach[player][1 + place(before, len(reach[player]) - 1, -1)]
            spend(count * cost(probability))
            reach[player] += [probability * p for p in shares(texts, count, f"a set of player {player}")]
    for player, sets in enumerate(document["sets"]):
        payoffs = [Fraction(0)] * len(reach[player])
        for *moves, payoff in document["leaves"]:
            move, rival_move = (1 + place(moves[k], len(reach[k]) - 1, -1) for k in (player, 1 - player))
            (paid,) = numbers([payoff], 1)
            spend(cost(payoffs[move], paid, reach[1 - player][rival_move]))
            payoffs[move] += paid * reach[1 - player][rival_move] * (1 - 2 * player)
        for before, count in sets[::-1]:  # the last moves first: each set is worth its best move
            best_move = max(payoffs[-count:])
            spend(count + cost(payoffs[1 + before], best_move))
            payoffs[1 + before] += best_move
            del payoffs[-count:]
        limits.append(payoffs[0])
    return within(document["bound"], -limits[1], limits[0], "the value for player 0")


def policy(document):
    """What players gain per period by other policies, from values of their own and of the best ones.

    A period's operator T, of the own policy or of the best action, is monotone and contracts by the discount
    d. So numbers v prove that the values are from ``v + min(T v - v) / (1 - d)`` to the same with max.
    """
    sizes, joint, pays = game(document)
    rounds, observes, memory = (document[name] for name in ("rounds", "observes", "memory"))
    number, histories = {actions: k for k, actions in enumerate(joint)}, len(joint) ** place(memory, 9, 1)
    count, discounts = len(rounds) * histories, numbers(document["discount"], len(sizes))
    require(min(discounts) >= 0 and max(discounts) < 1, "a discount factor is not from 0 to below 1")
    slots = [
        (place(actor, len(sizes)), place(ago, memory + 1))
        for own_values in observes
        for actor, ago in own_values
    ]
    if any(len({place(actor, len(sizes)) for actor in row}) < len(row) for row in rounds):
        raise Damaged("a player moves twice in a round")

    def chances(prescription, mover):
        """Return actions with probabilities."""
        if type(prescription) is int:
            return [(place(prescription, sizes[mover]), 1)]
        if not all(ago for _, ago in slots):
            raise Damaged("where players observe moves of the same round policies must be pure")
        return [(a, p) for a, p in enumerate(shares(prescription, sizes[mover], f"policy of {mover}")) if p]

    def round_value(state, player, values, policies, fixed=None):
        """Payoff of a player and the values that follow, by policies or by a fixed own action."""
        outcomes = {joint[state % len(joint)]: 1}  # actions of absent players stand
        for mover in rounds[state // histories]:
            previous, outcomes = outcomes, {}
            for actions_so_far, chance in previous.items():
                spend(len(observes[mover]) + sizes[mover] + cost(chance))
                observation = 0
                for actor, ago in observes[mover]:  # of earlier rounds, or of this one so far
                    past = joint[state // len(joint) ** (ago - 1) % len(joint)] if ago else actions_so_far
                    observation = observation * sizes[actor] + past[actor]
                prescription = policies[mover][observation] if fixed is None or mover != player else fixed
                outcomes |= {
                    instead(actions_so_far, mover, action): chance * p
                    for action, p in chances(prescription, mover)
                }
        offset = (state // histories + 1) % len(rounds) * histories
        next_states = {
            actions: offset + (state * len(joint) + number[actions]) % histories for actions in outcomes
        }
        following = [
            pays[player][actions] + discounts[player] * values[next_states[actions]] for actions in outcomes
        ]
        return dot(outcomes.values(), following)

    if not document["sessions"]:
        raise Damaged("sessions: at least one is needed")
    largest = [(0, 0)] * len(sizes)
    for session in document["sessions"]:
        for player, size in enumerate(sizes):
            own_values, best_values = (numbers(session[name][player], count) for name in ("own", "best"))
            changes = []
            for state in range(count):
                moves = range(size) if player in rounds[state // histories] else [None]
                best_payoff = max(
                    round_value(state, player, best_values, session["policies"], action) for action in moves
                )
                policy_payoff = round_value(state, player, own_values, session["policies"])
                changes.append((policy_payoff - own_values[state], best_payoff - best_values[state]))
            (low, high), (low_best, high_best) = (
                (min(column), max(column)) for column in zip(*changes, strict=True)
            )
            gain = max(best_values[place(k, count)] - own_values[k] for k in session["states"]) * (
                1 - discounts[player]
            )
            largest[player] = tuple(
                map(max, largest[player], (gain + low_best - high, gain + high_best - low))
            )
    gains = zip(document["gain"], largest, strict=True)
    texts = [within(bounds, *ends, f"the gain of player {k}") for k, (bounds, ends) in enumerate(gains)]
    policies = [session["policies"] for session in document["sessions"]]
    digest = sha256(json.dumps(policies, separators=(",", ":")).encode()).hexdigest()[:16]
    counts = [len(set(session["states"])) for session in document["sessions"]]
    low, high = min(counts), max(counts)
    of_states = "all" if low == count else f"{low} of" if low == high else f"{low} to {high} of"
    name = "policy" if len(policies) == 1 else f"{len(policies)} sessions' policies"
    return f"{'; '.join(texts)}; {name} {digest}, from {of_states} {count} states"


CLAIMS = {
    "pure_equilibria": pure_equilibria,
    "extreme_equilibria": extreme_equilibria,
    "profile": profile,
    "correlated_equilibrium": correlated_equilibrium,
    "commitment": correlated_equilibrium,
    "value": value,
    "policy": policy,
}


def check(document, limit=None):
    """Proved claim of a document, in words."""
    claim = CLAIMS[document["claim"]]
    return claim(document, limit) if claim in (pure_equilibria, extreme_equilibria) else claim(document)
