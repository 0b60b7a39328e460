"""Valuations against reference cases and term-by-term sums, and rejection of wrong input."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core import oracles
from rivalry.families.market.play import value_cash_flows
from rivalry.families.market.valuation import one_ahead, recurring_value, sensitivity, valuation

CASES = json.loads((Path(__file__).parents[1] / "reference" / "market.json").read_text())["cases"]
DCF = [case for case in CASES if case["kind"].startswith("dcf")]


def answer(kind: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return the valuation module's results for a reference case."""
    if kind == "dcf":
        rule = dict(given["terminal"])
        found = valuation(
            given["cash_flows"],
            1 / (1 + given["r"]),
            convention=given["convention"],
            terminal=rule["rule"],
            growth=rule.get("g", 0.0),
            multiple=rule.get("multiple"),
        )
        return {**found._asdict(), "terminal_value_at_T": found.terminal_value}
    if kind == "dcf_gamma":
        return {"gamma": np.asarray(rv.games.market(**given).gamma)}
    if kind == "dcf_perpetuity":
        both = {
            f"{name}_convention": word for name, word in (("period0", "period0"), ("end_of_period", "end"))
        }
        rows = (
            recurring_value(given["profit"], given["gamma"], 0, convention=word) for word in both.values()
        )
        return {f"value_{name}": row[0] for name, row in zip(both, rows, strict=True)}
    if kind == "dcf_gordon":
        rule = {"convention": "end", "terminal": "gordon", "growth": given["g"]}
        return {"value": valuation([given["cf1"]], 1 / (1 + given["r"]), **rule).value}
    if kind == "dcf_truncated":
        whole = recurring_value(given["profit"], given["gamma"], 0)[0]
        _, share = recurring_value(given["profit"], given["gamma"], given["T"], terminal="perpetuity")
        cut = valuation(np.full(given["T"], given["profit"]), given["gamma"]).value
        return {
            "truncated": cut,
            "infinite": whole,
            "missing_share": share,
            "terminal_bootstrap_needed": share * whole,
        }
    assert kind == "dcf_stackelberg"
    game = rv.games.market(intercept=given["a"], slope=given["b"], unit_cost=given["c"], gamma=given["gamma"])
    staged = np.asarray(game.payoffs(game.space.check([[45.0], [22.5]])))
    cournot = np.asarray(game.payoffs(game.space.check([[30.0], [30.0]])))
    gamma = np.asarray(game.gamma)
    worth = [recurring_value(paid, gamma, 0)[0] for paid in (staged, cournot)]
    return {"value": worth[0], "leader_cournot_value": worth[1][0]}


@pytest.mark.parametrize("case", DCF, ids=[case["id"] for case in DCF])
def test_known_cases(case: dict[str, Any]) -> None:
    found, wanted, near = answer(case["kind"], case["inputs"]), case["expected"], case["tolerance"]
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=near["rel"], atol=near["abs"], err_msg=name)


def test_number_of_known_cases() -> None:
    assert len(DCF) == 9


@pytest.mark.parametrize("convention", ["period0", "mid", "end"])
@pytest.mark.parametrize("g", [-0.5, 0.0, 0.03])
def test_gordon_terminal_value_equals_a_long_truncated_sum(convention: str, g: float) -> None:
    """The Gordon terminal value equals the discounted sum of 3000 further periods."""
    gamma, first = 0.93, np.array([5.0, 7.0, 4.0])
    tail = first[-1] * (1 + g) ** np.arange(1, 3000)
    whole = valuation(np.concatenate([first, tail]), gamma, convention=convention).value
    found = valuation(first, gamma, convention=convention, terminal="gordon", growth=g)
    np.testing.assert_allclose(found.value, whole, rtol=1e-12)
    if g == 0:
        same = valuation(first, gamma, convention=convention, terminal="perpetuity")
        np.testing.assert_allclose(same, found, rtol=1e-15)


def test_each_firm_is_discounted_at_its_own_gamma() -> None:
    flows, gamma = np.random.default_rng(0).uniform(1, 9, (4, 2, 6)), np.array([0.5, 0.9])
    found = valuation(flows, gamma, terminal="multiple", multiple=[3.0, 4.0], convention="mid")
    for run in range(4):
        for firm in range(2):
            by_hand = sum(gamma[firm] ** (t + 0.5) * flows[run, firm, t] for t in range(6))
            by_hand += gamma[firm] ** 6 * (3 + firm) * flows[run, firm, -1]
            np.testing.assert_allclose(found.value[run, firm], by_hand, rtol=1e-13)


def test_discount_factors_per_period() -> None:
    """Factors per period are multiplied; the terminal value is discounted with gamma."""
    flows = [3.0, 2.0, 4.0]
    for convention in ("period0", "mid", "end"):
        options = {"convention": convention, "terminal": "gordon", "growth": 0.01}
        np.testing.assert_allclose(
            valuation(flows, 0.9, discounts=[0.9] * 3, **options), valuation(flows, 0.9, **options)
        )
    found = valuation(flows, 0.8, discounts=[0.9, 0.5, 1.0], convention="end", terminal="perpetuity")
    by_hand = 3 * 0.9 + 2 * 0.45 + 4 * 0.45
    np.testing.assert_allclose(found.value, by_hand + 0.45 * 4 * 0.8 / 0.2, rtol=1e-14)


def test_gamma_zero_and_one() -> None:
    np.testing.assert_allclose(valuation([3.0, 9.0], 0.0, terminal="gordon", growth=0.5).value, 3.0)
    np.testing.assert_allclose(valuation([3.0, 9.0], 1.0).value, 12.0)
    assert np.isnan(valuation([0.0, 0.0], 0.5).terminal_share)


def test_critic_and_normalised_terminal_values() -> None:
    assert valuation([1.0, 1.0], 0.5, terminal="critic", critic=8.0).value == 1.5 + 0.25 * 8
    usual = valuation([1.0, 9.0], 0.5, terminal="perpetuity", normalised_cash_flow=2.0)
    assert usual.terminal_value == 2 * 1 / (1 - 0.5)


def test_one_ahead_is_exact_for_constant_choices() -> None:
    """A constant forecast error gives the perpetuity of that error."""
    gamma, g = np.array([0.9, 0.7]), np.array([0.0, 0.05])
    flows = np.array([4.0, 5.0])[:, None] * (1 + g[:, None]) ** np.arange(400)
    ahead = flows * (1 + g[:, None])
    rate, growth = gamma[:, None], g[:, None]
    realised = flows / (1 - rate * (1 + growth))
    np.testing.assert_allclose(one_ahead(flows, ahead, rate, growth) / realised, 1.0, atol=1e-11)
    off = one_ahead(flows, ahead + 1.0, rate, growth) - realised
    wanted = np.broadcast_to((gamma / (1 - gamma * (1 + g)))[:, None], off.shape)
    np.testing.assert_allclose(off[:, :50], wanted[:, :50], rtol=1e-9)
    first = valuation(flows[:, :1], gamma, terminal="gordon", growth=g).value
    np.testing.assert_allclose(one_ahead(flows[:, 0], ahead[:, 0], gamma, g), first, rtol=1e-13)


def test_sensitivity_is_nan_where_the_value_diverges() -> None:
    table = sensitivity([10.0, 11.0], [0.02, 0.05, 0.1], [0.0, 0.02, 0.05], convention="end")
    assert np.isnan(table).tolist() == [[False, True, True], [False, False, True], [False, False, False]]
    one = valuation([10.0, 11.0], 1 / 1.05, terminal="gordon", growth=0.02, convention="end")
    np.testing.assert_allclose(table[1, 1], one.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"gamma": 0.96, "terminal": "gordon", "growth": 0.05}, r"r = 0\.0416667.*g = 0\.05.*diverges"),
        ({"gamma": 1.0, "terminal": "perpetuity"}, r"1 \(r = 0, growth g = 0\).*\[0, 1\).*diverges"),
        ({"gamma": 1.01}, r"1\.01 .*in \[0, 1\].*diverges"),
        ({"gamma": [0.5, -0.1]}, r"gamma\[1\]: -0\.1"),
        ({"gamma": float("nan")}, "gamma: nan"),
        ({"gamma": 0.5, "terminal": "gordon", "growth": -1.0}, r"growth: -1 must be above -1"),
        ({"gamma": 0.5, "terminal": "gordn"}, r"terminal: 'gordn' is unknown.*gordon"),
        ({"gamma": 0.5, "convention": "start"}, "convention: 'start' is unknown"),
        ({"gamma": 0.5, "terminal": "multiple"}, "multiple: is missing"),
        ({"gamma": 0.5, "discounts": [0.5]}, r"discounts: shape \(1,\) must end in 2"),
        ({"gamma": 0.5, "discounts": [0.5, 1.5]}, r"discounts\[1\]: 1\.5"),
    ],
    ids=range(11),
)
def test_wrong_options_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        valuation([1.0, 2.0], **options)


def test_divergent_or_non_finite_values_are_refused() -> None:
    with pytest.raises(ValueError, match="diverges"):
        one_ahead(1.0, 1.0, 0.99, 0.02)
    with pytest.raises(ValueError, match="finite"):
        valuation([1.0, np.nan], 0.5)


def test_nonpositive_terminal_cash_flows_warn_or_raise() -> None:
    with pytest.warns(UserWarning, match="terminal cash flow: -2 is not above 0"):
        found = valuation([1.0, -2.0], 0.5, terminal="gordon")
    assert found.value == 1 - 1 + 0.25 * -4
    with pytest.raises(ValueError, match="terminal cash flow: -2"):
        valuation([1.0, -2.0], 0.5, terminal="gordon", strict=True)
    with pytest.warns(
        UserWarning, match="0 is not above 0, and 'multiple' values the firm at a multiple of it"
    ):
        found = valuation([1.0, 0.0], 0.5, terminal="multiple", multiple=3.0, strict=True)
    assert found.terminal_value == 0.0
    assert valuation([1.0, -2.0], 0.5, strict=True).value == 0.0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"growth": 0.06}, r"gamma\[0\]: 0\.95, so r = 0\.0526316, must be above growth g = 0\.06.*diverges"),
        ({"wacc": [0.1, 0.04], "growth": 0.05}, r"gamma\[1\]: .*r = 0\.04, .*g = 0\.05.*diverges"),
        ({"horizon": 5, "terminal": "gordon", "terminal_growth": 0.2}, r"g = 0\.2; else the sum diverges"),
        ({"horizon": 5, "terminal": "perpetuity", "gamma": 1.0}, r"1 \(r = 0.*in \[0, 1\).*diverges"),
        ({"initial": [30.0, 101.0]}, r"initial: player 1 is at 101; must be in \[0, 100\]"),
    ],
    ids=range(5),
)
def test_markets_with_divergent_values_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        rv.games.market(**options)


def test_finite_horizon_markets_accept_gamma_one() -> None:
    assert np.asarray(rv.games.market(horizon=5, gamma=1.0, growth=0.5).gamma).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("convention", ["period0", "mid", "end"])
@pytest.mark.parametrize("horizon", [None, 6])
def test_value_of_a_growing_market_is_its_discounted_sum(convention: str, horizon: int | None) -> None:
    options = {} if horizon is None else {"horizon": horizon, "terminal": "gordon", "terminal_growth": 0.02}
    market = rv.games.market(growth=0.02, gamma=0.9, convention=convention, **options)
    found, share = oracles.cycle_value(market, np.array([10.0, 20.0]), np.array([0.9, 0.9]) * 1.02)
    t = np.arange(2000)
    shift = {"period0": 0.0, "mid": 0.5, "end": 1.0}[convention]
    worth = 0.9 ** (t + shift) * 1.02**t
    np.testing.assert_allclose(found, [10.0 * worth.sum(), 20.0 * worth.sum()])
    np.testing.assert_allclose(share, 0.0 if horizon is None else worth[horizon:].sum() / worth.sum())


@pytest.mark.parametrize("convention", ["period0", "mid", "end"])
def test_a_recurring_cash_flow_is_a_perpetuity_however_long_it_is_counted(convention: str) -> None:
    flow, gamma = np.array([10.0, -3.0]), np.array([0.9, 0.6])
    wanted = flow * gamma ** {"period0": 0.0, "mid": 0.5, "end": 1.0}[convention] / (1 - gamma)
    value, share = recurring_value(flow, gamma, 0, convention=convention)
    np.testing.assert_allclose(value, wanted)
    assert share.tolist() == [0.0, 0.0]
    with pytest.warns(UserWarning, match="terminal cash flow: -3 is not above 0"):
        value, share = recurring_value(flow, gamma, 7, convention=convention, terminal="perpetuity")
    np.testing.assert_allclose(value, wanted)
    np.testing.assert_allclose(share, gamma**7)


def test_cash_flows_are_valued_by_the_rule_of_their_market() -> None:
    options = {"horizon": 3, "terminal": "multiple", "multiple": 4.0, "convention": "mid"}
    market, flows = rv.games.market(gamma=[0.9, 0.5], **options), np.arange(1.0, 7.0).reshape(3, 2)
    found = value_cash_flows(market, flows)
    for firm, gamma in enumerate((0.9, 0.5)):
        explicit = sum(gamma ** (t + 0.5) * flows[t, firm] for t in range(3))
        assert found.value[firm] == pytest.approx(explicit + gamma**3 * 4.0 * flows[2, firm])
        assert found.terminal_value[firm] == 4.0 * flows[2, firm]
