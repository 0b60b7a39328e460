"""The games of reference files, in the files' own spelling: ``kernel = {name, sigma}`` and so on."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import rivalry as rv
from rivalry.families.influencer.model import InfluencerGame

Inputs = Mapping[str, Any]
SWEPT = "swept"
RESOURCES = {"gaussian_mixture_1d": "mixture", "gaussian_mixture_nd": "mixture"}
SAME = ("normalise", "zero_influence", "abstention", "budgets", "choose_reach", "reach_cost")


class NotAnswered(Exception):
    """A kind, or a game, that the package does not have."""


def function_of(case: Mapping[str, Any], kinds: Mapping[str, Callable[..., Any]]) -> Callable[..., Any]:
    """The function of a case's kind."""
    kind = case["kind"]
    if kind not in kinds:
        raise NotAnswered(f"kind {kind!r}")
    return kinds[kind]


def game_of(spec: Inputs, folder: str, *, players: int, swept: float | None = None) -> InfluencerGame:
    """The game of a case; ``swept`` stands in for parameters that a scan gives."""
    space = spec["space"]
    if space["kind"] not in ("interval", "box", "simplex"):
        raise NotAnswered(f"space {space['kind']!r}")
    for key in set(spec) - {"space", "resource_points", "resource", "kernel", "third_party", *SAME}:
        if spec[key]:
            raise NotAnswered(f"game.{key}")
    table: dict[str, Any] = {"space": space["kind"], "players": players}
    table |= {key: space[key] for key in ("bounds", "corners") if space.get(key) is not None}
    table |= {key: spec[key] for key in SAME if spec.get(key) is not None}
    if spec.get("resource_points") is not None:
        table["resource_points"] = points_of(spec["resource_points"], folder)
    table["resource"] = resource_of(spec["resource"], folder)
    table |= _kernel(spec["kernel"], swept)
    if spec.get("third_party") is not None:
        table["third_party"] = _third_party(spec["third_party"], folder)
    return rv.games.influencer(**table)


def points_of(spec: Inputs | list[Any], folder: str) -> dict[str, Any] | list[Any]:
    """Resource points as the package takes them."""
    if not isinstance(spec, Mapping):
        return spec
    kind = spec["kind"]
    rest = {key: value for key, value in spec.items() if key not in ("kind", "order")}
    if kind == "file":
        return from_file(spec, folder, "points_key")
    if kind == "corners":  # unit vectors
        return {"kind": "points", "values": np.eye(rest["num"]).tolist()} if "num" in rest else {"kind": kind}
    if kind == "points":
        (values,) = rest.values()
        return {"kind": "points", "values": values}
    return {"kind": kind, **rest}


def resource_of(spec: Inputs | list[Any] | str, folder: str) -> dict[str, Any] | list[Any] | str:
    """The resource as the package takes it."""
    if not isinstance(spec, Mapping):  # a word, or numbers
        return spec
    if spec["kind"] == "file":
        return from_file(spec, folder, "weights_key")
    rest = {key: value for key, value in spec.items() if key != "kind"}
    return {"kind": RESOURCES.get(spec["kind"], spec["kind"]), **rest}


def axes_of(spec: dict[str, Any] | list[Any]) -> int:
    """How many coordinates the points of a specification have, where a case gives no space."""
    if isinstance(spec, Mapping) and spec["kind"] == "linspace":
        return 1
    if isinstance(spec, Mapping) and spec["kind"] == "grid":
        return len(spec["bounds"])
    first = (spec["values"] if isinstance(spec, Mapping) else spec)[0]
    return len(first) if isinstance(first, list) else 1


def from_file(spec: Inputs, folder: str, key: str) -> Any:
    """The numbers of a file beside the cases; ``key``, or "key", names the part of it."""
    whole = json.loads((Path(folder) / spec["path"]).read_text(encoding="utf-8"))
    part = spec.get(key, spec.get("key"))
    return whole if part is None else whole[part]


def is_swept(value: Any) -> bool:
    """Whether a parameter, or any player's, comes from the case's scan."""
    return value == SWEPT or (isinstance(value, list) and SWEPT in value)


def _third_party(spec: Any, folder: str) -> Any:
    if isinstance(spec, Mapping) and spec["kind"] == "file":
        return from_file(spec, folder, "weights_key")
    return spec


def _kernel(spec: Inputs, swept: float | None) -> dict[str, Any]:
    def number(value: Any) -> Any:
        if not is_swept(value):
            return value
        if swept is None:
            raise NotAnswered("a swept parameter without a scan")
        return [swept if v == SWEPT else v for v in value] if isinstance(value, list) else swept

    rest = {key: number(value) for key, value in spec.items() if key != "name" and value is not None}
    name = spec["name"]
    if name == "custom":
        return {"kernel": name, "influence": rest.pop("formula"), "parameters": rest}
    if name in ("power_law", "exponential", "dirichlet", "blotto"):
        return {"kernel": name, **rest}
    if "covariance_shape" in rest:  # s times a shape; s is a variance
        rest["variance"] = next((rest.pop(key) for key in ("s", "covariance") if key in rest), 1.0)
        rest["covariance"] = rest.pop("covariance_shape")
    elif "covariance" in rest and not isinstance(rest["covariance"], list):
        rest["variance"] = rest.pop("covariance")
    named = {{"sigma": "reach", "s": "variance"}.get(key, key): value for key, value in rest.items()}
    return named if name == "gaussian" else {"kernel": name, **named}
