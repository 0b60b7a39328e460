"""The form of proof files: a schema per kind of file, read before anything is computed from it."""

import json
from math import isfinite
from re import fullmatch

from rivalry_check import Damaged, spend
from rivalry_check.graph import OPERATIONS

FRACTION = r"-?(0|[1-9][0-9]*)(/[1-9][0-9]*)?"
BYTES, MEMBERS = 2**26, 2**22  # of a file once it is unpacked, and of all its lists and objects
LARGER = 8  # times as much with --large
CHOICES, NODES = 64, 2_000_000
OF_DERIVATIVES = ("trigamma", "steep", "spread", "side", "jump")  # operations that no file has


def load(text, factor=1):
    """Return the document in a text; raise `Damaged` unless it has the form of its kind."""
    spend(len(text) // 8)
    if len(text) > factor * BYTES or text.count(b",") + text.count(b"[") > factor * MEMBERS:
        raise Damaged(f"larger than {factor * BYTES} bytes or {factor * MEMBERS} entries (see --large)")
    document = json.loads(
        text.decode("ascii"), object_pairs_hook=members, parse_float=no_double, parse_constant=no_double
    )
    if not isinstance(document, dict) or document.get("format") != "rivalry-proof":
        raise Damaged("not a proof file: its format must be 'rivalry-proof'")
    if document.get("version") != 3:
        raise Damaged(f"version {str(document.get('version'))[:20]!r}; this program reads version 3")
    names = [document.get(name) for name in ("kind", "claim")]
    kind, claim = (name if isinstance(name, str) else "" for name in names)
    kinds = KINDS | {"smooth": ON_RANGES if "parameters" in document else LIST}
    kinds["finite"] = CLAIMS.get(claim, {"claim": word(*CLAIMS)})
    fits(document, kinds.get(kind, {"kind": word(*kinds)}), "the file")
    return document


def members(pairs):
    """Return an object of JSON; a key that occurs twice would be one thing to a reader, another to us."""
    members = {}
    for name, value in pairs:
        if name in members:
            raise Damaged(f"the key {name[:40]!r} occurs twice")
        members[name] = value
    return members


def no_double(text):
    raise Damaged(f"the number {text[:20]!r} is not whole; doubles are texts in hexadecimal")


class Words(dict):
    """Schemas of what follows the first word of a list, and under None that of an object in its place."""


def fits(value, schema, place):
    """Raise `Damaged` unless a value has the form of a schema.

    A schema is a dictionary of keys (``key?`` may be absent), a list of one schema, a tuple of schemas,
    `Words`, or a function that returns whether a value is right and says so in its docstring.
    """
    if isinstance(schema, Words) and None in schema and isinstance(value, dict):
        schema = schema[None]
    if callable(schema):
        if not schema(value):
            raise Damaged(f"{place} is {str(value)[:40]!r}, not {schema.__doc__}")
    elif isinstance(schema, Words):
        tag = value[0] if isinstance(value, list) and value else None
        if not isinstance(tag, str) or tag not in schema:
            raise Damaged(f"{place} is {str(value)[:40]!r}, which begins with no known word")
        fits(value[1:], schema[tag], f"{tag!r} of {place}")
    elif isinstance(schema, dict):
        if not isinstance(value, dict):
            raise Damaged(f"{place} is {str(value)[:40]!r}, not an object")
        keys = {key.rstrip("?"): part for key, part in schema.items()}
        if missing := [key for key in schema if key in keys and key not in value]:
            raise Damaged(f"{place} has no {missing[0]!r}")
        for key, part in value.items():
            if key not in keys:
                raise Damaged(f"{place} has the unknown key {key[:40]!r}")
            fits(part, keys[key], f"{key!r} of {place}")
    elif not isinstance(value, list) or (isinstance(schema, tuple) and len(value) != len(schema)):
        count = f" of {len(schema)} entries" if isinstance(schema, tuple) else ""
        raise Damaged(f"{place} is {str(value)[:40]!r}, not a list{count}")
    else:
        parts = schema if isinstance(schema, tuple) else schema * len(value)
        for k, (entry, part) in enumerate(zip(value, parts, strict=True)):
            fits(entry, part, f"entry {k} of {place}")


def number(value):
    """a finite double in hexadecimal"""
    try:
        return (
            isinstance(value, str) and isfinite(float.fromhex(value)) and float.fromhex(value).hex() == value
        )
    except (ValueError, OverflowError):
        return False


def constant(value):
    """a double in hexadecimal, inf or -inf"""
    return number(value) or (isinstance(value, str) and value in ("inf", "-inf"))


def fraction(value):
    """a fraction or a finite double in hexadecimal"""
    return isinstance(value, str) and (fullmatch(FRACTION, value) is not None or number(value))


def label(value):
    """a name of 1 to 80 letters, digits and characters of _.[]-"""  # spaces would make it a sentence
    return isinstance(value, str) and fullmatch(r"[A-Za-z0-9_.\[\]-]{1,80}", value) is not None


def weight(value):
    """1, -1 or a finite double in hexadecimal"""
    return (type(value) is int and abs(value) == 1) or number(value)


def yes(value):
    """true"""
    return value is True


def whole_numbers(low, high):
    """Return the schema of whole numbers from ``low`` to ``high``."""

    def between(value):
        return type(value) is int and low <= value <= high

    between.__doc__ = f"a whole number from {low} to {high}"
    return between


def word(*words):
    """Return the schema of one of several words."""

    def is_word(value):
        return isinstance(value, str) and value in words

    is_word.__doc__ = " or ".join(map(repr, words))
    return is_word


def strategy(value):
    """an action or probabilities"""
    return place(value) or (isinstance(value, list) and all(map(fraction, value)))


place, choice, move = whole_numbers(0, NODES), whole_numbers(0, CHOICES), whole_numbers(-1, NODES)
HEAD = {"format": word("rivalry-proof"), "version": whole_numbers(3, 3)}
ROW, BOUNDS = [number], (fraction, fraction)
BOX = {"low": ROW, "high": ROW}
EQUILIBRIUM = BOX | {"point": ROW, "radius": ROW, "matrix?": [ROW], "peak?": BOX, "kink?": yes}
CUT = (whole_numbers(0, 2 * CHOICES), number)
REASON = Words(cut=CUT, sign=([(choice, weight)],), better=(choice, ROW), around=(place,))
OPERANDS = {name: (place,) * bounds.__code__.co_argcount for name, (bounds, _) in OPERATIONS.items()}
NODE = Words(OPERANDS, x=(place,), c=(constant,))
for name in OF_DERIVATIVES:
    del NODE[name]
SMOOTH = HEAD | {
    "kind": word("smooth"),
    "coordinates": word("choices", "fractions"),
    "space": BOX | {"player": [choice], "axis": [place]},
    "payoffs": {"nodes": [NODE], "results": [place]},
}
LIST = SMOOTH | {"totals?": [[place]], "equilibria": [EQUILIBRIUM], "boxes?": [REASON], "constant_sum?": yes}
PART = {"equilibria": [EQUILIBRIUM], "boxes": [REASON]}
ON_RANGES = SMOOTH | {"parameters": BOX | {"names": [label]}}
ON_RANGES |= {"parts": [Words({None: PART, "cut": CUT, "undecided": ()})]}
MATRIX = HEAD | {"kind": word("finite"), "actions": [whole_numbers(1, NODES)], "payoffs": [[fraction]]}
DUAL = MATRIX | {"distribution": [fraction], "multipliers": [fraction], "bound": BOUNDS}
CLAIMS = {
    "pure_equilibria": MATRIX | {"equilibria": [[place]]},
    "extreme_equilibria": MATRIX
    | {"dominated": [(place, place, strategy)], "equilibria": [([fraction],) * 2]},
    "profile": MATRIX | {"strategies": [[fraction]], "gain": [fraction]},
    "correlated_equilibrium": DUAL,
    "commitment": DUAL | {"leader": choice},
    "value": HEAD
    | {"kind": word("finite"), "sets": ([(move, whole_numbers(1, NODES))],) * 2, "bound": BOUNDS}
    | {"leaves": [(move, move, fraction)], "strategies": ([[fraction]],) * 2},
}
CLAIMS = {claim: schema | {"claim": word(claim)} for claim, schema in CLAIMS.items()}
SESSION = {"policies": [[strategy]], "own": [[fraction]], "best": [[fraction]], "states": [place]}
POLICY = MATRIX | {
    "kind": word("policy"),
    "claim": word("policy"),
    "rounds": [[choice]],
    "memory": whole_numbers(1, 8),
}
POLICY |= {
    "observes": [[(choice, whole_numbers(0, 8))]],
    "discount": [fraction],
    "sessions": [SESSION],
    "gain": [BOUNDS],
}
KINDS = {"policy": POLICY, "periods": HEAD | {"kind": word("periods"), "periods": [LIST]}}
