"""Games on boxes: exact equilibria exist, are the only ones, and no strategy of any player is better.

A *side* says of every choice whether it is at its lower bound (-1), its upper one (1), or between them (0).
"""

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
    found = document["equilibria"]
    points = [game.equilibrium(k, *game.box(one), one) for k, one in enumerate(found)]
    for k, (near, _, side) in enumerate(points):
        for other, _, same in points[:k]:
            if side == same and all(a <= d and c <= b for (a, b), (c, d) in zip(near, other, strict=True)):
                raise Refuted(f"equilibrium {k + 1} may be one of those before it")
    count = f"{len(found)} equilibri{'um' if len(found) == 1 else 'a'}"
    if not document["complete"]:
        return f"{count}; others are not excluded"
    if len(game.low) > CHOICES:
        raise Damaged(f"a complete list has at most {CHOICES} choices, which have {3**CHOICES} sides")
    boxes = [(*game.box(one), one) for one in document["boxes"]]
    game.cover(boxes)
    for low, high, side, one in boxes:
        game.exclude(low, high, side, one["why"], points)
    return f"{count}, complete ({len(boxes)} boxes)"


def words(low, high):
    return "box " + " x ".join(f"[{a:.9g}, {b:.9g}]" for a, b in zip(low, high, strict=True))


def numbers(row):
    found = [float.fromhex(one) for one in row]
    if not all(abs(one) < inf for one in found):
        raise Damaged("a number is not finite")
    return found


def middles(low, high):
    return [min(max(a / 2 + b / 2, a), b) for a, b in zip(low, high, strict=True)]


def halves(low, high, unit):
    """Return both halves of a box, split where it is widest."""
    k = max(range(len(low)), key=lambda k: (high[k] - low[k]) / unit[k])
    m = middles(low, high)[k]
    return (low, [*high[:k], m, *high[k + 1 :]]), ([*low[:k], m, *low[k + 1 :]], high)


def negative_definite(rows):
    """Whether all symmetric matrices between bounds are negative definite: their pivots are below zero."""
    if any(None in row for row in rows):
        return False
    rows = [[ball(one) for one in row] for row in rows]
    for k in range(len(rows)):
        if not rows[k][k] < 0:
            return False
        for i in range(k + 1, len(rows)):
            factor = rows[i][k] / rows[k][k]
            rows[i] = [a - factor * b for a, b in zip(rows[i], rows[k], strict=True)]
    return True


def linear(value, slopes, box, mid):
    """Return bounds by the mean value: a value at a point, and slopes in a box times moves."""
    for slope, (a, b), m in zip(slopes, box, mid, strict=True):
        if slope is None or value is None:
            return None
        value = add(value, mul(slope, add((a, b), (-m, -m)))) if a != b else value
    return value


def above(x):
    return x is not None and x[0] > 0


def below(x):
    return x is not None and x[1] < 0


class Game:
    """Payoffs and their derivatives; choices are counted over all players."""

    def __init__(self, document):
        space, payoffs = document["space"], document["payoffs"]
        self.player = [int(one) for one in space["player"]]
        self.low, self.high = numbers(space["low"]), numbers(space["high"])
        self.unit = [b - a for a, b in zip(self.low, self.high, strict=True)]
        nodes = payoffs["nodes"]
        count = len(self.player)
        if not (0 < count == len(self.unit) <= 64 and min(self.unit) > 0 and len(nodes) <= NODES):
            raise Damaged("the space or the payoffs are not as specified")
        self.graph, place = Graph(), []
        for name, *rest in nodes:
            if name == "x" and 0 <= rest[0] < count:
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
        self.pay = [place[one] for one in payoffs["results"]]
        self.all = range(count)
        derivative = self.graph.derivative
        self.slopes = tuple(derivative(self.pay[p], k) for k, p in enumerate(self.player))
        self.bends = tuple(
            None if one is None else derivative(one, j) for one in self.slopes for j in self.all
        )

    def box(self, entry):
        """Return the ends of a box and its side, which has those choices at bounds that it says."""
        low, high = numbers(entry["low"]), numbers(entry["high"])
        side = [SIDES[one] for one in entry["side"]]
        for k, s in zip(self.all, side, strict=True):
            bound = (self.low[k], None, self.high[k])[s + 1]
            if (s and not low[k] == high[k] == bound) or not self.low[k] <= low[k] <= high[k] <= self.high[k]:
                raise Refuted(f"{words(low, high)} is not in the space, or not at the bounds that it names")
        return low, high, side

    def slope(self, k, low, high):
        """Yield bounds on the derivative of choice k: of the operations, then by the mean value."""
        box, mid, n = list(zip(low, high, strict=True)), middles(low, high), len(low)
        yield from self.graph.evaluate((self.slopes[k],), box)
        (here,) = self.graph.evaluate((self.slopes[k],), [(m, m) for m in mid])
        yield linear(here, self.graph.evaluate(self.bends[k * n : k * n + n], box), box, mid)

    def krawczyk(self, low, high, side):
        """Return bounds on all zeros of the derivatives in a box; choices at bounds stay; None if unknown."""
        free, n = [k for k in self.all if side[k] == 0], len(low)
        box, mid = list(zip(low, high, strict=True)), middles(low, high)
        here = self.graph.evaluate(tuple(self.slopes[k] for k in free), [(m, m) for m in mid])
        bends = self.graph.evaluate(tuple(self.bends[k * n + j] for k in free for j in free), box)
        if not all(one and -inf < one[0] and one[1] < inf for one in (*here, *bends)):
            return None
        size, bend = len(free), arb_mat(len(free), len(free), [ball(one) for one in bends])
        unit = arb_mat(size, size, [int(i == j) for i in range(size) for j in range(size)])
        try:
            inverse = arb_mat([[one.mid() for one in row] for row in bend.table()]).inv()
        except ZeroDivisionError:
            return None
        inverse = arb_mat([[one.mid() for one in row] for row in inverse.table()])  # any matrix will do
        away = arb_mat([[ball(add(box[k], (-mid[k], -mid[k])))] for k in free])
        image = (unit - inverse * bend) * away - inverse * arb_mat([[ball(one)] for one in here])
        for k, move in zip(free, image.entries(), strict=True):
            box[k] = pair(move + mid[k])
        return None if None in box else box

    def exclude(self, low, high, side, why, points):
        """Raise `Refuted` unless no equilibrium is in a box, or only the one that the reason names."""
        name, *rest = why
        if name == "around":
            (alone_low, alone_high), same = points[rest[0]][1:]
            inside = all(a <= b for a, b in zip((*alone_low, *high), (*low, *alone_high), strict=True))
            if not inside or side != same:
                raise Refuted(f"{words(low, high)} is not where equilibrium {rest[0] + 1} is the only one")
            return
        if name == "slope":
            (k,), said = rest, f"derivative of player {self.player[rest[0]] + 1} has no sign"
        elif name == "better":
            player, strategy = rest[0], numbers(rest[1])
            own = [k for k in self.all if self.player[k] == player]
            said = f"player {player + 1} has no certain gain"
            for k, value in zip(own, strategy, strict=True):
                if not self.low[k] <= value <= self.high[k]:
                    raise Refuted(f"{words(strategy, strategy)} is no strategy of player {player + 1}")
        elif name == "krawczyk":
            said = "zeros of the derivatives are not excluded"
        else:
            raise Damaged(f"reason {str(name)[:20]!r}")
        left, parts = [(low, high)], 0
        while left:
            some, parts = left.pop(), parts + 1
            if name == "slope":
                bounds = self.slope(k, *some)
                done = any((side[k] <= 0 and above(one)) or (side[k] >= 0 and below(one)) for one in bounds)
            elif name == "better":
                done = any(map(above, self.gain(player, *some, dict(zip(own, strategy, strict=True)))))
            else:
                image = self.krawczyk(*some, side) or zip(*some, strict=True)
                done = any(one[1] < a or one[0] > b for one, a, b in zip(image, *some, strict=True))
            if not done:
                if parts > PARTS or some[0] == some[1]:
                    raise Refuted(f"{said} in {words(*some)}")
                left += halves(*some, self.unit)

    def gain(self, player, low, high, strategy):
        """Yield bounds on the gain by one strategy, by choice, in a box of profiles."""
        box, mid = list(zip(low, high, strict=True)), [(m, m) for m in middles(low, high)]
        pay, move = self.pay[player], {k: (one, one) for k, one in strategy.items()}
        moved, moved_mid = ([move.get(k, one[k]) for k in self.all] for one in (box, mid))

        def less(x, y):
            return x and y and add(x, neg(y))

        (new,), (old,) = self.graph.evaluate((pay,), moved), self.graph.evaluate((pay,), box)
        yield less(new, old)
        places = tuple(self.graph.derivative(pay, k) for k in self.all)
        rises, falls = self.graph.evaluate(places, moved), self.graph.evaluate(places, box)
        rises = [(0.0, 0.0) if k in strategy else one for k, one in zip(self.all, rises, strict=True)]
        (new,), (old,) = self.graph.evaluate((pay,), moved_mid), self.graph.evaluate((pay,), mid)
        yield linear(less(new, old), list(map(less, rises, falls)), box, middles(low, high))

    def equilibrium(self, number, low, high, side, entry):
        """Return bounds on an equilibrium, the box where it is the only one, and its side."""
        name, free = f"equilibrium {number + 1}", [k for k in self.all if side[k] == 0]
        near = list(zip(low, high, strict=True))
        if free:
            image = self.krawczyk(low, high, side)
            if image is None or not all(low[k] < image[k][0] and image[k][1] < high[k] for k in free):
                raise Refuted(f"{name}: its existence and uniqueness are not proved in {words(low, high)}")
            for _ in range(8):
                near = [(max(a, c), min(b, d)) for (a, b), (c, d) in zip(near, image, strict=True)]
                image = self.krawczyk(*zip(*near, strict=True), side) or near
        radius = float.fromhex(entry["radius"])
        for (a, b), x in zip(near, numbers(entry["point"]), strict=True):
            if not add((x, x), (-a, -a))[1] <= radius or not add((b, b), (-x, -x))[1] <= radius:
                raise Refuted(
                    f"{name}: it is between {a:.15g} and {b:.15g}, not within {radius:.3g} of {x:.15g}"
                )
        slopes = self.graph.evaluate(self.slopes, near)
        for k in self.all:
            if side[k] and not (above if side[k] > 0 else below)(slopes[k]):
                who = f"player {self.player[k] + 1}"
                raise Refuted(f"{name}: the derivative of {who} at a bound does not point outward")
        for player in sorted(set(self.player)):
            self.best(name, player, near, side)
        return near, (low, high), side

    def best(self, name, player, near, side):
        """Raise `Refuted` unless no strategy of a player is better at any profile in a box."""
        own, n = [k for k in self.all if self.player[k] == player], len(near)
        free, place, box = [k for k in own if side[k] == 0], self.pay[player], list(near)
        bounds = tuple(self.slopes[k] for k in own if side[k])
        bends = tuple(self.bends[k * n + j] for k in free for j in free)
        outward = [above if side[k] > 0 else below for k in own if side[k]]
        for shrink in range(14):
            for k in own:
                room = self.unit[k] * 4.0**-shrink
                box[k] = max(near[k][0] - room, self.low[k]), min(near[k][1] + room, self.high[k])
            found, m = self.graph.evaluate(bends, box), len(free)
            falls = all(
                test(one) for test, one in zip(outward, self.graph.evaluate(bounds, box), strict=True)
            )
            if falls and negative_definite([found[k * m : k * m + m] for k in range(m)]):
                break
        else:
            raise Refuted(f"{name}: the payoff of player {player + 1} is not concave around it")
        around, unit = [box[k] for k in own], [self.unit[k] for k in own]
        (here,) = self.graph.evaluate((place,), near)
        left, parts = [([self.low[k] for k in own], [self.high[k] for k in own])], 0
        while left:
            (low, high), parts = left.pop(), parts + 1
            if all(a <= x and y <= b for x, y, (a, b) in zip(low, high, around, strict=True)):
                continue
            mid, inner = middles(low, high), list(near)
            for k, x, y, m in zip(own, low, high, mid, strict=True):
                box[k], inner[k] = (x, y), (m, m)
            whole, *slopes = self.graph.evaluate((place, *(self.slopes[k] for k in own)), box)
            # where the payoff rises, it is larger beside the box, or at the end of the space
            ends = zip(slopes, own, low, high, strict=True)
            if here and whole and whole[1] < here[0]:
                continue
            if None not in slopes and any(
                (above(s) and y < self.high[k]) or (below(s) and x > self.low[k]) for s, k, x, y in ends
            ):
                continue
            (there,) = self.graph.evaluate((place,), inner)
            rest = linear(there, slopes, list(zip(low, high, strict=True)), mid)
            if here and rest and rest[1] < here[0]:
                continue
            if parts > STRATEGIES or low == high or (here and there and there[0] > here[1]):
                said = f"a better strategy of player {player + 1} is not excluded"
                raise Refuted(f"{name}: {said} in {words(low, high)}")
            left += halves(low, high, unit)

    def cover(self, boxes):
        """Raise `Refuted` unless the boxes of every side cover it; ends are compared, nothing is rounded."""
        sides = [[]]
        for _ in self.all:
            sides = [[*one, s] for one in sides for s in (-1, 0, 1)]
        for side in sides:
            low = [b if s > 0 else a for a, b, s in zip(self.low, self.high, side, strict=True)]
            high = [a if s < 0 else b for a, b, s in zip(self.low, self.high, side, strict=True)]
            left = [(low, high, [(a, b) for a, b, same, _ in boxes if same == side])]
            free = [k for k in self.all if side[k] == 0]
            while left:
                low, high, some = left.pop()
                some = [(a, b) for a, b in some if all(a[k] < high[k] and b[k] > low[k] for k in free)]
                if any(all(a[k] <= low[k] and b[k] >= high[k] for k in free) for a, b in some):
                    continue
                cuts = []  # at the median of the faces inside, in the direction in which fewest boxes are cut
                for k in free:
                    faces = sorted(x for box in some for x in (box[0][k], box[1][k]) if low[k] < x < high[k])
                    if faces:
                        x = faces[len(faces) // 2]
                        cuts.append((sum(a[k] < x < b[k] for a, b in some), k, x))
                if not cuts:
                    raise Refuted(f"not covered: {words(low, high)}")
                _, k, x = min(cuts)
                left.append((low, [*high[:k], x, *high[k + 1 :]], some))
                left.append(([*low[:k], x, *low[k + 1 :]], high, some))
