"""Answers to the cases of market reference files, through the package's public interface."""

from collections.abc import Mapping
from typing import Any

import numpy as np

import rivalry as rv
from rivalry.core import oracles
from rivalry.families.market import valuation as worth
from rivalry.families.market.benchmarks import Benchmark, benchmarks
from rivalry.families.market.benchmarks import critical_discount as critical
from tests.reference.games import function_of

Inputs = Mapping[str, Any]

FLOW = {"q": "quantity", "p": "price", "profit": "profit"}


def answer(case: Mapping[str, Any]) -> dict[str, Any]:
    """What the package says to one case."""
    return function_of(case, KINDS)(case["inputs"])


def _told(found: Benchmark) -> dict[str, Any]:
    """A benchmark in the files' words."""
    measures = {name: np.asarray(array).tolist() for name, (_, array) in found.measures.items()}
    return {
        "q": found.q.tolist(),
        "p": found.p.tolist(),
        "profit": found.profit.tolist(),
        "Q": measures["total_quantity"],
        "P": measures["mean_price"],
        "industry_profit": measures["industry_profit"],
        "consumer_surplus": measures["consumer_surplus"],
        "welfare": measures["welfare"],
        "HHI": measures["hhi"],
    }


LINEAR = {
    "a": "intercept",
    "b": "slope",
    "c": "unit_cost",
    "d": "convex_cost",
    "F": "fixed_cost",
    "capacity": "capacity",
    "gamma": "gamma",
    "phi": "adjustment_cost",
}
ISOELASTIC = {"A": "market_size", "eta": "elasticity", "c": "unit_cost"}
DIFFERENTIATED = {"A": "intercept", "b": "slope", "g": "substitution", "c": "unit_cost"}
LOGIT = {"a": "quality", "a0": "outside_option", "mu": "taste_spread", "c": "unit_cost"}


def _given(inputs: Inputs, keys: Mapping[str, str], *names: str) -> dict[str, Any]:
    """The package's keys for the files' ones; of ``names``, or all that are there."""
    return _floats({keys[name]: inputs[name] for name in names or keys if name in inputs})


def _linear(inputs: Inputs, **more: Any) -> Any:
    return rv.games.market(**_given(inputs, LINEAR, "a", "b", "c", "d", "F", "capacity"), **_floats(more))


def _floats(given: Mapping[str, Any]) -> dict[str, Any]:
    """Whole numbers as numbers, lists of firms as they are."""
    found = {}
    for name, value in given.items():
        whole = isinstance(value, int) and not isinstance(value, bool) and name != "players"
        found[name] = float(value) if whole else value
        if isinstance(value, list) and name != "stages":
            found[name] = [float(one) for one in value]
    return found


def cournot(inputs: Inputs) -> dict[str, Any]:
    """Quantities of one good, all at once; the equilibrium by best responses agrees."""
    game = _linear(inputs)
    told = _told(benchmarks(game)["nash"])
    found = rv.solve(game, rv.methods.BestResponse(), path=False)
    assert found.claim == "equilibrium"
    np.testing.assert_allclose(found.profile.values.ravel(), told["q"], rtol=1e-6, atol=1e-9)
    return told


def collusion(inputs: Inputs) -> dict[str, Any]:
    """The largest joint profit."""
    return _told(benchmarks(_linear(inputs))["cartel"])


def competitive(inputs: Inputs) -> dict[str, Any]:
    """Price takers."""
    return _told(benchmarks(_linear(inputs))["competitive"])


def stackelberg(inputs: Inputs) -> dict[str, Any]:
    """Leaders, then followers, of one good."""
    if "c_leaders" in inputs:
        costs = [*inputs["c_leaders"], *inputs["c_followers"]]
        first = len(inputs["c_leaders"])
    else:
        costs, first = list(inputs["c"]), 1
    stages = [list(range(first)), list(range(first, len(costs)))]
    return _told(benchmarks(_linear(dict(inputs) | {"c": costs}, stages=stages))["stackelberg"])


def isoelastic(inputs: Inputs) -> dict[str, Any]:
    """Cournot with demand of constant elasticity."""
    return _told(benchmarks(rv.games.market(demand="isoelastic", **_given(inputs, ISOELASTIC)))["nash"])


def isoelastic_leader(inputs: Inputs) -> dict[str, Any]:
    """The same with firm 0 leading."""
    game = rv.games.market(
        demand="isoelastic",
        unit_cost=[float(inputs["c_leader"]), float(inputs["c_follower"])],
        stages=[[0], [1]],
        **_given(inputs, ISOELASTIC, "A", "eta"),
    )
    return _told(benchmarks(game)["stackelberg"])


def bertrand(inputs: Inputs) -> dict[str, Any]:
    """The cheapest takes all; the limit of undercutting."""
    return _told(benchmarks(_linear(inputs, choice="price"))["nash"])


def differentiated(inputs: Inputs) -> dict[str, Any]:
    """Two firms with differentiated goods: both choices, at once or with a leader."""
    own = _given(inputs, DIFFERENTIATED) | {"players": 2}

    def found(choice: str, name: str, **more: Any) -> dict[str, Any]:
        game = rv.games.market(demand="differentiated", choice=choice, **own, **more)
        return _told(benchmarks(game)[name])

    if inputs["timing"] == "simultaneous":
        named = {
            "cournot": ("quantity", "nash"),
            "bertrand": ("price", "nash"),
            "collusion": ("price", "cartel"),
        }
        each = {word: found(*which) for word, which in named.items()}
        return {word: {k: told[k][0] for k in FLOW} for word, told in each.items()}
    led = {"stages": [[0], [1]]}
    return {f"{choice}_leader": found(choice, "stackelberg", **led) for choice in ("price", "quantity")}


def _logit(inputs: Inputs, **more: Any) -> Any:
    given = _given(inputs, LOGIT) | _floats(more)
    return rv.games.market(demand="logit", players=inputs.get("n"), **given)


def logit_bertrand(inputs: Inputs) -> dict[str, Any]:
    """Symmetric firms: equilibrium, joint maximum, the grid between, the best departure."""
    game = _logit(inputs, **({"grid_margin": inputs["xi"]} if "xi" in inputs else {}))
    named = benchmarks(game)
    nash, joint = named["nash"], named["cartel"]
    found: dict[str, Any] = {
        "p_nash": float(nash.p[0]),
        "p_monopoly": float(joint.p[0]),
        "profit_nash": float(nash.profit[0]),
        "profit_monopoly": float(joint.profit[0]),
        "share_nash": float(nash.q[0]),
        "share_monopoly": float(joint.q[0]),
    }
    if "m" in inputs:
        grid = np.asarray(oracles.action_levels(game, inputs["m"])[0]).ravel()
        reply = rv.best_response(game, game.space.check(joint.choice), 0)
        found |= {
            "grid": grid.tolist(),
            "grid_step": float(grid[1] - grid[0]),
            "best_deviation_price": float(reply.strategy[0]),
            "best_deviation_profit": float(reply.payoff),
            "grim_trigger_critical_delta": float(critical(game).delta[0]),
        }
    return found


def logit_leader(inputs: Inputs) -> dict[str, Any]:
    """Firm 0 announces its price first."""
    nash = benchmarks(_logit(inputs))["nash"]
    led = benchmarks(_logit(inputs, stages=[[0], [1]]))["stackelberg"]
    return {
        "nash_p": nash.p.tolist(),
        "nash_profit": nash.profit.tolist(),
        "leader_follower_p": led.p.tolist(),
        "leader_follower_profit": led.profit.tolist(),
    }


def critical_discount(inputs: Inputs) -> dict[str, Any]:
    """From which discount on a cartel holds; no number of the market moves it."""
    choice = {"cournot_linear_sym": "quantity", "bertrand_homogeneous": "price"}[inputs["model"]]
    game = rv.games.market(players=inputs["n"], choice=choice, intercept=100.0, slope=1.0, unit_cost=10.0)
    return {"delta_star": float(critical(game).delta[0])}


def cournot_benchmarks(inputs: Inputs) -> dict[str, Any]:
    """Equilibrium, cartel and competition in one market."""
    named = {name: _told(found) for name, found in benchmarks(_linear(inputs)).items()}
    return {
        "q_cournot": named["nash"]["q"],
        "Q_cournot": named["nash"]["Q"],
        "profit_cournot": named["nash"]["profit"],
        "joint_profit_cournot": named["nash"]["industry_profit"],
        "Q_collusive": named["cartel"]["Q"],
        "joint_profit_collusive": named["cartel"]["industry_profit"],
        "Q_competitive": named["competitive"]["Q"],
    }


def pricing_in_turns(inputs: Inputs) -> dict[str, Any]:
    """The monopoly price of demand 1 - p, and half of its profit."""
    alone = rv.games.market(players=1, intercept=1.0, slope=1.0, unit_cost=float(inputs["c"]), choice="price")
    found = rv.solve(alone, rv.methods.BestResponse(), path=False)
    return {
        "p_monopoly": float(found.profile.values[0, 0]),
        "profit_joint_max_per_firm": float(found.payoff.values[0]) / 2,
    }


def dcf(inputs: Inputs) -> dict[str, Any]:
    """A stream of cash flows with a terminal value."""
    rule = dict(inputs["terminal"])
    options = {"terminal": rule["rule"]}
    options |= {"growth": rule["g"]} if "g" in rule else {}
    options |= {"multiple": rule["multiple"]} if "multiple" in rule else {}
    found = worth.valuation(
        inputs["cash_flows"], 1 / (1 + inputs["r"]), convention=inputs["convention"], **options
    )
    return {
        "value": float(found.value),
        "terminal_value_at_T": float(found.terminal_value),
        "pv_terminal": float(found.pv_terminal),
        "terminal_share": float(found.terminal_share),
    }


def dcf_gamma(inputs: Inputs) -> dict[str, Any]:
    """Discount factors from costs of capital and survival."""
    game = rv.games.market(wacc=inputs["wacc"], survival=inputs["survival"])
    return {"gamma": np.asarray(game.gamma).tolist()}


def dcf_perpetuity(inputs: Inputs) -> dict[str, Any]:
    """The same profit for ever."""
    return {
        f"value_{word}_convention": float(
            worth.valuation([inputs["profit"]], inputs["gamma"], convention=name, terminal="perpetuity").value
        )
        for word, name in (("period0", "period0"), ("end_of_period", "end"))
    }


def dcf_gordon(inputs: Inputs) -> dict[str, Any]:
    """A cash flow that grows for ever."""
    rule = {"convention": "end", "terminal": "gordon", "growth": inputs["g"]}
    return {"value": float(worth.valuation([inputs["cf1"]], 1 / (1 + inputs["r"]), **rule).value)}


def dcf_truncated(inputs: Inputs) -> dict[str, Any]:
    """What an end of the horizon leaves out."""
    profit, gamma, periods = inputs["profit"], inputs["gamma"], inputs["T"]
    short, whole = (float(worth.recurring_value(profit, gamma, T)[0]) for T in (periods, 0))
    _, share = worth.recurring_value(profit, gamma, periods, terminal="perpetuity")
    return {
        "truncated": short,
        "infinite": whole,
        "missing_share": float(share),
        "terminal_bootstrap_needed": whole - short,
    }


def dcf_stackelberg(inputs: Inputs) -> dict[str, Any]:
    """Leader and follower of a static market played for ever, each with its own discount."""
    game = _linear(inputs, stages=[[0], [1]], gamma=inputs["gamma"]).market
    gamma = np.asarray(game.gamma)
    led, nash = (benchmarks(game)[name].payoff for name in ("stackelberg", "nash"))
    return {
        "value": oracles.cycle_value(game, led, gamma)[0].tolist(),
        "leader_cournot_value": float(oracles.cycle_value(game, nash, gamma)[0][0]),
    }


def _dynamic(inputs: Inputs, solution: str, periods: int = 20, **more: Any) -> tuple[Any, Any]:
    """The duopoly with predetermined outputs, and what the solver says."""
    own = _given(inputs, LINEAR, "a", "b", "gamma", "phi")
    game = rv.games.market(unit_cost=float(inputs["mc"]), adjustment="predetermined", initial=1.0, **own)
    return game, rv.solve(game, rv.methods.LinearQuadratic(solution=solution, periods=periods, **more)).data


def lq_mpe(inputs: Inputs) -> dict[str, Any]:
    """Markov-perfect outputs."""
    game, found = _dynamic(inputs, "markov_perfect")
    F, rest = found.feedback.values[:, 0], found.steady_state.values[1:]
    total = found.state_path.values[:, 1:].sum(axis=1)[:20]
    a, b = inputs["a"], inputs["b"]
    return {
        "F1": F[0].tolist(),
        "F2": F[1].tolist(),
        "steady_state_q_each": rest.tolist(),
        "steady_state_Q": float(rest.sum()),
        "steady_state_p": float(a - b * rest.sum()),
        "value_each_at_x0": found.value.values.tolist(),
        "Q_path": total.tolist(),
        "p_path": (a - b * total).tolist(),
        "static_cournot_q_each": float(benchmarks(game)["nash"].q[0]),
    }


def lq_joint(inputs: Inputs) -> dict[str, Any]:
    """One planner."""
    _, found = _dynamic(inputs, "joint")
    return {
        "joint_value_at_x0": float(found.value.values.sum()),
        "F": found.feedback.values[:, 0].tolist(),
        "steady_state_Q": float(found.steady_state.values[1:].sum()),
    }


def lq_feedback(inputs: Inputs) -> dict[str, Any]:
    """Firm 0 moves first in every period."""
    game, found = _dynamic(inputs, "feedback_stackelberg")
    F, rest = found.feedback.values[:, 0], found.steady_state.values[1:]
    return {
        "F1": F[0].tolist(),
        "F2_closed_loop": F[1].tolist(),
        "follower_K": np.ravel(found.response_to_state.values).tolist(),
        "follower_k": float(np.ravel(found.response_to_leader.values)[0]),
        "steady_state_q": rest.tolist(),
        "steady_state_p": float(inputs["a"] - inputs["b"] * rest.sum()),
        "values_at_x0": found.value.values.tolist(),
        "static_stackelberg_q": benchmarks(game)["stackelberg"].q.tolist(),
    }


def lq_commitment(inputs: Inputs) -> dict[str, Any]:
    """Firm 0 commits to its whole plan; the second route adds up the cash flows of its path."""
    _, found = _dynamic(inputs, "commitment_stackelberg", periods=2000)
    path = found.state_path.values[:, 1:]
    weights = inputs["gamma"] ** np.arange(2000)
    follower = found.control_path.values[0, 1, 0]
    return {
        "F": np.ravel(found.plan_feedback.values).tolist(),
        "H00": np.ravel(found.first_move.values).tolist(),
        "x0_follower": float(follower),
        "leader_value": float(found.value.values[0]),
        "leader_value_forward": float(weights @ found.cash_flow_path.values[:2000, 0]),
        "follower_value": float(found.value.values[1]),
        "q_leader_path": path[:10, 0].tolist(),
        "q_follower_path": path[:10, 1].tolist(),
        "q_leader_300": float(path[300, 0]),
        "q_follower_300": float(path[300, 1]),
        "p_300": float(inputs["a"] - inputs["b"] * path[300].sum()),
    }


def learning_band(inputs: Inputs) -> dict[str, Any]:
    """Sessions of learning by the rules of a paper."""
    return {"calvano": _calvano, "klein": _klein, "staged": _staged}[inputs["algorithm"]](inputs)


def _learned(game: Any, inputs: Inputs, **options: Any) -> Any:
    learner = rv.methods.RepeatedQLearning(sessions=inputs["runs_for_test"], **options)
    return rv.solve(game, learner, seed=1, tolerance=None).data


def _calvano(inputs: Inputs) -> dict[str, Any]:
    if inputs["demand"] == "logit":
        game, places = _logit(inputs, grid_margin=inputs["xi"]), inputs["m"]
    else:
        game, places = _linear(inputs), [inputs["grid"]] * inputs["n"]
    found = _learned(
        game,
        inputs,
        action_grid=places,
        memory=inputs["memory"],
        step_size=inputs["alpha"],
        gamma=inputs["discount"],
        exploration={"decay": inputs["beta"]},
    )
    return {"Delta_mean": float(found.pooled_gain.mean()), "periods_mean": float(found.periods.mean())}


def _klein(inputs: Inputs) -> dict[str, Any]:
    game = rv.games.market(
        intercept=1.0, slope=1.0, unit_cost=float(inputs["c"]), choice="price", timing="alternating"
    )
    means = {}
    for k in inputs["k"]:
        found = _learned(
            game,
            inputs,
            action_grid={"kind": "linear", "from": 0.0, "to": 1.0, "count": k + 1},
            observation="others",
            step_size=inputs["alpha"],
            gamma=inputs["discount"],
            stopping={"stable_periods": 0, "max_periods": inputs["T"]},
            average_last=1000,
            exploration={"decay": -np.log(1e-3) / (inputs["T"] // 2)},
            initial_q={"kind": "uniform", "min": 0.0, "max": 1e-6},
        )
        means[str(k)] = float(found.last_payoff.mean())
    return {"mean_profit": means}


def _staged(inputs: Inputs) -> dict[str, Any]:
    game = rv.games.market(
        intercept=10.0, slope=1.0, unit_cost=[float(c) for c in inputs["c"]], stages=[[0], [1]]
    )
    rows = {}
    for row in inputs["rows"]:
        found = _learned(
            game,
            inputs,
            action_grid=[inputs["leader_grid"], inputs["follower_grid"]],
            memory=row["memory"],
            step_size=row["alpha"],
            gamma=[row["gamma_L"], row["gamma_F"]],
            exploration={"decay": row["beta"]},
            stopping={"max_periods": 20_000_000},
        )
        rows[row["name"]] = {
            "share_runs_at_SPE": float(found.at_equilibrium.mean()),
            "industry_profit": float(found.end_industry_profit.mean()),
        }
    return {"rows": rows}


KINDS = {
    "cournot_linear": cournot,
    "cournot_quadratic": cournot,
    "cournot_capacity": cournot,
    "collusion_linear": collusion,
    "competitive_linear": competitive,
    "stackelberg_linear": stackelberg,
    "stackelberg_linear_multi": stackelberg,
    "stackelberg_linear_corner": stackelberg,
    "stackelberg_quadratic": stackelberg,
    "cournot_isoelastic": isoelastic,
    "stackelberg_isoelastic": isoelastic_leader,
    "bertrand_homogeneous": bertrand,
    "differentiated_linear": differentiated,
    "logit_bertrand": logit_bertrand,
    "logit_stackelberg_price": logit_leader,
    "critical_discount": critical_discount,
    "cournot_linear_benchmarks": cournot_benchmarks,
    "maskin_tirole_pricing": pricing_in_turns,
    "dcf": dcf,
    "dcf_gamma": dcf_gamma,
    "dcf_perpetuity": dcf_perpetuity,
    "dcf_gordon": dcf_gordon,
    "dcf_truncated": dcf_truncated,
    "dcf_stackelberg": dcf_stackelberg,
    "lq_mpe": lq_mpe,
    "lq_joint": lq_joint,
    "lq_feedback_stackelberg": lq_feedback,
    "lq_commitment_stackelberg": lq_commitment,
    "learning_band": learning_band,
}
