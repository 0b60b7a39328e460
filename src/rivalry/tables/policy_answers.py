"""Answers of a user's policy, asked twice for every observation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from rivalry.core.tolerances import SHARES_SUM
from rivalry.schema.validate import as_numbers, format_value

LONGEST = 200  # characters of an error in a message


def policy_numbers(value: object, where: str = "policy") -> ndarray:
    """Array of the actions or probabilities that a user gives.

    Raises
    ------
    ValueError
        For complex numbers, booleans, texts and other objects.

    Examples
    --------
    >>> policy_numbers([0.5, 0.5])
    array([0.5, 0.5])
    """
    numbers = as_numbers(value, where, "actions or probabilities")
    array = np.asarray(value)
    if array.dtype.kind == "b":
        raise ValueError(f"{where}: {format_value(value)} must be actions or probabilities, not booleans")
    return array if array.dtype.kind in "iu" else numbers  # actions stay whole numbers


def answers_asked_twice(
    policy: Callable[..., Any], calls: Sequence[tuple[Any, ...]], places: Sequence[str]
) -> list[ndarray]:
    """Answers of a policy to every call, as arrays.

    The second time the calls come in reverse order: a policy that draws at random, counts its calls or
    remembers the last one is no table.

    Parameters
    ----------
    policy : callable
        The policy.
    calls : sequence of tuple
        Arguments of every call; arrays are copied, as a policy may change them.
    places : sequence of str
        Names of the calls, for messages.

    Raises
    ------
    ValueError
        For answers that are no numbers, that differ, and for whatever the policy raises.

    Examples
    --------
    >>> draws = np.random.default_rng(0)
    >>> answers_asked_twice(lambda seen: draws.integers(1000), [(0,)], ["at 0"])
    Traceback (most recent call last):
        ...
    ValueError: policy: at 0 returns different actions for the same observation; return probabilities
    """
    forward = [policy_answer(policy, call, place) for call, place in zip(calls, places, strict=True)]
    backward = zip(reversed(calls), reversed(places), strict=True)
    repeats = [policy_answer(policy, call, place) for call, place in backward]
    refuse_different(forward, repeats[::-1], places)
    return forward


def refuse_different(answers: Sequence[ndarray], repeats: Sequence[ndarray], places: Sequence[str]) -> None:
    """Raise `ValueError` for the first answer that differs the second time."""
    for before, after, place in zip(answers, repeats, places, strict=True):
        # sums in a network round by the place in a batch
        is_equal = before.shape == after.shape and np.allclose(
            before, after, rtol=0.0, atol=SHARES_SUM, equal_nan=True
        )
        if not is_equal:
            rule = "returns different actions for the same observation; return probabilities"
            raise ValueError(f"policy: {place} {rule}")


def policy_answer(policy: Callable[..., Any], arguments: tuple[Any, ...], place: str) -> ndarray:
    """Answer of a policy to copies of arguments. Raises `ValueError` for whatever the policy raises."""
    try:
        numeric = np.asarray(policy(*(np.copy(argument) for argument in arguments)))
    except (Exception, SystemExit) as error:
        raise ValueError(f"policy: {place} it raised {_in_words(error)}") from None
    # lists are plain in messages
    plain = numeric if numeric.dtype.kind in "iufmM" else numeric.tolist()
    return policy_numbers(plain, f"policy: {place}")


def _in_words(error: BaseException) -> str:
    """Error in one line, also where its text cannot be had."""
    try:
        text = " ".join(str(error).split())[:LONGEST]
    except Exception:
        text = ""
    return f"{type(error).__name__}: {text}".rstrip(": ")
