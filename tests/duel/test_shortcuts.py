"""Registered shortcuts: a row for every oracle, and none that payoffs at random strategies contradict."""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core import dispatch, oracles
from rivalry.core.dispatch import Oracle
from rivalry.core.payoffs import checked_parts
from rivalry.core.space import Box
from rivalry.runtime.jax import jnp
from tests.duel import shortcuts
from tests.duel.draws import ALIKE, KINDS, Setting, settings
from tests.small_games import Ruled

SEED = 1
FORMS = 6  # of each kind, beside the one of the default tests
WITHOUT = {"periods": "best responses of several periods are searched; too long for 1,000 strategies"}
OF_FORMS = [
    pytest.param(0, marks=pytest.mark.slow),
    *(pytest.param(number, marks=pytest.mark.nightly) for number in range(1, FORMS)),
]


def _import_all() -> None:
    for module in pkgutil.walk_packages(rv.__path__, "rivalry."):
        if not any(part in module.name for part in (".__main__", ".ray", ".rllib", ".web", ".widget")):
            importlib.import_module(module.name)


@pytest.mark.slow
def test_every_oracle_has_a_row() -> None:
    _import_all()
    declared = set(dispatch._declared)
    of_package = {oracle for oracle in declared if oracle.__module__.startswith("rivalry.")}
    assert sorted(oracle.__name__ for oracle in of_package - set(shortcuts.ROWS)) == []
    assert sorted(oracle.__name__ for oracle in set(shortcuts.ROWS) - of_package) == []


def drawn(kind: str, form_number: int) -> Setting:
    """Return a setting of a form; skip the test where its factory accepts none."""
    setting = first_accepted(kind, form_number)
    if setting is None:
        pytest.skip(f"{kind}: all settings of form {form_number} are refused")
    return setting


NOT_MET = {
    ("closed_form", "DuopolyGrid"): "compared in tests/unit/test_duopoly_grids.py",
    ("closed_form", "LogitLine"): "compared in tests/unit/test_oligopolies.py",
    (
        "profit_gain_bounds",
        "AlternatingMatrix",
    ): "compared in tests/unit/test_pricing_games.py",
    (
        "best_response",
        "RaceState",
    ): "a search: it calls itself a lower bound",
    ("exchangeable", "LogitLine"): "of a bundled study, and checked by payoffs before any use",
    ("exchangeable", "Capacities"): "of a bundled study, and checked by payoffs before any use",
    ("gradients", "Population"): "of the replicator dynamic: no claim is of a game of populations",
    ("gradients", "Mutating"): "of the replicator dynamic: no claim is of a game of populations",
}
"""Registrations of classes that no draw is, each with the reason."""

WRAPPERS = (
    "rivalry.core",
    "rivalry.transforms",
    "rivalry.proofs",
    "rivalry.tables",
    "rivalry.methods.continuous",
)


@pytest.mark.slow
def test_every_registration_is_met_by_a_draw() -> None:
    """Wrappers forward what the game inside answers, so that only classes of games are counted."""
    _import_all()
    checked = [oracle for oracle, row in shortcuts.ROWS.items() if row.check is not None]
    met = set()
    for game in (shortcuts.tree(np.random.default_rng(0)), *shortcuts.rare(), *all_drawn()):
        for oracle in checked:
            if oracle.knows(game):
                kind = next(kind for kind in type(game).__mro__ if kind in oracle._answers)
                met.add((oracle.__name__, kind.__name__))
    registered = {
        (oracle.__name__, kind.__name__)
        for oracle in checked
        for kind in oracle._answers
        if kind.__module__.startswith("rivalry.") and not kind.__module__.startswith(WRAPPERS)
    }
    absent = [" of ".join(pair) for pair in sorted(registered - met - set(NOT_MET))]
    assert not absent, f"draw a game that meets {'; '.join(absent)}, or add it to NOT_MET with the reason"
    assert sorted(set(NOT_MET) - registered) == []


def all_drawn() -> Iterator[Any]:
    """Yield the game of every form that is drawn for a check."""
    for kind in (*KINDS, "structures"):
        for form in range(4 * FORMS if kind == "structures" else FORMS):
            setting = first_accepted(kind, form)
            if setting is not None:
                yield setting.make()


def first_accepted(kind: str, form_number: int) -> Setting | None:
    """Return the first setting of a form that its factory accepts; None where it accepts none."""
    for number in range(ALIKE):
        if kind == "structures":
            streams = ([SEED, form_number], [SEED, form_number, number])
            setting = shortcuts.structures(*map(np.random.default_rng, streams))
        else:
            (setting,) = settings(kind, SEED, ALIKE * form_number + number, 1)
        try:
            setting.make()
        except ValueError:
            continue
        return setting
    return None


def lines(game: Any, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return [line for _, line in shortcuts.contradictions(game, rng, profiles=1)]


@pytest.mark.parametrize("form", OF_FORMS)
@pytest.mark.parametrize("kind", [*(kind for kind in KINDS if kind not in WITHOUT), "structures"])
def test_payoffs_contradict_no_shortcut(kind: str, form: int) -> None:
    setting = drawn(kind, form)
    assert lines(setting.make(), form) == [], setting.keys


@pytest.mark.slow
def test_payoffs_contradict_no_shortcut_of_trees() -> None:
    for seed in range(3):
        assert lines(shortcuts.tree(np.random.default_rng(seed)), seed) == []


@pytest.mark.slow
def test_payoffs_contradict_no_shortcut_of_rare_games() -> None:
    for number, game in enumerate(shortcuts.rare()):
        assert lines(game, number) == [], game


@pytest.mark.parametrize("form", OF_FORMS)
@pytest.mark.parametrize("kind", ["market", "structures", "influencer", "race", "continuous"])
def test_no_follower_gains(kind: str, form: int) -> None:
    setting = drawn(kind, form)
    game = setting.make()
    if "shared" in setting.keys or not isinstance(game.space, Box) or len(game.space.mask) < 2:
        pytest.skip("no leader before followers in a box")
    led, rng = shortcuts.leaders(game), np.random.default_rng(form)
    x = shortcuts._inside(led, rng)
    assert list(shortcuts.follower_gains(led, x, rng)) == [], setting.keys


# --- an instrument that never objects would accept everything ----------------------------------------------


def false_game(oracle: Oracle[..., Any], answer: Any) -> Any:
    """Return a quantity game of two unlike firms whose class answers an oracle falsely."""
    kind: Any = type("False", (Ruled,), {})
    oracle.register(kind)(answer)
    costs = jnp.array([1.0, 2.0])
    return kind(lambda x: x[:, 0] * (10.0 - x.sum() - costs), Box.interval(0.5, 10.0, players=2))


@pytest.mark.parametrize(
    ("oracle", "answer"),
    [
        (
            oracles.best_response,
            lambda game, x, player: (jnp.array([0.5]), game.payoffs(x.at[player].set(0.5))[player], "tight"),
        ),
        (oracles.payoff_bound, lambda game, x, player, low, high: jnp.asarray(-50.0)),
        (oracles.gradients, lambda game, x: 1.1 + jnp.zeros_like(x)),
        (oracles.deviation_payoff, lambda game, x, player: lambda own: own[0]),
    ],
    ids=["best_response", "payoff_bound", "gradients", "deviation_payoff"],
)
@pytest.mark.slow
def test_a_false_shortcut_is_contradicted(oracle: Oracle[..., Any], answer: Any) -> None:
    game = false_game(oracle, answer)
    found = shortcuts.contradictions(game, np.random.default_rng(0), profiles=2)
    assert {one for one, _ in found} == {oracle}


@pytest.mark.slow
def test_a_false_sum_of_parts_is_not_used() -> None:
    """A market whose parts are declared with unlike weights is judged as a whole."""
    shock = {"kind": "iid", "levels": [-5.0, 5.0], "probabilities": [0.5, 0.5]}
    game = rv.games.market(shock=shock, shock_observed=True)
    assert len(checked_parts(game)) == 2

    class Twice(type(game)):  # type: ignore[misc]
        """The same, with a payoff beside the parts that depends on play."""

        def payoffs(self, x: Any) -> Any:
            return super().payoffs(x) + x.sum()

    other = Twice(game.game, game.occurs)
    oracles.separate_parts.register(Twice)(lambda game: game.parts)
    assert checked_parts(other) == []


@pytest.mark.slow
def test_a_certificate_refuses_a_best_response_that_a_distant_strategy_contradicts() -> None:
    """The response is the best one near it: of two peaks it misses the higher."""

    def low_peak(game: Any, x: Any, player: Any) -> Any:
        strategy = jnp.array([1.0])
        return strategy, game.payoffs(x.at[player].set(strategy))[player], "tight"

    kind: Any = type("Peaks", (Ruled,), {})
    oracles.best_response.register(kind)(low_peak)
    game = kind(
        lambda x: jnp.maximum(1.0 - (x[:, 0] - 1.0) ** 2, 3.0 - (x[:, 0] - 8.0) ** 2),
        Box.interval(0.0, 10.0, players=2),
    )
    with pytest.raises(ValueError, match="is above the bound"):
        rv.certificate(game, np.array([[1.0], [1.0]]))
