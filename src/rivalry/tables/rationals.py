"""Linear equations in exact arithmetic, solved by FLINT.

Numbers of FLINT and `Fraction` neither mix nor compare as equal, so they are converted where they meet.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from flint import fmpq, fmpq_mat

Row = Sequence[fmpq | int]


def rational(number: Fraction | int) -> fmpq:
    """Number of FLINT that is equal to a fraction.

    >>> str(rational(Fraction(1, 3)))
    '1/3'
    """
    return fmpq(number.numerator, number.denominator)


def fraction(number: fmpq) -> Fraction:
    """Fraction that is equal to a number of FLINT.

    >>> fraction(fmpq(1, 3))
    Fraction(1, 3)
    """
    return Fraction(int(number.p), int(number.q))


def echelon(equations: Sequence[Row]) -> tuple[list[list[fmpq]], list[int]] | None:
    """Reduced echelon form of equations ``[A | b]``, and the unknown that each row determines.

    None where the equations have no solution.

    >>> rows, unknowns = echelon([[1, 1, 3], [1, -1, 1], [2, 0, 4]])
    >>> [str(row[-1]) for row in rows], unknowns
    (['2', '1'], [0, 1])
    """
    reduced, rank = fmpq_mat(equations).rref()
    rows = reduced.tolist()[:rank]
    unknowns = [next(k for k, entry in enumerate(row) if entry) for row in rows]
    has_solution = not rows or unknowns[-1] < len(rows[-1]) - 1
    return (rows, unknowns) if has_solution else None
