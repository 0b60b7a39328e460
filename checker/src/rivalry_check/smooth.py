"""Games on boxes: exact equilibria exist, are the only ones, and no strategy of any player is better.

A box has bounds on the choices of all players, then on parameters of the game, then on totals over players.
"""

from itertools import combinations
from math import inf, nextafter
from typing import NamedTuple

from flint import ctx

from rivalry_check import Damaged, Refuted, spend
from rivalry_check.grammar import CHOICES
from rivalry_check.graph import Graph, add, ball, mul, neg

PARTS = 4000  # into which a box is split at most, for one reason
TINY = 1e-300
STRATEGIES = 20_000  # boxes of one player's strategies
TIES = 10  # choices at bounds with a derivative of zero, near which others are excluded
PROFILES = (lambda k: 0.5), (lambda k: (k + 1) / (k + 3))  # at which payoffs are printed: parts of the ranges


class Equilibrium(NamedTuple):
    """What is proved of an entry: an exact equilibrium is near, or several.

    ``alone`` is a box in which no other profile has the first-order conditions in the choices ``free``, those
    between bounds; None if that is not known. ``unique`` says whether best responses to it are unique.
    """

    near: list
    alone: list | None
    free: list
    unique: bool


def check(document, limit=None):
    """Proved claim of a document, in words. Raises `Refuted`."""
    ctx.prec = 64
    game = Game(document)
    if not game.names:
        equilibria, boxes = game.part(document, [])
        count = len(equilibria)
        text = f"{count} equilibri{'um' if count == 1 else 'a'}"
        if boxes is None and not count:
            raise Refuted("the file states nothing: no equilibrium, and not that there is none")
        if boxes is None:
            text += "; others are not excluded"
        else:
            text += f", complete ({f'{boxes} boxes' if boxes else 'constant sum'})"
        positions = [located(entry) for entry in document["equilibria"]]
        suffix = "" if limit is None or count <= limit else f", and {count - limit} more (--points)"
        colon = {"choices": ": ", "fractions": ": in fractions "}[document["coordinates"]] * (count > 0)
        return f"{text}{colon}{', '.join(positions[:limit])}{suffix}; {game.payoffs_in_words()}"

    rows, total, start = [], 0, len(game.player)
    for box, part in divided(document["parts"], game.space, range(start, len(game.space))):
        if part == ["undecided"]:
            continue
        values = box[start:]
        equilibria, boxes = game.part(part, values)
        count, total = len(equilibria), total + boxes
        if rows and rows[-1][0] == count and len(values) == 1 and rows[-1][1][0][1] == values[0][0]:
            values = [(rows.pop()[1][0][0], values[0][1])]  # the ranges touch
        rows.append((count, values))
    if not rows:
        raise Refuted("no range of parameters is decided")
    if len({count for count, _ in rows}) == 1 and ["undecided"] not in document["parts"]:
        rows = [(rows[0][0], game.space[start:])]
    texts = []
    for count, values in rows:
        ranges = " and ".join(
            f"{name} from {a!r} to {b!r}" for name, (a, b) in zip(game.names, values, strict=True)
        )
        texts.append(f"exactly {count} for all {ranges}")
    return f"equilibria: {'; '.join(texts)} ({total} boxes); {game.payoffs_in_words()}"


def located(entry):
    """Return in words where the equilibrium of an entry is; numbers read back are the same doubles."""
    (*point,), radius = numbers(entry["point"]), max(numbers(entry["radius"]))
    return f"({', '.join(map(repr, point))}) within {upward(radius)}"


def upward(radius):
    """Return a number of two digits that is at least as large."""
    return next(
        text for text in (f"{radius * factor:.2g}" for factor in (1, 1.1, 2)) if float(text) >= radius
    )


def digits(bounds):
    """Return the digits that both of two bounds have."""
    if max(map(abs, bounds)) < TINY:
        return "0"
    for count in range(12, 0, -1):
        low, high = (f"{end:.{count}g}" for end in bounds)
        if low == high:
            return low
    return f"from {bounds[0]!r} to {bounds[1]!r}"


def words(box):
    return "box " + " x ".join(f"[{a:.9g}, {b:.9g}]" for a, b in box)


def numbers(texts):
    return [float.fromhex(text) for text in texts]


def pairs(entry):
    """Return the bounds of an entry, from low to high."""
    bounds = list(zip(numbers(entry["low"]), numbers(entry["high"]), strict=True))
    if not all(low <= high for low, high in bounds):
        raise Damaged("a lower bound is above the upper one")
    return bounds


def weight_of(weight):
    return float(weight) if isinstance(weight, int) else float.fromhex(weight)


def weighted(weights, values):
    """Return bounds on a weighted sum; None if one of the values has none."""
    total = None if None in values else (0.0, 0.0)
    for weight, value in zip(weights, values, strict=True):
        total = total and add(total, value if weight == 1 else mul((weight, weight), value))
    return total


def width(bounds):
    """Return a positive number as bounds, about the width of others."""
    size = max(bounds[1] - bounds[0], TINY)
    return size, size


def is_finite(x):
    return x is not None and -inf < x[0] and x[1] < inf


def sign(x):
    return 0 if x is None else (x[0] > 0) - (x[1] < 0)


def within(boxes, bounds):
    return all(a <= c and d <= b for (c, d), (a, b) in zip(boxes, bounds, strict=False))


def middle(x):
    return min(max(x[0] / 2 + x[1] / 2, x[0]), x[1])


def halves(box, k, position):
    return [[*box[:k], end, *box[k + 1 :]] for end in ((box[k][0], position), (position, box[k][1]))]


def widest(box, size):
    return max(size, key=lambda k: (box[k][1] - box[k][0]) / size[k])


def divided(entries, start_box, axes, remains=lambda box, entry: []):
    """Return the parts of a box with their entries; ``["cut", axis, at]`` stands before two parts.

    As boxes are only ever cut, parts have the box as their union, whatever the entries are. What remains of a
    part after its entry is the next part.
    """
    waiting, parts = [start_box], []
    for entry in entries:
        if not waiting:
            raise Damaged("there are more entries than parts of the space")
        box = waiting.pop()
        spend(len(box))
        if isinstance(entry, list) and entry[0] == "cut":
            k, (position,) = axes[axes.index(entry[1])], numbers(entry[2:])
            if not box[k][0] < position < box[k][1]:
                raise Refuted(f"not covered: a cut at {position:.9g} is outside of {words(box)}")
            waiting += halves(box, k, position)[::-1]
        else:
            parts.append((box, entry))
            waiting += remains(box, entry)
    if waiting:
        raise Refuted(f"not covered: {words(waiting[-1])}")
    return parts


def everywhere(holds, box, axis, limit, reason):
    """Raise `Refuted` unless something holds in all parts of a box, halved where it does not."""
    waiting, parts = [box], 0
    while waiting:
        box, parts = waiting.pop(), parts + 1
        if not holds(box):
            k = axis(box)
            waiting += halves(box, k, middle(box[k]))
            if parts > limit or not box[k][0] < middle(box[k]) < box[k][1]:
                raise Refuted(f"{reason} in {words(box)}")


def negative_definite(rows):
    """True where every symmetric matrix between bounds is negative definite: all pivots are negative."""
    spend(len(rows) ** 3)
    if not all(is_finite(entry) for row in rows for entry in row):
        return False
    rows = [[ball(entry) for entry in row] for row in rows]
    for k, pivot in enumerate(rows):
        if not pivot[k] < 0:
            return False
        for i in range(k + 1, len(rows)):
            factor = rows[i][k] / pivot[k]
            rows[i] = [a - factor * b for a, b in zip(rows[i], pivot, strict=True)]
    return True


def regular(rows):
    """True where every matrix between bounds is regular: elimination finds pivots that are not zero."""
    spend(len(rows) ** 3)
    if not all(is_finite(entry) for row in rows for entry in row):
        return False
    rows = [[ball(entry) for entry in row] for row in rows]
    while rows:
        pivots = [k for k, row in enumerate(rows) if not row[0].contains(0)]
        if not pivots:
            return False
        pivot, *line = rows.pop(pivots[0])
        rows = [[a - row[0] / pivot * b for a, b in zip(row[1:], line, strict=True)] for row in rows]
    return True


class Game:
    """Payoffs and their derivatives; choices are counted over all players.

    After choices and parameters, rows of numbers go on with the sums over the other players that belong to
    each total and player, and then with the choices that a player deviates to.
    """

    def __init__(self, document):
        space, ranges = document["space"], document.get("parameters", {"names": [], "low": [], "high": []})
        self.player, self.names = space["player"], ranges["names"]
        self.space, self.choices = pairs(space) + pairs(ranges), range(len(self.player))
        nodes, results = (document["payoffs"][name] for name in ("nodes", "results"))
        totals, size = document.get("totals", []), len(self.space)
        self.end = size + len(totals) * len(results)
        places = list(zip(self.player, space["axis"], strict=True))
        if not 0 < len(places) == len(set(places)) == len(space["low"]) <= size <= CHOICES:
            raise Damaged("the space has no choices, more than 64, or a choice twice")
        if len(ranges["low"]) != len(self.names) or len(set(self.names)) < len(self.names):
            raise Damaged("parameters need bounds, and names that differ")
        if max(self.player) >= len(results):
            raise Damaged(f"choices must be those of players 0 to {len(results) - 1}, who have payoffs")
        self.choices_of = {
            p: [k for k in self.choices if self.player[k] == p] for p in sorted(set(self.player))
        }
        self.graph = graph = Graph()
        place, derivative, replacements = self.read(nodes), graph.derivative, {}
        payoff_nodes = [place[node] for node in results]
        spend(len(results) ** 2 * len(totals) + len(results) * len(self.player))
        self.totals = [tuple(place[node] for node in parts) for parts in totals]
        for parts in self.totals:  # what each player adds
            for p, (part, _) in enumerate(zip(parts, payoff_nodes, strict=True)):
                used = {graph.nodes[node][0] for node in graph.order((part,)) if len(graph.nodes[node]) == 1}
                if not {k for k in used if isinstance(k, int)} <= set(self.choices_of.get(p, ())):
                    raise Damaged("a part of a total depends on other choices than its player's")
                rival_sum = None
                for node in parts[:p] + parts[p + 1 :]:
                    rival_sum = node if rival_sum is None else graph.add("add", rival_sum, node)
                replacements[size + len(replacements)] = rival_sum
        self.pay = [graph.moved(node, replacements) for node in payoff_nodes]
        self.slopes = [derivative(self.pay[p], k) for k, p in enumerate(self.player)]
        self.bends = [[derivative(node, j) for j in range(size)] for node in self.slopes]
        self.partial_slopes, self.gains = [], {}  # slopes for given sums of the own rivals
        for k, p in enumerate(self.player):
            foreign = {j: node for j, node in replacements.items() if (j - size) % len(payoff_nodes) != p}
            self.partial_slopes.append(derivative(graph.moved(payoff_nodes[p], foreign), k))
        for p, choices in self.choices_of.items():
            deviation_pay = graph.moved(self.pay[p], {k: graph.add(self.end + k) for k in choices})
            self.gains[p] = graph.add("sub", deviation_pay, self.pay[p])
        self.whole = self.space + [self.total(graph.evaluate(parts, self.space)) for parts in self.totals]
        self.unit = {k: b - a for k, (a, b) in enumerate(self.whole)}
        if min(self.unit.values()) <= 0:
            raise Damaged("the space has a choice or a parameter without a width")

    def read(self, nodes):
        """Return the places of the nodes of a document."""
        place = []
        for name, *operands in nodes:
            if name == "c":
                node = ((float.fromhex(*operands),) * 2,)
            elif max(operands) >= (self.end if name == "x" else len(place)):
                raise Damaged(
                    f"node {len(place)} of the payoffs refers to a choice or node that is not before it"
                )
            else:
                node = (*operands,) if name == "x" else (name, *(place[operand] for operand in operands))
            if name == "power":
                exponent = self.graph.nodes[node[2]][0]
                if not isinstance(exponent, tuple) or not -100 <= exponent[0] <= 100:
                    raise Damaged("an exponent is not a number up to 100")
            place.append(self.graph.add(*node))
        return place

    def part(self, part, ranges):
        """Return the equilibria for all parameters in ranges, and the number of boxes without others.

        The number is None where others are not excluded, and 0 where the payoffs exclude them.
        """
        entries = enumerate(part["equilibria"], 1)
        points = [self.equilibrium(f"equilibrium {k}", entry, ranges) for k, entry in entries]
        spend(len(points) ** 2 * len(self.player))
        for k, point in enumerate(points):
            for neighbour in points[:k]:
                if all(a <= d and c <= b for (a, b), (c, d) in zip(point.near, neighbour.near, strict=True)):
                    raise Refuted(f"equilibrium {k + 1} may be one of those before it")
        if "boxes" not in part and "constant_sum" not in part:
            return points, None
        if "constant_sum" in part:
            if "boxes" in part:
                raise Damaged("a list has boxes or a constant sum")
            # each strategy of another equilibrium would be a best response to this one, which has no others
            if (
                [point.unique for point in points] != [True]
                or len(self.pay) != 2
                or not self.graph.constant(self.pay)
            ):
                raise Refuted("it is not one equilibrium of two players whose payoffs have a constant sum")
            return points, 0
        if any(point.alone is None for point in points):
            raise Refuted("a list is not complete where others may be near one of its equilibria")
        start_box = self.space[: len(self.player)] + ranges + self.whole[len(self.space) :]
        axes = [*self.choices, *range(len(self.space), len(start_box))]
        boxes = divided(part["boxes"], start_box, axes, self.remains)
        for box, entry in boxes:
            self.exclude(box, entry, points)
        return points, len(boxes)

    def payoffs_in_words(self):
        """Return payoffs at two fixed profiles, by which a reader knows the game."""
        texts = []
        for share in PROFILES:
            ends = enumerate(self.space)
            point = [min(max(low + share(k) * (high - low), low), high) for k, (low, high) in ends]
            pay = self.graph.evaluate(tuple(self.pay), [(x, x) for x in point])
            pay = ", ".join("undefined" if bounds is None else digits(bounds) for bounds in pay)
            texts.append(f"({', '.join(map(repr, point))}) pays {pay}")
        return "; ".join(texts)

    def total(self, parts):
        bounds = (0.0, 0.0)
        for part in parts:
            bounds = bounds and part and add(bounds, part)
        return bounds or (-inf, inf)

    def row(self, box):
        """Return a box with sums over others in place of totals; None if no profile has such totals."""
        row = box[: len(self.space)]
        for parts, total_range in zip(self.totals, box[len(self.space) :], strict=True):
            terms = self.graph.evaluate(parts, box)
            for p, term in enumerate(terms):
                (a, b), remainder = (
                    self.total(terms[:p] + terms[p + 1 :]),
                    term and add(total_range, neg(term)),
                )
                row.append((max(a, remainder[0]), min(b, remainder[1])) if remainder else (a, b))
        return row if all(a <= b for a, b in row) else None

    def bounds(self, places, weights, box, moving):
        """Yield bounds on a weighted sum of nodes: by the mean value in some directions, then as it is.

        The sum is no node of its own: the boxes of a list have as many sums as boxes.
        """
        derivative, evaluate, middles, moves = self.graph.derivative, self.graph.evaluate, list(box), []
        moving = [
            k for k in moving if box[k][0] < box[k][1] and any(derivative(p, k) is not None for p in places)
        ]
        slopes = iter(evaluate(tuple(derivative(place, k) for k in moving for place in places), box))
        for k in moving:
            slope = weighted(weights, [next(slopes) for _ in places])
            if is_finite(slope):  # in other directions the box stays as it is
                m = middle(box[k])
                middles[k] = m, m
                moves.append(mul(slope, add(box[k], (-m, -m))))
        value = weighted(weights, evaluate(places, middles))
        for move in moves:
            value = value and add(value, move)
        yield value
        yield weighted(weights, evaluate(places, box))

    def inside(self, box):
        """Return the choices that are at no bound of the space in a box."""
        return [k for k in self.choices if self.space[k][0] < box[k][0] and box[k][1] < self.space[k][1]]

    def remains(self, box, entry):
        """Return the profiles of a box at bounds to which choices are pushed: there they can stay."""
        faces = []
        for k, weight in entry[1] if entry[0] == "sign" else ():
            if k not in self.choices:
                raise Damaged(f"choice {k} of a sign is none of the game")
            bound = self.space[k][weight_of(weight) > 0]
            if bound in box[k]:
                faces.append([*box[:k], (bound, bound), *box[k + 1 :]])
        if box in faces:
            raise Refuted(f"{words(box)} is at a bound to which a choice is pushed")
        return faces[::-1]

    def exclude(self, box, entry, points):
        """Raise `Refuted` unless a box, but for what remains, has no equilibrium, or only a known one."""
        (name, *arguments), size, move = entry, self.unit, {}
        if name == "around":
            if arguments[0] >= len(points):
                raise Damaged(f"there is no equilibrium {arguments[0] + 1}")
            point = points[arguments[0]]
            if not within(box, point.alone) or not set(point.free) <= set(self.inside(box)):
                raise Refuted(f"{words(box)} is not where equilibrium {arguments[0] + 1} is the only one")
            return
        if name == "sign":  # of choices between bounds derivatives are zero, at a bound they push to it
            weights = {k: weight_of(weight) for k, weight in arguments[0]}
            if len(weights) < len(arguments[0]):
                raise Damaged("a sign has a choice twice")
            places, reason = (
                tuple(self.partial_slopes[k] for k in weights),
                f"the sign of derivatives {[*weights]} is not known",
            )
            weights = tuple(weights.values())
            if self.totals and len(arguments[0]) == 1:  # totals stand for the choices of others
                rival_choices = set(self.choices) - set(self.choices_of[self.player[arguments[0][0][0]]])
                size = {j: width for j, width in size.items() if j not in rival_choices}
        else:  # a better strategy
            player, strategy = arguments[0], numbers(arguments[1])
            if len(strategy) != len(self.choices_of.get(player, ())):
                raise Damaged(f"a strategy of player {player + 1} has {len(strategy)} choices")
            places, weights, reason = (
                (self.gains[player],),
                (1.0,),
                f"player {player + 1} has no certain gain",
            )
            move = {k: (x, x) for k, x in zip(self.choices_of[player], strategy, strict=True)}
            if not within(move.values(), [self.space[k] for k in move]):
                raise Refuted(f"{words(move.values())} is no strategy of player {player + 1}")

        def holds(part):
            row = self.row(part)
            if row is None:
                return True
            deviation = row + [move.get(k, part[k]) for k in self.choices]
            return any(sign(value) > 0 for value in self.bounds(places, weights, deviation, range(len(row))))

        everywhere(holds, box, lambda part: widest(part, size), PARTS, reason)

    def equilibrium(self, name, entry, ranges):
        """Return the equilibrium that an entry proves; raise `Refuted` if it proves none there."""
        box, point, radii = pairs(entry), numbers(entry["point"]), numbers(entry["radius"])
        if not len(box) == len(point) == len(radii) == len(self.player) or min(radii) < 0:
            raise Damaged(f"{name}: a point, a radius of at least 0 and bounds are needed of every choice")
        near = [
            (max(x if r == 0 else nextafter(x - r, inf), a), min(x if r == 0 else nextafter(x + r, -inf), b))
            for x, r, (a, b) in zip(point, radii, box, strict=True)
        ]
        if not within(box, self.space) or not all(a <= x <= b for x, (a, b) in zip(point, near, strict=True)):
            raise Refuted(f"{name}: {words(near)} is not in {words(box)}, or that not in the space")
        side = [(end == (b, b)) - (end == (a, a)) for end, (a, b) in zip(near, self.space, strict=False)]
        free, kink = [k for k in self.choices if not side[k]], "kink" in entry
        if ("matrix" in entry) == kink or ("peak" in entry) == kink:
            raise Damaged(f"{name}: a matrix and a peak are needed, or it is at a kink")
        if kink:  # a continuous payoff has a largest value
            if len(self.choices_of) > 1 or ranges:
                raise Refuted(
                    f"{name}: an equilibrium at a kink is of a game of one player without parameters"
                )
            if not all(map(is_finite, self.graph.evaluate((*self.pay, *self.slopes), box))):
                raise Refuted(f"{name}: its payoff is not known to be continuous, with finite slopes")
            peak_box, near = near, [(x, x) for x in point]
        else:
            peak_box = pairs(entry["peak"])
            if not within(near, peak_box) or not within(peak_box, self.space) or len(peak_box) != len(near):
                raise Refuted(f"{name}: its peak is not around it")
            matrix = [numbers(row) for row in entry["matrix"]]
            if [len(row) for row in matrix] != [len(free)] * len(free):
                raise Damaged(f"{name}: its matrix is not square, of the choices between bounds")
            near, box = near + ranges, box + ranges
            self.first_order(name, matrix, free, near, box)
            ties = self.ties(name, near, side)
            self.isolated(name, near, box, free, side, ties)
            side = [0 if k in ties else s for k, s in enumerate(side)]
        unique = not kink
        for player in self.choices_of:
            unique &= not kink and self.concave(name, player, near, peak_box, side)
            self.best(name, player, near, peak_box)
        return Equilibrium(peak_box, None, free, False) if kink else Equilibrium(near, box, free, unique)

    def first_order(self, name, matrix, free, near, box):
        """Raise `Refuted` unless a box has one zero of the derivatives in free choices, and it is near.

        Let f be the derivatives times a matrix. If derivatives of f are diagonally dominant in the box, in
        units of its widths, two of its points cannot both be zeros. If f changes sign between every two
        opposite faces of the box near, it has a zero there (Miranda), which is one of the derivatives: the
        matrix is regular, since its product with others is.
        """
        moving = [*free, *(k for k in range(len(self.space)) if k not in free and box[k][0] < box[k][1])]
        bends, slopes = (
            tuple(self.bends[k][j] for j in moving for k in free),
            tuple(self.slopes[k] for k in free),
        )

        def jacobian(part):
            bounds = self.graph.evaluate(bends, part)
            if not all(map(is_finite, bounds)):
                raise Refuted(f"{name}: derivatives of payoffs are not finite in {words(part)}")
            columns = [bounds[i : i + len(free)] for i in range(0, len(bounds), max(len(free), 1))]
            return [[weighted(row, column) for column in columns] for row in matrix]

        for i, row in enumerate(jacobian(box)):
            off_diagonal = (0.0, 0.0)
            for j, k in enumerate(free):
                if j != i:
                    off_diagonal = add(off_diagonal, mul((0.0, max(-row[j][0], row[j][1])), width(box[k])))
            if not add(mul(row[i], width(box[free[i]])), neg(off_diagonal))[0] > 0:
                raise Refuted(f"{name}: others are not excluded in {words(box)}")
        middles = [(middle(bounds),) * 2 for bounds in near]
        values = self.graph.evaluate(slopes, middles)
        for i, row in enumerate(jacobian(near)):
            for end, up in zip(near[free[i]], (-1, 1), strict=True):
                value = weighted(matrix[i], values)
                for bounds, k in zip(row, moving, strict=True):
                    bounds_here = (end, end) if k == free[i] else near[k]
                    value = value and add(value, mul(bounds, add(bounds_here, neg(middles[k]))))
                if sign(value) != up:
                    raise Refuted(f"{name}: it is not known to be within its radius in {words(near)}")

    def ties(self, name, near, side):
        """Return the choices at bounds with a derivative of zero; raise `Refuted` if one points inward."""
        ties = [k for k in self.choices if side[k] and not self.outward(near, {k: side[k]})]
        for k in ties:
            if self.slopes[k] is not None and self.graph.exact(self.slopes[k], near) != 0:
                raise Refuted(f"{name}: a derivative at a bound does not point outward")
        return ties

    def isolated(self, name, near, box, free, side, ties):
        """Raise `Refuted` unless choices at bounds, where they have room in a box, exclude others there.

        In another profile with the first-order conditions some of these choices are away from their bounds.
        In them, and in the free ones, derivatives are zero in both profiles, but they are one-to-one.
        """
        wide = [k for k in self.choices if side[k] and box[k][0] < box[k][1]]
        apart = all(k in ties and box[k] != self.space[k] for k in wide) and len(wide) <= TIES
        for count in range(1, len(wide) + 1) if apart else ():
            for part in combinations(wide, count):
                moving = [*free, *part]
                bends = iter(
                    self.graph.evaluate(tuple(self.bends[k][j] for k in moving for j in moving), box)
                )
                apart = apart and regular([[next(bends) for _ in moving] for _ in moving])
        if not apart:
            raise Refuted(f"{name}: others are not excluded in {words(box)}")

    def outward(self, box, side):
        """True where payoffs fall from the bounds at which choices are, by their sides."""
        ends = [k for k in side if side[k]]
        slopes = self.graph.evaluate(tuple(self.slopes[k] for k in ends), box)
        return all(sign(slope) == side[k] for k, slope in zip(ends, slopes, strict=True))

    def concave(self, name, player, near, peak_box, side):
        """Return whether the strategy is better than those around; raise `Refuted` if it may be worse.

        Payoffs fall from the bounds in ``side``, and are concave in choices with derivatives of zero.
        """
        choices, box = self.choices_of[player], list(near)
        for k in choices:
            box[k] = peak_box[k]
        if not is_finite(*self.graph.evaluate((self.pay[player],), box)):  # derivatives may be, as of log(-1)
            raise Refuted(f"{name}: payoffs of player {player + 1} are not finite in {words(box)}")
        free = [k for k in choices if not side[k]]
        places = tuple(self.bends[k][j] for k in free for j in free)
        bends = iter(self.graph.evaluate(places, box))
        strictly, linear = (
            negative_definite([[next(bends) for _ in free] for _ in free]),
            set(places) == {None},
        )
        if not (strictly or linear) or not self.outward(box, {k: side[k] for k in choices}):
            raise Refuted(f"{name}: the payoff of player {player + 1} is not concave around it")
        return strictly

    def scale(self, k, near):
        """Distance of a choice from the nearer one of its bounds that it is not at."""
        (low, high), (a, b) = self.space[k], near[k]
        return min(distance for distance in (a - low, high - b, self.unit[k]) if distance > 0)

    def best(self, name, player, near, peak_box):
        """Raise `Refuted` unless all own strategies but those around pay less, at any profile near.

        At a kink some strategy around pays most of those around, so others must pay less than the one near.
        """
        gain, choices, graph = self.gains[player], self.choices_of[player], self.graph
        deviations = {self.end + k: self.space[k] for k in choices}
        size = {self.end + k: self.scale(k, near) for k in choices}
        slopes = tuple(graph.derivative(gain, k) for k in deviations)
        reason = f"{name}: a better strategy of player {player + 1} is not excluded"

        def worse(box):
            if all(within((box[k],), (peak_box[k - self.end],)) for k in deviations):
                return True
            # where the payoff rises, it is larger beside the box, or at the end of the space
            rises = graph.evaluate(slopes, box)
            for (k, (low, high)), s in zip(deviations.items(), rises, strict=True):
                if None not in rises and (
                    (sign(s) > 0 and box[k][1] < high) or (sign(s) < 0 and box[k][0] > low)
                ):
                    return True
            for bounds in self.bounds((gain,), (1.0,), box, deviations):
                if sign(bounds) > 0:
                    raise Refuted(f"{reason} in {words(box[k] for k in deviations)}")
                if sign(bounds) < 0:
                    return True
            return False

        def lowest(box):
            """Return the choice whose halves have the lowest bound, where derivatives are unknown."""
            if None not in graph.evaluate(slopes, box):
                return widest(box, size)
            ends = {
                k: [graph.evaluate((gain,), h)[0] for h in halves(box, k, middle(box[k]))] for k in deviations
            }
            return min(deviations, key=lambda k: max(bounds[1] if bounds else inf for bounds in ends[k]))

        bounds = near + [(-inf, inf)] * (self.end - len(near))
        bounds += [self.space[k] if k in choices else near[k] for k in self.choices]
        try:
            everywhere(worse, bounds, lambda box: widest(box, size), STRATEGIES, reason)
        except Refuted:  # other halves may do, as near choices of zero with an infinite derivative
            everywhere(worse, bounds, lowest, STRATEGIES, reason)
