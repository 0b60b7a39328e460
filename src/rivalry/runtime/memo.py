"""Answers that several runs need, computed by the first."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable
from typing import Any, TypeVar
from weakref import ref

T = TypeVar("T")

Known = dict[Hashable, tuple[T, list[warnings.WarningMessage]]]
"""Answers by key, each with the warnings that came with it."""


def remembered(memo: Known[T], key: Hashable, make: Callable[[], T]) -> T:
    """Result of ``make``, called once per key; its warnings are given at every call.

    Errors are not remembered, and come with their warnings too.

    >>> known = {}
    >>> remembered(known, "six", lambda: 2 * 3), remembered(known, "six", lambda: 7)
    (6, 6)
    """
    caught = memo[key][1] if key in memo else []
    try:
        if key not in memo:
            with warnings.catch_warnings(record=True) as caught:
                memo[key] = make(), caught
    finally:
        for warning in caught:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return memo[key][0]


_OF_OBJECTS: dict[int, tuple[ref[Any], Hashable, Known[Any]]] = {}


def known_of(thing: object, state: Hashable) -> Known[Any]:
    """Return the answers about an object, kept while it lives and its ``state`` is the same.

    Equal objects share none: to compare their arrays may take as long as an answer.
    """
    number = id(thing)
    if number not in _OF_OBJECTS or _OF_OBJECTS[number][1] != state:
        # its number may be that of another object later
        life = ref(thing, lambda _: _OF_OBJECTS.pop(number, None))
        _OF_OBJECTS[number] = life, state, {}
    return _OF_OBJECTS[number][2]
