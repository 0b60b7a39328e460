"""The view `alternatives`: equilibria of one game under several values of its keys, such as owners.

It takes records of markets whose firms own products, and games with choices. Its data:

- ``options``: per alternative ``label``, ``parameters`` (arguments of the factory), ``profile``, ``firms``
  with their products, ``payoffs``, ``totals`` (label and number), and ``price``, ``quantity`` and ``profit``
  of all products;
- ``profile``, that of the first option; ``answers``, a certificate per option.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from rivalry.core import oracles
from rivalry.core.naming import name_list
from rivalry.core.results import NamesByDimension, Record
from rivalry.families.market.owners import OwnedMarket
from rivalry.lab.study.identity import Table, TableDict
from rivalry.lab.study.words import Words
from rivalry.living.figure import Figure, plain, stored_answer
from rivalry.living.line import Found
from rivalry.living.twins import player_names
from rivalry.methods import BestResponse, ClosedForm
from rivalry.schema.construction import variant
from rivalry.solving.single import solve

COLUMNS = ("price", "quantity", "profit")
TOTALS = ("mean_price", "total_quantity", "industry_profit", "consumer_surplus", "welfare", "hhi")


def view_of(game: object, profile: object) -> None:
    """Return None: alternatives are compared where they end."""


def view_of_record(game: object, record: Record, names: NamesByDimension) -> Found | None:
    """Return the equilibrium of a market whose firms own products; None for other records."""
    if not isinstance(game, OwnedMarket) or not {"profile", "payoff", "price"} <= set(record):
        return None
    return _content(game, [_option(game, record, {})])


def figure_of_choices(game: Any, choices: Mapping[str, Sequence[object]]) -> Figure:
    """Figure of the equilibria of a game under all combinations of values of its keys.

    Parameters
    ----------
    game
        A game that its factory can make again.
    choices
        Values by key of the factory, such as ``{"owners": [[[0], [1], [2]], [[0, 1], [2]]]}``. Equilibria are
        closed forms where they exist, else ends of best responses in turn.

    Raises
    ------
    ValueError
        For values that the factory refuses, without an equilibrium, and for games other than markets.

    Examples
    --------
    >>> import rivalry as rv
    >>> owned = rv.games.market(demand="logit", owners=[[0], [1], [2]])
    >>> figure = figure_of_choices(owned, {"owners": [[[0], [1], [2]], [[0, 1], [2]]]})
    >>> [answer["claim"] for answer in figure.data["answers"]]
    ['equilibrium', 'equilibrium']
    """
    options, answers = [], []
    for values in product(*choices.values()):
        parameters = dict(zip(choices, values, strict=True))
        case = variant(game, **parameters)
        method: Any = ClosedForm() if oracles.closed_form.knows(case) else BestResponse()
        record = solve(case, method).record
        answer = stored_answer(record)
        if answer is None or "price" not in record:
            raise ValueError(f"choices: no equilibrium of a market was found with {parameters}")
        options.append(_option(case, record, parameters))
        answers.append(answer | {"parameters": parameters})
    if not options:
        raise ValueError("choices: must have a value at least for each key")
    title, text, data = _content(game, options)
    state = {"profile": options[0]["profile"], "parameters": options[0]["parameters"], "settled": True}
    return Figure("alternatives", title, text, plain(data | {"answers": answers}), plain(state), game)


def _option(game: Any, record: Record, parameters: Table) -> TableDict:
    """Return one alternative."""
    firms = player_names(game)
    if isinstance(game, OwnedMarket):
        firms = [f"firm {k}: {name_list(list(map(str, row)))}" for k, row in enumerate(game.owners)]
    words = Words({"game": {"family": "market"}})
    return {
        "label": ", ".join(f"{words.key(key)} {value}" for key, value in parameters.items()),
        "parameters": parameters,
        "firms": firms,
        "payoffs": record["payoff"][1],
        "profile": record["profile"][1],
        "totals": [[words.quantity(name), record[name][1]] for name in TOTALS if name in record],
    } | {name: record[name][1] for name in COLUMNS}


def _content(game: Any, options: Sequence[TableDict]) -> Found:
    """Return title, text alternative and data of options, the first of which is the one compared with."""
    clauses = []
    for option in options:
        totals = ", ".join(f"{name} {value:.4g}" for name, value in option["totals"])
        clauses.append(f"{option['label']}: {totals}".removeprefix(": "))
    text = f"{'; '.join(clauses)}."
    data = {"options": options, "profile": options[0]["profile"], "answers": []}
    return repr(game).split(", of owners")[0], f"{text[:1].upper()}{text[1:]}", data
