"""Claims, and the words for what is known of a result: the same on every surface.

A printed bound is never below the bound. *Proved* is said of bounds in rational arithmetic or with outward
rounding, of an equilibrium within a radius and of what does not exist; other bounds are *in floating point*.
*Exact* is said of rational arithmetic alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, isfinite, isnan, nan
from typing import Literal, NamedTuple, get_args

from rivalry.core.tolerances import APPROXIMATE
from rivalry.text.display import bound_in_words
from rivalry.text.statistics import format_interval

Coverage = Literal["estimated", "local", "lower bound", "bounded", "tight", "proved"]
Status = Literal["converged", "completed", "iteration limit", "cycling", "not found", "none exists"]
Claim = Literal[
    "not decided",
    "not an equilibrium",
    "local equilibrium",
    "small estimated gain",
    "no deviation found",
    "approximate equilibrium",
    "none exists",
    "equilibrium",
]
Rounding = Literal["exact", "outward", "floating point", ""]

COVERAGES: tuple[Coverage, ...] = get_args(Coverage)
"""From the weakest to the strongest: ``estimated`` from play; ``tight``, a gain that equals its bound up to
the tolerance; ``proved`` of an equilibrium within a radius."""

CLAIMS: tuple[Claim, ...] = get_args(Claim)
"""From the weakest to the strongest: a bound, even if only of 1 %, ranks above a search.

A gain estimated from play is small with 95 % confidence only.

Nothing is decided where a gain is not a number. That none exists is proved, and claims no profile.
"""

CERTIFIED: tuple[Claim, ...] = ("none exists", "equilibrium")
"""The claims that count as certified: a bound within the tolerance, and a proof that there is nothing."""

UNREFUTED: tuple[Claim, ...] = ("no deviation found", "equilibrium")
"""The claims that hold at the tolerance by a bound or a search of the whole strategy space."""

WITH_GAIN: tuple[Claim, ...] = ("small estimated gain", "approximate equilibrium")
"""The claims that are printed with the largest gain that they leave open."""

UNCERTIFIED: Literal["no certificate"] = "no certificate"
NONE_EXISTS: Literal["none exists"] = "none exists"
"""Status and claim where it is proved that there is none of what is sought."""
REFUTED: Literal["not an equilibrium"] = "not an equilibrium"

GAIN_AND_BOUND = (
    "The largest gain is the largest one found that any player could make alone, in units of payoff; none "
    "exceeds the bound, which is proved where rounding is exact or outward, else computed in floating point"
)
SMALL_CHANGE = 0.1  # of the payoff: where own choice changes no more, a small gain is explained
MOST_SEARCHES = 3  # named of several results
PER_PERIOD = " per period"
_HOW = {"exact": ", proved in fractions", "outward": ", proved"}


def percent_in_words(share: float) -> str:
    """Return an upper bound on a share in per cent, with two digits, rounded up.

    >>> percent_in_words(4e-5), percent_in_words(0.0101)
    ('0.004 %', '1.1 %')
    """
    return f"{100 * float(bound_in_words(share, 2)):.12g} %"


class ClaimFacts(NamedTuple):
    """Facts about a result from which claims are put into words, from a certificate or stored arrays.

    Unknown numbers are NaN, and bounds infinite.

    Parameters
    ----------
    claim
        One of `CLAIMS`, or empty without a certificate.
    concept, residual
        Solution concept, and the residual of its equations.
    scope
        What the claim is of, where it is not the whole game.
    absent
        What is proved not to exist.
    share
        Largest gain that the claim leaves open, as a share of what own choice changes.
    gain, error, payoff, at_stake, tolerance
        Of the player who decides the claim: the gain found, half the width of its interval, the payoff, what
        own choice changes of it, and the largest gain allowed.
    bound, radius
        No gain is larger, and an equilibrium is proved as near.
    coverage, rounding, method
        How gain and bound were computed; the method of a search, then reasons for which no more is proved.
    """

    claim: str = ""
    concept: str = "Nash"
    residual: float = nan
    scope: str = ""
    absent: str = ""
    share: float = inf
    gain: float = nan
    error: float = nan
    payoff: float = nan
    at_stake: float = nan
    tolerance: float = nan
    bound: float = inf
    radius: float = nan
    coverage: str = ""
    rounding: str = ""
    method: str = ""

    @property
    def kind(self) -> str:
        """The claim without details.

        A profile of another concept than Nash equilibrium, such as a logit equilibrium, is called after it,
        and not judged by gains that it leaves open.

        >>> ClaimFacts("not an equilibrium").kind, ClaimFacts("not an equilibrium", "logit at beta 2").kind
        ('not an equilibrium', 'logit equilibrium at beta 2')
        """
        name, _, at = self.concept.partition(" at ")
        if self.claim != REFUTED or not name or "Nash" in name or name == "mean field":
            return self.claim or UNCERTIFIED
        return f"{name.removesuffix(' equilibrium')} equilibrium{f' at {at}' * bool(at)}"

    @property
    def word(self) -> str:
        """The claim with its scope.

        >>> ClaimFacts().word, ClaimFacts("none exists", absent="equilibrium in pure strategies").word
        ('no certificate', 'no equilibrium in pure strategies, proved')
        """
        if self.claim == NONE_EXISTS:
            return f"no {self.absent or 'equilibrium'}, proved"
        return f"{self.kind}, {self.scope}" if self.scope else self.kind

    @property
    def left_open(self) -> str:
        """Largest gain that the claim of a small one leaves open; empty of other claims.

        >>> ClaimFacts("approximate equilibrium", share=4e-5).left_open
        "no gain above 0.004 % of what a player's own choice changes"
        """
        if self.claim not in WITH_GAIN:
            return ""
        share = f"{percent_in_words(self.share)} of what a player's own choice changes"
        is_estimated = self.claim == WITH_GAIN[0]
        return f"at most {share}, with 95 % confidence" if is_estimated else f"no gain above {share}"

    @property
    def statement(self) -> str:
        """The claim: a small gain with its bound or interval, a search with its method.

        >>> ClaimFacts("small estimated gain", share=0.00899).statement
        "small estimated gain: at most 0.9 % of what a player's own choice changes, with 95 % confidence"
        """
        if self.left_open:
            return f"{self.word}: {self.left_open}"
        return f"{self.word} ({self.method})" if self.claim == UNREFUTED[0] and self.method else self.word

    @property
    def bound_text(self) -> str:
        """The bound on gains as a number, for tables."""
        return "–" if isnan(self.gain) else bound_in_words(self.bound)

    @property
    def limit(self) -> str:
        """The bound on gains, and how it is known.

        >>> ClaimFacts(bound=0.47801, rounding="outward").limit, ClaimFacts(bound=0.2).limit
        ('at most 0.479, proved', 'at most 0.2 in floating point')
        """
        if not isfinite(self.bound):
            return "no bound"
        return f"at most {bound_in_words(self.bound)}{_HOW.get(self.rounding, ' in floating point')}"

    @property
    def near(self) -> str:
        """Distance within which an equilibrium is proved, in words; empty without a proof.

        >>> ClaimFacts(radius=7.81e-15).near
        'an equilibrium is proved within 7.9e-15'
        """
        words = "an equilibrium is proved within"
        return "" if isnan(self.radius) else f"{words} {bound_in_words(self.radius, 2)}"

    @property
    def detail(self) -> str:
        """Detail printed with the claim: the gain left open, a radius, or the search."""
        return self.left_open or self.near or self.search * (self.coverage == "lower bound")

    @property
    def unit(self) -> str:
        """Unit of a gain, in words: gains from policies of repeated play are discounted means."""
        return PER_PERIOD if "policies" in self.concept else ""

    @property
    def search(self) -> str:
        """Method by which gains were searched, without reasons for which no more is proved."""
        return self.method.partition("; ")[0]

    @property
    def reasons(self) -> str:
        """Reasons for which no more is proved, each once; empty without any.

        >>> facts = ClaimFacts(method="201 grid points, 9 climbs; no bound: an index depends on choices")
        >>> facts.search, facts.reasons
        ('201 grid points, 9 climbs', 'no bound: an index depends on choices')
        """
        # that of a bound may also be that of a proof
        return "; ".join(dict.fromkeys(self.method.split("; ")[1:]))

    @property
    def evidence(self) -> str:
        """The gain found, the bound, and how they were computed; empty without a certificate."""
        if not self.claim:
            return ""
        gain = "unknown" if isnan(self.gain) else f"{self.gain:.3g}"
        if not isnan(self.error):
            has_end = isfinite(self.error)
            gain = format_interval(self.gain, self.error) if has_end else f"{gain} ± {self.error}"
        if not isnan(self.payoff):
            gain += f" of a payoff of {self.payoff + 0.0:.3g}"  # no minus zero
        origin = f"{self.coverage}: {self.method}" if self.method else self.coverage
        words = f"largest gain {gain}{self.unit}, {self.limit} ({origin}), tolerance {self.tolerance:.3g}"
        return ", ".join(filter(None, [words, self.near]))

    @property
    def line(self) -> str:
        """The claim with its evidence."""
        if not self.claim or self.claim == NONE_EXISTS:
            return self.word
        accuracy = "" if isnan(self.residual) else f" to {self.residual:.3g}"
        if self.kind != self.claim:
            return f"{self.word}{accuracy}: {self.evidence}"
        head = self.statement if self.left_open else self.word
        of_concept = f", {self.concept}{accuracy}" if self.concept != "Nash" else ""
        return f"{head}: {self.evidence}{of_concept}"

    @property
    def small_gain(self) -> str:
        """Reason why a small gain makes a profile no approximate equilibrium; empty for other gains.

        Near a mixed equilibrium all strategies in the support pay nearly the same, so that own choice changes
        little.

        >>> ClaimFacts("not an equilibrium", gain=0.005, bound=0.005, at_stake=0.006, payoff=2.5).small_gain
        '0.2 % of the payoff, but 84 % of what own choice changes while the others stay'
        >>> ClaimFacts("not an equilibrium", gain=2e-8, at_stake=1e-3, payoff=2.5).small_gain
        '0.002 % of what own choice changes, but no bound excludes more'
        """
        is_known = self.at_stake > 0 and 0 < self.gain < inf and not isnan(self.payoff)
        if self.claim != REFUTED or not is_known:
            return ""
        of_change = f"{percent_in_words(self.gain / self.at_stake)} of what own choice changes"
        if self.gain <= APPROXIMATE * self.at_stake < self.bound:
            return f"{of_change}, but no bound excludes more"
        size = abs(self.payoff)
        if self.gain > APPROXIMATE * size or self.at_stake > SMALL_CHANGE * size:
            return ""
        if self.gain > self.at_stake:
            of_change = "more than another choice would lose"
        return f"{percent_in_words(self.gain / size)} of the payoff, but {of_change} while the others stay"


def weakest(facts: Iterable[ClaimFacts]) -> ClaimFacts:
    """Return the facts that hold for all of several results with the same claim.

    >>> both = weakest([ClaimFacts("equilibrium", radius=1e-9), ClaimFacts("equilibrium", radius=1e-13)])
    >>> both.near
    'an equilibrium is proved within 1e-09'
    """
    rows = list(facts)
    radii = [row.radius for row in rows]
    searches = sorted({row.search for row in rows} - {""})
    return rows[0]._replace(
        share=max(row.share for row in rows),
        radius=nan if any(map(isnan, radii)) else max(radii),
        method=", ".join(searches[:MOST_SEARCHES]),
    )
