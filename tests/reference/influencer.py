"""Answers to the cases of influencer reference files, through the package's public interface.

The files' own spelling of a game, ``kernel = {name, sigma}`` and so on, is translated here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import rivalry as rv
from rivalry import tabular
from rivalry.game import jacobian, own_gradients, with_
from rivalry.games.influencer import (
    Influencer,
    group_levels,
    moments,
    threshold_reach,
    threshold_variance,
)
from rivalry.games.resources import resource_points, resource_weights
from rivalry.methods import exploration, schedules

Inputs = Mapping[str, Any]
SWEPT = "swept"
VALUES = 301  # looked at in a scan: two crossings nearer than that are not told apart
RESOURCES = {
    "gaussian_mixture_1d": "mixture",
    "gaussian_mixture_nd": "mixture",
    "beta_pdf": "beta",
    "array": "array",
    "uniform": "uniform",
}


class NotAnswered(Exception):
    """A kind, or a game, that the package does not have."""


def answer(case: Mapping[str, Any]) -> dict[str, Any]:
    """What the package says to one case."""
    kind = case["kind"]
    if kind not in KINDS:
        raise NotAnswered(f"kind {kind!r}")
    return KINDS[kind](case["inputs"], case)


def game_of(spec: Inputs, folder: str, *, players: int, swept: float | None = None) -> Influencer:
    """The game of a case; ``swept`` stands in for parameters that a scan gives."""
    space = spec["space"]
    if space["kind"] not in ("interval", "box"):
        raise NotAnswered(f"space {space['kind']!r}")
    known = {"space", "resource_points", "resource", "kernel", "third_party", "abstention", "budgets"}
    plain = {"normalise", "zero_influence"}
    for key in set(spec) - known - plain:
        if spec[key]:
            raise NotAnswered(f"game.{key}")
    table: dict[str, Any] = {key: spec[key] for key in plain & set(spec)}
    table |= {"space": space["kind"], "bounds": space["bounds"], "players": players}
    table |= {"resource_points": _points(spec["resource_points"], folder)}
    table |= {"resource": _resource(spec["resource"], folder)}
    table |= _kernel(spec["kernel"], swept)
    table |= {key: spec[key] for key in ("third_party", "abstention") if spec.get(key) is not None}
    if spec.get("budgets") is not None:
        table["budgets"] = spec["budgets"]
    return rv.games.influencer(**table)


def _points(spec: Inputs, folder: str) -> dict[str, Any] | list[Any]:
    kind = spec["kind"]
    rest = {key: value for key, value in spec.items() if key not in ("kind", "order")}
    if kind == "file":
        return _file(spec, folder, "points_key")
    if kind == "corners":  # unit vectors
        return {"kind": "points", "values": np.eye(rest["num"]).tolist()}
    if kind == "points":
        (values,) = rest.values()
        return {"kind": "points", "values": values}
    if kind not in ("linspace", "grid"):
        raise NotAnswered(f"resource_points {kind!r}")
    return {"kind": kind, **rest}


def _resource(spec: Inputs | str, folder: str) -> dict[str, Any] | list[Any] | str:
    if isinstance(spec, str):  # a word
        return spec
    kind = spec["kind"]
    rest = {key: value for key, value in spec.items() if key != "kind"}
    if kind == "file":
        return _file(spec, folder, "weights_key")
    if kind not in RESOURCES:
        raise NotAnswered(f"resource {kind!r}")
    return {"kind": RESOURCES[kind], **rest}


def _file(spec: Inputs, folder: str, key: str) -> list[Any]:
    whole = json.loads((Path(folder) / spec["path"]).read_text(encoding="utf-8"))
    values: list[Any] = whole[spec[key]] if key in spec else whole
    return values


def _kernel(spec: Inputs, swept: float | None) -> dict[str, Any]:
    def number(value: Any) -> Any:
        if value != SWEPT:
            return value
        if swept is None:
            raise NotAnswered("a swept parameter without a scan")
        return swept

    rest = {key: number(value) for key, value in spec.items() if key != "name"}
    name = spec["name"]
    if name == "gaussian":
        normalised = {"normalised": rest.pop("normalised")} if "normalised" in rest else {}
        if "covariance" in rest or "covariance_shape" in rest:
            if "covariance_shape" in rest:  # s times a shape; s is a variance
                scaled = next((rest[key] for key in ("s", "covariance") if key in rest), 1.0)
                return {"covariance": rest["covariance_shape"], "variance": scaled, **normalised}
            if not isinstance(rest["covariance"], list):
                return {"variance": rest["covariance"], **normalised}
            return {"covariance": rest["covariance"], **normalised}
        return ({"reach": rest["sigma"]} if "sigma" in rest else {}) | normalised
    if name in ("power_law", "exponential"):
        return {"kernel": name, **rest}
    if name == "custom":
        return {"kernel": name, "influence": rest.pop("formula"), "parameters": rest}
    raise NotAnswered(f"kernel {name!r}")


def _nested(x: Any) -> Any:
    """A profile as the files write it: a flat list where there is one axis."""
    array = np.asarray(x)
    return array[:, 0].tolist() if array.shape[1] == 1 else array.tolist()


def _players(inputs: Inputs, key: str) -> int:
    return len(inputs[key])


def static(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """Payoffs, gradients and shares at a profile."""
    game = game_of(inputs["game"], case["folder"], players=_players(inputs, "positions"))
    x = game.space.check(inputs["positions"], "positions")
    everything = np.asarray(game.all_payoffs(x))
    shares = np.asarray(game.shares(x))
    wanted = [row["resource_index"] for row in case["expected"].get("shares", [])]
    return {
        "resource_total": float(game.scale),
        "payoffs": np.asarray(game.payoffs(x)).tolist(),
        "outside_payoffs": everything[len(x) :].tolist(),
        "gradient": _nested(own_gradients(game, x)),
        "shares": [{"resource_index": k, "share": shares[:, k].tolist()} for k in wanted],
    }


def jacobian_of(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """The Jacobian of own gradients."""
    game = game_of(inputs["game"], case["folder"], players=_players(inputs, "positions"))
    return {"jacobian": np.asarray(jacobian(game, game.space.check(inputs["positions"]))).tolist()}


def _resource_of(inputs: Inputs, case: Inputs) -> tuple[np.ndarray, np.ndarray]:
    """Points and weights where a case gives no space."""
    spec = _points(inputs["resource_points"], case["folder"])
    points = resource_points(spec, [[0.0, 1.0]] * _axes(spec))
    return points, resource_weights(_resource(inputs["resource"], case["folder"]), points)


def _axes(spec: dict[str, Any] | list[Any]) -> int:
    """How many coordinates the points of a specification have."""
    if isinstance(spec, Mapping) and spec["kind"] == "linspace":
        return 1
    if isinstance(spec, Mapping) and spec["kind"] == "grid":
        return len(spec["bounds"])
    first = (spec["values"] if isinstance(spec, Mapping) else spec)[0]
    return len(first) if isinstance(first, list) else 1


def threshold_reach_closed_form(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """Symmetric position and critical reach."""
    points, weights = _resource_of(inputs, case)
    mean, _ = moments(points, weights)
    return {
        "symmetric_position": float(mean[0]),
        "critical_sigma": threshold_reach(points, weights, inputs["num_players"]),
    }


def threshold_variance_closed_form(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """Symmetric position and critical variance."""
    points, weights = _resource_of(inputs, case)
    mean, _ = moments(points, weights)
    shape = inputs["kernel"].get("covariance_shape")
    critical = threshold_variance(points, weights, inputs["num_players"], shape)
    return {"symmetric_position": mean.tolist(), "critical_s": critical}


def threshold_levels(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """Groups, means and thresholds, level by level."""
    points, weights = _resource_of(inputs, case)
    levels = group_levels(points, weights, inputs["num_players"], inputs.get("iterations", 10))
    return {"levels": [{"level": k, **level._asdict()} for k, level in enumerate(levels)]}


def _flow(game: Influencer, start: Any, want_nash: bool) -> dict[str, Any]:
    """Continuous-time ascent to its end, polished, with its spectrum and, if asked, its certificate."""
    tolerance = 1e-6 if want_nash else None
    found = rv.solve(game, rv.methods.GradientFlow(), start=start, path=False, tolerance=tolerance)
    record = {name: array for name, (_, array) in found.record.items()}
    x = record["profile"]
    ours = {
        "final_positions": _nested(x),
        "payoffs": np.asarray(game.payoffs(game.space.check(x))).tolist(),
        "max_real_eigenvalue": float(record["max_real_eigenvalue"]),
        "max_imag_eigenvalue": float(record["max_imag_eigenvalue"]),
        "locally_stable": found.end_state in ("stable_point", "boundary"),
        "end_state": found.end_state,
    }
    if found.certificate is not None:
        ours["global_nash"] = found.claim == "equilibrium"
        ours["best_deviation_gain"] = float(found.certificate.regret.max())
    return ours


def dynamics(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """Where the flow ends."""
    start = inputs["initial_positions"]
    game = game_of(inputs["game"], case["folder"], players=len(start))
    wanted = {"global_nash", "best_deviation_gain"} & set(case["expected"])
    return _flow(game, start, bool(wanted))


def sweep(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """Where the flow ends from one start, for every value of the swept parameter."""
    start = inputs["initial_positions"]
    rows = []
    for key, values in inputs.items():
        if key in ("game", "initial_positions") or not isinstance(values, list):
            continue
        name = {"sigmas": "sigma", "exponents": "exponent"}.get(key, key.removesuffix("s") or key)
        for row, value in enumerate(values):
            expected = case["expected"]["rows"][row]
            label = name if name in expected else next(k for k, v in expected.items() if v == value)
            game = game_of(inputs["game"], case["folder"], players=len(start), swept=value)
            wanted = {"global_nash", "best_deviation_gain"} & set(expected)
            rows.append({label: value, **_flow(game, start, bool(wanted))})
    return {"rows": rows}


def fixed_point_stability(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """The root of all own gradients near a profile, and its spectrum."""
    near = inputs["near_positions"]
    game = game_of(inputs["game"], case["folder"], players=len(near))
    found = rv.solve(game, rv.methods.Newton(), start=near, tol=1e-13, path=False, tolerance=None)
    largest = float(found.record["max_real_eigenvalue"][1])
    return {
        "fixed_point": _nested(found.record["profile"][1]),
        "locally_stable": largest < 0,
        "max_real_eigenvalue": largest,
        "max_imag_eigenvalue": float(found.record["max_imag_eigenvalue"][1]),
    }


def best_deviation(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """Every player's best reply and what it gains."""
    game = game_of(inputs["game"], case["folder"], players=_players(inputs, "positions"))
    x = game.space.check(inputs["positions"])
    here = np.asarray(game.payoffs(x))
    rows = []
    for player in range(len(x)):
        reply = rv.best_reply(game, x, player)
        at = reply.strategy.tolist()
        gain = max(reply.payoff - float(here[player]), 0.0)
        rows.append({"player": player, "best_reply": at[0] if len(at) == 1 else at, "gain": gain})
    return {"regrets": rows, "max_gain": max(row["gain"] for row in rows)}


def schedule_values(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """Rates, exploration, temperatures and lengths over time."""
    makers: dict[str, Callable[[Inputs], Any]] = {
        "step_cosine": lambda s: [float(schedules.cosine(s["min"], s["max"], s["T"], t)) for t in s["t"]],
        "epsilon_cosine": lambda s: exploration.cosine_epsilon(
            s["min"], s["max"], s["episodes"], s["episode"]
        ),
        "epsilon_log": lambda s: exploration.log_epsilon(s["scale"], s["min"], s["num_players"], s["t"]),
        "temperature_distance": lambda s: exploration.distance_temperature(
            s["min"], s["max"], s["num_states"], s["state"]
        ),
        "episodes_reverse_cosine": lambda s: exploration.reverse_cosine_steps(
            s["min"], s["max"], s["epochs"], s["epoch"]
        ),
    }
    return {name: np.asarray(makers[name](spec)).tolist() for name, spec in inputs.items()}


def threshold_numeric(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """Every crossing of a scan, the root at the first of them, and which of the values asked are stable."""
    expected, (low, *_, high) = case["expected"], inputs["scan"]
    game = game_of(inputs["game"], case["folder"], players=inputs["num_players"], swept=high)
    names = {"sigma": "reach", "s": "variance", "covariance": "variance"}
    swept = [names.get(key, key) for key, value in inputs["game"]["kernel"].items() if value == SWEPT]

    def game_at(value: float) -> Influencer:
        return with_(game, **dict.fromkeys(swept, value))

    asked = [*expected.get("stable_at", []), *expected.get("unstable_at", [])]
    scan = rv.methods.Thresholds(
        swept[0] if len(swept) == 1 else game_at,
        low=min([low, *asked]),
        high=max([high, *asked]),
        points=VALUES,
        position=inputs.get("symmetric_position"),
    )
    found = rv.learn(game, scan).data
    within = np.flatnonzero((found.crossing >= low) & (found.crossing <= high))
    windows = list(zip(found.window_low.values, found.window_high.values, strict=True))
    stable = {value: any(first <= value <= last for first, last in windows) for value in asked}
    at_end = found.scan_position[int(np.argmin(np.abs(found.scan_parameter.values - high)))]
    place = found.crossing_position[within[0]] if within.size else at_end
    return {
        "crossings": found.crossing.values[within].tolist(),
        "stable_at": [value for value in expected.get("stable_at", []) if stable[value]],
        "unstable_at": [value for value in expected.get("unstable_at", []) if not stable[value]],
        "symmetric_position": _nested(place.values[None])[0],
    }


def reward_table(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """Payoffs on a grid, raw and divided by the largest of the whole table."""
    players = len(inputs["joint_states"][0])
    game = game_of(inputs["game"], case["folder"], players=players)
    raw = tabular.tabulate(game, inputs["grid_states"])
    return {
        "raw": tabular.payoffs(raw, inputs["joint_states"]).tolist(),
        "table_maximum": tabular.largest_payoff(raw),
        "normalised": tabular.payoffs(tabular.normalised(raw), inputs["joint_states"]).tolist(),
    }


KINDS: dict[str, Callable[[Inputs, Inputs], dict[str, Any]]] = {
    "static": static,
    "jacobian": jacobian_of,
    "threshold_reach_closed_form": threshold_reach_closed_form,
    "threshold_variance_closed_form": threshold_variance_closed_form,
    "threshold_levels": threshold_levels,
    "threshold_numeric": threshold_numeric,
    "dynamics": dynamics,
    "sweep": sweep,
    "fixed_point_stability": fixed_point_stability,
    "best_deviation": best_deviation,
    "schedules": schedule_values,
    "reward_table": reward_table,
}
