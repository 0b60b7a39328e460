"""Functions as lists of operations on numbers, their derivatives, and bounds on both.

A node is an operation and the places of its operands, which stand before it. Derivatives are further nodes.
A bound is a pair of doubles, rounded outward: sums, products and quotients by the next double, functions by
Arb. None stands for a function that is not defined, or not known to be smooth.
"""

from math import inf, nextafter

from flint import arb


def down(x):
    return nextafter(x, -inf) if x else 0.0


def up(x):
    return nextafter(x, inf) if x else 0.0


def ball(x):
    """Return Arb's ball around a pair."""
    return arb(x[0]) if x[0] == x[1] else arb(x[0]).union(arb(x[1]))


def pair(a):
    """Return a pair around a ball; None if it is unbounded."""
    return (nextafter(float(a.lower()), -inf), nextafter(float(a.upper()), inf)) if a.is_finite() else None


def add(x, y):
    low, most = x[0] + y[0], x[1] + y[1]
    return (down(low), up(most)) if low == low and most == most else None  # no difference of infinities


def neg(x):
    return -x[1], -x[0]


def mul(x, y):
    (a, b), (c, d) = x, y
    if a >= 0 and c >= 0 and b < inf and d < inf:
        return nextafter(a * c, 0.0), nextafter(b * d, inf) if b and d else 0.0
    ends = [p * q if p and q else 0.0 for p in x for q in y]  # 0 times any number is 0
    return nextafter(min(ends), -inf), nextafter(max(ends), inf)


def div(x, y):
    if y[0] <= 0 <= y[1]:
        return None
    if x[0] >= 0 and y[0] > 0:
        return nextafter(x[0] / y[1], 0.0), nextafter(x[1] / y[0], inf) if x[1] else 0.0
    ends = [p / q for p in x for q in y]
    return (nextafter(min(ends), -inf), nextafter(max(ends), inf)) if x[1] < inf and x[0] > -inf else None


def rising(function, least, most):
    """Return the form of a function that rises between limits."""
    limits = {-inf: (least, least), inf: (most, most)}

    def bounds(x):
        ends = [limits[a] if a in limits else pair(function(arb(a))) for a in x]
        return None if None in ends else (ends[0][0], ends[1][1])

    return bounds


def log(x):
    if x[0] < 0 or x[1] == 0:
        return None
    low, most = (pair(arb(a).log()) if 0 < a < inf else (-inf, inf) for a in x)
    return low[0], most[1]


def exp(x):
    low, most = (pair(arb(a).exp()) or (0.0, inf) if abs(a) < inf else (0.0, inf) for a in x)
    return max(low[0], 0.0), most[1]


def whole_power(x, n):
    """Return a whole power; of an even one the least is 0."""
    n = round(n[0])
    if n < 0:
        found = whole_power(x, (-n, -n))
        return found and div((1.0, 1.0), found)
    if n % 2 == 0:
        x = x if x[0] >= 0 else neg(x) if x[1] <= 0 else (0.0, max(-x[0], x[1]))
    low = most = (1.0, 1.0)
    for _ in range(n):
        low, most = mul(low, (x[0], x[0])), mul(most, (x[1], x[1]))
    return low[0], most[1]


def power(x, b, steep=False):
    """Return a power of a number that is not negative; the derivative of one may be infinite at 0."""
    b = ball(b)
    if x[0] < 0 or (x[0] == 0 and not (b > 0 or steep)):
        return None
    low, most = (pair((b * arb(a).log()).exp()) if 0 < a < inf else None for a in x)
    if b > 0:
        return (max(low[0], 0.0) if low else 0.0), most[1] if most else inf if x[1] else 0.0
    return (max(most[0], 0.0) if most else 0.0), low[1] if low else inf


def share(x, y):
    """Return x / (x + y); of positive numbers it rises in x and falls in y."""
    if not (x[0] >= 0 and y[0] >= 0 and x[0] + y[0] > 0 and x[1] < inf and y[1] < inf):
        return div(x, add(x, y))
    ends = [div((a, a), add((a, a), (b, b))) if a else (0.0, 0.0) for a, b in ((x[0], y[1]), (x[1], y[0]))]
    return ends[0][0], min(ends[1][1], 1.0)


def spread(x, y):
    """Return x y / (x + y)^2, the share s times 1 - s: it falls away from s = 1/2 on both sides."""
    s, rest = share(x, y), share(y, x)
    if not s or not rest:
        return None
    if s[0] < 0 or rest[0] < 0:
        return mul(s, rest)
    ends = [mul((a, a), (b, b)) for a, b in ((s[0], rest[1]), (s[1], rest[0]))]
    low, most = min(ends[0][0], ends[1][0]), max(ends[0][1], ends[1][1])
    return low, 0.25 if s[0] <= 0.5 <= s[1] else most


def choose(p, q, a, b, at_tie=True, known=False):
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
    return (min(a[0], b[0]), max(a[1], b[1])) if a and b and not known else None


def by_ball(function, positive=False):
    return lambda x: None if (positive and x[0] <= 0) or not x[1] - x[0] < inf else pair(function(ball(x)))


FUNCTIONS = {
    "add": add,
    "sub": lambda x, y: add(x, neg(y)),
    "mul": mul,
    "div": div,
    "neg": neg,
    "exp": exp,
    "log": log,
    "sqrt": lambda x: power(x, (0.5, 0.5)),
    "tanh": rising(lambda a: a.tanh(), -1.0, 1.0),
    "logistic": rising(lambda a: 1 / (1 + (-a).exp()), 0.0, 1.0),
    "atan": rising(lambda a: a.atan(), -2.0, 2.0),
    "erf": rising(lambda a: a.erf(), -1.0, 1.0),
    "sin": by_ball(lambda a: a.sin()),
    "cos": by_ball(lambda a: a.cos()),
    "bell": by_ball(lambda a: 2 * (-a * a).exp() / arb.pi().sqrt()),  # the derivative of erf
    "lgamma": by_ball(lambda a: a.lgamma(), positive=True),
    "digamma": by_ball(lambda a: a.digamma(), positive=True),
    "trigamma": by_ball(lambda a: arb(2).zeta(a), positive=True),
    "max": lambda x, y: (max(x[0], y[0]), max(x[1], y[1])),
    "share": share,
    "spread": spread,
    "power": lambda x, b: power(x, b),
    "steep": lambda x, b: power(x, b, steep=True),
    "whole_power": whole_power,
    "if": lambda p, q, a, b: choose(p, q, a, b),
    "side": lambda p, q, a, b: choose(p, q, a, b, at_tie=False),
    "jump": lambda p, q, a, b: choose(p, q, a, b, at_tie=False, known=True),
}

PATTERNS = 64  # of choices that change, for which a plan keeps what depends on them
CASES = ("if", "side", "jump")  # defined also where one of the cases is not

PARTIALS = {  # derivatives in each operand, of a function g that adds nodes, the node itself and the operands
    "add": lambda g, y, a, b: (None, None),
    "sub": lambda g, y, a, b: (None, "-"),
    "mul": lambda g, y, a, b: (b, a),
    "div": lambda g, y, a, b: (g("div", g("c", 1.0), b), g("neg", g("div", y, b))),
    "neg": lambda g, y, a: ("-",),
    "exp": lambda g, y, a: (y,),
    "log": lambda g, y, a: (g("div", g("c", 1.0), a),),
    "sqrt": lambda g, y, a: (g("mul", g("c", 0.5), g("steep", a, g("c", -0.5))),),
    "tanh": lambda g, y, a: (g("sub", g("c", 1.0), g("whole_power", y, g("c", 2.0))),),
    "logistic": lambda g, y, a: (g("mul", y, g("logistic", g("neg", a))),),
    "sin": lambda g, y, a: (g("cos", a),),
    "cos": lambda g, y, a: (g("neg", g("sin", a)),),
    "atan": lambda g, y, a: (g("div", g("c", 1.0), g("add", g("c", 1.0), g("whole_power", a, g("c", 2.0)))),),
    "erf": lambda g, y, a: (g("bell", a),),
    "bell": lambda g, y, a: (g("mul", g("c", -2.0), g("mul", a, y)),),
    "lgamma": lambda g, y, a: (g("digamma", a),),
    "digamma": lambda g, y, a: (g("trigamma", a),),
    # exponents are numbers
    "power": lambda g, y, a, b: (g("mul", b, g("steep", a, g("sub", b, g("c", 1.0)))), b),
    "steep": lambda g, y, a, b: (g("mul", b, g("steep", a, g("sub", b, g("c", 1.0)))), b),
    "whole_power": lambda g, y, a, b: (g("mul", b, g("whole_power", a, g("sub", b, g("c", 1.0)))), b),
}


class Graph:
    """Nodes, each once."""

    def __init__(self):
        self.nodes, self.places, self.plans, self.derived = [], {}, {}, {}

    def add(self, *node):
        """Return the place of a node, new or known."""
        if node not in self.places:
            self.places[node] = len(self.nodes)
            self.nodes.append(node)
        return self.places[node]

    def operands(self, place):
        name, *rest = self.nodes[place]
        return [] if name in ("x", "c") else rest

    def order(self, places):
        """Return the nodes on which some depend, in order, with themselves."""
        found, left = set(), [one for one in places if one is not None]
        while left:
            one = left.pop()
            if one not in found:
                found.add(one)
                left += self.operands(one)
        return sorted(found)

    def moved(self, place, other):
        """Return a node with choices k replaced by ``other[k]``."""
        found = {}
        for one in self.order((place,)):
            name, *rest = self.nodes[one]
            rest = [other.get(rest[0], rest[0])] if name == "x" else rest
            found[one] = self.add(name, *(rest if name in ("x", "c") else map(found.get, rest)))
        return found[place]

    def derivative(self, place, k):
        """Return the node of the derivative in choice k; None where it is zero."""
        found = self.derived.setdefault(k, {})
        for one in self.order((place,)) if place not in found else ():
            if one not in found:
                found[one] = self.rule(one, k, [found[part] for part in self.operands(one)])
        return found[place]

    def rule(self, place, k, slopes):
        """Return the derivative of one node, by those of its operands."""
        name, *rest = self.nodes[place]
        if name == "x" and rest[0] == k:
            return self.add("c", 1.0)
        if all(one is None for one in slopes):
            return None
        if name == "max" or name in CASES:
            sides = slopes[::-1] if name == "max" else slopes[2:]
            sides = [self.add("c", 0.0) if one is None else one for one in sides]
            return self.add("side" if name == "max" else "jump", *rest[:2], *sides)
        if name in ("share", "spread"):  # of a and b
            (a, b), (one, other) = rest, (self.add("share", *rest), self.add("share", *rest[::-1]))
            spread, both = self.add("spread", *rest), self.add("add", *rest)
            if name == "share":
                rise = self.relative(a, spread, self.add("div", other, both), slopes[0])
                fall = self.relative(b, spread, self.add("div", one, both), slopes[1])
                return self.total(rise, self.product("-", fall))
            uneven = self.add("sub", other, one)
            more, less = (self.add("mul", part, uneven) for part in (spread, self.add("neg", spread)))
            parts = (
                self.add("mul", self.add("div", part, both), uneven) for part in (other, self.add("neg", one))
            )
            return self.total(*map(self.relative, rest, (more, less), parts, slopes))
        return self.total(*map(self.product, PARTIALS[name](self.add, place, *rest), slopes))

    def product(self, factor, slope):
        """Return a product with a factor, None for 1 and "-" for -1; None where the slope is zero."""
        if slope is None or factor is None:
            return slope
        if factor == "-":
            return self.add("neg", slope)
        return factor if self.nodes[slope] == ("c", 1.0) else self.add("mul", factor, slope)

    def total(self, a, b=None):
        return b if a is None else a if b is None else self.add("add", a, b)

    def relative(self, a, of_rate, factor, slope):
        """Return a product with the slope of a; an exponential a is a factor of its slope, and has a rate."""
        name, *rest = self.nodes[slope] if slope is not None else ("zero",)
        if name == "mul" and rest[0] == a:
            return self.product(of_rate, rest[1])
        return self.product(factor, slope)

    def evaluate(self, places, box):
        """Return bounds on nodes, where choices are between bounds. A place of None is zero.

        What does not depend on choices that have changed since the last time is not computed again.
        """
        if places not in self.plans:
            self.plans[places] = Plan(self, places)
        value = self.plans[places].evaluate(box)
        return [(0.0, 0.0) if one is None else value[one] for one in places]


class Plan:
    """What is to be computed for some nodes, and the values of the last time."""

    def __init__(self, graph, places):
        self.value, self.rows, self.box, self.some = {}, [], None, {}
        moves = {}  # of every node, choices on which it depends, as bits
        for k in graph.order(places):
            name, *rest = graph.nodes[k]
            if name == "c":
                self.value[k], moves[k] = (rest[0], rest[0]), 0
                continue
            moves[k] = 1 << rest[0] if name == "x" else 0
            for one in rest if name != "x" else ():
                moves[k] |= moves[one]
            self.rows.append((k, FUNCTIONS.get(name), rest, name in CASES, moves[k]))

    def evaluate(self, box):
        """Return bounds on all nodes."""
        value, rows = self.value, self.rows
        if self.box and len(self.box) == len(box):
            changed = sum(1 << k for k, pair in enumerate(box) if pair != self.box[k])
            if len(self.some) > PATTERNS:
                self.some.clear()
            if changed not in self.some:
                self.some[changed] = [row for row in rows if row[-1] & changed]
            rows = self.some[changed]
        for k, function, rest, undefined, _ in rows:
            if function:
                some = [value[one] for one in rest]
                value[k] = function(*some) if undefined or None not in some else None
            else:
                value[k] = box[rest[0]]
        self.box = list(box)
        return value
