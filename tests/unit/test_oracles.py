"""Oracles are registered for classes of games; fields of a user's game are never read as oracles."""

from __future__ import annotations

import multiprocessing
import pickle
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import equinox as eqx
import numpy as np
import pytest

import rivalry as rv
from rivalry.certificates.certify import certificate
from rivalry.check import check_game
from rivalry.core import oracles
from rivalry.core.game import is_agents, is_markov, is_population
from rivalry.core.oracles import Oracle
from rivalry.core.space import Box
from rivalry.runtime.jax import jnp
from tests.unit.test_metrics import HERE, REGRETS

ALL = [known for known in vars(oracles).values() if isinstance(known, Oracle)]

# words of families and protocols, required members of the other protocols, and names of the oracles
_WORDS = """adjustment_tables alike alive axis_names balance best_reply candidates ceiling closed_form contest
discount endless endowed environment everybody expect gain_between gamma gamma_channels gradients growth
jacobian jumps legal levels linear_quadratic linked measures movers named_start node observe opening outcomes
outside_linear own_units payoff_against period period_space periods play player_names possible_agents
proved_reply refuses repeated reply_to_mixture reset reward scale share shown stage stages step stock_range
timing told unit_cost valued view views weights world"""
FIELDS = sorted({*_WORDS.split(), *(oracle.__name__ for oracle in ALL)})  # type: ignore[attr-defined]


class Plain:
    """Two firms, price 1 - q1 - q2; further fields belong to the user."""

    space = Box.interval(0.0, 1.0, players=2)

    def __init__(self, **fields: Any) -> None:
        vars(self).update(fields)

    def payoffs(self, x: Any) -> Any:
        return x[:, 0] * (1 - x.sum())


def payoffs(self: Any, x: Any) -> Any:
    return x[:, 0] * (1 - x.sum())


def module(fields: list[str]) -> Any:
    """The same game as an Equinox module with array fields of these names."""
    space = property(lambda self: Plain.space)
    kind = type(
        "Own",
        (eqx.Module,),
        {"__annotations__": dict.fromkeys(fields, Any), "space": space, "payoffs": payoffs},
    )
    return kind(*[jnp.asarray(0.25)] * len(fields))


OWN = {"module": lambda: module(FIELDS), "plain": lambda: Plain(**dict.fromkeys(FIELDS, 1e6))}


@pytest.mark.slow
@pytest.mark.parametrize("make", OWN.values(), ids=OWN)
def test_fields_of_a_users_game_are_not_read_as_oracles(make: Any) -> None:
    game = make()
    assert [kind(game) for kind in (is_population, is_markov, is_agents)] == [False] * 3
    assert not [oracle for oracle in ALL if oracle.knows(game)]
    found = certificate(game, HERE)
    np.testing.assert_allclose(found.regret, REGRETS, atol=1e-9)
    assert (found.claim, found.coverage, found.rounding) == ("not an equilibrium", "tight", "outward")


@pytest.fixture(scope="module")
def own() -> Any:
    return module(FIELDS)


@pytest.mark.slow
def test_a_game_with_fields_named_like_oracles_is_solved(own: Any) -> None:
    assert set(check_game(own)) == {"protocol", "space", "payoffs", "jit", "gradients"}
    solved = rv.solve(own, rv.methods.BestResponse(), start=HERE)
    np.testing.assert_allclose(solved.profile, 1 / 3, atol=1e-6)
    assert solved.claim == "equilibrium"
    learned = rv.solve(own, rv.methods.QLearning(action_grid=3), max_steps=10)
    assert learned.profile.shape == (2, 1)
    with pytest.raises(ValueError, match="no named starts"):
        rv.solve(own, rv.methods.GradientAscent(), start="scale")


@pytest.mark.slow
def test_a_game_with_fields_named_like_oracles_is_an_environment(own: Any) -> None:
    pytest.importorskip("pettingzoo")
    from rivalry.envs import aec_env, parallel_env

    env = parallel_env(own, periods=2)
    env.reset(seed=0)
    _, paid, *_ = env.step({name: np.zeros(1, dtype=np.float32) for name in env.agents})
    assert paid == {"player_0": 0.0, "player_1": 0.0}  # the middle of the box: (1 - 0.5 - 0.5) / 2
    aec_env(own, periods=2).reset(seed=0)


class Known(Plain):
    """A game with registered oracles."""


@oracles.best_response.register(Known)
def _(game: Known, x: Any, player: Any) -> Any:
    own = (1 - (x.sum() - x[player])) / 2
    return own, game.payoffs(x.at[player].set(own))[player], "tight"


oracles.payoff_scale.register(Known)(lambda game: 3.0)
oracles.discontinuity.register(Known)(lambda game: "a step")
oracles.exchangeable.register(Known)(lambda game: np.zeros(2, dtype=int))


class Named(Known):
    """A subclass with another method and attribute: proofs remain valid."""

    colour = "red"

    def report(self) -> str:
        return "nothing"


class Taxed(Known):
    def payoffs(self, x: Any) -> Any:
        return super().payoffs(x) - x[:, 0] / 10


class Narrow(Known):
    space = Box.interval(0.0, 0.2, players=2)


@pytest.mark.slow
def test_registered_oracles_are_used() -> None:
    found = certificate(Known(), HERE)
    np.testing.assert_allclose(found.regret, REGRETS, atol=1e-15)
    assert (found.coverage, found.method) == ("tight", "registered best response")
    assert oracles.proved_response.knows(Known()) is False  # derived from best_response
    with pytest.raises(ValueError, match="a step: payoffs are discontinuous"):
        rv.solve(Known(), rv.methods.GradientAscent(), start=HERE)


@pytest.mark.slow
def test_proofs_are_dropped_when_payoffs_or_space_change() -> None:
    assert oracles.best_response.knows(Named())
    for changed in (Taxed(), Narrow()):
        assert not oracles.best_response.knows(changed)
        assert not oracles.exchangeable.knows(changed)
        assert (oracles.payoff_scale(changed), oracles.discontinuity(changed)) == (3.0, "a step")
    reply = rv.best_response(Taxed(), HERE, 0)
    # a search with a bound of its own, not the best response of the class above
    assert (reply.coverage, reply.strategy[0]) == ("bounded", pytest.approx((0.9 - 0.5) / 2, abs=1e-6))


class Dearer(type(rv.games.market())):  # type: ignore[misc]
    """The package's market with a levy on quantity and custom fields."""

    levels: Any = 0.0
    scale: Any = 1e9

    def payoffs(self, x: Any) -> Any:
        return super().payoffs(x) - 5.0 * x[:, 0]


class Painted(type(rv.games.market())):  # type: ignore[misc]
    """The package's market with custom fields and unchanged payoffs."""

    levels: Any = 0.0
    scale: Any = 1e9
    best_reply: Any = None


def as_kind(kind: Any, game: Any) -> Any:
    made = object.__new__(kind)
    fields = {"levels": 0.0, "scale": 1e9, "best_reply": None}
    for name, value in (vars(game) | fields).items():
        if name in kind.__dataclass_fields__:
            object.__setattr__(made, name, value)
    return made


def test_a_subclass_with_new_payoffs_keeps_labels_but_no_proofs() -> None:
    market = rv.games.market()
    dearer, painted = (as_kind(kind, market) for kind in (Dearer, Painted))
    assert oracles.closed_form.knows(painted)
    assert not oracles.closed_form.knows(dearer)
    for game in (dearer, painted):
        assert float(oracles.payoff_scale(game)) == float(oracles.payoff_scale(market))
        assert oracles.labels(game).axes == ("quantity",)
    assert oracles.to_linear_quadratic.knows(painted)
    assert not oracles.to_linear_quadratic.knows(dearer)
    assert not oracles.action_levels.knows(dearer)


def test_the_when_condition_is_evaluated_and_errors_propagate() -> None:
    class Sometimes(Plain):
        pass

    @oracles.payoff_scale.register(Sometimes, when=lambda game: game.known)
    def _(game: Sometimes) -> float:
        return game.typo  # type: ignore[attr-defined, no-any-return]

    assert oracles.payoff_scale(Sometimes(known=False)) == 1.0
    assert oracles.payoff_scale.knows(Sometimes(known=True))
    with pytest.raises(AttributeError, match="typo"):
        oracles.payoff_scale(Sometimes(known=True))
    with pytest.raises(AttributeError, match="known"):
        oracles.payoff_scale(Sometimes())


@pytest.mark.parametrize("kind", [object, rv.Game])
def test_registration_for_all_games_is_refused(kind: Any) -> None:
    with pytest.raises(TypeError, match="must be a class of games"):
        oracles.payoff_scale.register(kind)


@pytest.mark.slow
def test_late_registration_invalidates_compiled_programs() -> None:
    class Late(eqx.Module):
        @property
        def space(self) -> Box:
            return Plain.space

        payoffs = payoffs

    @eqx.filter_jit
    def scale(game: Late) -> Any:
        return jnp.asarray(oracles.payoff_scale(game))

    assert float(scale(Late())) == 1.0
    oracles.payoff_scale.register(Late)(lambda game: 100.0)
    assert float(scale(Late())) == 100.0


def test_oracles_pickle_by_name() -> None:
    for oracle in ALL:
        assert isinstance(oracle, Oracle)
        assert pickle.loads(pickle.dumps(oracle)) is oracle


class OwnMarket(type(rv.games.market())):  # type: ignore[misc]
    """A subclass of a package class with methods named like oracles and former hooks."""

    def action_levels(self, count: int) -> Any:
        raise AssertionError

    def levels(self, count: int) -> Any:
        raise AssertionError

    def discount_factors(self) -> Any:
        raise AssertionError


@pytest.mark.slow
def test_only_registered_oracles_are_used_not_members() -> None:
    class Stepped(Plain):
        def levels(self, count: int) -> Any:
            raise AssertionError

    game, market = Stepped(gamma=0.5), rv.games.market()
    assert not any(oracle.knows(game) for oracle in (oracles.discount_factors, oracles.action_levels))
    own = as_kind(OwnMarket, market)
    np.testing.assert_array_equal(oracles.discount_factors(own), oracles.discount_factors(market))
    np.testing.assert_array_equal(oracles.action_levels(own, 3)[0], oracles.action_levels(market, 3)[0])
    oracles.discount_factors.register(Stepped)(lambda game: 0.5)
    oracles.action_levels.register(Stepped)(lambda game, count: [np.linspace(0.2, 0.8, count)] * 2)
    assert oracles.discount_factors(game) == 0.5
    np.testing.assert_allclose(rv.tables.tabulate(game, 3).action_grid[:, :, 0], [[0.2, 0.5, 0.8]] * 2)


HOMES = {
    "home_of_duel": """
from tests.unit.test_oracles import Plain
from rivalry.core import oracles
class Duel(Plain):
    pass
oracles.at_home(Duel, "home_of_duel_oracles")
""",
    "home_of_duel_oracles": """
from home_of_duel import Duel
from rivalry.core import oracles
oracles.payoff_scale.register(Duel)(lambda game: 7.0)
oracles.discontinuity.register(Duel)(lambda game: "a step")
""",
    "home_of_none": """
from tests.unit.test_oracles import Plain
from rivalry.core import oracles
class Nobody(Plain):
    pass
oracles.at_home(Nobody, "home_of_duel_oracles")
""",
}


@pytest.fixture
def homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in HOMES.items():
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("homes")
def test_oracle_modules_are_imported_on_first_use() -> None:
    Duel = import_module("home_of_duel").Duel

    class Below(Duel):  # type: ignore[misc, valid-type]
        pass

    assert "home_of_duel_oracles" not in sys.modules
    assert oracles.payoff_scale.knows(Below())
    assert "home_of_duel_oracles" in sys.modules
    assert (oracles.payoff_scale(Duel()), oracles.discontinuity(Below())) == (7.0, "a step")


@pytest.mark.usefixtures("homes")
def test_concurrent_first_use_gives_the_same_result_in_all_threads() -> None:
    game = import_module("home_of_duel").Duel()
    together = threading.Barrier(8)

    def ask(_: int) -> float:
        together.wait()
        return float(oracles.payoff_scale(game))

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {7.0}


@pytest.mark.usefixtures("homes")
def test_an_oracle_module_without_registrations_is_an_error() -> None:
    game = import_module("home_of_none").Nobody()
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"home_of_duel_oracles registers nothing for .*Nobody"):
            oracles.payoff_scale(game)


HOME = "rivalry.families.market.oracles"
ASK = f"""[
    {HOME!r} in __import__("sys").modules,
    __import__("rivalry").oracles.best_response.knows(game),
    {HOME!r} in __import__("sys").modules,
]"""


@pytest.mark.slow
def test_a_spawned_worker_imports_the_oracles_of_a_family() -> None:
    # `eval` instead of a function of this module, which imports other oracle modules in the worker
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(eval, (ASK, {"game": rv.games.market()})) == [False, True, True]


X = np.array([[0.2], [0.4]])
WITHOUT_GENERIC_ANSWER = {
    "traced_metrics": ((X,), "metrics that JAX can trace"),
    "best_response": ((X, 0), "best response"),
    "mixed_best_response": ((X[:, None], np.ones((2, 1)), 0), "best response to mixtures"),
    "closed_form": ((), "closed form"),
    "to_finite": ((), "finite form"),
    "to_contest": ((X[:, None],), "payoffs that are shares of a contest"),
    "to_repeated": ((X[:, None], np.ones(2, int)), "repeated form of its own"),
    "to_stages": ((), "periods to go through"),
    "initial_state": ((), "initial state"),
    "transition": ((0, jnp.asarray(X.T), jnp.asarray(X)), "transition from period to period"),
    "stage_game": ((0, jnp.asarray(X[:, 0])), "stage games"),
    "state_game": ((0, jnp.asarray(X.T), None), "games of a period in a state"),
    "state_bounds": ((0,), "bounds of its states"),
    "to_linear_quadratic": ((), "linear-quadratic form"),
    "to_markov": ((), "native play"),
    "to_agents": ((), "arrays for simulated agents"),
    "profit_gain_bounds": ((), "benchmarks of profit gains"),
    "cycle_value": ((X.T, X[:, 0]), "valuation of cash flows"),
    "discounting_channels": ((), "channels of discounting"),
    "legal_actions": ((None,), "mask of legal actions"),
}


@pytest.mark.parametrize("name", WITHOUT_GENERIC_ANSWER)
def test_a_game_without_an_answer_is_refused_in_one_line(name: str) -> None:
    arguments, what = WITHOUT_GENERIC_ANSWER[name]
    asked = getattr(oracles, name)
    assert not asked.knows(Plain())
    with pytest.raises(oracles.Unsupported) as caught:
        asked(Plain(), *arguments)
    assert str(caught.value) == f"game: Plain has no {what}; register one with rivalry.core.oracles"


def test_generic_answers_claim_nothing() -> None:
    game = Plain()
    assert oracles.payoff_scale(game) == 1.0
    assert oracles.discontinuity(game) == oracles.validate_parameter(game, "slope", np.nan) == ""
    assert oracles.outside_linear(game, X) == ""
    assert oracles.labels(game) == oracles.Labels((), ())
    assert oracles.metrics(game, X) == oracles.plot_data(game) == {}
    assert oracles.payoff_bound(game, X, 0, X[0], X[1]) == np.inf
    assert oracles.search_points(game, 0).shape == (0, game.space.shape[1])
    assert list(oracles.exchangeable(game)) == list(range(game.space.shape[0]))
    assert np.isnan(oracles.discount_factors(game))
    assert oracles.payoff_growth(game) == 0.0
    assert oracles.move_order(game) == (tuple(range(game.space.shape[0])),)
    assert oracles.base_game(game) is game
    assert not oracles.alternating(game)
    assert not oracles.own_units(game)
    assert oracles.observation_bounds(game) == (-np.inf, np.inf)
    for moving in (oracles.active_players, oracles.present_players):
        assert np.asarray(moving(game, None)).tolist() == [True] * game.space.shape[0]
    with pytest.raises(
        ValueError, match=r"^start: 'uniform' must be a profile; this game has no named starts"
    ):
        oracles.named_start(game, "uniform")
