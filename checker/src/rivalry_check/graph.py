"""Functions as lists of operations on numbers, their derivatives, and bounds on both.

A bound is a pair of doubles, rounded outward: sums, products and quotients by the next double, functions by
Arb. None stands for a function that is not defined, or not known to be smooth.
"""

from collections import Counter
from fractions import Fraction
from math import inf, isfinite, nextafter

from flint import arb

from rivalry_check import Refuted, cost, spend


def ball(x):
    """Return Arb's ball around a pair."""
    return arb(x[0]) if x[0] == x[1] else arb(x[0]).union(arb(x[1]))


def pair(a):
    """Return a pair around a ball; None if it is unbounded."""
    return (nextafter(float(a.lower()), -inf), nextafter(float(a.upper()), inf)) if a.is_finite() else None


def add(x, y):
    low, high = x[0] + y[0], x[1] + y[1]  # a sum of zero is exact; infinities have no difference
    if low != low or high != high:
        return None
    return nextafter(low, -inf) if low else 0.0, nextafter(high, inf) if high else 0.0


def neg(x):
    return -x[1], -x[0]


def mul(x, y):
    (a, b), (c, d) = x, y
    if a >= 0 and c >= 0 and b < inf and d < inf:
        return nextafter(a * c, 0.0), nextafter(b * d, inf) if b and d else 0.0
    ends = [p * q if p and q else 0.0 for p in x for q in y]  # 0 times any number is 0
    return nextafter(min(ends), -inf), nextafter(max(ends), inf)


def div(x, y):
    if y[0] <= 0 <= y[1] or x[0] == -inf or x[1] == inf:
        return None
    if x[0] >= 0 and y[0] > 0:
        return nextafter(x[0] / y[1], 0.0), nextafter(x[1] / y[0], inf) if x[1] else 0.0
    ends = [p / q for p in x for q in y]
    return nextafter(min(ends), -inf), nextafter(max(ends), inf)


def rise(x, function, infimum, supremum, start=-inf):
    """Return bounds on a function that rises from ``least`` at ``start`` to ``most`` at infinity."""
    if x[0] < start:
        return None
    low, high = (pair(function(arb(a))) if start < a < inf else None for a in x)
    end = supremum if x[1] > start else infimum
    return max(low[0], infimum) if low else infimum, min(high[1], supremum) if high else end


def by_ball(x, function, start=-inf):
    return pair(function(ball(x))) if x[0] > start and x[1] < inf else None


def logistic(a):
    return 1 / (1 + (-a).exp())


def is_whole(b):
    return b[0] == b[1] == round(b[0])


def power(x, b, steep=False):
    """Return x^b; if b is not whole, x must be at least 0. A steep power may be infinite at 0."""
    if b == (0.0, 0.0):
        return 1.0, 1.0
    if b[0] < 0:
        denominator = power(x, neg(b))
        if steep and x[0] == 0:
            return nextafter(1 / denominator[1], 0.0) if denominator[1] else 0.0, inf
        return denominator and div((1.0, 1.0), denominator)
    if not is_whole(b):
        return rise(x, lambda a: a ** ball(b), 0.0, inf, start=0.0)
    size = x if x[0] >= 0 else neg(x) if x[1] <= 0 else (0.0, max(-x[0], x[1]))
    square = mul(size, size)
    product = x if b[0] % 2 else square
    for _ in range(int(b[0] - 1) // 2):
        product = mul(product, square)
    return product


def share(x, y):
    """Return x / (x + y); of positive numbers it rises in x and falls in y."""
    if not (x[0] >= 0 and y[0] >= 0 and x[0] + y[0] > 0 and x[1] < inf and y[1] < inf):
        total = add(x, y)
        return total and div(x, total)
    ends = [div((a, a), add((a, a), (b, b))) if a else (0.0, 0.0) for a, b in ((x[0], y[1]), (x[1], y[0]))]
    return ends[0][0], min(ends[1][1], 1.0)


def spread(s, complement):
    """Return a share s times 1 - s, the rest; it falls away from s = 1/2 on both sides."""
    if s[0] < 0 or complement[0] < 0:
        return mul(s, complement)
    # of both ends the smaller one of s and 1 - s, which has the smaller rounding; the other is not its rest
    parts = s[0] if s[0] < 0.5 else complement[1], s[1] if s[1] < 0.5 else complement[0]
    ends = [mul((a, a), add((1.0, 1.0), (-a, -a))) for a in parts]
    monotone = s[1] < 0.5 or (s[0] >= 0.5 and complement[1] <= 0.5)
    return min(ends[0][0], ends[1][0]), max(ends[0][1], ends[1][1]) if monotone else 0.25


def choose(p, q, a, b, at_tie=True, strict=False):
    """Return a where p < q, else b; bounds on both where that is not known, or None if it must be known.

    Without ``at_tie`` b is only for p > q: the larger one of p and q has the derivative a of q or b of p, and
    at a kink both bound what it changes by. A choice of two numbers may jump at a tie, and has none there.
    """
    if not p or not q:
        return None
    if p[1] < q[0]:
        return a
    if p[0] > q[1] or (at_tie and p[0] == q[1]):
        return b
    return (min(a[0], b[0]), max(a[1], b[1])) if a and b and not strict else None


SQUARE, BOTH, BELL = ("power", "a", 2.0), ("add", "a", "b"), pair(2 / arb.pi().sqrt())
OPERATIONS = {  # bounds, and derivatives in the operands a and b as formulas; y is the result
    "add": (add, (1.0, 1.0)),
    "sub": (lambda x, y: add(x, neg(y)), (1.0, -1.0)),
    "mul": (mul, ("b", "a")),
    "div": (div, (("div", 1.0, "b"), ("neg", ("div", "y", "b")))),
    "neg": (neg, (-1.0,)),
    "exp": (lambda x: rise(x, arb.exp, 0.0, inf), ("y",)),
    "log": (lambda x: rise(x, arb.log, -inf, inf, start=0.0), (("div", 1.0, "a"),)),
    "sqrt": (lambda x: power(x, (0.5, 0.5)), (("mul", 0.5, ("steep", "a", -0.5)),)),
    "tanh": (lambda x: rise(x, arb.tanh, -1.0, 1.0), (("sub", 1.0, ("power", "y", 2.0)),)),
    "logistic": (lambda x: rise(x, logistic, 0.0, 1.0), (("spread", "y", ("logistic", ("neg", "a"))),)),
    "atan": (lambda x: rise(x, arb.atan, -2.0, 2.0), (("div", 1.0, ("add", 1.0, SQUARE)),)),
    "erf": (lambda x: rise(x, arb.erf, -1.0, 1.0), (("mul", BELL, ("exp", ("neg", SQUARE))),)),
    "sin": (lambda x: by_ball(x, arb.sin), (("cos", "a"),)),
    "cos": (lambda x: by_ball(x, arb.cos), (("neg", ("sin", "a")),)),
    "lgamma": (lambda x: by_ball(x, arb.lgamma, start=0.0), (("digamma", "a"),)),
    "digamma": (lambda x: rise(x, arb.digamma, -inf, inf, start=0.0), (("trigamma", "a"),)),
    "trigamma": (lambda x: by_ball(x, arb(2).zeta, start=0.0), None),
    "power": (lambda x, b: power(x, b), (("mul", "b", ("steep", "a", "b - 1")),)),  # b is a number
    "steep": (lambda x, b: power(x, b, steep=True), (("mul", "b", ("steep", "a", "b - 1")),)),
    "share": (share, (("div", ("share", "b", "a"), BOTH), ("neg", ("div", "y", BOTH)))),
    "spread": (spread, (("sub", "b", "a"),)),  # b is 1 - a
    "max": (lambda x, y: (max(x[0], y[0]), max(x[1], y[1])), None),
    "if": (lambda p, q, a, b: choose(p, q, a, b), None),
    "side": (lambda p, q, a, b: choose(p, q, a, b, at_tie=False), None),
    "jump": (lambda p, q, a, b: choose(p, q, a, b, at_tie=False, strict=True), None),
}
RATIONAL = {(name, 0): Fraction(0) for name in ("sqrt", "tanh", "sin", "atan", "erf")}  # values of functions
RATIONAL |= {("exp", 0): Fraction(1), ("cos", 0): Fraction(1)}
RATIONAL |= {("log", 1): Fraction(0), ("logistic", 0): Fraction(1, 2)}
OF_NODE = 2**8  # steps of a node, and of a derivative of one, for the bytes that it takes
PATTERNS = 64  # of choices that change, for which it is kept what depends on them
CASES = ("if", "side", "jump")  # defined also where one of the cases is not
EVEN = ("spread", "y", ("share", "b", "a"))
OF_RATES = {"share": (EVEN, ("neg", EVEN))}  # derivatives in logarithms, for operands times a rate as slopes


def rational(name, operands):
    """Return the result of an operation on fractions; None if it is not known, as an operand may be."""
    a, b = [*operands, None][:2]
    if name == "mul" and 0 in operands:
        return Fraction(0)
    if a is None or None in operands[1:2]:
        return None
    if name in CASES:  # ties have no derivative
        return None if a == b else operands[2 if a < b else 3]
    if name in ("add", "sub"):
        return a + b if name == "add" else a - b
    if name in ("mul", "div"):
        return a * b if name == "mul" else a / b
    if name in ("power", "steep") and b.denominator == 1 and b >= 0:
        return a ** int(b)
    return -a if name == "neg" else RATIONAL.get((name, a))


class Graph:
    """Nodes, each once: ``(k,)`` is choice k, ``(pair,)`` a number; others have a name and operands."""

    def __init__(self):
        self.nodes, self.places, self.plans, self.derived = [], {}, {}, {}

    def add(self, *node):
        """Return the place of a node, new or known."""
        if node not in self.places:
            spend(OF_NODE)
            self.places[node] = len(self.nodes)
            self.nodes.append(node)
        return self.places[node]

    def build(self, formula, names):
        """Return the place of a formula: a name, a number, or an operation and its formulas."""
        if isinstance(formula, str):
            return names[formula]
        if isinstance(formula, float):
            return self.add((formula, formula))
        if not isinstance(formula[0], str):
            return self.add(formula)
        return self.add(formula[0], *(self.build(part, names) for part in formula[1:]))

    def order(self, places):
        """Return the nodes on which some depend, in order, with themselves."""
        visited, waiting = set(), [place for place in places if place is not None]
        while waiting:
            place = waiting.pop()
            if place not in visited:
                visited.add(place)
                waiting += self.nodes[place][1:]
        spend(len(visited))
        return sorted(visited)

    def terms(self, place):
        """Return the nodes of which a node is the sum, with how often each is added."""
        counts, sums = Counter(), Counter([place])
        for node in reversed(self.order((place,))):  # a node is counted before its operands
            count, (name, *operands) = sums[node], self.nodes[node]
            spend(cost(count))
            for operand in operands if name == "add" else ():
                sums[operand] += count
            if count and name != "add":
                counts[node] = count
        return counts

    def constant(self, places):
        """True if nodes have a constant sum where they are defined.

        They are sums of numbers and of multiples of shares a/(a + b), and the numerators of shares with the
        same multiple and denominator add up to the denominator.
        """
        weights, numerators = Counter(places), {}
        for place in range(len(self.nodes) - 1, -1, -1):  # operands stand before
            weight, (name, *operands) = Fraction(weights[place]), self.nodes[place]
            number = self.nodes[operands[1]][0] if name in ("mul", "div") else 0
            spend(cost(weight))
            if not weight or isinstance(name, tuple):
                continue
            if name in ("add", "sub"):
                weights[operands[0]] += weight
                weights[operands[1]] += weight if name == "add" else -weight
            elif isinstance(number, tuple) and number[0]:
                factor = Fraction(number[0])
                weights[operands[0]] += weight * (factor if name == "mul" else 1 / factor)
            elif name == "share":
                numerator, complement = map(self.terms, operands)
                spend(len(numerator) + len(complement))
                key = frozenset((numerator + complement).items()), weight
                numerators.setdefault(key, Counter()).update(numerator)
            else:
                return False
        return all(dict(denominator) == parts for (denominator, _), parts in numerators.items())

    def moved(self, place, replacements):
        """Return a node with choices k replaced by nodes ``replacements[k]``."""
        images = {}
        for node in self.order((place,)):
            name, *operands = self.nodes[node]
            images[node] = (
                self.add(name, *map(images.get, operands)) if operands else replacements.get(name, node)
            )
        return images[place]

    def derivative(self, place, k):
        """Return the node of the derivative in choice k; None where it is zero, as of None."""
        if place is None:
            return None
        derivatives = self.derived.setdefault(k, {})
        for node in self.order((place,)) if place not in derivatives else ():
            if node not in derivatives:
                spend(OF_NODE)
                derivatives[node] = self.rule(node, k, [derivatives[part] for part in self.nodes[node][1:]])
        return derivatives[place]

    def rule(self, place, k, slopes):
        """Return the derivative of one node, by those of its operands."""
        name, *operands = self.nodes[place]
        if name == k and not operands:
            return self.add((1.0, 1.0))
        if all(term is None for term in slopes):
            return None
        if name == "max" or name in CASES:
            sides = slopes[::-1] if name == "max" else slopes[2:]
            sides = [self.add((0.0, 0.0)) if term is None else term for term in sides]
            return self.add("side" if name == "max" else "jump", *operands[:2], *sides)
        if OPERATIONS[name][1] is None:
            raise Refuted(f"no derivative of {name} is known")
        names, total = {"y": place} | dict(zip("ab", operands, strict=False)), None
        if name in ("power", "steep"):
            (b,) = self.nodes[operands[1]]
            names["b - 1"] = self.add((b[0] - 1.0,) * 2 if is_whole(b) else add(b, (-1.0, -1.0)))
        for i, (factor, slope) in enumerate(zip(OPERATIONS[name][1], slopes, strict=False)):
            if slope is None:
                continue
            kind, *parts = self.nodes[slope]
            if name in OF_RATES and kind == "mul" and operands[i] == parts[0]:
                factor, slope = OF_RATES[name][i], parts[1]
            if factor == -1.0:
                slope = self.add("neg", slope)
            elif factor != 1.0:
                factor = self.build(factor, names)
                slope = factor if self.nodes[slope] == ((1.0, 1.0),) else self.add("mul", factor, slope)
            total = slope if total is None else self.add("add", total, slope)
        return total

    def evaluate(self, places, box):
        """Return bounds on nodes, where choices are between bounds. A place of None is zero.

        What does not depend on choices that have changed since the last time is not computed again.
        """
        if places not in self.plans:
            value, rows, moves = {}, [], {}  # of every node, choices on which it depends, as bits
            for k in self.order(places):
                name, *sources = self.nodes[k]
                moves[k] = 1 << name if isinstance(name, int) else 0
                for operand in sources:
                    moves[k] |= moves[operand]
                if isinstance(name, tuple):
                    value[k] = name
                else:
                    function = OPERATIONS[name][0] if sources else None
                    rows.append((k, function, sources or name, name in CASES, moves[k]))
            self.plans[places] = value, rows, {}
        value, rows, cache = self.plans[places]
        last_box = cache.get("box", ())
        if len(last_box) == len(box):
            changed = sum(1 << k for k, pair in enumerate(box) if pair != last_box[k])
            if len(cache) > PATTERNS:
                cache.clear()
            if changed not in cache:
                cache[changed] = [row for row in rows if row[-1] & changed]
            rows = cache[changed]
        spend(len(rows) + len(box))
        for k, function, sources, undefined, _ in rows:
            if function:
                operands = [value[operand] for operand in sources]
                value[k] = function(*operands) if undefined or None not in operands else None
            else:
                value[k] = box[sources]
        cache["box"] = list(box)
        return [(0.0, 0.0) if operand is None else value[operand] for operand in places]

    def exact(self, place, box):
        """Return the value of a node for all choices in a box, as a fraction; None if it is not known."""
        order, values = self.order((place,)), {}  # without nodes that may be infinite or undefined
        for node, bounds in zip(order, self.evaluate(tuple(order), box), strict=True):
            name, *operands = self.nodes[node]
            if bounds is None or not all(map(isfinite, bounds)) or not values.keys() >= set(operands):
                continue
            factor = 100**2 if name == "power" else 1  # the largest exponent
            spend(factor * cost(*(values[operand] or 0 for operand in operands)))
            if operands:
                values[node] = rational(name, [values[operand] for operand in operands])
            else:
                values[node] = Fraction(bounds[0]) if bounds[0] == bounds[1] else None
        return values.get(place)
