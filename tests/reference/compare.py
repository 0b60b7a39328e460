"""Expected against ours: every dialect of tolerance in the reference files becomes one rule per field.

Rules are looked up by a field's own name, then by the names around it, then the case's default. A name X
governs the fields that are X or end in ``_X``; the longest such name wins. The dialects:

- ``{"rtol": .., "atol": .., "X_rtol": .., "X_atol": ..}``: like `numpy.allclose`; what is missing is 0;
- ``{"type": "close", "rel": .., "abs": .., "X": "rel .., abs .., only where alive >= 0.01"}``;
- ``{"type": "exact"}`` and, in texts, ``exact`` and ``for information``;
- ``{"type": "band"}`` with entries ``accept_X: [low, high]`` in what is expected;
- ``{"X": number, "all": number, "relative": number, "mean_of_10_seeds": {..}}``: absolute, or relative.

Fields named ``regret_max`` or ``.._at_most`` are upper bounds, ``.._at_least`` lower ones.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

_NUMBER = r"([-+]?\d+\.?\d*(?:[eE][-+]?\d+)?)"
_WHERE = re.compile(rf"only where (\w+) >= {_NUMBER}")
_SKIPPED = ("note",)


class Rule(NamedTuple):
    """How near a field must come: ``|ours - expected| <= abs + rel |expected|``."""

    rel: float = 0.0
    abs: float = 0.0
    exact: bool = False
    skip: bool = False
    where: tuple[str, float] | None = None  # compared only where that other field is at least this


class Rules(NamedTuple):
    """The default, and the rules of names."""

    default: Rule
    named: dict[str, Rule]

    def of(self, path: Sequence[str]) -> Rule:
        """The rule of a field, ``path`` being the names that lead to it, its own last."""
        for field in map(_name, reversed(path)):
            known = [name for name in self.named if field == name or field.endswith(f"_{name}")]
            if known:
                return self.named[max(known, key=len)]
        return self.default


def rules(tolerance: object) -> Rules:
    """The rules in a case's tolerance, whatever its dialect."""
    if tolerance is None:
        return Rules(Rule(), {})
    if not isinstance(tolerance, Mapping):
        raise ValueError(f"tolerance: {tolerance!r} must be an object")
    if "type" in tolerance:
        return _typed(tolerance)
    if any(name.endswith(("rtol", "atol")) for name in tolerance):
        return _allclose(tolerance)
    return _plain(tolerance.get("mean_of_10_seeds", tolerance))


def _typed(tolerance: Mapping[str, Any]) -> Rules:
    default = Rule(tolerance.get("rel", 0.0), tolerance.get("abs", 0.0), exact=tolerance["type"] == "exact")
    texts = {k: v for k, v in tolerance.items() if k not in ("type", "rel", "abs", "rule")}
    return Rules(default, {name: _from_text(text, default) for name, text in texts.items()})


def _allclose(tolerance: Mapping[str, Any]) -> Rules:
    default = Rule(tolerance.get("rtol", 0.0), tolerance.get("atol", 0.0))
    named: dict[str, Rule] = {}
    for key, value in tolerance.items():
        name, _, what = key.rpartition("_")
        if what in ("rtol", "atol") and name:
            named[name] = named.get(name, default)._replace(**{"rel" if what == "rtol" else "abs": value})
        elif isinstance(value, str):
            named[key] = _from_text(value, default)
    return Rules(default, named)


def _plain(tolerance: Mapping[str, Any]) -> Rules:
    default = Rule(tolerance.get("relative", 0.0), tolerance.get("all", 0.0))
    named = {
        name: _from_text(value, default) if isinstance(value, str) else default._replace(abs=value)
        for name, value in tolerance.items()
        if name not in ("relative", "all")
    }
    return Rules(default, named)


def _from_text(text: object, default: Rule) -> Rule:
    if not isinstance(text, str):
        return default._replace(abs=float(text))  # type: ignore[arg-type]
    words = text.replace(",", " , ")
    where = _WHERE.search(words)
    rule = default._replace(where=(where[1], float(where[2])) if where else None)
    if re.search(r"\bfor information\b", words):
        return rule._replace(skip=True)
    if re.search(r"\bexact\b", words):
        return rule._replace(exact=True)
    for key in ("rel", "abs"):
        found = re.search(rf"\b{key} {_NUMBER}", words)
        if found:
            rule = rule._replace(**{key: float(found[1])})
    return rule


def disagreements(
    case: Mapping[str, Any], ours: Mapping[str, Any], *, null_is_any: bool = False
) -> list[str]:
    """One line for each field of ``case["expected"]`` that ``ours`` does not come near enough.

    ``null_is_any`` tells that null marks what cannot be compared; else it stands for "none".
    """
    known = rules(case.get("tolerance"))
    return list(_fields(case["expected"], ours, [], known, null_is_any))


def _fields(
    expected: Mapping[str, Any], ours: Any, path: list[str], known: Rules, null_is_any: bool
) -> Iterator[str]:
    if not isinstance(ours, Mapping):
        yield f"{_label(path)}: ours {ours!r}, expected an object"
        return
    for field, value in expected.items():
        if field in _SKIPPED:
            continue
        name = field.removeprefix("accept_")
        if name not in ours:
            yield f"{_label([*path, name])}: no answer"
        elif name != field:
            yield from _band(value, ours[name], [*path, name])
        else:
            rule = known.of([*path, field])
            mask = expected.get(rule.where[0]) if rule.where else None
            yield from _value(value, ours[field], [*path, field], (known, rule, mask), null_is_any)


def _band(band: Any, ours: Any, path: list[str]) -> Iterator[str]:
    if isinstance(band, Mapping):  # a band for each key
        for key, inner in band.items():
            known = isinstance(ours, Mapping) and key in ours
            yield from _band(inner, ours[key] if known else None, [*path, key])
    elif not (_number(ours) and band[0] <= ours <= band[1]):
        yield f"{_label(path)}: ours {ours!r}, expected within [{band[0]}, {band[1]}]"


def _value(
    expected: Any, ours: Any, path: list[str], how: tuple[Rules, Rule, Any], null_is_any: bool
) -> Iterator[str]:
    known, rule, mask = how
    if rule.skip or (expected is None and null_is_any):
        return
    if isinstance(expected, Mapping):
        yield from _fields(expected, ours, path, known, null_is_any)
        return
    ours = ours.tolist() if hasattr(ours, "tolist") else ours
    if isinstance(expected, list):
        if not isinstance(ours, list | tuple) or len(ours) != len(expected):
            size = len(ours) if isinstance(ours, list | tuple) else repr(ours)
            yield f"{_label(path)}: ours has {size} entries, expected {len(expected)}"
            return
        for k, (one, other) in enumerate(zip(expected, ours, strict=True)):
            if rule.where and mask is not None and k < len(mask) and mask[k] < rule.where[1]:
                continue
            # a mask belongs to the first index only
            inner = (known, rule._replace(where=None), None)
            yield from _value(one, other, [*path[:-1], f"{path[-1]}[{k}]"], inner, null_is_any)
        return
    if not agree(expected, ours, rule, _name(path[-1])):
        yield f"{_label(path)}: ours {ours!r}, expected {expected!r}, allowed {_allowed(expected, rule)}"


def agree(expected: Any, ours: Any, rule: Rule, name: str = "") -> bool:
    """Whether one value comes near enough to another."""
    if _number(expected) and _number(ours):
        slack = rule.abs + rule.rel * abs(expected)
        if name == "regret_max" or name.endswith("_at_most"):
            return bool(ours <= expected + slack)
        if name.endswith("_at_least"):
            return bool(ours >= expected - slack)
        if math.isinf(expected) or rule.exact:
            return bool(ours == expected)
        return bool(abs(ours - expected) <= slack)
    return type(expected) is type(ours) and bool(expected == ours)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _name(field: str) -> str:
    return field.split("[")[0]


def _label(path: Sequence[str]) -> str:
    return ".".join(path) or "answer"


def _allowed(expected: Any, rule: Rule) -> str:
    if rule.exact or not _number(expected):
        return "no difference"
    return f"{rule.abs + rule.rel * abs(expected):.3g}"


def names_all(message: str, wanted: Sequence[str]) -> list[str]:
    """What a message should name and does not, whatever the case of the letters."""
    return [word for word in wanted if str(word).lower() not in message.lower()]
