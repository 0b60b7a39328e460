"""Comparison of two sets of scenarios: how often an inequality holds, and where it fails."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rivalry.core.results import CERTIFIED, CLAIMS, Record, dataset, scalar
from rivalry.schema.validate import check_keywords, check_word, near

if TYPE_CHECKING:
    from xarray import Dataset

Relation = Literal["<", "<=", ">=", ">"]
RELATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">=": operator.ge,
    ">": operator.gt,
}


@check_keywords
def compare(
    left: Dataset,
    right: Dataset,
    quantity: str,
    relation: Relation = ">",
    *,
    margin: float = 0.0,
    claims: Sequence[str] = CERTIFIED,
) -> Dataset:
    """Test ``left relation right`` for all pairs of a point of ``left`` and a point of ``right``.

    Parameters
    ----------
    left, right : Dataset
        Datasets of sweeps or runs.
    quantity : str
        A variable with one number per point.
    relation : {"<", "<=", ">=", ">"}
        The inequality.
    margin : float
        The inequality must hold by this much, since both sides have rounding errors.
    claims : sequence of str
        Claims of the points that are compared, by default certified equilibria. Weaker ones
        (`rivalry.core.results.CLAIMS`) suit games whose best responses are only searched.

    Returns
    -------
    Dataset
        ``share`` of the pairs for which the inequality holds; number of ``pairs``; ``holds`` (left_point,
        right_point); ``left_value`` and ``right_value`` with each point's swept coordinates (``left_theta``
        ..); ``failure`` (pair, side), the pairs of points for which it fails; ``left_out`` (side), the
        numbers of points left out for their claim.

    Raises
    ------
    ValueError
        For an unknown variable, relation or claim, a variable with several numbers per point, and a set
        without a point of these claims.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.influencer(reach=[0.3] * 2)
    >>> one, other = (rv.sweep(game, {"reach": reaches}, rv.methods.GradientAscent(), [0.4, 0.5])
    ...               for reaches in ([0.25, 0.3], [0.35]))
    >>> comparison = compare(one, other, "steps", "<")
    >>> int(comparison.pairs), comparison.holds.dims
    (2, ('left_point', 'right_point'))
    """
    check_word("relation", relation, RELATIONS)
    for claim in claims:
        check_word("claims", claim, CLAIMS)
    sides = [_points(data, quantity, name, claims) for name, data in (("left", left), ("right", right))]
    (left_values, left_record, _), (right_values, right_record, _) = sides
    differences = left_values[:, None] - right_values[None, :]
    sign = 1.0 if relation.startswith(">") else -1.0
    # turned round for "<", so that the margin makes both directions harder
    holds = RELATIONS[relation if sign > 0 else relation.replace("<", ">")](sign * differences, margin)
    record: Record = {
        "share": scalar(holds.mean()),
        "pairs": scalar(holds.size),
        "holds": (("left_point", "right_point"), holds),
        "left_value": (("left_point",), left_values),
        "right_value": (("right_point",), right_values),
        "failure": (("pair", "side"), np.argwhere(~holds)),
        "left_out": (("side",), np.array([out for _, _, out in sides])),
    }
    return dataset(record | left_record | right_record)


def _points(
    data: Dataset, quantity: str, side: str, admitted: Sequence[str]
) -> tuple[np.ndarray, Record, int]:
    """Return the values at admitted points, the points' coordinates, and the number of points left out."""
    for name in (quantity, "claim"):
        if name not in data:
            raise ValueError(f"{side}: no variable {name!r}; {near(name, map(str, data.data_vars))}")
    dims = data["claim"].dims
    extra = [str(dim) for dim in data[quantity].dims if dim not in dims]
    if extra:
        raise ValueError(
            f"{side}: {quantity} has a number for each {extra[0]}; pick one by isel({extra[0]}=0)"
        )
    claims = data["claim"].values
    values = np.broadcast_to(data[quantity].broadcast_like(data["claim"]).values, claims.shape)
    mask = np.isin(claims, list(admitted)) & np.isfinite(values)
    if not mask.any():
        claims_text = ", ".join(sorted({str(claim) for claim in claims.ravel() if claim})) or "none"
        raise ValueError(
            f"{side}: no point with {quantity} has a claim of {list(admitted)}; there are: {claims_text}"
        )
    record: Record = {}
    for name in map(str, dims):
        if name in data.coords and data.sizes[name] > 1:
            along = data[name].broadcast_like(data["claim"]).transpose(*dims).values
            record[f"{side}_{name}"] = ((f"{side}_point",), along[mask])
    # missing points of an incomplete run have no claim, and are not counted as left out
    finished = claims != ""
    return values[mask], record, int((finished & ~mask).sum())
