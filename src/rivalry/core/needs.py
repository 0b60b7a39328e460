"""Requirements of methods on games, as data for `rivalry show`, studies and the documentation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from rivalry.core.game import Game, is_agents, is_markov, is_population, kernel_conversion
from rivalry.core.oracles import (
    Oracle,
    shared_constraints,
    to_finite,
    to_linear_quadratic,
    to_sequence_form,
)
from rivalry.core.space import Box, Simplex
from rivalry.schema.register import Entry
from rivalry.schema.registry import load


class Need(NamedTuple):
    """A condition on games, with the words that complete "needs ..".

    A class of methods lists its conditions as ``needs: ClassVar[tuple[Need, ...]]``. All must hold; they are
    tested in order, up to the first that fails.
    """

    words: str
    met: Callable[[Any], bool]


PAYOFFS = Need("payoffs", lambda game: isinstance(game, Game))
BOX = Need("a box as strategy space", lambda game: isinstance(game.space, Box))
SIMPLEX = Need("a simplex as strategy space", lambda game: isinstance(game.space, Simplex))
SHARES = Need(
    "a box, or a simplex of shares that are no mixed strategies",
    lambda game: (
        isinstance(game.space, Box) or (isinstance(game.space, Simplex) and kernel_conversion(game) is None)
    ),
)
POPULATION = Need("a population", is_population)
FINITE = Need(
    "finitely many actions in tables",
    lambda game: kernel_conversion(game) is not None and not (is_population(game) or is_agents(game)),
)

SHARED = Need("any shared constraints", lambda game: True)
"""States that a class of methods takes shared constraints; others refuse games that have any."""


TREE = Need("any game in extensive form", lambda game: True)
"""States that a class of methods takes games in extensive form; others refuse them."""


def is_tree(game: object) -> bool:
    """True if a game is one in extensive form, of which no payoff tables are at hand."""
    return to_sequence_form.knows(game) and not to_finite.knows(game)


class GameKind(NamedTuple):
    """A kind of games in words, and classes of methods made for it."""

    words: str
    met: Callable[[Any], bool]
    methods: tuple[str, ...]


GAME_KINDS = (
    GameKind(
        "a game in extensive form", is_tree, ("SubgamePerfectEquilibria", "LinearProgramme", "Evaluate")
    ),
    GameKind("a population", is_population, ("PopulationNewton", "PopulationFictitiousPlay", "Evaluate")),
    GameKind("a game of finitely many agents", is_agents, ("Simulation", "CitySimulation")),
    GameKind(
        "a finite game",
        lambda game: isinstance(game, Game) and to_finite.knows(game),
        ("MixedEquilibria", "FiniteEquilibria", "PureEquilibria"),
    ),
    GameKind(
        "a game of continuous choices",
        lambda game: isinstance(game, Game),
        ("BestResponse", "AllEquilibria", "VariationalEquilibrium"),
    ),
    GameKind("a linear-quadratic game", to_linear_quadratic.knows, ("LinearQuadratic",)),
    GameKind("a Markov game", is_markov, ("PeriodQLearning",)),
)
"""Kinds of games, the first that fits counts."""


def knows(oracle: Oracle[..., Any]) -> Need:
    """Return the need that a game has an answer to an oracle or a conversion.

    >>> from rivalry.core.oracles import best_response
    >>> knows(best_response).words
    'best_response'
    """
    return Need(str(oracle.__name__), oracle.knows)


def stated_needs(kind: Any) -> tuple[Need, ...] | None:
    """Return the needs that a class of methods states, or None."""
    from rivalry.core.method import BaseLearner, BaseMethod  # loads JAX, as the class itself already does

    return kind.needs if issubclass(kind, BaseMethod | BaseLearner) else None


def needs_of(kind: Any) -> tuple[Need, ...]:
    """Return the needs that a class of methods states; by default payoffs, and tables for a learner."""
    from rivalry.core.method import Learner

    class_needs = stated_needs(kind)
    if class_needs is None:
        return (FINITE,) if issubclass(kind, Learner) else (PAYOFFS,)
    return class_needs


def fits(kind: object, game: object) -> bool:
    """True if a game meets all needs of a class of methods, without evaluating payoffs.

    >>> import rivalry as rv
    >>> fits(rv.methods.GradientAscent, rv.games.matrix("chicken"))
    True
    >>> fits(rv.methods.GradientAscent, rv.games.karma())
    False
    """
    return unmet_need(kind, game) is None


NO_TREE = Need("choices in a box or on simplices", lambda game: not is_tree(game))
NO_CONSTRAINTS = Need("a game without shared constraints", lambda game: not shared_constraints.knows(game))


def unmet_need(kind: object, game: object) -> Need | None:
    """Return the first need of a class of methods that a game does not meet; None if it meets all."""
    needs = needs_of(kind)
    silent = [(TREE, NO_TREE), (SHARED, NO_CONSTRAINTS)]
    needs_checked = (*needs, *(implied for need, implied in silent if need not in needs))
    return next((need for need in needs_checked if not need.met(game)), None)


def fitting(game: object, methods: Mapping[str, Entry]) -> list[str]:
    """Return the names of registered methods of which at least one class fits a game, sorted.

    >>> import rivalry as rv
    >>> fitting(rv.games.karma(), {kind: rv.methods.METHODS[kind] for kind in ("hedge", "newton")})
    ['newton']
    """
    return sorted(
        kind for kind, entry in methods.items() if any(fits(load(target), game) for target in entry.targets)
    )
