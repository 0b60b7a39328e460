"""Audits of the panel as a method of studies."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge

from rivalry.audit.market import PriceMarket, price_market
from rivalry.audit.measures import SEEDS
from rivalry.audit.panel import PANEL
from rivalry.audit.verdict import PUNISHED, audit_bot
from rivalry.core.method import BaseLearner
from rivalry.core.results import Record, scalar

NAMES = Literal[
    "one_shot_nash", "cartel_price", "tit_for_tat", "grim_trigger", "undercutter", "edgeworth",
    "win_continue_lose_reverse", "calvano", "calvano_myopic", "ucb", "actor_critic", "random",
    "price_matching", "leader_follower", "cost_plus", "common_algorithm",
]  # fmt: skip


class Audit(BaseLearner):
    """Audit a bot of the panel in a market of prices.

    The record has ``word``, the verdict, ``nature``, what is known of the bot, ``right``, whether they are
    the same, ``punishes``, whether the verdict is elevated prices with punishment, ``price_gain`` and
    ``gain`` against itself, ``response`` and ``loss`` after cuts of one and ten periods (cut), and
    ``seconds``.

    Parameters
    ----------
    bot : str
        Name in `rivalry.audit.panel.PANEL`.
    seeds : int
        Number of sessions.
    """

    bot: NAMES = "tit_for_tat"
    seeds: Annotated[int, Ge(3)] = SEEDS

    needs = ()

    def world(self, game: object) -> PriceMarket:
        """Return the market."""
        return price_market(game)

    def length(self, world: PriceMarket) -> int:
        """Return 1: an audit is one step."""
        return 1

    def begin(self, world: PriceMarket, stream: np.random.SeedSequence) -> dict[str, Any]:
        """Return the number of the first session."""
        return {"first": np.asarray(int(stream.generate_state(1)[0]) % 10_000)}

    def advance(self, world: PriceMarket, session: dict[str, Any], steps: int) -> int:
        """Audit the bot, at the first call."""
        if "word" in session:
            return 0
        start = time.monotonic()
        maker, seed = PANEL[self.bot].maker(world), int(session["first"])
        # no limit of time: results do not depend on the speed of a machine
        word, _, _, measures = audit_bot(maker, world, seed=seed, seeds=self.seeds, seconds=np.inf)
        values = np.full((3, 2), np.nan)
        if measures is not None:
            versus, cuts = measures.versus[0], measures.reactions
            values[0] = versus.price.mean, versus.profit.mean
            values[1:] = np.transpose([(cut.response.mean, cut.loss.mean) for cut in cuts])
        session["word"], session["values"] = np.asarray(word), values
        session["seconds"] = np.asarray(time.monotonic() - start)
        return 1

    def read(self, world: PriceMarket, session: dict[str, Any]) -> Record:
        """Return the record."""
        (price_gain, gain), response, loss = session["values"]
        word, nature = str(session["word"]), PANEL[self.bot].nature
        return {
            "word": ((), session["word"]),
            "nature": scalar(nature),
            "right": scalar(word == nature),
            "punishes": scalar(word == PUNISHED),
            "price_gain": ((), price_gain),
            "gain": ((), gain),
            "response": (("cut",), response),
            "loss": (("cut",), loss),
            "seconds": ((), session["seconds"]),
        }
