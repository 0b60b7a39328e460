"""Answers to the cases of influencer reference files, through the package's public interface.

The files' own spelling of a game is translated in `tests.reference.games`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import rivalry as rv
from rivalry import tables
from rivalry.core.game import jacobian, own_gradients, with_
from rivalry.families.influencer.model import InfluencerGame
from rivalry.families.resources import resource_points, resource_weights
from rivalry.influencers import group_levels, moments, threshold_reach, threshold_variance
from rivalry.methods.dynamics import step_sizes
from rivalry.methods.q_learning import exploration
from rivalry.tables.kernels import learn, shapes
from tests.reference.games import Inputs, axes_of, function_of, game_of, is_swept, points_of, resource_of

VALUES = 301  # looked at in a scan: two crossings nearer than that are not told apart


def answer(case: Mapping[str, Any]) -> dict[str, Any]:
    """What the package says to one case."""
    return function_of(case, KINDS)(case["inputs"], case)


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
        "resource_total": float(rv.oracles.payoff_scale(game)),
        "payoffs": np.asarray(game.payoffs(x)).tolist(),
        "outside_payoffs": everything[len(x) :].tolist(),
        "gradient": _nested(own_gradients(game, x)),
        "shares": [{"resource_index": k, "share": shares[:, k].tolist()} for k in wanted],
    }


def claim(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """The claim at a profile and the largest regret; an approximate equilibrium is none here."""
    game = game_of(inputs["game"], case["folder"], players=_players(inputs, "positions"))
    proof = rv.certificate(game, game.space.check(inputs["positions"], "positions"))
    regret = float(proof.regret.max())
    word = "not an equilibrium" if proof.claim == "approximate equilibrium" else proof.claim
    return {"claim": word, "regret": regret, "regret_at_least": regret}


def jacobian_of(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """The Jacobian of own gradients."""
    game = game_of(inputs["game"], case["folder"], players=_players(inputs, "positions"))
    return {"jacobian": np.asarray(jacobian(game, game.space.check(inputs["positions"]))).tolist()}


def _resource_of(inputs: Inputs, case: Inputs) -> tuple[np.ndarray, np.ndarray]:
    """Points and weights where a case gives no space."""
    spec = points_of(inputs["resource_points"], case["folder"])
    points = resource_points(spec, [[0.0, 1.0]] * axes_of(spec))
    return points, resource_weights(resource_of(inputs["resource"], case["folder"]), points)


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


def _flow(game: InfluencerGame, start: Any, want_nash: bool) -> dict[str, Any]:
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
    if found.claim != "no certificate":
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
    """Every player's best response and what it gains."""
    game = game_of(inputs["game"], case["folder"], players=_players(inputs, "positions"))
    x = game.space.check(inputs["positions"])
    here = np.asarray(game.payoffs(x))
    rows = []
    for player in range(len(x)):
        reply = rv.best_response(game, x, player)
        at = reply.strategy.tolist()
        gain = max(reply.payoff - float(here[player]), 0.0)
        rows.append({"player": player, "best_reply": at[0] if len(at) == 1 else at, "gain": gain})
    return {"regrets": rows, "max_gain": max(row["gain"] for row in rows)}


def _step(low: float, high: float, steps: int, taken: int) -> float:
    """A step size, as an ascent takes it: what it refuses is refused here."""
    rate = {"kind": "cosine", "min": low, "max": high, "steps": steps}
    step_sizes.check(rate)
    return float(step_sizes.at(rate, taken))


def _explored(code: int, low: float, high: float, step: int, steps: int, players: int) -> float:
    """The probability of exploring, as learners take it."""
    found = np.zeros(players)
    kinds = np.full(players, code)
    learn.explore(kinds, np.full(players, low), np.full(players, high), step, steps, found)
    return float(found[0])


def schedule_values(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """Rates, exploration, temperatures and lengths over time."""
    makers: dict[str, Callable[[Inputs], Any]] = {
        "step_cosine": lambda s: [_step(s["min"], s["max"], s["T"], t) for t in s["t"]],
        "epsilon_cosine": lambda s: [
            _explored(shapes.COSINE, s["min"], s["max"], at, s["episodes"], 1) for at in s["episode"]
        ],
        "epsilon_log": lambda s: [
            _explored(shapes.LOG, s["min"], s["scale"], at, 1, s["num_players"]) for at in s["t"]
        ],
        "temperature_distance": lambda s: exploration.temperature_at(
            s["min"], s["max"], np.abs(2 * np.asarray(s["state"]) / (s["num_states"] - 1) - 1)
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
    swept = [names.get(key, key) for key, value in inputs["game"]["kernel"].items() if is_swept(value)]

    def game_at(value: float) -> InfluencerGame:
        return with_(game, **dict.fromkeys(swept, value))

    asked = [*expected.get("stable_at", []), *expected.get("unstable_at", [])]
    scan = rv.methods.Thresholds(
        swept[0] if len(swept) == 1 else game_at,
        low=min([low, *asked]),
        high=max([high, *asked]),
        points=VALUES,
        position=inputs.get("symmetric_position"),
    )
    found = rv.solve(game, scan).data
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
    game = game_of(inputs["game"], case["folder"], players=len(inputs["joint_states"][0]))
    raw = tables.tabulate(game, inputs["grid_states"])
    return {
        "raw": tables.payoffs(raw, inputs["joint_states"]).tolist(),
        "table_maximum": tables.largest_payoff(raw),
        "normalised": tables.payoffs(tables.normalise(raw), inputs["joint_states"]).tolist(),
    }


def hopf(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """Where the mirror branch of three players, born as all leave the centre, begins to circle."""
    low, high = inputs["scan"]
    game = game_of(inputs["game"], case["folder"], players=inputs["num_players"], swept=high)
    points, weights = np.asarray(game.points), np.asarray(game.weights)
    top = max(high, 1.05 * threshold_reach(points, weights, inputs["num_players"]))
    learner = rv.methods.Branches(parameter="reach", low=low, high=top, certify="none")
    found = rv.solve(game, learner).data
    mirror = [k for k, x in enumerate(found.hopf_position.values[..., 0]) if len(np.unique(x)) == 3]
    at = np.sort(found.hopf_position.values[mirror[0], :, 0])
    return {
        "hopf_sigma": float(found.hopf_parameter[mirror[0]]),
        "d": float(at[2] - at[0]) / 2,
        "frequency": float(found.hopf_frequency[mirror[0]]),
    }


def q_learning(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """What independent runs learn: states that hold in every run, the commonest policy, where it leads."""
    expected, places = case["expected"], inputs["grid_states"]
    reaches = inputs["game"]["kernel"]["sigma"]
    game = game_of(inputs["game"], case["folder"], players=len(reaches))
    rest = {key: inputs[key] for key in ("observation", "gamma", "epochs", "episodes", "reward")}
    assert (inputs["epsilon"]["kind"], inputs["temperature"]["kind"]) == ("cosine", "cosine_distance")
    rest["update"] = {"synchronous": "simultaneous"}[inputs["updates"]]
    rest["step_size"] = inputs["alpha"]
    rest["exploration"] = {
        "kind": inputs["action_choice"],
        "start": inputs["epsilon"]["max"],
        "end": inputs["epsilon"]["min"],
        "temperature": inputs["temperature"]["max"],
        "edge_temperature": inputs["temperature"]["min"],
    }
    learner = rv.methods.QLearning(action_grid=places, trials=inputs["seeds"], **rest)
    found = rv.solve(game, learner, tolerance=None).data
    policies = found.policy.values.reshape(-1, places)  # [run and player, state]
    rows, counts = np.unique(policies, axis=0, return_counts=True)
    modal = rows[counts.argmax()]
    world = learner.world(game)
    every = np.stack(np.meshgrid(*[np.arange(places)] * len(reaches)), axis=-1).reshape(-1, len(reaches))
    ends = np.unique(
        [tables.rollout(world, [modal] * len(reaches), at).cycle.mean(axis=0) for at in every], axis=0
    )
    right, left = expected["states_going_right"], expected["states_going_left"]
    return {
        "states_going_right": [state for state in right if np.all(policies[:, state] == 2)],
        "states_going_left": [state for state in left if np.all(policies[:, state] == 0)],
        "free_states": [state for state in range(places) if state not in (*right, *left)],
        "modal_greedy_policy": " ".join("LSR"[move] for move in modal),
        "modal_share_at_least": counts.max() / len(policies),
        "modal_play_ends_at": (ends[0] / (places - 1)).tolist() if len(ends) == 1 else ends.tolist(),
    }


KINDS: dict[str, Callable[[Inputs, Inputs], dict[str, Any]]] = {
    "static": static,
    "claim": claim,
    "continuous": static,
    "jacobian": jacobian_of,
    "threshold_reach_closed_form": threshold_reach_closed_form,
    "threshold_variance_closed_form": threshold_variance_closed_form,
    "threshold_levels": threshold_levels,
    "threshold_numeric": threshold_numeric,
    "dynamics": dynamics,
    "sweep": sweep,
    "fixed_point_stability": fixed_point_stability,
    "best_deviation": best_deviation,
    "hopf": hopf,
    "schedules": schedule_values,
    "reward_table": reward_table,
    "q_learning": q_learning,
}
