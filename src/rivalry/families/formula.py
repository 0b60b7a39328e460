"""Formulas in study files: parsed by recursive descent into a tree, never executed as code.

Python's own parser (`ast`) is unsuitable: ``lambda`` must be a valid parameter name, and the parser's
messages and positions depend on the Python version.

Grammar, with ``^`` the power, which binds tighter than a leading minus and associates to the right::

    test   = sum [("<" | "<=" | ">" | ">=" | "==" | "!=") sum]
    sum    = term  (("+" | "-") term)*
    term   = sign  (("*" | "/") sign)*
    sign   = ("-" | "+") sign | power
    power  = atom ["^" sign]
    atom   = number | name | function "(" test ("," test)* ")" | "(" test ")"

A test is 1 where it holds, else 0. ``if(test, a, b)`` is ``a`` where it holds, else ``b``. With one argument,
``sum``, ``min`` and ``max`` are over numbered names: ``sum(w*x)`` is ``w1*x1 + w2*x2``, as many as there are.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Any, NamedTuple

from rivalry.runtime.jax import jax, jnp
from rivalry.schema.registry import near

SINGLE = ("exp", "log", "sqrt", "abs", "sin", "cos", "sinh", "cosh", "tanh", "lgamma", "digamma")
EXTREMES = ("min", "max")  # of two or more arguments, or over numbered names
FUNCTIONS = (*SINGLE, *EXTREMES, "sum", "if")
TESTS = ("<", "<=", ">", ">=", "==", "!=")
# Limits on characters, nested brackets and powers, and nested operations (a sum of n terms has n - 1):
# both parsing and evaluation recurse.
LONGEST, DEEPEST, TALLEST = 2_000, 30, 100
UNDERFLOWING = 1e-280  # smaller numbers lose digits before they underflow
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z_]\w*)|(?P<sign>\*\*|[<>=!]=|[-+*/^(),<>]))"
)


Values = Mapping[str, Any]  # by name


class Expression(NamedTuple):
    """A node of a parsed formula.

    ``kind`` is number, name, call, negative, one of ``+ - * / ^``, or a test, whose ``value`` is its text.
    """

    kind: str
    value: Any = None
    parts: tuple[Expression, ...] = ()


class Formula(NamedTuple):
    """A parsed formula; equal texts give equal formulas, so compiled programs are reused."""

    text: str
    tree: Expression

    def __call__(self, values: Values) -> Any:
        """Return the value at ``values``, an array or number per name."""
        return _value(self.tree, values)

    def log(self, values: Values) -> Any:
        """Return the logarithm of the value without underflow: ``log exp u`` is ``u`` for any ``u``.

        It is minus infinity, with derivative 0, where the value is 0, and NaN where the value is negative.
        """
        size, sign = _signed_log(self.tree, values)
        return jnp.where(sign < 0, jnp.nan, size)


def parse(text: str, allowed: Iterable[str], name: str = "formula", *, tests: bool = False) -> Formula:
    """Return the formula that a text describes.

    Parameters
    ----------
    text : str
        Numbers, names, ``+ - * / ^``, brackets and the functions in `FUNCTIONS`.
    allowed : Iterable of str
        The names that it may contain.
    name : str
        The key with which messages begin.
    tests : bool
        Whether it may compare numbers, which makes values jump.

    Returns
    -------
    Formula
        A function of a mapping from names to values.

    Raises
    ------
    ValueError
        For a text that is no formula, unknown names, and a formula that is too long or too deeply nested.

    Examples
    --------
    >>> float(parse("-b^2 / (2*s^2)", ["b", "s"])({"b": 2.0, "s": 1.0}))
    -2.0
    >>> prices = {"p1": 1.0, "p2": 2.0}
    >>> float(parse("if(p1 < p2, 1, (p1 == p2)/2) * sum(p)", prices, tests=True)(prices))
    3.0
    """
    if len(text) > LONGEST:
        raise ValueError(f"{name}: {len(text)} characters; must be at most {LONGEST}")
    allowed = list(allowed)
    formula = Formula(text, _Parser(text, name, allowed, tests).whole())
    levels = _levels(formula.tree)
    if len(levels) > TALLEST:
        raise ValueError(f"{name}: more than {TALLEST} operations within each other in {text!r}")
    allowed_names = sorted(set(allowed))
    for used in sorted({node.value for level in levels for node in level if node.kind == "name"}):
        if used not in allowed_names:
            raise ValueError(
                f"{name}: unknown name {used!r} in {text!r}; allowed are {', '.join(allowed_names)}"
            )
    return formula


def coordinates(name: str, axes: int) -> list[str]:
    """Return the names of a point's coordinates in formulas: ``b``, or ``b1``, ``b2`` for several.

    >>> coordinates("b", 2)
    ['b1', 'b2']
    """
    return [name] if axes == 1 else [f"{name}{axis + 1}" for axis in range(axes)]


def coordinate_values(name: str, at: Any, axes: int) -> dict[str, Any]:
    """Return the coordinates ``at`` (a number for one axis, else ``[axis ..]``) by name."""
    values = [at] if axes == 1 else [at[axis] for axis in range(axes)]
    return dict(zip(coordinates(name, axes), values, strict=True))


def comparison_in(formula: Formula, names: Iterable[str]) -> str:
    """Return the text of the first test in a formula that depends on some names; empty without one.

    >>> comparison_in(parse("if(2*x < a, 1, 0) + (a > 1)", ["a", "x"], tests=True), ["x"])
    '2*x < a'
    """
    levels, names = _levels(formula.tree), set(names)
    for node in (node for level in levels for node in level if node.kind in TESTS):
        if any(part.value in names for level in _levels(node) for part in level if part.kind == "name"):
            return str(node.value)
    return ""


class _Parser:
    def __init__(self, text: str, name: str, allowed: list[str], tests: bool) -> None:
        self.text, self.name, self.allowed, self.tests = text, name, allowed, tests
        self.tokens: list[tuple[str, str, int]] = []
        self.at, self.depth = 0, 0
        position = 0
        while text[position:].strip():
            match = _TOKEN.match(text, position)
            if match is None:
                position += len(text[position:]) - len(text[position:].lstrip())
                hint = "; equality is ==" if tests and text[position] == "=" else ""
                raise self._error(f"unexpected {text[position]!r}{hint}", position)
            kind = str(match.lastgroup)
            self.tokens.append((kind, match[kind].replace("**", "^"), match.start(kind)))
            position = match.end()

    def whole(self) -> Expression:
        tree = self.test()
        if self.at < len(self.tokens):
            raise self._error(f"unexpected {self.tokens[self.at][1]!r}")
        return tree

    def test(self) -> Expression:
        begin = self.at
        tree = self.sum()
        if not self.tests or (sign := self._take(*TESTS)) is None:
            return tree
        parts = tree, self.sum()
        if self._take(*TESTS) is not None:
            self.at -= 1
            raise self._error("two tests in a row; multiply tests in brackets")
        return Expression(sign, self._text_from(begin), parts)

    def _text_from(self, begin: int) -> str:
        """Return the text from a token to the last one that was read."""
        start, end = (self.tokens[k][2] for k in (begin, self.at - 1))
        return self.text[start:end] + self.tokens[self.at - 1][1]

    def sum(self) -> Expression:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self._error(f"more than {DEEPEST} brackets within each other")
        tree = self._chain(self.term, "+-")
        self.depth -= 1
        return tree

    def term(self) -> Expression:
        return self._chain(self.sign, "*/")

    def _chain(self, part: Callable[[], Expression], signs: str) -> Expression:
        tree = part()
        while (sign := self._take(*signs)) is not None:
            tree = Expression(sign, parts=(tree, part()))
        return tree

    def sign(self) -> Expression:
        negative = False
        while (sign := self._take("-", "+")) is not None:
            negative ^= sign == "-"
        # a sign binds less than a power: -b^2 is -(b^2)
        tree = self.power()
        return Expression("negative", parts=(tree,)) if negative else tree

    def power(self) -> Expression:
        base = self.atom()
        if self._take("^") is None:
            return base
        self.depth += 1
        if self.depth > DEEPEST:
            raise self._error(f"more than {DEEPEST} powers within each other")
        # from the right, and with a sign: 2^3^2 is 2^9, and 2^-1 is allowed
        exponent = self.sign()
        self.depth -= 1
        return Expression("^", parts=(base, exponent))

    def atom(self) -> Expression:
        if self.at == len(self.tokens):
            raise self._error("ends too early")
        kind, value, _ = self.tokens[self.at]
        self.at += 1
        if kind == "number":
            return Expression("number", float(value))
        if kind == "name":
            is_call = self._take("(") is not None
            if value in FUNCTIONS and is_call:
                return self._call(str(value))
            if is_call or value in FUNCTIONS:
                raise self._error(
                    f"{value!r} is no function; {near(value, FUNCTIONS)}" if is_call else f"{value} needs ("
                )
            return Expression("name", value)
        if value == "(":
            return self._closed(self.test())
        self.at -= 1
        raise self._error(f"unexpected {value!r}")

    def _call(self, function: str) -> Expression:
        begin, parts = self.at, [self.test()]
        condition = self._text_from(begin)
        while self._take(",") is not None:
            parts.append(self.test())
        count = len(parts)
        if count == 1 and function in (*EXTREMES, "sum"):
            parts = self._numbered(parts[0])
        takes = {"if": "a test and two values", **dict.fromkeys(EXTREMES, "several arguments")}
        counts = {"if": count == 3 and self.tests, "sum": True, **dict.fromkeys(EXTREMES, len(parts) > 1)}
        if not counts.get(function, count == 1):
            raise self._error(f"{function} takes {takes.get(function, 'one argument')}")
        self._closed(parts[0])
        if function == "if":
            test = parts[0]
            if test.kind not in TESTS:  # a product of tests, or a number
                test = Expression("!=", condition, (test, Expression("number", 0.0)))
            return Expression("call", function, (test, *parts[1:]))
        if function == "sum":
            return _joined(parts, lambda pair: Expression("+", parts=pair))
        if function in EXTREMES:
            return _joined(parts, lambda pair: Expression("call", function, pair))
        return Expression("call", function, (parts[0],))

    def _numbered(self, tree: Expression) -> list[Expression]:
        """Return an expression for each number of its names; alone where all of its names are known."""
        used = {node.value for level in _levels(tree) for node in level if node.kind == "name"}
        unknown = sorted(used - set(self.allowed))
        sets = [
            {int(name[len(stem) :]) for name in self.allowed if re.fullmatch(rf"{stem}[0-9]+", name)}
            for stem in unknown
        ]
        if not unknown or not all(sets):
            return [tree]
        if any(numbers != sets[0] for numbers in sets):
            raise self._error(f"{' and '.join(unknown)} must be numbered alike")
        trees = []
        for k in sorted(sets[0]):
            numbered = {stem: Expression("name", f"{stem}{k}") for stem in unknown}
            trees.append(substituted(tree, numbered))
        return trees

    def _closed(self, tree: Expression) -> Expression:
        if self._take(")") is None:
            raise self._error("a bracket is not closed")
        return tree

    def _take(self, *signs: str) -> str | None:
        if self.at < len(self.tokens):
            kind, value, _ = self.tokens[self.at]
            if kind == "sign" and value in signs:
                self.at += 1
                return value
        return None

    def _error(self, message: str, position: int | None = None) -> ValueError:
        if position is None:
            position = self.tokens[self.at][2] if self.at < len(self.tokens) else len(self.text)
        return ValueError(f"{self.name}: {message} at character {position + 1} of {self.text!r}")


def _joined(parts: list[Expression], join: Callable[[tuple[Expression, ...]], Expression]) -> Expression:
    """Return parts joined in pairs, so that many are not deeply nested."""
    while len(parts) > 1:
        parts = [
            join(tuple(parts[k : k + 2])) if k + 1 < len(parts) else parts[k] for k in range(0, len(parts), 2)
        ]
    return parts[0]


def substituted(tree: Expression, trees: Mapping[str, Expression]) -> Expression:
    """Return a tree with trees in place of names."""
    if tree.kind == "name":
        return trees.get(tree.value, tree)
    return tree._replace(parts=tuple(substituted(part, trees) for part in tree.parts))


def ordered(tree: Expression, renamed: Mapping[str, str]) -> Any:
    """Return a tree with other names, and with the terms of sums and the factors of products in one order.

    >>> ordered(parse("8 - a - 2*b", "ab").tree, {}) == ordered(parse("8 - b*2 - a", "ab").tree, {})
    True
    """
    if tree.kind in ("+", "-", "negative"):
        return ("+", *sorted(_terms(tree, renamed, 1), key=repr))
    parts = [ordered(part, renamed) for part in tree.parts]
    if tree.kind == "*" or tree.value in EXTREMES:
        parts.sort(key=repr)
    value = renamed.get(tree.value, tree.value) if tree.kind == "name" else tree.value
    return (tree.kind, value, *parts)


def _terms(tree: Expression, renamed: Mapping[str, str], sign: int) -> list[Any]:
    """Return the terms of a sum, each with its sign."""
    if tree.kind not in ("+", "-", "negative"):
        return [(sign, ordered(tree, renamed))]
    signs = [sign, -sign] if tree.kind == "-" else [sign if tree.kind == "+" else -sign, sign]
    terms = [_terms(part, renamed, of_part) for part, of_part in zip(tree.parts, signs, strict=False)]
    return list(chain.from_iterable(terms))


def _levels(tree: Expression) -> list[list[Expression]]:
    """Return the nodes of a tree by their distance from its root."""
    # without recursion: a long chain of operations may be deeper than Python's limit
    levels = [[tree]]
    while below := [part for node in levels[-1] for part in node.parts]:
        levels.append(below)
    return levels


def _value(tree: Expression, values: Values) -> Any:
    if tree.kind == "number":
        return tree.value
    if tree.kind == "name":
        return values[tree.value]
    if tree.kind == "call" and tree.value == "if":
        test, *branches = tree.parts
        return jnp.where(_holds(test, values), *(_value(part, values) for part in branches))
    if tree.kind in TESTS:
        return jnp.where(_holds(tree, values), 1.0, 0.0)
    parts = [_value(part, values) for part in tree.parts]
    if tree.kind == "call":
        return _CALLS[tree.value](*parts) if tree.value in _CALLS else getattr(jnp, tree.value)(parts[0])
    return _OPERATIONS[tree.kind](*parts)


def _holds(test: Expression, values: Values) -> Any:
    left_value, right = (_value(part, values) for part in test.parts)
    return _COMPARISONS[test.kind](jnp.asarray(left_value), jnp.asarray(right))


def _root(value: Any) -> Any:
    """Return the square root, with derivative 0 at 0, so that gradients of distances stay finite."""
    return jnp.where(value == 0, 0.0, jnp.sqrt(jnp.where(value == 0, 1.0, value)))


def _power_of_value(base: Any, power: Any) -> Any:
    # an integer power allows a negative base and is differentiable everywhere
    return jnp.power(base, int(power) if isinstance(power, float) and power.is_integer() else power)


Functions = Mapping[str, Callable[..., Any]]

_CALLS: Functions = {
    "sqrt": _root,
    "lgamma": lambda value: jax.scipy.special.gammaln(value),
    "digamma": lambda value: jax.scipy.special.digamma(value),
    "min": lambda left, right: jnp.minimum(left, right),
    "max": lambda left, right: jnp.maximum(left, right),
}
_COMPARISONS: Functions = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_OPERATIONS: Functions = {
    "negative": operator.neg,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda left, right: jnp.divide(left, right),
    "^": _power_of_value,
}


def _signed_log(tree: Expression, values: Values) -> tuple[Any, Any]:
    """Return the logarithm of the absolute value, and the sign."""
    if tree.kind == "call" and tree.value == "exp":
        argument = jnp.asarray(_value(tree.parts[0], values))
        return argument, jnp.ones_like(argument)
    if tree.kind == "call" and tree.value == "sqrt":
        size, sign = _signed_log(tree.parts[0], values)
        return size / 2, jnp.where(sign < 0, jnp.nan, sign)
    if tree.kind == "call" and tree.value in EXTREMES:
        (left_value, left_sign), (right, right_sign) = (_signed_log(part, values) for part in tree.parts)
        # of two negative values the larger one is the smaller in size
        below = jnp.where(
            left_sign == right_sign, left_sign * left_value < right_sign * right, left_sign < right_sign
        )
        takes_left = below if tree.value == "min" else ~below
        return jnp.where(takes_left, left_value, right), jnp.where(takes_left, left_sign, right_sign)
    if tree.kind == "negative":
        size, sign = _signed_log(tree.parts[0], values)
        return size, -sign
    if tree.kind in ("*", "/"):
        (left_value, left_sign), (right, right_sign) = (_signed_log(part, values) for part in tree.parts)
        return (left_value + right if tree.kind == "*" else left_value - right), left_sign * right_sign
    if tree.kind in ("+", "-") and _has_exp(tree):
        return _signed_sum(tree, values)
    if tree.kind == "^":
        base, exponent = tree.parts
        power = _value(exponent, values)
        if isinstance(power, float) and power.is_integer() and power > 0:
            size, sign = _signed_log(base, values)
            return size * power, sign ** int(power)
    return _log_of(jnp.asarray(_value(tree, values), dtype=float))


def _signed_sum(tree: Expression, values: Values) -> tuple[Any, Any]:
    """Return the logarithm of a sum: from its value, or from the terms' logarithms where both vanish."""
    terms = [jnp.asarray(_value(part, values), dtype=float) for part in tree.parts]
    (a, a_sign), (b, b_sign) = (_signed_log(part, values) for part in tree.parts)
    top = jnp.maximum(a, b)
    # both terms are 0: no difference of two infinities
    top = jax.lax.stop_gradient(jnp.where(jnp.isfinite(top), top, 0.0))
    minus = tree.kind == "-"
    size, sign = _log_of(
        a_sign * jnp.exp(a - top) + (-b_sign if minus else b_sign) * jnp.exp(b - top), jnp.exp(-top)
    )
    log_value, own_sign = _log_of(terms[0] - terms[1] if minus else terms[0] + terms[1])
    tiny = jnp.maximum(jnp.abs(terms[0]), jnp.abs(terms[1])) < UNDERFLOWING
    return jnp.where(tiny, top + size, log_value), jnp.where(tiny, sign, own_sign)


def _has_exp(tree: Expression) -> bool:
    return (tree.kind == "call" and tree.value == "exp") or any(map(_has_exp, tree.parts))


def _log_of(value: Any, unit: Any = 1.0) -> tuple[Any, Any]:
    # jnp.where computes both branches: log 0 would have an infinite derivative, that of a unit has none
    size = jnp.abs(jnp.where(value == 0, unit, value))
    return jnp.where(value == 0, -jnp.inf, jnp.log(size)), jnp.sign(value)
