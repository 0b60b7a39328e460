"""Answers to the cases of race reference files, through the package's public interface."""

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

import rivalry as rv
from rivalry.core.assumed_range import NO_BEST_RESPONSE
from rivalry.core.game import own_gradients
from rivalry.core.reparametrisation import unconstrained_game
from rivalry.families.race.symmetric import safety_slope, symmetric_equilibria
from rivalry.tables import tabulate
from tests.race_keys import KEYS, nested
from tests.reference.games import function_of

Inputs = Mapping[str, Any]

NULL_IS_ANY = True  # of coordinates that cannot matter
COLUMNS = {"xs": "safety_input", "xp": "performance_input"}
VARIABLES = COLUMNS | {
    "inv_s": "safety_investment",
    "inv_p": "performance_investment",
    "share_s": "safety_sharing",
    "share_p": "performance_sharing",
    "p": "performance",
    "sigma": "technology_safety",
    "q": "win_probability",
    "S": "p_safe_given_win",
    "safe": "p_safe",
    "disaster": "p_disaster",
    "no_win": "p_no_winner",
    "win_safe": "p_safe_last_win",
    "period_safe": "period_p_safe",
    "period_disaster": "period_p_disaster",
    "period_no_win": "period_p_no_winner",
    "win_probability": "period_win_probability",
    "A": "safety_stock",
    "B": "performance_stock",
    "believed_A": "believed_safety_stock",
    "believed_B": "believed_performance_stock",
}
"""Variables of the package by their names in the files."""
IN_FILES = {ours: theirs for theirs, ours in VARIABLES.items()}
NESTED = ("csf", "risk", "cost")  # the files write a rule as a table with its numbers


def answer(case: Mapping[str, Any]) -> dict[str, Any]:
    """What the package says to one case."""
    return function_of(case, KINDS)(case["inputs"], case)


def game_of(inputs: Inputs) -> Any:
    """The race of a case, its keys moved to where they are today."""
    table: dict[str, Any] = {}
    for key, value in inputs["game"].items():
        if key in NESTED:
            table[key] = value["kind"]
            table |= {name: _numbers(inner) for name, inner in value.items() if name != "kind"}
        else:
            table["players" if key == "n" else key] = _numbers(value)
    if "beliefs" in inputs:
        table["beliefs"] = [renamed(mind) for mind in inputs["beliefs"]]
    return rv.games.race(**renamed(table))


def renamed(keys: Inputs) -> dict[str, Any]:
    """The keys of the reference files as those of the factory."""
    return nested({KEYS.get(key, key).split(".")[-1]: value for key, value in keys.items()})


def named_as_before(found: Inputs) -> dict[str, Any]:
    """Metrics by the names that the reference files use."""
    return {IN_FILES.get(name, name): value for name, value in found.items()}


def _numbers(value: Any) -> Any:
    """Null stands for a number that is none, in a list."""
    if isinstance(value, list):
        return [
            _numbers(inner) if isinstance(inner, list) else np.nan if inner is None else inner
            for inner in value
        ]
    return value


def _profile(game: Any, inputs: Inputs) -> Any:
    if "strategies" not in inputs:
        return game.inputs(**{COLUMNS[name]: inputs[name] for name in COLUMNS})
    return game.inputs(inputs["strategies"])


def _measured(game: Any, x: Any) -> dict[str, Any]:
    metrics = {name: np.asarray(array).tolist() for name, (_, array) in rv.oracles.metrics(game, x).items()}
    return named_as_before(metrics) | {"u": np.asarray(game.payoffs(x)).tolist()}


def payoff_static(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """One period's chances, costs and payoffs."""
    game = game_of(inputs)
    return _measured(game, _profile(game, inputs))


def payoff_dynamic(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """Payoffs over periods, the paths of technology, who is reached."""
    game = game_of(inputs)
    found = _measured(game, _profile(game, inputs))
    return found | {"U": found["u"], "period_u": found["period_payoff"]}


def static_nash(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """The certified equilibrium of one period."""
    game = game_of(inputs)
    found = rv.solve(game, rv.methods.BestResponse(), start="moderate", path=False)
    return _measured(game, _at(game, found)) | _regrets(found)


def stability(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """Equilibrium inputs, and what gradient play and simultaneous replies do near them."""
    found = rv.solve(game_of(inputs), rv.methods.BestResponse(), start="moderate", path=False)
    return {
        "xs": found.data.safety_input.values.tolist(),
        "xp": found.data.performance_input.values.tolist(),
        "gradient_jacobian_abscissa": float(found.data.max_real_eigenvalue),
        "best_response_spectral_radius": float(found.data.best_response_radius),
    }


def grid_game(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """The race on a grid of inputs: equilibria, what they lack of a continuous reply, the least regret."""
    game = game_of(inputs)
    table = tabulate(game, _places(game, inputs), walk=False)
    payoff = table.tables.payoff[0].reshape(2, *table.tables.sizes)
    gains = np.stack(
        [payoff[0].max(axis=0, keepdims=True) - payoff[0], payoff[1].max(axis=1, keepdims=True) - payoff[1]]
    )
    largest = gains.max(axis=0)
    at = np.argwhere(largest <= 1e-12)
    profiles = [game.space.check(table.action_grid[[0, 1], pair]) for pair in at]
    return {
        "pure_equilibria": at.tolist(),
        "u": [payoff[:, i, j].tolist() for i, j in at],
        "regret_in_continuous_game": [rv.certificate(game, x).regret.tolist() for x in profiles],
        "max_u_player0": float(payoff[0].max()),
        "smallest_nonequilibrium_regret": float(largest[largest > 1e-12].min()),
    }


def learning_hedge(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """The mixtures after the last update of hedge on a grid of inputs."""
    game = game_of(inputs)
    levels = [{"kind": "levels", "levels": inputs[name]} for name in ("xs_levels", "xp_levels")]
    learner = rv.methods.Hedge(action_grid=levels, eta=inputs["eta"], rounds=inputs["steps"])
    found = rv.solve(game, learner)
    weights = found.profile.values
    return {
        "u": found.payoff.values.tolist(),
        "grid_regret": found.data.grid_regret.values.tolist(),
        "safe": float(found.data.p_safe),
        "top_action": weights.argmax(axis=1).tolist(),
        "top_probability": weights.max(axis=1).tolist(),
    }


def _places(game: Any, inputs: Inputs) -> np.ndarray:
    """Both levels for both players, ``[player action axis]``, xs slowest."""
    grid = np.meshgrid(inputs["xs_levels"], inputs["xp_levels"], indexing="ij")
    return np.repeat(np.stack([part.ravel() for part in grid], axis=-1)[None], game.players, axis=0)


def _at(game: Any, found: Any) -> Any:
    return game.space.check(found.profile.values)


def _regrets(found: Any) -> dict[str, Any]:
    return {"regret_max": float(np.max(found.certificate.regret)), "claim": found.claim}


def oracle_game(inputs: Inputs) -> Any:
    """The race of players alike, whose keys stand for all of them."""
    letters = {"n": "players", "W": "win_a", "L": "lose_a"}
    return rv.games.race(
        **renamed({letters.get(key, key): value for key, value in inputs.items() if key != "wrt"})
    )


def symmetric_oracle(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """The symmetric point, if there is one only."""
    (point,) = symmetric_equilibria(oracle_game(inputs))
    return _point(point)


def _point(point: Any) -> dict[str, Any]:
    """A symmetric point by the names that the reference files use."""
    return named_as_before(point._asdict()) | {"u": point.payoff, "idle": point.idle_payoff}


def oracle_not_nash(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """The same, and the best response against it."""
    game = oracle_game(inputs)
    (point,) = symmetric_equilibria(game)
    found = rv.solve(game, rv.methods.ClosedForm())
    reply = rv.best_response(game, _at(game, found), 0)
    return _point(point) | {
        "u_best_response": reply.payoff,
        "best_response": reply.strategy.tolist(),
        "u_idle": point.idle_payoff,
        "is_nash": found.claim != "not an equilibrium",
        "regret": float(found.certificate.regret[0]),
    }


def payoff_beliefs(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """What each player believes to get, what it gets, and the technology that each expects."""
    game = game_of(inputs)
    profile = _profile(game, inputs)
    found = _measured(game, profile)
    if "believed" not in found:  # beliefs without a difference are none: all players know the race
        known = np.asarray(game.payoffs(profile)).tolist()
        stocks = {f"believed_{name}": [found[name]] * game.players for name in ("A", "B")}
        found |= {"believed": known, "realised": known} | stocks
    paths = zip(found["believed_A"], found["believed_B"], strict=True)
    return {
        "U_believed": found["believed"],
        "U_realised": found["realised"],
        "believed_technology": [{"A": a, "B": b} for a, b in paths],
    }


def belief_nash(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """Mutual best responses, each in the race that the player believes in."""
    game = game_of(inputs)
    found = rv.solve(game, rv.methods.BestResponse(), start="moderate", tol=1e-10)
    told = _measured(game, _at(game, found))
    return told | {
        "u_believed": told["believed"],
        "u_realised": told["realised"],
        "safe_realised": told["safe"],
        **_regrets(found),
    }


def precipice(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """The symmetric rule, and the risk there by exact integration."""
    given = dict(inputs)
    game = rv.games.precipice(players=given.pop("n"), max_capability=given.pop("mu"), **given)
    x = rv.oracles.closed_form(game)[0]
    found = float(rv.oracles.metrics(game, game.space.check(x))["risk"][1])
    return {"safety": float(x[0, 0]), "slope": float(x[0, 0]), "risk": found}


def comparative_statics(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """How safety moves with one parameter."""
    wrt = {"n": "players", "W": "prize", "L": "loser_prize"}.get(inputs["wrt"]) or KEYS[inputs["wrt"]].split(
        "."
    )[-1]
    slope = safety_slope(oracle_game(inputs), wrt)
    return {"sigma": slope.safety, "dsigma": slope.derivative, "sign": slope.sign}


def dynamic_nash(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """The certified equilibrium over periods: backwards where only time links them, else by replies."""
    game = game_of(inputs)
    if not game.coupled:
        found = rv.solve(game, rv.methods.Periods())
    else:
        found = rv.solve(game, rv.methods.BestResponse(), start="moderate", path=False)
    record = _measured(game, _at(game, found)) | _regrets(found)
    strategies = np.asarray(game.schedule(_at(game, found))).tolist()
    return record | {"U": record["u"], "strategies": strategies, "safe_t": record["period_safe"]}


def stationary_nash(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """The equilibrium of a race without end, which every period repeats."""
    game = game_of(inputs)
    found = rv.solve(game, rv.methods.Periods())
    record = _measured(game, _at(game, found)) | _regrets(found)
    return record | {"U": record["u"], "safe": record["win_safe"]}


def best_response(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """The best response of a player, the limit where none attains it, and what it gains."""
    game = game_of(inputs)
    x, player = _profile(game, inputs), inputs["player"]
    found, now = rv.best_response(game, x, player), float(game.payoffs(x)[player])
    value = max(found.payoff, found.supremum)
    return {
        "value": value,
        "attained": NO_BEST_RESPONSE not in rv.certificate(game, x).method,
        "u_now": now,
        "gain": value - now,
        "best_response": np.asarray(found.strategy).tolist(),
    }


def not_nash(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """Who gains by leaving a profile, how, and where replies in turn lead from it."""
    game = game_of(inputs)
    x = _profile(game, inputs)
    proof = rv.certificate(game, x)
    deviator = int(np.argmax(proof.regret))
    there = x.at[deviator].set(rv.best_response(game, x, deviator).strategy)
    return {
        "U": np.asarray(game.payoffs(x)).tolist(),
        "is_nash": proof.claim != "not an equilibrium",
        "deviator": deviator,
        "regret_at_least": float(proof.regret[deviator]),
        "other_regret_at_most": float(np.delete(proof.regret, deviator).max()),
        "U_after_deviation": np.asarray(game.payoffs(there)).tolist(),
        "deviation": np.asarray(game.schedule(there))[:, deviator].tolist(),
        "first_order_residual_at_most": float(np.abs(_pull(game, x)).max()),
        "sequential_best_response_cycle": {"start": "the profile", **_cycle(game, x)},
    }


def _pull(game: Any, x: Any) -> np.ndarray:
    """Own gradients in the coordinates of the search; at zero inputs only what points inwards."""
    slope = np.asarray(own_gradients(unconstrained_game(game), game.space.unconstrain(x)))
    return np.where(np.asarray(x) > 0, slope, np.maximum(slope, 0.0))


def _cycle(game: Any, x: Any) -> dict[str, Any]:
    """Where exact replies in turn, player 0 first, come back to, and after how many moves."""
    found = rv.solve(game, rv.methods.BestResponse(), start=x)
    rounds = int(found.data.cycle_rounds)
    rows = [game.space.check(row) for row in found.path.path.values[-rounds - 1 :]]
    gains, paid = [], []
    for before, after in pairwise(rows):
        for player in (0, 1):
            there = before.at[player].set(after[player])
            was, now = game.payoffs(before), game.payoffs(there)
            gains.append(float(now[player] - was[player]))
            paid.append(np.asarray(now).tolist())
            before = there
    return {"order": [0, 1], "payoffs_after_each_move": paid, "gains": gains, "period_moves": len(gains)}


def stackelberg(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """What leaders and followers play, and what they get where nobody leads."""
    game = game_of(inputs)
    (leaders, _) = inputs["stages"]
    led = rv.transforms.stackelberg(game, leaders, rv.transforms.Followers())
    found = rv.solve(led, rv.methods.BestResponse(), start=[[1.0, 0.5]] * len(leaders), path=False)
    record = _measured(game, game.space.check(found.data.play.values)) | _regrets(found)
    same_time = static_nash(inputs, case)
    return record | {"u_simultaneous": same_time["u"], "safe_simultaneous": same_time["safe"]}


def error(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """Nothing: building or evaluating the inputs must raise; keys in messages by their names in the files."""
    try:
        game = game_of(inputs)
        if "xs" in inputs or "strategies" in inputs:
            game.payoffs(_profile(game, inputs))
    except ValueError as error:
        theirs = {ours.split(".")[-1]: name for name, ours in (KEYS | VARIABLES).items()}
        words = re.sub(r"\w+", lambda word: theirs.get(word[0], word[0]), str(error))
        raise ValueError(words) from error
    return {}


KINDS = {
    "payoff_static": payoff_static,
    "payoff_dynamic": payoff_dynamic,
    "technology_path": payoff_dynamic,
    "static_nash": static_nash,
    "stability": stability,
    "grid_game": grid_game,
    "learning_hedge": learning_hedge,
    "symmetric_oracle": symmetric_oracle,
    "oracle_not_nash": oracle_not_nash,
    "comparative_statics": comparative_statics,
    "precipice": precipice,
    "payoff_beliefs": payoff_beliefs,
    "belief_nash": belief_nash,
    "best_response": best_response,
    "not_nash": not_nash,
    "dynamic_nash": dynamic_nash,
    "stationary_nash": stationary_nash,
    "stackelberg": stackelberg,
    "error": error,
}
