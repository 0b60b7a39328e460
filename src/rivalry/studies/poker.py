"""Small games of chance and bluff that are solved in the literature, from their rules."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any

from annotated_types import Ge, Le

from rivalry.families.extensive import Chance, Decision, Extensive
from rivalry.schema.validate import checked

ENDS = ("pp", "bp", "bb", "pbp", "pbb")  # of the betting in Kuhn's game: pass, bet


@checked
def kuhn_poker() -> Extensive:
    """Return Kuhn's poker: three cards, an ante of 1, one bet of 1 (Kuhn 1950).

    The second player may bet after a pass. The value for the first player is -1/18.

    Examples
    --------
    >>> import rivalry as rv
    >>> solution = rv.solve(kuhn_poker(), rv.methods.LinearProgramme())
    >>> solution.data.exact_bound.values.tolist()
    ['-1/18', '-1/18']

    References
    ----------
    Kuhn, "A simplified two-person poker", Contributions to the Theory of Games 1, 1950.
    """
    return Extensive.from_rules(_kuhn)


def _kuhn(history: tuple[Any, ...]) -> Any:
    cards, bets = history[:2], "".join(history[2:])
    if len(cards) < 2:
        cards_left = [card for card in range(3) if card not in cards]
        return Chance({card: Fraction(1, len(cards_left)) for card in cards_left})
    if bets not in ENDS:
        player = len(bets) % 2
        return Decision(player, f"{'JQK'[cards[player]]}{bets}", ("p", "b"))
    if bets[-2:] == "bp":  # who passes after a bet loses the ante
        winner = len(bets) % 2
        return _zero_sum(1 if winner == 0 else -1)
    stake = 2 if bets[-1] == "b" else 1
    return _zero_sum(stake if cards[0] > cards[1] else -stake)


def _zero_sum(payoff: Fraction | int) -> tuple[Fraction | int, Fraction | int]:
    return payoff, -payoff


@checked
def leduc_poker() -> Extensive:
    """Return Leduc hold'em: three ranks twice, an ante of 1, two rounds of bets (Southey et al. 2005).

    Each player has a private card. After the first round a public card is dealt. A raise is 2 in the first
    round and 4 in the second, with at most two raises per round. A pair with the public card wins, otherwise
    the higher rank; equal ranks share the pot.

    Examples
    --------
    >>> leduc_poker()
    Extensive game of 2 players, 144, 144 information sets

    References
    ----------
    Southey et al., "Bayes' bluff: Opponent modelling in poker", UAI 2005.
    """
    return Extensive.from_rules(_leduc)


def _leduc(history: tuple[Any, ...]) -> Any:
    cards = [move for move in history if isinstance(move, int)]
    if len(history) < 2:
        return _deal(cards)
    is_second = len(cards) > 2
    first, _, second = "".join(map(str, history[2:])).partition(str(cards[-1]) if is_second else "/")
    bets, size = (second, 4) if is_second else (first, 2)
    # what each has at stake after the last bet, which the other has yet to call
    stake = 1 + 2 * first.count("r") * is_second + size * bets.count("r")
    if bets.endswith("f"):
        lost = stake - size
        return _zero_sum(-lost if len(bets) % 2 else lost)
    over = len(bets) > 1 and bets[-1] == "c"
    if over and not is_second:
        return _deal(cards)
    if over:
        strength = [(card // 2 == cards[2] // 2, card // 2) for card in cards[:2]]
        return _zero_sum(stake * ((strength[0] > strength[1]) - (strength[0] < strength[1])))
    actions = ("f" * (bets[-1:] == "r"), "c", "r" * (bets.count("r") < 2))
    player = len(bets) % 2
    public = "JQK"[cards[2] // 2] if is_second else ""
    information = f"{'JQK'[cards[player] // 2]}{public} {first}{'/' * is_second}{second}"
    return Decision(player, information, tuple(action for action in actions if action))


def _deal(cards: list[int]) -> Chance:
    cards_left = [card for card in range(6) if card not in cards]
    return Chance({card: Fraction(1, len(cards_left)) for card in cards_left})


@checked
def liars_dice(
    faces: Annotated[int, Ge(2), Le(6), "faces of each die; the highest counts as every face"] = 6,
) -> Extensive:
    """Return liar's dice with one die per player (Neller and Lanctot 2013).

    Bids rise: first a die of face 1, .., then two dice of face 1, .. Instead of a higher bid a player may
    call the other a liar. If as many dice as were bid show the face of the bid, or the highest face, the
    bidder wins 1, otherwise the caller.

    Examples
    --------
    >>> liars_dice(2)
    Extensive game of 2 players, 16, 16 information sets

    References
    ----------
    Neller and Lanctot, "An introduction to counterfactual regret minimization", Model AI Assignments, 2013.
    """

    def rules(history: tuple[Any, ...]) -> Any:
        dice, bids = history[:2], history[2:]
        if len(dice) < 2:
            return Chance({face: Fraction(1, faces) for face in range(faces)})
        if bids[-1:] == ("liar",):
            quantity, face = bids[-2] // faces + 1, bids[-2] % faces
            holds = sum(die in (face, faces - 1) for die in dice) >= quantity
            caller = (len(bids) - 1) % 2
            return _zero_sum(1 if holds == (caller == 1) else -1)
        player = len(bids) % 2
        higher = range(bids[-1] + 1 if bids else 0, 2 * faces)
        information = " ".join(map(str, (dice[player] + 1, *bids)))
        return Decision(player, information, (*higher, "liar") if bids else tuple(higher))

    return Extensive.from_rules(rules)
