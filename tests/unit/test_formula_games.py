"""Games written as formulas: their parameters, jumps, equations and choices without bounds."""

import json
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.game import array_entry, arrays

pytestmark = pytest.mark.mostly_slow

COURNOT = ["x1 * (a - x1 - x2)", "x2 * (a - x1 - x2)"]
SPELLINGS = ("a", "parameters.a", "game.parameters.a")


def cournot(a: float = 1.0) -> Any:
    """Two firms at the price a - x1 - x2: both sell a/3."""
    return rv.games.continuous(payoffs=COURNOT, parameters={"a": a}, high=2.0)


class Firms:
    """The same as a plain class with numbers as attributes."""

    space = rv.Box.interval(0.0, 2.0, players=2)

    def __init__(self) -> None:
        self.a, self.count = 1.0, 2

    def payoffs(self, x: Any) -> Any:
        return x[:, 0] * (self.a - x.sum())


@pytest.mark.default
def test_parameters_are_arrays_of_the_game_by_every_spelling() -> None:
    game = cournot()
    assert list(arrays(game)) == ["a"]
    for name in SPELLINGS:
        assert array_entry(game, name) == ("a", ())
        changed = rv.with_(game, **{name: 2.0})
        assert float(changed.a) == 2.0
        assert float(changed.payoffs([[0.5], [0.5]])[0]) == 0.5
    with pytest.raises(ValueError, match=r"^reward\.a: no array of this game; it has a$"):
        rv.with_(game, **{"reward.a": 2.0})
    with pytest.raises(ValueError, match=r"^a: no array of this game; it has none$"):
        rv.with_(rv.games.continuous(), a=1.0)
    with pytest.raises(ValueError, match=r"^parameters\.shared: is an attribute of every game"):
        rv.games.continuous(parameters={"shared": 1.0})


def test_branches_of_a_parameter_follow_a_third_of_it() -> None:
    """The example of issue 223 of BifurcationKit.jl: continuation in a parameter by its name."""
    method = rv.methods.Branches("parameters.a", low=0.5, high=2.0)
    data = rv.solve(cournot(), method, [[0.3], [0.3]]).data
    assert str(data.parameter_name.values) == "a"
    value = data.branch_parameter.values
    assert value.min() == pytest.approx(0.5)
    assert value.max() == pytest.approx(2.0)
    np.testing.assert_allclose(
        data.branch_position.values[:, :, 0], value[:, None] / 3 * [1.0, 1.0], atol=1e-9
    )


@pytest.mark.parametrize("game", [cournot(), Firms()], ids=["formulas", "plain"])
def test_a_parameter_is_differentiated_scanned_swept_and_given_a_range(game: Any) -> None:
    statics = rv.solve(game, rv.methods.ComparativeStatics("a"))
    np.testing.assert_allclose(statics.data.slope.values, 1 / 3, atol=1e-9)
    scan = rv.solve(game, rv.methods.Thresholds("a", low=0.5, high=1.0, points=3))
    np.testing.assert_allclose(scan.data.scan_position.values.ravel(), [1 / 6, 1 / 4, 1 / 3], atol=1e-9)
    swept = rv.sweep(game, {"a": [0.6, 1.2]}, rv.methods.BestResponse())
    np.testing.assert_allclose(swept.profile.values[..., 0], [[0.2, 0.2], [0.4, 0.4]], atol=1e-7)
    assert rv.all_equilibria(game, where={"a": (0.5, 0.6)}, max_seconds=None).count == "exactly 1"


@pytest.mark.default
def test_a_whole_number_of_a_plain_class_is_no_parameter() -> None:
    with pytest.raises(ValueError, match=r"^count: no array of this game; it has a; a parameter is a real"):
        rv.with_(Firms(), count=3)


def test_entries_of_arrays_are_named_alike_in_every_method() -> None:
    game = rv.games.influencer(reach=[0.25, 0.3, 0.3])
    assert rv.with_(game, **{"reach[0]": 0.2}).reach.tolist() == [0.2, 0.3, 0.3]
    found = rv.solve(game, rv.methods.Branches("reach[0]", low=0.2, high=0.22, certify="none"))
    assert str(found.data.parameter_name.values) == "reach[0]"


def test_an_entry_of_a_default_is_swept() -> None:
    """The price is 100 - Q: firm 0 sells (100 - 2 c0 + c1) / 3."""
    swept = rv.sweep(rv.games.market(), {"unit_cost[0]": [0.0, 4.0]}, rv.methods.BestResponse())
    np.testing.assert_allclose(swept.profile.values[:, 0, 0], [110 / 3, 34.0], atol=1e-5)
    assert rv.with_(rv.games.market(), **{"capacity[1]": 20.0}).capacity.tolist() == [np.inf, 20.0]


def test_a_list_of_a_changed_game_is_proved_and_its_file_states_that_game() -> None:
    main = pytest.importorskip("rivalry_check.__main__")
    grammar = pytest.importorskip("rivalry_check.grammar")
    documents = []
    for game in (rv.with_(cournot(), a=1.5), cournot(1.5)):
        found = rv.all_equilibria(game)
        assert found.complete
        np.testing.assert_allclose(found.equilibria.ravel(), 0.5, atol=1e-9)
        documents.append(json.dumps(found.proof.document()))
        assert "1 equilibrium" in main.proved(grammar.load(documents[-1].encode()))
    assert documents[0] == documents[1]


# --- tests, sums, equations -------------------------------------------------------------------------------


def bertrand() -> Any:
    """Two firms without costs; the cheaper one serves 1 - p, and firms of equal prices share it."""
    payoffs = ["p1*if(p1 < p2, 1, (p1 == p2)/2)*(1 - p1)", "p2*if(p2 < p1, 1, (p1 == p2)/2)*(1 - p2)"]
    return rv.games.continuous(payoffs=payoffs, choices=["p1", "p2"])


@pytest.mark.default
def test_formulas_with_tests_pay_by_cases() -> None:
    game = bertrand()
    for p, paid in (([0.2, 0.4], [0.16, 0.0]), ([0.4, 0.4], [0.12, 0.12]), ([0.4, 0.2], [0.0, 0.16])):
        np.testing.assert_allclose(game.payoffs(np.reshape(p, (2, 1))), paid, atol=1e-15)


def test_a_test_of_choices_is_a_jump_that_gradients_and_lists_refuse() -> None:
    words = r"^payoffs\[0\] tests p1 < p2: payoffs are discontinuous"
    for method in (rv.methods.GradientAscent(), rv.methods.AllEquilibria()):
        with pytest.raises(ValueError, match=words):
            rv.solve(bertrand(), method)
    assert rv.certificate(bertrand(), [[0.0], [0.0]]).claim == "equilibrium"
    shared = rv.certificate(bertrand(), [[0.5], [0.5]])  # undercutting doubles the profit
    assert shared.claim == "not an equilibrium"
    np.testing.assert_allclose(shared.regret, 0.125, atol=1e-6)


def test_a_test_of_parameters_is_no_jump() -> None:
    payoffs = ["if(a > 1, 1, 2)*x1 - x1^2", "x2*(sum(x) - x2) - x2^2"]
    game = rv.games.continuous(payoffs=payoffs, parameters={"a": 2.0})
    assert rv.oracles.discontinuity(game) == ""
    np.testing.assert_allclose(rv.all_equilibria(game).equilibria.ravel(), [0.5, 0.25], atol=1e-12)
    changed = rv.all_equilibria(rv.with_(game, a=0.5))
    np.testing.assert_allclose(changed.equilibria.ravel(), [1.0, 0.5], atol=1e-12)


def test_an_equation_is_a_constraint_with_one_multiplier() -> None:
    """The kind of nashopt's vgne example 1: both give up a quarter, at the multiplier 2 (1 - 3/4) = 1/2."""
    payoffs = ["-(a-1)^2", "-(b-0.5)^2"]
    game = rv.games.continuous(payoffs=payoffs, choices=["a", "b"], shared=["a+b=1"])
    found = rv.solve(game, rv.methods.VariationalEquilibrium())
    np.testing.assert_allclose(found.profile.values.ravel(), [0.75, 0.25], atol=1e-8)
    more, less = found.data.common_multiplier.values
    assert more - less == pytest.approx(0.5, abs=1e-7)
    assert found.claim == "equilibrium"
    # from below: both want less than the equation asks of them
    payoffs = ["-(x1 - 0.1)^2", "-2*(x2 - 0.1)^2"]
    below = rv.games.continuous(payoffs=payoffs, shared=["x1 + x2 == 1"], high=2.0)
    found = rv.solve(below, rv.methods.VariationalEquilibrium())
    # 2 (x1 - .1) = 4 (x2 - .1) and x1 + x2 = 1
    np.testing.assert_allclose(found.profile.values.ravel(), [0.1 + 1.6 / 3, 0.1 + 0.8 / 3], atol=1e-8)


# --- choices without bounds -------------------------------------------------------------------------------


def unbounded(payoffs: list[str], *search: float) -> Any:
    return rv.games.continuous(payoffs=payoffs, low=-np.inf, high=np.inf, search=list(search))


LINES = ["-(x1 - 2 - x2/2)^2", "-(x2 - 1 + x1/4)^2"]  # best responses meet at (20/9, 4/9)


def test_equilibria_of_unbounded_choices_name_the_range_that_was_searched() -> None:
    found = rv.solve(unbounded(LINES, -10.0, 10.0), rv.methods.BestResponse())
    np.testing.assert_allclose(found.profile.values.ravel(), [20 / 9, 4 / 9], atol=1e-7)
    assert found.claim == "equilibrium"
    assert "choices have no bounds: only the range stated was searched" in str(found.certificate)
    listed = rv.all_equilibria(unbounded(LINES, -10.0, 10.0))
    assert len(listed.equilibria) == 1
    assert not listed.complete
    assert "only the range stated" in str(listed)
    with pytest.raises(ValueError, match="where: choices have no bounds"):
        rv.all_equilibria(rv.with_(unbounded(LINES, -1.0, 1.0)), where={"a": (0.0, 1.0)})


@pytest.mark.parametrize("search", [(-10.0, 2.0), (2.5, 10.0)])
def test_an_end_of_the_range_is_no_equilibrium(search: tuple[float, float]) -> None:
    game = unbounded(LINES, *search)
    found = rv.solve(game, rv.methods.BestResponse())
    assert found.claim in ("no deviation found", "not an equilibrium")
    assert np.all(np.isinf(found.certificate.bound))
    assert "at an end of the range searched: player" in str(found.certificate)
    listed = rv.all_equilibria(game)
    assert not len(listed.equilibria)
    assert not listed.complete


def test_payoffs_far_beyond_the_range_are_tried() -> None:
    for payoff in ("x1/(1 + x1^2)^0.1", "-(x1 - 1)^2 + max(0, x1 - 12)^3", "-(x1 - 1)^2 - min(0, x1 + 20)^3"):
        game = unbounded([payoff], 0.0 if payoff[0] == "x" else -10.0, 10.0)
        found = rv.solve(game, rv.methods.BestResponse())
        assert found.claim == "not an equilibrium"
        assert "payoffs rise beyond" in str(found.certificate)
        assert not len(rv.all_equilibria(game).equilibria)
