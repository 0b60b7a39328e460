"""The race to the precipice (Armstrong, Bostrom & Shulman 2016).

The team that spends least on safety wins but may cause a disaster.

Each team's capability is uniform on [0, mu]. A team chooses safety ``s`` in [0, 1]; the highest capability
minus safety wins, and the winner's technology is safe with probability ``s``. An own safe win pays 1, another
team's ``1 - e``, a disaster 0; ``e`` is the enmity. Information determines what a strategy is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import equinox as eqx
import numpy as np
from annotated_types import Ge, Gt, Le
from jaxtyping import Array

from rivalry.core import oracles
from rivalry.core.quadrature import piecewise_integral
from rivalry.core.results import Record, scalar
from rivalry.core.space import Box, PerPlayer, Profile, Scalar
from rivalry.core.tree import payoff_method, static
from rivalry.runtime.jax import jax, jnp, put, seldom
from rivalry.schema.annotations import AcceptedInterval, Symbol
from rivalry.schema.validate import checked
from rivalry.text.display import Description, OneLineRepr

INFORMATION = ("none", "private", "public")
STEEPEST = 0.999  # slope of safety in capability: at 1 all scores of weak teams would be equal
NOT_UNDERCUT = 1e-12  # a difference below which a safety is not undercut
GRID = (51, 401)  # capabilities and safeties at which free deviations are looked for


class Precipice(OneLineRepr, eqx.Module):
    """Players choose one number each; see `precipice` for the game.

    Payoffs are exact expectations over capabilities: polynomials between the points where one score meets
    another, integrated by Gauss's rule piece by piece.
    """

    space: Box
    max_capability: Scalar
    enmity: Scalar
    information: str = static()

    def _title_and_parameters(self) -> Description:
        numbers = {"max_capability": self.max_capability, "enmity": self.enmity}
        return f"Race to the precipice of {self.players} teams", {"information": self.information, **numbers}

    @property
    def players(self) -> int:
        """Return the number of teams."""
        return self.space.shape[0]

    @payoff_method
    def payoffs(self, x: Profile) -> PerPlayer:
        """Return expected payoffs before capabilities are known."""
        own_wins, anyone = self._wins(x)
        return own_wins + (1 - self.enmity) * (anyone - own_wins)

    def _wins(self, x: Profile) -> tuple[PerPlayer, Scalar]:
        """Return the probability that each team wins safely, and that any does."""
        if self.information == "public":
            own_wins = self._leader_wins(x[:, 0])
        else:
            own_wins = jax.vmap(lambda player: self._safe_wins(x[:, 0], player))(jnp.arange(self.players))
        return own_wins, jnp.sum(own_wins)

    def safety(self, rule: Array, c: Array) -> Array:
        """Return the safety of a rule at capability ``c``."""
        return rule + 0.0 * c if self.information == "none" else jnp.minimum(rule * c, 1.0)

    def below(self, rule: Array, score: Array) -> Array:
        """Return the probability that a team with that rule scores less."""
        return jnp.clip(self.capability(rule, score) / self.max_capability, 0.0, 1.0)

    def capability(self, rule: Array, score: Array) -> Array:
        """Return the capability at which a team with that rule has a score."""
        return score + rule if self.information == "none" else jnp.minimum(score + 1, score / (1 - rule))

    def _safe_wins(self, rules: Array, player: Array) -> Array:
        """Return the probability that ``player`` wins safely."""
        # between kinks the integrand is a polynomial, and Gauss's rule is exact
        kinks = self._kinks(rules, rules[player])

        def integrand(c: Array) -> Array:
            safe = self.safety(rules[player], c)
            probabilities = jax.vmap(lambda rule: self.below(rule, c - safe))(rules)
            return safe * jnp.prod(probabilities.at[player].set(1.0), axis=0) / self.max_capability

        return piecewise_integral(integrand, kinks, self.max_capability, self.players)

    def _kinks(self, rules: Array, rule: Array) -> Array:
        """Return the own capabilities at which a rival's probability, or the own safety, has a kink."""
        ends = jnp.stack([0 * rules, 0 * rules + self.max_capability])
        if self.information == "none":
            return self.capability(rule, ends - rules).ravel()
        turns = 1 / jnp.maximum(rules, 1 / (2 * self.max_capability))  # beyond mu if safety never reaches 1
        scores = jnp.concatenate([*(c - self.safety(rules, c) for c in (ends[1], turns))])
        return jnp.append(self.capability(rule, scores), 1 / jnp.maximum(rule, 1e-9))

    def _leader_wins(self, boldness: Array) -> Array:
        """Return the probability that each team wins safely if all observe the lead of the most capable.

        The leader plays ``min(1, boldness times lead)``. The runner-up undercuts, by as little as wins, where
        that pays: where the leader's safety exceeds ``lead / enmity``.
        """
        win = self._integrate_leads(boldness, lambda lead, safe, bold: jnp.where(bold, 0.0, safe))
        undercut = self._integrate_leads(boldness, lambda lead, safe, bold: jnp.where(bold, safe - lead, 0.0))
        return win + (jnp.sum(undercut) - undercut) / (self.players - 1)

    def _integrate_leads(self, boldness: Array, paid: Callable[..., Array], *kinks: Array) -> Array:
        """Return integrals over leads of ``paid(lead, safety, whether undercut)``, one per leader."""
        n, mu = self.players, self.max_capability

        def integral(rule: Array) -> Array:
            def integrand(lead: Array) -> Array:
                safe = jnp.minimum(rule * lead, 1.0)
                # by the slope where that decides: leads would be rounded each in its own way
                steep = jnp.where(rule * lead < 1, rule * self.enmity, self.enmity / lead)
                bold = steep > 1 + NOT_UNDERCUT
                # the density of a lead, and of being ahead
                return paid(lead, safe, bold) * (1 - lead / mu) ** (n - 1) / mu

            turns = jnp.stack([1 / jnp.maximum(rule, 1e-9), self.enmity, *kinks])
            return piecewise_integral(integrand, turns, mu, n)

        return jax.vmap(integral)(boldness)

    def free_gains(self, x: Profile) -> PerPlayer:
        """Return the gains from the best safety at each capability, whatever rule results, ``[player]``.

        Rules of one number are a subset of these. Without public information 51 capabilities and 401 safeties
        are searched, with exact payoffs. With it the leader chooses at each lead, exactly: the largest safety
        that is not undercut, or 1, which is.

        Examples
        --------
        >>> game = precipice(max_capability=0.6, enmity=0.6, information="public")
        >>> round(float(game.free_gains(jnp.asarray(oracles.closed_form(game)[0]))[0]), 4)
        0.0576
        """
        if self.information == "public":
            return self._leader_gains(x[:, 0])
        return _gains_at_capabilities(self, x)

    def _leader_gains(self, boldness: Array) -> PerPlayer:
        """Return the gain of each leader from the best safety at every lead.

        The runner-up undercuts where it pays.
        """
        e = self.enmity

        def gain(lead: Array, safe: Array, bold: Array) -> Array:
            safe_payoff = jnp.maximum(lead / e, (1 - e) * (1 - lead))
            return jnp.where(lead < e, safe_payoff, 1.0) - jnp.where(bold, (1 - e) * (safe - lead), safe)

        equal = e * (1 - e) / (1 + e * (1 - e))  # the lead at which both pay the same
        return jnp.maximum(self._integrate_leads(boldness, gain, equal), 0.0)


@oracles.exchangeable.register(Precipice)
def _(game: Precipice) -> np.ndarray:
    return np.zeros(game.players, dtype=int)


@oracles.labels.register(Precipice)
def _(game: Precipice) -> oracles.Labels:
    return oracles.Labels(
        axes=({"none": "safety", "private": "slope", "public": "boldness"}[game.information],)
    )


@oracles.closed_form.register(Precipice)
def _(game: Precipice) -> np.ndarray:
    """Return the symmetric equilibrium. Raises `ValueError` where none is known."""
    rule, _ = precipice_rule(game.players, float(game.max_capability), float(game.enmity), game.information)
    return np.full((1, game.players, 1), rule)


@oracles.validate_parameter.register(Precipice)
def _(game: Precipice, name: str, value: float) -> str:
    if not value > 0:
        return "must be above 0"
    return "must be at most 1" if name == "enmity" and value > 1 else ""


@oracles.metrics.register(Precipice)
def _(game: Precipice, x: Profile) -> Record:
    """Return ``risk``, the probability of a disaster, and ``p_safe``, that of a safe win."""
    safe = min(float(_safe(game, x)), 1.0)
    return {"risk": scalar(1 - safe), "p_safe": scalar(safe)}


@oracles.proved_response.register(Precipice, when=lambda game: game.information == "public")
def _(game: Precipice, x: Profile, player: int) -> oracles.Response:
    """Payoff of the best choice at every lead, whatever rule that makes.

    Rules of one number do not hold it, so the strategy reported is the player's own.
    """
    payoff = float(game.payoffs(x)[player] + game.free_gains(x)[player])
    words = "any rule of the leader, by integration over leads"
    return oracles.Response(np.asarray(x[player]), payoff, np.inf, "lower bound", words)


@seldom
def _safe(game: Precipice, x: Profile) -> Array:
    return game._wins(x)[1]


@seldom
def _gains_at_capabilities(game: Precipice, x: Profile) -> Array:
    """Return the gains from choosing safety anew at every known capability, all rules allowed."""
    rules = x[:, 0]
    is_private = game.information == "private"
    capabilities, safeties = GRID
    # midpoints: means over them are integrals over capabilities
    c = (jnp.arange(capabilities) + 0.5) / capabilities * game.max_capability
    s = jnp.linspace(0.0, 1.0, safeties)

    def expected_payoff(player: Array, safety_level: Array, c: Array) -> Array:
        """Return the expected payoff at capability ``c`` and a safety: rivals' wins by Gauss's rule."""
        probabilities = jax.vmap(lambda rule: game.below(rule, c - safety_level))(rules)
        won = safety_level * jnp.prod(probabilities.at[player].set(1.0))

        def rival(k: Array) -> Array:
            def integrand(rival: Array) -> Array:
                safe = game.safety(rules[k], rival)
                beats = jax.vmap(lambda rule: game.below(rule, rival - safe))(rules)
                ahead = jnp.where(rival - safe > c - safety_level, 1.0, 0.0)
                return safe * jnp.prod(beats.at[k].set(1.0).at[player].set(ahead)) / game.max_capability

            kinks = jnp.append(game._kinks(rules, rules[k]), game.capability(rules[k], c - safety_level))
            return piecewise_integral(integrand, kinks, game.max_capability, game.players)

        lost = jnp.sum(jax.vmap(rival)(jnp.arange(game.players)).at[player].set(0.0))
        return won + (1 - game.enmity) * lost

    def gain(player: Array) -> Array:
        table = jax.vmap(
            lambda c: jax.vmap(lambda safety_level: expected_payoff(player, safety_level, c))(s)
        )(c)
        payoff_now = jax.vmap(lambda c: expected_payoff(player, game.safety(rules[player], c), c))(c)
        if is_private:
            return jnp.mean(jnp.maximum(jnp.max(table, axis=1) - payoff_now, 0.0))
        return jnp.maximum(jnp.max(jnp.mean(table, axis=0)) - jnp.mean(payoff_now), 0.0)

    return jax.lax.map(gain, jnp.arange(game.players))


def precipice_rule(players: int, mu: float, enmity: float, information: str) -> tuple[float, float]:
    """Return the symmetric equilibrium's rule, and the risk of a disaster in it, in [0, 1].

    Without information the rule is the safety ``min(1, mu / (n e))``; with private information the slope ``1
    / (1 + e (n-1))`` of safety in capability, known for ``mu <= 1 + e (n-1)``; with public information the
    leader's ``1 / e``, the largest slope that the runner-up does not undercut.

    Parameters
    ----------
    players : int
        The number of teams, n.
    mu : float
        The largest capability.
    enmity : float
        The enmity e, in (0, 1].
    information : {"none", "private", "public"}
        What teams observe.

    Raises
    ------
    ValueError
        For a larger ``mu`` with private information, and for another word.

    Examples
    --------
    >>> [round(precipice_rule(4, 1.2, 0.7, word)[1], 4) for word in INFORMATION]
    [0.5714, 0.6903, 0.6614]

    References
    ----------
    S. Armstrong, N. Bostrom and C. Shulman, Racing to the precipice, AI & Society 31 (2016).
    """
    if information not in INFORMATION:
        raise ValueError(f"information: {information!r} is unknown; known: {', '.join(INFORMATION)}")
    n, e = players, enmity
    if information == "none":
        rule = min(1.0, mu / (n * e))
        return rule, 1 - rule
    if information == "private":
        steep = 1 + e * (n - 1)
        if mu > steep:
            raise ValueError(
                f"max_capability: {mu:g} must be at most {steep:g}, 1 + enmity (players - 1), if private"
            )
        return 1 / steep, 1 - n * mu / ((n + 1) * steep)
    short = 1 - min(e, mu) / mu
    return 1 / e, 1 - mu / (e * (n + 1)) * (1 - short ** (n + 1))


@checked
def precipice(
    *,
    players: Annotated[int, Ge(2), Le(100), Symbol("n"), "number of teams"] = 2,
    max_capability: Annotated[
        float, Gt(0), AcceptedInterval(), Symbol("mu"), "largest capability, in units of safety"
    ] = 1.0,
    enmity: Annotated[
        float,
        Gt(0),
        Le(1),
        AcceptedInterval(),
        Symbol("e"),
        "fraction of the prize lost if another team wins safely",
    ] = 0.5,
    information: Annotated[
        Literal["none", "private", "public"],
        "on capabilities: none (a strategy is safety), private (its slope in one's own capability), "
        "public (the leader's safety per unit of lead)",
    ] = "none",
) -> Precipice:
    """Return a race to the precipice: capability minus safety wins, and only the winner's safety counts.

    Rules of one number are not all rules: without public information the certificate compares with other
    rules of the same form, and ``free_gains`` with all; with it both compare with all rules of the leader.
    The runner-up then responds to the leader, and the others' choices do not matter; the source's rule is no
    equilibrium below ``enmity`` 1: with a small enough lead it is better to be undercut.

    Raises
    ------
    ValueError
        For numbers out of range.

    Examples
    --------
    >>> game = precipice(players=2, max_capability=0.6, enmity=0.8)
    >>> float(oracles.closed_form(game)[0, 0, 0].round(6))
    0.375
    >>> round(float(oracles.metrics(game, jnp.full((2, 1), 0.375))["risk"][1]), 6)
    0.625
    """
    if players < 2:
        raise ValueError(f"players: {players} must be at least 2")
    for name, value in {"max_capability": max_capability, "enmity": enmity}.items():
        if not 0 < value < np.inf:
            raise ValueError(f"{name}: {value:g} must be finite and above 0")
    # Safety is in [0, 1], and slopes below 1 are the rules of private information. Boldness above 1/enmity is
    # undercut, but some leads may pay more with more of it: this end is assumed.
    highest = {"none": 1.0, "private": STEEPEST, "public": 4 / enmity}[information]
    box = Box.interval(0.0, highest, players=players, assumed=information == "public")
    return Precipice(box, put(float(max_capability)), put(float(enmity)), information)
