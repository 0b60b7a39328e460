"""Living figures in notebooks: Jupyter, VS Code and marimo, by anywidget."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from rivalry.core.claims import UNCERTIFIED
from rivalry.core.results import Solution
from rivalry.living.bundle import style, widget_module
from rivalry.living.figure import Figure, answer, data_at, figure_of, figures_of_solution, no_figure
from rivalry.schema.installation import remedy


def explore(game: object, profile: object = None) -> Any:
    """Return a living figure of a game for a notebook, in which players can be dragged.

    Parameters
    ----------
    game
        A game of any family.
    profile
        The first profile, ``[player axis]``; by default as in `rivalry.living.figure.figure_of`.

    Returns
    -------
    anywidget.AnyWidget
        The figure. A person sets its ``state``: ``profile``, ``parameters`` of the game, and ``settled``,
        False during a drag. Its ``answer`` is the certificate of the last settled profile.

    Raises
    ------
    ValueError
        For a game that no view draws, a profile outside its space, and without the packages of the extra
        ``notebook``.

    Examples
    --------
    >>> import rivalry as rv
    >>> figure = explore(rv.games.influencer(reach=[0.2, 0.2]))
    >>> figure.state = {**figure.state, "profile": [[0.5], [0.5]], "settled": True}
    >>> figure.answer["claim"]
    'equilibrium'
    """
    return widget_of([figure_of(game, profile)])


def explore_solution(solution: Solution) -> Any:
    """Return the living figures of a solution, as `rivalry.Solution.explore` does."""
    return widget_of(figures_of_solution(solution))


def widget_of(figures: Sequence[Figure]) -> Any:
    """Return a widget of figures, which certifies the profiles that a person sets where a figure has a game.

    Raises
    ------
    ValueError
        Without a figure, and where anywidget is not installed.
    """
    if not figures:
        raise ValueError(no_figure("result"))
    first = figures[0]
    widget = _widget_class()(
        _esm=widget_module(figure.view for figure in figures),
        _css=style(),
        titles=[figure.title for figure in figures],
        figure=first.content,
        state=first.state,
    )

    def show_figure(change: Any) -> None:
        figure = figures[change["new"]]
        with widget.hold_trait_notifications():
            widget.answer, widget.current = None, None
            widget.state, widget.figure = figure.state, figure.content

    def answer_state(change: Any) -> None:
        """Send the data of a state, and its answer where the reader has settled on it, or the refusal."""
        figure, state = figures[widget.chosen], change["new"]
        if figure.game is None or not state.get("profile"):
            return
        try:
            widget.current = data_at(figure.view, figure.game, state)
            if state.get("settled"):
                widget.answer = answer(figure.game, state)
        except ValueError as error:  # parameters that the family refuses
            widget.answer = state | {"claim": None, "word": UNCERTIFIED, "sentence": str(error), "regret": []}

    widget.observe(show_figure, "chosen")
    widget.observe(answer_state, "state")
    return widget


@cache
def _widget_class() -> Any:
    try:
        import anywidget
        import traitlets
    except ModuleNotFoundError:
        raise ValueError(f"explore: needs anywidget; {remedy('notebook')}") from None

    traits = {
        "_esm": traitlets.Unicode().tag(sync=True),
        "_css": traitlets.Unicode().tag(sync=True),
        "titles": traitlets.List().tag(sync=True),
        "chosen": traitlets.Int(0).tag(sync=True),
        "figure": traitlets.Dict().tag(sync=True),
        "state": traitlets.Dict().tag(sync=True),
        "current": traitlets.Dict(allow_none=True, default_value=None).tag(sync=True),
        "answer": traitlets.Dict(allow_none=True, default_value=None).tag(sync=True),
        "host": traitlets.Unicode("notebook").tag(sync=True),
    }
    # not a class statement: its base is there only where the extra is installed
    return type("LivingFigure", (anywidget.AnyWidget,), traits)
