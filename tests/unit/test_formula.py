"""Formulas: values, logarithms that do not underflow, and syntax errors."""

import math

import jax
import numpy as np
import pytest

from rivalry.families.formula import DEEPEST, parse

AT = {"a": 1.7, "b": 0.4, "x": -1.3}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2*3", 7.0),
        ("2^3^2", 512.0),
        ("-2^2", -4.0),
        ("(-2)^2", 4.0),
        ("2^-1", 0.5),
        ("2**3", 8.0),
        ("6/3/2", 1.0),
        ("5 - 3 - 1", 1.0),
        ("- -3", 3.0),
        ("1.5e2 + .5", 150.5),
        ("exp(-b^2/(2*0.1^2))", math.exp(-(0.4**2) / 0.02)),
        ("sqrt(abs(x)) * log(a)", math.sqrt(1.3) * math.log(1.7)),
        ("sinh(b) + cosh(b) - tanh(b)", math.sinh(0.4) + math.cosh(0.4) - math.tanh(0.4)),
        ("sin(a)^2 + cos(a)^2", 1.0),
        ("x^3", (-1.3) ** 3),
        ("lgamma(a + 2)", math.lgamma(3.7)),
        ("digamma(2) - digamma(1)", 1.0),
        ("max(1, b, a, x) - min(b, a)", 1.7 - 0.4),
    ],
)
def test_values(text: str, value: float) -> None:
    assert float(parse(text, AT)(AT)) == pytest.approx(value, rel=1e-14)


@pytest.mark.parametrize(
    "text",
    [
        *("exp(-(b-x)^2/2)", "a*exp(b) + 2*exp(x)", "a/(1+b^2)", "(b-x)^2*exp(x)", "sqrt(a)*a^1.5"),
        *("cosh(b) - x", "-x", "max(exp(x), b, x)", "-min(x - 2, x, exp(b))"),
    ],
)
def test_logarithm_equals_the_logarithm_of_the_value(text: str) -> None:
    formula = parse(text, AT)
    assert float(formula.log(AT)) == pytest.approx(math.log(float(formula(AT))), rel=1e-13)


@pytest.mark.slow
def test_logarithm_does_not_underflow() -> None:
    formula = parse("2*exp(-b^2) + exp(-b^2 - 1)", ["b"])
    assert float(formula.log({"b": 100.0})) == pytest.approx(-1e4 + math.log(2 + math.exp(-1)), rel=1e-14)
    assert float(jax.grad(lambda b: formula.log({"b": b}))(100.0)) == pytest.approx(-200.0, rel=1e-13)


@pytest.mark.slow
def test_logarithm_of_zero_and_of_negative_values() -> None:
    compact = parse("(1 - b + abs(1 - b))/2", ["b"])  # the positive part of 1 - b
    assert float(compact.log({"b": 2.0})) == -math.inf
    assert float(jax.grad(lambda b: compact.log({"b": b}))(2.0)) == 0.0
    assert math.isnan(float(parse("-b", ["b"]).log({"b": 2.0})))


@pytest.mark.slow
def test_the_gradient_of_a_distance_is_zero_at_zero_distance() -> None:
    formula = parse("exp(-sqrt((b-x)^2))", ["b", "x"])
    assert float(jax.grad(lambda x: formula.log({"b": 1.0, "x": x}))(1.0)) == 0.0


@pytest.mark.slow
def test_the_gradient_of_an_underflowing_sum_is_the_weighted_mean_of_the_exponents_gradients() -> None:
    """``log(exp(-u a) + exp(-u c))`` has derivative ``-(a w + c (1 - w))``, w a softmax weight."""
    formula = parse("exp(-b * 3) + exp(-b * 3.01)", ["b"])
    b = 1000.0  # both terms are 0 in double precision
    weight = 1 / (1 + np.exp(-0.01 * b))
    assert float(formula.log({"b": b})) == pytest.approx(-3 * b + np.log1p(np.exp(-0.01 * b)), rel=1e-12)
    slope = jax.grad(lambda b: formula.log({"b": b}))(b)
    assert float(slope) == pytest.approx(-(3 * weight + 3.01 * (1 - weight)), rel=1e-12)


def test_the_logarithm_of_a_vanishing_difference_keeps_its_size_and_its_sign() -> None:
    values = {"b": 1000.0}
    size = parse("exp(-b) - exp(-2*b)", ["b"]).log(values)
    assert float(size) == pytest.approx(-1000.0, rel=1e-12)
    assert np.isnan(parse("exp(-2*b) - exp(-b)", ["b"]).log(values))


@pytest.mark.slow
def test_extremes_do_not_underflow_and_have_the_derivative_of_the_larger_part() -> None:
    formula = parse("max(exp(-b^2), exp(-b^2 - 1))", ["b"])
    assert float(formula.log({"b": 100.0})) == -1e4
    assert float(jax.grad(lambda b: formula.log({"b": b}))(100.0)) == -200.0
    smaller = parse("min(b, lgamma(b))", ["b"])
    assert float(jax.grad(lambda b: smaller({"b": b}))(3.5)) == pytest.approx(1.1031566406452432, rel=1e-14)
    assert float(jax.grad(lambda b: smaller({"b": b}))(9.0)) == 1.0


def test_formulas_evaluate_arrays() -> None:
    b = np.linspace(0, 1, 5)
    np.testing.assert_allclose(parse("b^2 + 1", ["b"])({"b": b}), b**2 + 1, rtol=1e-15)


def test_formulas_with_equal_texts_are_equal() -> None:
    assert parse("b + 1", ["b"]) == parse("b + 1", ["b"])
    assert hash(parse("b + 1", ["b"])) == hash(parse("b + 1", ["b"]))
    assert parse("b + 1", ["b"]) != parse("b + 2", ["b"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"third_party: ends too early at character 1"),
        ("1 +", "ends too early"),
        ("(1", "a bracket is not closed"),
        ("1)", r"unexpected '\)' at character 2"),
        ("2 3", "unexpected '3' at character 3"),
        ("b $ 1", r"unexpected '\$' at character 3"),
        ("c + 1", "unknown name 'c' .* allowed are b, x"),
        ("expp(b)", "'expp' is no function; did you mean 'exp'"),
        ("exp b", r"exp needs \("),
        ("__import__('os')", "unexpected"),
        ("__import__(b)", "is no function"),
        ("b.real", "unexpected"),
        ("b[0]", "unexpected"),
        ("1;2", "unexpected ';'"),
        ("1, 2", r"unexpected ',' at character 2"),
        ("min(b)", r"min takes several arguments at character 6"),
        ("exp(b, x)", r"exp takes one argument at character 9"),
        ("(" * (DEEPEST + 1), "brackets within each other"),
        ("2^" * (DEEPEST + 1) + "2", "powers within each other"),
        ("1+" * 200 + "1", "more than 100 operations"),
        ("1+" * 2000 + "1", "at most 2000"),
    ],
)
def test_syntax_errors_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        parse(text, ["b", "x"], "third_party")
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("third_party: ")


@pytest.mark.slow
def test_tests_conditions_and_sums_of_numbered_names() -> None:
    at = {"x1": 1.0, "x2": 4.0, "w1": 2.0, "w2": 0.5, "a": 3.0}
    for text, value in (
        ("sum(x)", 5.0),
        ("sum(w*x) + a", 7.0),
        ("sum(x^2) - x1^2", 16.0),
        ("sum(x1, a)", 4.0),
        ("max(x) - min(w)", 3.5),
        ("if(x1 < x2, a, -a)", 3.0),
        ("if(x1 >= x2, a, -a)", -3.0),
        ("if((x1 < x2)*(x2 != 4), 1, 2)", 2.0),
        ("(x1 <= 1) + (x2 == 4) + (a > 3)", 2.0),
    ):
        assert float(parse(text, at, tests=True)(at)) == value, text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x1 < x2 < 1", "two tests in a row"),
        ("if(x1, 1)", "if takes a test and two values"),
        ("x1 = 1", "unexpected '='; equality is =="),
        ("sum(x*y)", "x and y must be numbered alike"),
        ("sum(z)", "unknown name 'z'"),
    ],
)
def test_wrong_tests_and_sums_are_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(text, ["x1", "x2", "y1"], tests=True)


def test_only_payoffs_may_test() -> None:
    with pytest.raises(ValueError, match="unexpected '<' at character 4"):
        parse("x1 < 1", ["x1"])


def test_sums_over_many_players_are_not_deeply_nested() -> None:
    names = {f"x{k}": float(k) for k in range(1, 101)}
    assert float(parse("sum(x)", names)(names)) == 5050.0
