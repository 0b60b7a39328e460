"""Validation of tables against signatures and dataclass fields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Len, Lt
from jaxtyping import Array, Float

from rivalry.lab.study import StudyError, json_schema, parameters
from rivalry.lab.study.schema import check_table

Positive = Annotated[float, Gt(0)]


def family(
    *,
    players: Annotated[int | None, Ge(2), "how many"] = None,
    reach: Annotated[float | list[float], Gt(0), "how far, in metres"] = 0.1,
    weights: list[Positive] | None = None,
    kernel: Literal["gaussian", "power_law"] = "gaussian",
    pair: Annotated[tuple[float, float], Len(2, 2)] = (0.0, 1.0),
    table: dict[str, Any] | None = None,
    density: Callable[[Any], Any] | None = None,
    points: Float[Array, "point"] | None = None,
    discount: Annotated[float, Ge(0), Lt(1)] = 0.9,
    flag: bool = False,
) -> None:
    """A family."""


@dataclass
class Options:
    rate: Annotated[float, Gt(0), "of steps"] = 0.1
    order: list[int] = field(default_factory=list)
    state: int = field(default=0, init=False)


def refusal(table: dict[str, Any], target: Callable[..., Any] = family) -> str:
    with pytest.raises(StudyError) as caught:
        check_table(target, table, ["game"])
    return str(caught.value)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"reach": -1}, "game.reach: -1 must be above 0"),
        ({"reach": [0.1, -1]}, "game.reach[1]: -1 must be above 0"),
        ({"reach": "far"}, "game.reach: 'far' must be a number"),
        ({"reach": True}, "game.reach: True must be a number or a list"),
        ({"reach": {}}, "game.reach: {} must be a number or a list"),
        ({"weights": [1.0, 0.0]}, "game.weights[1]: 0.0 must be above 0"),
        ({"players": 1}, "game.players: 1 must be at least 2"),
        ({"players": 2.5}, "game.players: 2.5 must be a whole number"),
        ({"players": 5e6}, "game.players: 5000000.0 must be a whole number; write 5000000"),
        ({"discount": 1.0}, "game.discount: 1.0 must be below 1"),
        (
            {"kernel": "gausian"},
            "game.kernel: 'gausian' must be one of 'gaussian', 'power_law'; did you mean 'gaussian'?",
        ),
        ({"flag": 1}, "game.flag: 1 must be true or false"),
        ({"pair": [1.0]}, "game.pair"),
        ({"raech": 1}, "game.raech: unknown key; did you mean 'reach'?"),
    ],
)
def test_invalid_values_are_refused_with_the_reason(table: dict[str, Any], says: str) -> None:
    assert refusal(table).startswith(says)


def test_values_are_converted_to_their_annotations() -> None:
    found = check_table(family, {"reach": 1, "pair": [1, 2], "players": 3, "table": {"a": [1]}}, ["game"])
    assert found == {"reach": 1.0, "pair": (1.0, 2.0), "players": 3, "table": {"a": [1]}}
    assert isinstance(found["reach"], float)
    assert check_table(family, {}, ["game"]) == {}


def test_objects_of_a_user_file_are_passed_unchanged() -> None:
    assert check_table(family, {"density": abs, "reach": 2}, ["game"]) == {"density": abs, "reach": 2.0}
    assert "reach" in refusal({"density": abs, "reach": -2})
    assert "unknown key" in refusal({"densty": "x", "density": abs})


def test_missing_required_keys_are_refused() -> None:
    def strict(prize: float, *, cost: float = 1.0) -> None: ...

    assert refusal({}, strict) == "game.prize: is missing"
    assert check_table(strict, {"prize": 1}, ["game"]) == {"prize": 1.0}


def test_the_fields_of_a_method_are_its_options() -> None:
    assert [p.name for p in parameters(Options)] == ["rate", "order"]
    assert check_table(Options, {"rate": 1}, ["method"]) == {"rate": 1.0}
    assert refusal({"state": 1}, Options).startswith("game.state: unknown key")


def test_parameters_report_type_default_bounds_and_meaning() -> None:
    rows = {row.name: row for row in parameters(family)}
    assert rows["reach"] == (
        "reach",
        "number or list of numbers",
        0.1,
        False,
        "> 0",
        "how far, in metres",
        "",
    )
    assert (rows["discount"].bounds, rows["kernel"].type) == (">= 0, < 1", '"gaussian" | "power_law"')
    assert rows["weights"].bounds == "> 0"
    assert rows["pair"].as_json()["default"] == [0.0, 1.0]


def test_a_signature_gives_a_json_schema() -> None:
    def plain(reach: Annotated[float, Gt(0)] = 0.1, kernel: Literal["a", "b"] = "a") -> None: ...

    schema = json_schema(plain)
    assert schema["additionalProperties"] is False
    assert schema["properties"]["reach"]["exclusiveMinimum"] == 0
    assert schema["properties"]["kernel"]["enum"] == ["a", "b"]


def test_an_unreadable_annotation_is_refused() -> None:
    def lost(prize: Prise = 1) -> None: ...  # type: ignore[name-defined]

    with pytest.raises(StudyError, match="an annotation cannot be read: name 'Prise'"):
        parameters(lost)


@pytest.mark.parametrize("name", ["influencer", "matrix"])
def test_families_document_their_keys(name: str) -> None:
    from rivalry import games

    assert all(row.type != "value" or row.meaning for row in parameters(getattr(games, name)))
    assert json_schema(getattr(games, name))["type"] == "object"
