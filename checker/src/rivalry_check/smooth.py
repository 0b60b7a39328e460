"""Games on boxes: exact equilibria exist, are the only ones, and no strategy of any player is better.

A box has bounds on the choices of all players, then on parameters of the game. A *side* says of every choice
whether it is at its lower bound (-1), its upper one (1), or between them (0).
"""

from itertools import product
from math import inf, isnan

from flint import arb_mat, ctx

from rivalry_check import Damaged, Refuted
from rivalry_check.graph import FUNCTIONS, Graph, add, ball, mul, neg, pair

PARTS = 4000  # into which a box is split at most, for one reason
STRATEGIES = 20_000  # boxes of one player's strategies
NODES = 2_000_000
CHOICES = 12  # of a complete list: every one triples the sides
SIDES = {"-": -1, "0": 0, "+": 1}


def check(document):
    """Return what a document proves, in words. Raises `Refuted`."""
    ctx.prec = 64
    game = Game(document)
    if not game.names:
        count, boxes = game.part(document, [])
        count = f"{count} equilibri{'um' if count == 1 else 'a'}"
        return (
            f"{count}, complete ({boxes} boxes)"
            if document["complete"]
            else f"{count}; others are not excluded"
        )
    said, total = [], 0
    ranges = range(len(game.player), len(game.space))
    for box, _, part in divided(document["parts"], [(game.space, None)], ranges):
        if part == ["undecided"]:
            continue
        values, (count, boxes) = (
            box[ranges.start :],
            game.part(part | {"complete": True}, box[ranges.start :]),
        )
        total += boxes
        if said and said[-1][0] == count and len(values) == 1 and said[-1][1][0][1] == values[0][0]:
            values = [(said.pop()[1][0][0], values[0][1])]  # the ranges touch
        said.append((count, values))
    if not said:
        raise Refuted("no range of parameters is decided")
    if len({count for count, _ in said}) == 1 and ["undecided"] not in document["parts"]:
        said = [(said[0][0], game.space[ranges.start :])]
    each = (f"exactly {count} for all {game.values(values)}" for count, values in said)
    return f"equilibria: {'; '.join(each)} ({total} boxes)"


def words(box):
    return "box " + " x ".join(f"[{a:.9g}, {b:.9g}]" for a, b in box)


def numbers(texts):
    """Return finite doubles written in hexadecimal."""
    found = [float.fromhex(text) for text in texts]
    if not all(-inf < one < inf for one in found):
        raise ValueError("a number is not finite")
    return found


def pairs(entry):
    return list(zip(numbers(entry["low"]), numbers(entry["high"]), strict=True))


def within(inner, outer):
    return all(a <= c and d <= b for (c, d), (a, b) in zip(inner, outer, strict=True))


def halves(box, k):
    (a, b), m = box[k], box[k][0] / 2 + box[k][1] / 2
    return [[*box[:k], end, *box[k + 1 :]] for end in ((a, m), (m, b))]


def divided(entries, whole, axes):
    """Return the parts of boxes, each with its entry. The entry before two parts is ``["cut", axis, at]``.

    As boxes are only ever cut, parts have the boxes as their union, whatever the entries are.
    """
    left, found = whole[::-1], []
    for entry in entries:
        if not left:
            raise Damaged("there are more entries than parts of the space")
        box, side = left.pop()
        if isinstance(entry, list) and entry[0] == "cut":
            (k, x), (a, b) = (axes[axes.index(entry[1])], *numbers(entry[2:])), box[entry[1]]
            if not a < x < b:
                raise Refuted(f"not covered: a cut at {x:.9g} is outside of {words(box)}")
            left += [([*box[:k], end, *box[k + 1 :]], side) for end in ((x, b), (a, x))]
        else:
            found.append((box, side, entry))
    if left:
        raise Refuted(f"not covered: {words(left[-1][0])}")
    return found


def negative_definite(rows):
    """Return whether every symmetric matrix between bounds is negative definite: all pivots are negative."""
    if any(one is None or not -inf < one[0] <= one[1] < inf for row in rows for one in row):
        return False
    rows = [[ball(one) for one in row] for row in rows]
    for k, pivot in enumerate(rows):
        if not pivot[k] < 0:
            return False
        for i in range(k + 1, len(rows)):
            factor = rows[i][k] / pivot[k]
            rows[i] = [a - factor * b for a, b in zip(rows[i], pivot, strict=True)]
    return True


def above(x):
    return x is not None and x[0] > 0


def below(x):
    return x is not None and x[1] < 0


class Game:
    """Payoffs and their derivatives; choices are counted over all players.

    After choices and parameters, row numbers go on with the choices that a player deviates to.
    """

    def __init__(self, document):
        space, ranges = document["space"], document.get("parameters", {"names": [], "low": [], "high": []})
        self.player, self.names = [int(one) for one in space["player"]], ranges["names"]
        self.space, nodes = pairs(space) + pairs(ranges), document["payoffs"]["nodes"]
        count, total = len(self.player), len(self.space)
        if not (0 < count == total - len(self.names) <= total <= 64 and len(nodes) <= NODES):
            raise Damaged("the space or the payoffs are not as specified")
        self.unit = [b - a for a, b in self.space]
        if min(self.unit) <= 0:
            raise Damaged("the space has a choice or a parameter without a width")
        self.graph, self.choices = Graph(), range(count)
        place = self.read(nodes)
        self.pay, derivative = [place[one] for one in document["payoffs"]["results"]], self.graph.derivative
        self.slopes = [derivative(self.pay[p], k) for k, p in enumerate(self.player)]
        self.bends = [[one and derivative(one, j) for j in range(total)] for one in self.slopes]
        self.gains = {}
        for p in sorted(set(self.player)):
            other = {k: total + k for k in self.choices if self.player[k] == p}
            self.gains[p] = self.graph.add("sub", self.graph.moved(self.pay[p], other), self.pay[p])

    def read(self, nodes):
        """Return the places of the nodes of a document."""
        place = []
        for name, *rest in nodes:
            if name == "x" and 0 <= rest[0] < len(self.space):
                node = ("x", int(rest[0]))
            elif name == "c":
                node = ("c", float.fromhex(*rest))
                if isnan(node[1]):
                    raise Damaged("a constant of the payoffs is no number")
            elif len(rest) == FUNCTIONS[name].__code__.co_argcount and all(one >= 0 for one in rest):
                node = (name, *(place[one] for one in rest))  # operands stand before
            else:
                raise Damaged(f"node {len(place)} of the payoffs is not as specified")
            if name.endswith("power"):
                kind, exponent = self.graph.nodes[node[2]][:2]
                whole = kind == "c" and exponent == round(exponent) and abs(exponent) <= 100
                if kind != "c" or (name == "whole_power" and not whole):
                    raise Damaged("an exponent is not a number, or not a whole one up to 100")
            place.append(self.graph.add(*node))
        return place

    def values(self, ranges):
        each = (
            f"{str(name)[:80]} from {a:.12g} to {b:.12g}"
            for name, (a, b) in zip(self.names, ranges, strict=True)
        )
        return " and ".join(each)

    def part(self, part, ranges):
        """Return the number of equilibria for all parameters in ranges, and of boxes without others."""
        points = [
            self.equilibrium(f"equilibrium {k + 1}", one, ranges) for k, one in enumerate(part["equilibria"])
        ]
        for k, (near, _, side) in enumerate(points):
            for other, _, same in points[:k]:
                if side == same and all(
                    a <= d and c <= b for (a, b), (c, d) in zip(near, other, strict=True)
                ):
                    raise Refuted(f"equilibrium {k + 1} may be one of those before it")
        if not part["complete"]:
            return len(points), 0
        if len(self.player) > CHOICES:
            raise Damaged(f"a complete list has at most {CHOICES} choices, which have {3**CHOICES} sides")
        sides = []
        for side in map(list, product((-1, 0, 1), repeat=len(self.player))):
            ends = zip(self.space, side, strict=False)
            sides.append(([(b if s > 0 else a, a if s < 0 else b) for (a, b), s in ends] + ranges, side))
        boxes = divided(part["boxes"], sides, self.choices)
        for box, side, why in boxes:
            self.exclude(box, side, why, points)
        return len(points), len(boxes)

    def bounds(self, place, box, moving):
        """Yield bounds on a node in a box: by the mean value in some directions, then of the operations."""
        middle, moves = list(box), []
        moving = [k for k in moving if box[k][0] < box[k][1]]
        slopes = self.graph.evaluate(tuple(self.graph.derivative(place, k) for k in moving), box)
        for k, slope in zip(moving, slopes, strict=True):
            if slope and -inf < slope[0] and slope[1] < inf:  # in other directions the box stays as it is
                m = min(max(box[k][0] / 2 + box[k][1] / 2, box[k][0]), box[k][1])
                middle[k] = m, m
                moves.append(mul(slope, add(box[k], (-m, -m))))
        (value,) = self.graph.evaluate((place,), middle)
        for move in moves:
            value = value and add(value, move)
        yield value
        yield from self.graph.evaluate((place,), box)

    def apart(self, k, near):
        """Return how far a choice is from the nearer one of its bounds that it is not at: its scale."""
        low, high = self.space[k]
        return min(one for one in (near[0] - low, high - near[1], self.unit[k]) if one > 0)

    def everywhere(self, holds, box, sizes, limit, said, gain=None):
        """Raise `Refuted` unless something holds in all parts of a box, halved where it is wide.

        Where a ``gain`` has no derivatives, parts are halved in the direction that lowers its bound most.
        """
        left, parts = [box], 0

        def width(k):
            return (box[k][1] - box[k][0]) / sizes[k]

        def most(k):
            ends = (self.graph.evaluate((gain,), half)[0] for half in halves(box, k))
            return max(one[1] if one else inf for one in ends), -width(k)

        while left:
            box, parts = left.pop(), parts + 1
            if not holds(box):
                k = max(sizes, key=width)
                slopes = tuple(self.graph.derivative(gain, j) for j in sizes) if gain else ()
                if None in self.graph.evaluate(slopes, box):
                    k = min(sizes, key=most)
                (a, b), left = box[k], left + halves(box, k)
                if parts > limit or not a < a / 2 + b / 2 < b:
                    raise Refuted(f"{said} in {words(box)}")

    def krawczyk(self, box, side):
        """Return bounds on all zeros of the derivatives in a box; choices at bounds stay; None if unknown."""
        free, total = [k for k in self.choices if side[k] == 0], len(self.space)
        middle = [(m, m) for m in (min(max(a / 2 + b / 2, a), b) for a, b in box)]
        moving = [*free, *range(len(self.player), total)]
        here = self.graph.evaluate(tuple(self.slopes[k] for k in free), middle)
        bends = self.graph.evaluate(tuple(self.bends[k][j] for k in free for j in moving), box)
        if not all(one and -inf < one[0] and one[1] < inf for one in (*here, *bends)):
            return None
        bend = arb_mat(len(free), len(moving), [ball(one) for one in bends])
        own = [row[: len(free)] for row in bend.table()]
        try:
            inverse = arb_mat([[one.mid() for one in row] for row in own]).inv()
        except ZeroDivisionError:
            return None
        inverse = arb_mat([[one.mid() for one in row] for row in inverse.table()])  # any matrix will do
        unit = arb_mat(
            len(free), len(moving), [int(i == j) for i in range(len(free)) for j in range(len(moving))]
        )
        away = arb_mat([[ball(add(box[k], neg(middle[k])))] for k in moving])
        image = (unit - inverse * bend) * away - inverse * arb_mat([[ball(one)] for one in here])
        box = list(box)
        for k, move in zip(free, image.entries(), strict=True):
            box[k] = pair(move + middle[k][0])
        return None if None in box else box

    def exclude(self, box, side, why, points):
        """Raise `Refuted` unless no equilibrium is in a box, or only the one that the reason names."""
        name, *rest = why
        if name == "around":
            alone, same = points[rest[0]][1:]
            if side != same or not within(box, alone):
                raise Refuted(f"{words(box)} is not where equilibrium {rest[0] + 1} is the only one")
            return
        every = range(len(box))
        if name == "slope":
            (k,) = rest
            said = f"derivative of player {self.player[k] + 1} has no sign"

            def holds(part):
                bounds = self.bounds(self.slopes[k], part, every)
                return any((side[k] <= 0 and above(one)) or (side[k] >= 0 and below(one)) for one in bounds)
        elif name == "better":
            player, strategy = rest[0], numbers(rest[1])
            own = [k for k in self.choices if self.player[k] == player]
            move = {k: (x, x) for k, x in zip(own, strategy, strict=True)}
            if not within(move.values(), [self.space[k] for k in own]):
                raise Refuted(f"{words(move.values())} is no strategy of player {player + 1}")
            said = f"player {player + 1} has no certain gain"

            def holds(part):
                moved = [*part, *(move.get(k, part[k]) for k in self.choices)]
                return any(map(above, self.bounds(self.gains[player], moved, every)))
        elif name == "krawczyk":
            said = "zeros of the derivatives are not excluded"

            def holds(part):
                image = self.krawczyk(part, side) or part
                return any(d < a or c > b for (c, d), (a, b) in zip(image, part, strict=True))
        else:
            raise Damaged(f"reason {str(name)[:20]!r}")
        self.everywhere(holds, box, dict(enumerate(self.unit)), PARTS, said)

    def equilibrium(self, name, entry, ranges):
        """Return bounds on an equilibrium, the box where it is the only one, and its side."""
        box, point = pairs(entry), numbers(entry["point"])
        alone = near = box + ranges
        if not within(box, self.space[: len(box)]) or not len(box) == len(point) == len(self.player):
            raise Refuted(f"{name}: {words(box)} is not in the space")
        if entry["side"] is None:  # a continuous payoff has a largest value
            side = None
            if len(self.gains) > 1 or None in self.graph.evaluate(
                (self.pay[self.player[0]], *self.slopes), near
            ):
                raise Refuted(f"{name}: its payoff is not that of one player, or not known to be continuous")
            inside = [(x, x) for x in point]
            if not within(inside, box):
                raise Refuted(f"{name}: its point is not in {words(box)}")
            self.outside(name, *self.gains, inside + ranges, near)
        else:
            side = [SIDES[one] for one in entry["side"]]
            near = self.enclosed(name, near, side)
        radius = float.fromhex(entry["radius"])
        for (a, b), x in zip(near, point, strict=False):
            if not add((x, x), (-a, -a))[1] <= radius or not add((b, b), (-x, -x))[1] <= radius:
                raise Refuted(
                    f"{name}: it is between {a:.15g} and {b:.15g}, not within {radius:.3g} of {x:.15g}"
                )
        for player in self.gains if side else ():
            self.best(name, player, near, side)
        return near, alone, side

    def enclosed(self, name, box, side):
        """Return bounds on the only zero of the derivatives in a box, on one side."""
        for k, s in zip(self.choices, side, strict=True):
            bound = self.space[k][s > 0]
            if s and box[k] != (bound, bound):
                raise Refuted(f"{name}: {words(box)} is not at the bounds that it names")
        near, free = box, [k for k in self.choices if side[k] == 0]
        if free:
            image = self.krawczyk(box, side)
            if image is None or not all(box[k][0] < image[k][0] and image[k][1] < box[k][1] for k in free):
                raise Refuted(f"{name}: its existence and uniqueness are not proved in {words(box)}")
            for _ in range(8):
                near = [(max(a, c), min(b, d)) for (a, b), (c, d) in zip(near, image, strict=True)]
                image = self.krawczyk(near, side) or near
        slopes = self.graph.evaluate(tuple(self.slopes), near)
        for k in self.choices:
            if side[k] and not (above if side[k] > 0 else below)(slopes[k]):
                who = f"player {self.player[k] + 1}"
                raise Refuted(f"{name}: the derivative of {who} at a bound does not point outward")
        return near

    def best(self, name, player, near, side):
        """Raise `Refuted` unless no strategy of a player is better at any profile in a box."""
        own, around = [k for k in self.choices if self.player[k] == player], list(near)
        free = [k for k in own if side[k] == 0]
        slopes = tuple(self.slopes[k] for k in own if side[k])
        bends = tuple(self.bends[k][j] for k in free for j in free)
        outward = [above if side[k] > 0 else below for k in own if side[k]]
        for shrink in range(32):
            for k in own:
                (low, high), room = self.space[k], 2.0 ** (4 - shrink) * self.apart(k, near[k])
                around[k] = max(near[k][0] - room, low), min(near[k][1] + room, high)
            signs = zip(outward, self.graph.evaluate(slopes, around), strict=True)
            found, size = self.graph.evaluate(bends, around), len(free)
            concave = negative_definite([found[k * size : k * size + size] for k in range(size)])
            if concave and all(test(one) for test, one in signs):
                return self.outside(name, player, near, around)
        raise Refuted(f"{name}: the payoff of player {player + 1} is not concave around it")

    def outside(self, name, player, near, around):
        """Raise `Refuted` unless all strategies that are not around a profile pay less than it, or others."""
        gain, total = self.gains[player], len(near)
        own = [total + k for k in self.choices if self.player[k] == player]
        slopes = tuple(self.graph.derivative(gain, k) for k in own)
        said = f"{name}: a better strategy of player {player + 1} is not excluded"

        def worse(box):
            if all(within(box[k : k + 1], around[k - total : k - total + 1]) for k in own):
                return True
            # where the payoff rises, it is larger beside the box, or at the end of the space
            found, ends = self.graph.evaluate(slopes, box), [self.space[k - total] for k in own]
            if None not in found and any(
                (above(s) and box[k][1] < high) or (below(s) and box[k][0] > low)
                for s, k, (low, high) in zip(found, own, ends, strict=True)
            ):
                return True
            for one in self.bounds(gain, box, own):
                if below(one):
                    return True
                if above(one):
                    raise Refuted(f"{said} in {words(box[k] for k in own)}")
            return False

        strategies = [self.space[k] if total + k in own else near[k] for k in self.choices]
        sizes = {k: self.apart(k - total, near[k - total]) for k in own}
        try:
            self.everywhere(worse, [*near, *strategies], sizes, STRATEGIES, said)
        except Refuted:  # other halves may do, as near choices of zero with an infinite derivative
            self.everywhere(worse, [*near, *strategies], sizes, STRATEGIES, said, gain)
