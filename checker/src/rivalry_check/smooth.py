"""Games on boxes: exact equilibria exist, are the only ones, and no strategy of any player is better.

A box has bounds on the choices of all players, then on parameters of the game, then on totals over players.
"""

from math import inf, isnan

from flint import arb_mat, ctx

from rivalry_check import Damaged, Refuted
from rivalry_check.graph import OPERATIONS, Graph, add, ball, mul, neg, pair

PARTS = 4000  # into which a box is split at most, for one reason
STRATEGIES = 20_000  # boxes of one player's strategies
NODES = 2_000_000
WRITTEN = set(OPERATIONS) - {"trigamma", "steep", "spread", "side", "jump"}  # others are those of derivatives


def check(document):
    """Return what a document proves, in words. Raises `Refuted`."""
    ctx.prec = 64
    game, said, total = Game(document), [], 0
    first = len(game.player)
    if not game.names:
        count, boxes = game.part(document, [])
        found = f"{count} equilibri{'um' if count == 1 else 'a'}"
        if not boxes:
            return (
                f"{found}; others are not excluded" if boxes is None else f"{found}, complete (constant sum)"
            )
        return f"{found}, complete ({boxes} boxes)"

    for box, part in divided(document["parts"], game.space, range(first, len(game.space))):
        if part == ["undecided"]:
            continue
        values = box[first:]
        count, boxes = game.part(part, values)
        total += boxes
        if said and said[-1][0] == count and len(values) == 1 and said[-1][1][0][1] == values[0][0]:
            values = [(said.pop()[1][0][0], values[0][1])]  # the ranges touch
        said.append((count, values))
    if not said:
        raise Refuted("no range of parameters is decided")
    if len({count for count, _ in said}) == 1 and ["undecided"] not in document["parts"]:
        said = [(said[0][0], game.space[first:])]
    each = []
    for count, values in said:
        named = zip(game.names, values, strict=True)
        values = (f"{str(name)[:80]} from {a:.12g} to {b:.12g}" for name, (a, b) in named)
        each.append(f"exactly {count} for all {' and '.join(values)}")
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


def known(x):
    return x is not None and -inf < x[0] and x[1] < inf


def sign(x):
    return 0 if x is None else (x[0] > 0) - (x[1] < 0)


def within(inner, outer):
    return all(a <= c and d <= b for (c, d), (a, b) in zip(inner, outer, strict=False))


def middle(x):
    return min(max(x[0] / 2 + x[1] / 2, x[0]), x[1])


def halves(box, k, at):
    return [[*box[:k], end, *box[k + 1 :]] for end in ((box[k][0], at), (at, box[k][1]))]


def widest(box, size):
    return max(size, key=lambda k: (box[k][1] - box[k][0]) / size[k])


def divided(entries, whole, axes, remains=lambda box, entry: []):
    """Return the parts of a box with their entries; ``["cut", axis, at]`` stands before two parts.

    As boxes are only ever cut, parts have the box as their union, whatever the entries are. What remains of a
    part after its entry is the next part.
    """
    left, found = [whole], []
    for entry in entries:
        if not left:
            raise Damaged("there are more entries than parts of the space")
        box = left.pop()
        if isinstance(entry, list) and entry[0] == "cut":
            k, (at,) = axes[axes.index(entry[1])], numbers(entry[2:])
            if not box[k][0] < at < box[k][1]:
                raise Refuted(f"not covered: a cut at {at:.9g} is outside of {words(box)}")
            left += halves(box, k, at)[::-1]
        else:
            found.append((box, entry))
            left += remains(box, entry)
    if left:
        raise Refuted(f"not covered: {words(left[-1])}")
    return found


def everywhere(holds, box, axis, limit, said):
    """Raise `Refuted` unless something holds in all parts of a box, halved where it does not."""
    left, parts = [box], 0
    while left:
        box, parts = left.pop(), parts + 1
        if not holds(box):
            k = axis(box)
            left += halves(box, k, middle(box[k]))
            if parts > limit or not box[k][0] < middle(box[k]) < box[k][1]:
                raise Refuted(f"{said} in {words(box)}")


def negative_definite(rows):
    """Return whether every symmetric matrix between bounds is negative definite: all pivots are negative."""
    if not all(known(one) for row in rows for one in row):
        return False
    rows = [[ball(one) for one in row] for row in rows]
    for k, pivot in enumerate(rows):
        if not pivot[k] < 0:
            return False
        for i in range(k + 1, len(rows)):
            factor = rows[i][k] / pivot[k]
            rows[i] = [a - factor * b for a, b in zip(rows[i], pivot, strict=True)]
    return True


class Game:
    """Payoffs and their derivatives; choices are counted over all players.

    After choices and parameters, rows of numbers go on with the sums over the other players that belong to
    each total and player, and then with the choices that a player deviates to.
    """

    def __init__(self, document):
        space, ranges = document["space"], document.get("parameters", {"names": [], "low": [], "high": []})
        self.player, self.names = [int(one) for one in space["player"]], ranges["names"]
        self.space, self.choices = pairs(space) + pairs(ranges), range(len(self.player))
        nodes, results = (document["payoffs"][name] for name in ("nodes", "results"))
        totals, size = document.get("totals", []), len(self.space)
        self.end = size + len(totals) * len(results)
        if not (0 < len(self.player) == size - len(self.names) <= size <= 64 and len(nodes) <= NODES):
            raise Damaged("the space or the payoffs are not as specified")
        self.own = {p: [k for k in self.choices if self.player[k] == p] for p in sorted(set(self.player))}
        self.graph = graph = Graph()
        place, derivative, others = self.read(nodes), graph.derivative, {}
        given = [place[one] for one in results]
        self.totals = [tuple(place[one] for one in parts) for parts in totals]
        for parts in self.totals:  # what each player adds
            for p, (part, _) in enumerate(zip(parts, given, strict=True)):
                used = {graph.nodes[one][0] for one in graph.order((part,)) if len(graph.nodes[one]) == 1}
                if not {k for k in used if isinstance(k, int)} <= set(self.own.get(p, ())):
                    raise Damaged("a part of a total depends on other choices than its player's")
                rest = None
                for one in parts[:p] + parts[p + 1 :]:
                    rest = one if rest is None else graph.add("add", rest, one)
                others[size + len(others)] = rest
        self.pay = [graph.moved(one, others) for one in given]
        self.slopes = [derivative(self.pay[p], k) for k, p in enumerate(self.player)]
        self.bends = [[derivative(one, j) for j in range(size)] for one in self.slopes]
        self.given, self.gains = [], {}  # slopes for given sums of the own rivals
        for k, p in enumerate(self.player):
            foreign = {j: one for j, one in others.items() if (j - size) % len(given) != p}
            self.given.append(derivative(graph.moved(given[p], foreign), k))
        for p, own in self.own.items():
            moved = graph.moved(self.pay[p], {k: graph.add(self.end + k) for k in own})
            self.gains[p] = graph.add("sub", moved, self.pay[p])
        self.whole = self.space + [self.total(graph.evaluate(parts, self.space)) for parts in self.totals]
        self.unit = {k: b - a for k, (a, b) in enumerate(self.whole)}
        if min(self.unit.values()) <= 0:
            raise Damaged("the space has a choice or a parameter without a width")

    def read(self, nodes):
        """Return the places of the nodes of a document."""
        place = []
        for name, *rest in nodes:
            if name == "x" and 0 <= rest[0] < self.end:
                node = (int(rest[0]),)
            elif name == "c" and not isnan(float.fromhex(*rest)):
                node = ((float.fromhex(*rest),) * 2,)
            elif name in WRITTEN and len(rest) == OPERATIONS[name][0].__code__.co_argcount and min(rest) >= 0:
                node = (name, *(place[one] for one in rest))  # operands stand before
            else:
                raise Damaged(f"node {len(place)} of the payoffs is not as specified")
            if name == "power" and not -100 <= self.graph.nodes[node[2]][0][0] <= 100:
                raise Damaged("an exponent is not a number up to 100")
            place.append(self.graph.add(*node))
        return place

    def part(self, part, ranges):
        """Return the number of equilibria for all parameters in ranges, and of boxes without others."""
        points = [
            self.equilibrium(f"equilibrium {k + 1}", e, ranges) for k, e in enumerate(part["equilibria"])
        ]
        for k, (near, *_) in enumerate(points):
            for other, *_ in points[:k]:
                if all(a <= d and c <= b for (a, b), (c, d) in zip(near, other, strict=True)):
                    raise Refuted(f"equilibrium {k + 1} may be one of those before it")
        if part.get("constant_sum"):
            # each strategy of another equilibrium would be a best response to this one, which has no others
            if len(points) != 1 or len(self.pay) != 2 or not self.graph.constant(self.pay):
                raise Refuted("it is not one equilibrium of two players whose payoffs have a constant sum")
            return 1, 0
        if "boxes" not in part:
            return len(points), None
        whole = self.space[: len(self.player)] + ranges + self.whole[len(self.space) :]
        axes = [*self.choices, *range(len(self.space), len(whole))]
        boxes = divided(part["boxes"], whole, axes, self.remains)
        for box, why in boxes:
            self.exclude(box, why, points)
        return len(points), len(boxes)

    def total(self, parts):
        found = (0.0, 0.0)
        for one in parts:
            found = found and one and add(found, one)
        return found or (-inf, inf)

    def row(self, box):
        """Return a box with sums over others in place of totals; None if no profile has such totals."""
        row = box[: len(self.space)]
        for parts, whole in zip(self.totals, box[len(self.space) :], strict=True):
            each = self.graph.evaluate(parts, box)
            for p, one in enumerate(each):
                (a, b), left = self.total(each[:p] + each[p + 1 :]), one and add(whole, neg(one))
                row.append((max(a, left[0]), min(b, left[1])) if left else (a, b))
        return row if all(a <= b for a, b in row) else None

    def bounds(self, place, box, moving):
        """Yield bounds on a node in a box: by the mean value in some directions, then of the operations."""
        middles, moves = list(box), []
        moving = [k for k in moving if box[k][0] < box[k][1] and self.graph.derivative(place, k) is not None]
        slopes = self.graph.evaluate(tuple(self.graph.derivative(place, k) for k in moving), box)
        for k, slope in zip(moving, slopes, strict=True):
            if known(slope):  # in other directions the box stays as it is
                m = middle(box[k])
                middles[k] = m, m
                moves.append(mul(slope, add(box[k], (-m, -m))))
        (value,) = self.graph.evaluate((place,), middles)
        for move in moves:
            value = value and add(value, move)
        yield value
        yield from self.graph.evaluate((place,), box)

    def inside(self, box):
        """Return the choices that are at no bound of the space in a box."""
        return [k for k in self.choices if self.space[k][0] < box[k][0] and box[k][1] < self.space[k][1]]

    def remains(self, box, why):
        """Return the profiles of a box at the bound to which a payoff rises: there a choice can stay."""
        if why[0] not in ("rises", "falls"):
            return []
        k, up = self.choices.index(*why[1:]), why[0] == "rises"
        bound = self.space[k][up]
        return [[*box[:k], (bound, bound), *box[k + 1 :]]] if box[k][up] == bound else []

    def exclude(self, box, why, points):
        """Raise `Refuted` unless a box, but for what remains, has no equilibrium, or only a known one."""
        (name, *rest), size, move = why, self.unit, {}
        if name == "around":
            _, alone, free = points[rest[0]]
            if not within(box, alone) or not set(free) <= set(self.inside(box)):
                raise Refuted(f"{words(box)} is not where equilibrium {rest[0] + 1} is the only one")
            return
        if name in ("rises", "falls"):
            k = self.choices.index(*rest)
            node = self.given[k] if name == "rises" else self.graph.add("neg", self.given[k])
            said = f"the derivative of player {self.player[k] + 1} has no sign"
            if self.totals:  # stand for the choices of others
                foreign = set(self.choices) - set(self.own[self.player[k]])
                size = {j: width for j, width in size.items() if j not in foreign}
        elif name == "better":
            player, strategy = rest[0], numbers(rest[1])
            node, said = self.gains[player], f"player {player + 1} has no certain gain"
            move = {k: (x, x) for k, x in zip(self.own[player], strategy, strict=True)}
            if not within(move.values(), [self.space[k] for k in move]):
                raise Refuted(f"{words(move.values())} is no strategy of player {player + 1}")
        elif name == "krawczyk":
            node, said = None, "zeros of the derivatives are not excluded"
        else:
            raise Damaged(f"reason {str(name)[:20]!r}")

        def holds(part):
            row = self.row(part)
            if row and node is None:
                image = self.krawczyk(part, self.inside(part)) or part
                return any(d < a or c > b for (c, d), (a, b) in zip(image, part, strict=True))
            moved = row and row + [move.get(k, part[k]) for k in self.choices]
            return row is None or any(sign(one) > 0 for one in self.bounds(node, moved, range(len(row))))

        everywhere(holds, box, lambda one: widest(one, size), PARTS, said)

    def krawczyk(self, box, free):
        """Return bounds on zeros of derivatives in free choices, whatever the others are; None if unknown."""
        middles = [(middle(one),) * 2 for one in box]
        moving = [*free, *(k for k in range(len(self.space)) if k not in free and box[k][0] < box[k][1])]
        here = self.graph.evaluate(tuple(self.slopes[k] for k in free), middles)
        bends = self.graph.evaluate(tuple(self.bends[k][j] for k in free for j in moving), box)
        if not free or not all(map(known, (*here, *bends))):
            return None
        bend = arb_mat(len(free), len(moving), [ball(one) for one in bends])
        try:
            inverse = arb_mat([[one.mid() for one in row[: len(free)]] for row in bend.table()]).inv()
        except ZeroDivisionError:
            return None
        inverse = arb_mat([[one.mid() for one in row] for row in inverse.table()])  # any matrix will do
        unit = arb_mat([[int(i == j) for j in range(len(moving))] for i in range(len(free))])
        away = arb_mat([[ball(add(box[k], neg(middles[k])))] for k in moving])
        image = (unit - inverse * bend) * away - inverse * arb_mat([[ball(one)] for one in here])
        box = list(box)
        for k, move in zip(free, image.entries(), strict=True):
            box[k] = pair(move + middles[k][0])
        return None if None in box else box

    def equilibrium(self, name, entry, ranges):
        """Return bounds on an equilibrium, the box where it is alone, and the choices between bounds."""
        box, point, kink = pairs(entry), numbers(entry["point"]), entry.get("kink")
        (radius,), here, alone = numbers([entry["radius"]]), [(x, x) for x in point] + ranges, box + ranges
        if not len(box) == len(point) == len(self.player) or not within(box, self.space):
            raise Refuted(f"{name}: {words(box)} is not in the space")
        side = [(one == (b, b)) - (one == (a, a)) for one, (a, b) in zip(box, self.space, strict=False)]
        free = [k for k in self.choices if not side[k]]
        if kink:  # a continuous payoff has a largest value
            if len(self.own) > 1 or None in self.graph.evaluate((*self.pay, *self.slopes), alone):
                raise Refuted(f"{name}: its payoff is not that of one player, or not known to be continuous")
            if not within(here, box):
                raise Refuted(f"{name}: its point is not in {words(box)}")
        near = alone if kink else self.enclosed(name, alone, free)
        if not kink and not self.outward(near, side):
            raise Refuted(f"{name}: a derivative at a bound does not point outward")
        for player in self.own:
            self.best(name, player, here if kink else near, near, side, kink)
        for (a, b), x in zip(near, point, strict=False):
            if not add((x, x), (-a, -a))[1] <= radius or not add((b, b), (-x, -x))[1] <= radius:
                raise Refuted(
                    f"{name}: it is between {a:.15g} and {b:.15g}, not within {radius:.3g} of {x:.15g}"
                )
        return near, [(inf, -inf)] if kink else alone, free  # others may be in the box of a kink

    def enclosed(self, name, box, free):
        """Return bounds on the only zero of the derivatives in free choices; others are at bounds."""
        near, image = box, self.krawczyk(box, free)
        if free and (not image or not all(box[k][0] < image[k][0] and image[k][1] < box[k][1] for k in free)):
            raise Refuted(f"{name}: its existence and uniqueness are not proved in {words(box)}")
        for _ in range(8 if free else 0):
            near = [(max(a, c), min(b, d)) for (a, b), (c, d) in zip(near, image, strict=True)]
            image = self.krawczyk(near, free) or near
        return near

    def outward(self, box, side):
        """Return whether payoffs fall from the bounds at which choices are, by their sides."""
        ends = [k for k in self.choices if side[k]]
        slopes = self.graph.evaluate(tuple(self.slopes[k] for k in ends), box)
        return all(sign(slope) == side[k] for k, slope in zip(ends, slopes, strict=True))

    def peak(self, name, player, near, side):
        """Return a box in which no own strategy pays more than those near, as the payoff is concave."""
        own, around = self.own[player], list(near)
        free, side = [k for k in own if not side[k]], [s * (k in own) for k, s in enumerate(side)]
        bends = tuple(self.bends[k][j] for k in free for j in free)
        for shrink in range(32):
            for k in own:
                (low, high), room = self.space[k], 2.0 ** (4 - shrink) * self.scale(k, near)
                around[k] = max(near[k][0] - room, low), min(near[k][1] + room, high)
            found = iter(self.graph.evaluate(bends, around))
            if negative_definite([[next(found) for _ in free] for _ in free]) and self.outward(around, side):
                return around
        raise Refuted(f"{name}: the payoff of player {player + 1} is not concave around it")

    def scale(self, k, near):
        """Return how far a choice is from the nearer one of its bounds that it is not at."""
        (low, high), (a, b) = self.space[k], near[k]
        return min(one for one in (a - low, high - b, self.unit[k]) if one > 0)

    def best(self, name, player, here, near, side, kink):
        """Raise `Refuted` unless no strategy of a player pays more than those near, at any profile near.

        At a kink some strategy near pays most of those near, so others must pay less than one that is here.
        """
        around = near if kink else self.peak(name, player, near, side)
        gain, own, graph = self.gains[player], self.own[player], self.graph
        new = {self.end + k: self.space[k] for k in own}
        size = {self.end + k: self.scale(k, near) for k in own}
        slopes = tuple(graph.derivative(gain, k) for k in new)
        said = f"{name}: a better strategy of player {player + 1} is not excluded"

        def worse(box):
            if all(within((box[k],), (around[k - self.end],)) for k in new):
                return True
            # where the payoff rises, it is larger beside the box, or at the end of the space
            rises = graph.evaluate(slopes, box)
            for (k, (low, high)), s in zip(new.items(), rises, strict=True):
                if None not in rises and (
                    (sign(s) > 0 and box[k][1] < high) or (sign(s) < 0 and box[k][0] > low)
                ):
                    return True
            for one in self.bounds(gain, box, new):
                if sign(one) > 0:
                    raise Refuted(f"{said} in {words(box[k] for k in new)}")
                if sign(one) < 0:
                    return True
            return False

        def lowest(box):
            """Return the choice whose halves have the lowest bound, where derivatives are unknown."""
            if None not in graph.evaluate(slopes, box):
                return widest(box, size)
            ends = {k: [graph.evaluate((gain,), h)[0] for h in halves(box, k, middle(box[k]))] for k in new}
            return min(new, key=lambda k: max(one[1] if one else inf for one in ends[k]))

        whole = here + [(-inf, inf)] * (self.end - len(here))
        whole += [self.space[k] if k in own else near[k] for k in self.choices]
        try:
            everywhere(worse, whole, lambda box: widest(box, size), STRATEGIES, said)
        except Refuted:  # other halves may do, as near choices of zero with an infinite derivative
            everywhere(worse, whole, lowest, STRATEGIES, said)
