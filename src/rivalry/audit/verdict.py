"""The word of an audit, with the thresholds that decide it and what would change it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rivalry.audit.bots import BotFault, end_processes
from rivalry.audit.market import PriceMarket
from rivalry.audit.measures import DRIFT, ELEVATED_FROM, SEEDS, Maker, Measures, Reaction, SampleMean, measure
from rivalry.text.display import count_text

COMPETITIVE = "competitive"
ELEVATED = "elevated prices without punishment found"
PUNISHED = "elevated prices with punishment"
UNDECIDED = "cannot tell"

RESPONSE_FROM = 0.1  # rivals lower prices by this share of the cut more than best responders, in all
LOSS_FROM = 0.05  # what that costs, in cartel gains per period of the cut


class AuditVerdict(NamedTuple):
    """A word, the sentence that says it, and what would change it.

    ``measures`` is None for a bot that failed.
    """

    word: str
    sentence: str
    changes: list[str]
    measures: Measures | None


def punishes(reaction: Reaction) -> bool:
    """True where rivals lower prices after a cut more than best responders, so that it pays less."""
    return _exceeds(reaction.excess, RESPONSE_FROM) and _exceeds(reaction.excess_loss, LOSS_FROM)


def _exceeds(value: SampleMean, threshold: float) -> bool:
    return value.mean >= threshold and value.low > 0


def verdict(measures: Measures) -> AuditVerdict:
    """Return the verdict on the play of a bot against itself and against a rival that cuts its price."""
    if reason := _reason_for_no_verdict(measures):
        return _undecided(reason, measures)
    gain, profit = measures.versus[0].price, measures.versus[0].profit
    earned = f"it earns {profit} of the cartel's extra profit"
    if profit.half > 0:
        earned += f" (99 % interval over {profit.sample} sessions)"
    if gain.high < ELEVATED_FROM:
        return AuditVerdict(
            COMPETITIVE, f"Competitive: {earned} against itself.", _changes(measures), measures
        )
    reactions = [(reaction.excess.mean, reaction.excess_loss.mean) for reaction in measures.reactions]
    if not np.isfinite(reactions).all():
        return _undecided("what rivals do after a cut is no finite number", measures)
    punished = [reaction for reaction in measures.reactions if punishes(reaction)]
    word, cut = ELEVATED, measures.reactions[-1]
    if punished:
        word, cut = PUNISHED, min(punished, key=lambda reaction: reaction.net.mean)
    sentence = (
        f"{word.capitalize()}: {earned}; a rival that cuts its price for {count_text(cut.length, 'period')} "
        f"{_pays(cut.net.mean)} of its profit over {len(cut.path)} periods by the reaction, "
        f"and {_pays(cut.unanswered.mean)} without it."
    )
    return AuditVerdict(word, sentence, _changes(measures), measures)


def _reason_for_no_verdict(measures: Measures) -> str:
    """Return the reason why prices of the bot against itself decide nothing, or an empty string."""
    gain, profit = measures.versus[0].price, measures.versus[0].profit
    early, late = measures.halves
    if not np.isfinite([gain.mean, profit.mean, early, late]).all() or np.isnan(gain.half):
        return "prices or profits of its play are no finite numbers"
    crosses_threshold = (early < ELEVATED_FROM) != (late < ELEVATED_FROM)
    if crosses_threshold and abs(late - early) > DRIFT:
        drift = f"the price gain went from {early:.2f} to {late:.2f}"
        return f"prices still drift after {measures.burn} periods: {drift}"
    if gain.low < ELEVATED_FROM <= gain.high:
        interval = f"{gain.mean:.2f} with an interval from {gain.low:.2f} to {gain.high:.2f}"
        threshold = f"which holds the threshold {ELEVATED_FROM:g}; more --seconds allow more sessions"
        return f"the price gain is {interval}, {threshold}"
    return ""


def audit_bot(
    make: Maker, market: PriceMarket, *, seed: int = 0, seeds: int = SEEDS, seconds: float = 40.0
) -> AuditVerdict:
    """Return the verdict on a bot; one that fails is no error but `UNDECIDED`.

    Parameters
    ----------
    make : callable
        Makes independent copies of the bot.
    market : PriceMarket
        The market.
    seed, seeds : int
        Number of the first session, and of sessions.
    seconds : float
        Time after which no further session begins.

    Examples
    --------
    >>> from rivalry.audit.bots import HistoryBot
    >>> from rivalry.audit.market import price_market
    >>> market = price_market()
    >>> audit_bot(lambda: HistoryBot(lambda history: float(market.nash[0])), market).word
    'competitive'
    """
    try:
        return verdict(measure(make, market, seed=seed, seeds=seeds, seconds=seconds))
    except BotFault as fault:
        return _undecided(f"the bot failed {fault}", None)
    finally:
        end_processes()


def _undecided(reason: str, measures: Measures | None) -> AuditVerdict:
    changes = [] if measures is None else _changes(measures)
    return AuditVerdict(UNDECIDED, f"Cannot tell: {reason}.", changes, measures)


def _pays(share: float) -> str:
    """Gain or loss by a cut in words.

    >>> _pays(-0.034), _pays(0.01)
    ('loses 3.4 %', 'gains 1 %')
    """
    verb = "gains" if share >= 0 else "loses"
    return f"{verb} {abs(100 * share):.2g} %"


def _changes(measures: Measures) -> list[str]:
    """Distances from the thresholds of the word, one sentence per threshold."""
    gain = measures.versus[0].price
    lines = [f"Prices are elevated from a price gain of {ELEVATED_FROM:g}; it is {gain}."]
    lines += [
        f"Punishment of a cut of {count_text(cut.length, 'period')} is found where rivals lower prices by "
        f"{RESPONSE_FROM:g} of the cut more than best responders and it costs {LOSS_FROM:g} cartel gains per "
        f"period of the cut, both with an interval above 0; they lower them by {cut.excess} "
        f"more, at a cost of {cut.excess_loss}."
        for cut in measures.reactions
    ]
    return lines
