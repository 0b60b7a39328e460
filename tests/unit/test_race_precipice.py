"""The race to the precipice: symmetric rules, against simulation, integrals and arbitrary deviations."""

import numpy as np
import pytest
from scipy.integrate import quad

import rivalry as rv
from rivalry.core.payoffs import payoffs
from rivalry.families.precipice import INFORMATION, precipice_rule
from rivalry.runtime.jax import jnp


def simulate(word: str, rules: np.ndarray, mu: float, enmity: float) -> tuple[float, np.ndarray]:
    """Risk and payoffs over 400 000 random capability profiles."""
    n = len(rules)
    c = np.random.default_rng(7).uniform(0, mu, (400_000, n))
    rows = np.arange(len(c))
    if word == "public":
        order = np.argsort(c, axis=1)
        first, second = order[:, -1], order[:, -2]
        lead = c[rows, first] - c[rows, second]
        safe = np.minimum(1.0, rules[first] * lead)
        bold = safe - lead > (1 - enmity) * safe + 1e-12  # the runner-up gains by undercutting
        winner, safe = np.where(bold, second, first), np.where(bold, safe - lead, safe)
    else:
        s = np.broadcast_to(rules, c.shape) if word == "none" else np.minimum(1.0, rules * c)
        winner = np.argmax(c - s, axis=1)
        safe = s[rows, winner]
    paid = [np.mean(safe * np.where(winner == i, 1.0, 1 - enmity)) for i in range(n)]
    return 1 - float(np.mean(safe)), np.array(paid)


@pytest.mark.slow
@pytest.mark.parametrize("word", INFORMATION)
def test_payoffs_and_risk_match_simulation(word: str) -> None:
    """Rules differ between players; some are undercut."""
    mu, enmity = 1.8, 0.7
    rules = {"none": [0.2, 0.9, 0.5], "private": [0.3, 0.8, 0.6], "public": [1.0, 2.2, 1 / 0.7]}[word]
    game = rv.games.precipice(players=3, max_capability=mu, enmity=enmity, information=word)
    x = game.space.check(rules)
    risk, paid = simulate(word, np.array(rules), mu, enmity)
    np.testing.assert_allclose(payoffs(game, x), paid, atol=4e-3)
    assert float(rv.oracles.metrics(game, x)["risk"][1]) == pytest.approx(risk, abs=4e-3)


@pytest.mark.parametrize("word", INFORMATION)
@pytest.mark.nightly
def test_claim_and_risk_of_the_symmetric_rule(word: str) -> None:
    """No deviation within the rule's form; with public information the leader gains by another rule."""
    mu, enmity = 1.4, 0.9
    game = rv.games.precipice(players=3, max_capability=mu, enmity=enmity, information=word)
    rule, risk = precipice_rule(3, mu, enmity, word)
    found = rv.solve(game, rv.methods.ClosedForm())
    none = "not an equilibrium" if word == "public" else "no deviation found"
    assert found.claim == none
    assert float(found.data.risk) == pytest.approx(risk, abs=1e-12)
    assert found.profile.values.ravel().tolist() == [rule] * 3
    if word == "private":
        assert np.max(game.free_gains(jnp.full((3, 1), rule))) < 1e-9
        assert np.min(game.free_gains(jnp.full((3, 1), rule / 2))) > 1e-3


@pytest.mark.parametrize(
    ("enmity", "boldness"), [(0.2, 5.0), (0.6, 1 / 0.6), (0.6, 3.0), (1.0, 1.0), (0.7, 0.4)]
)
@pytest.mark.slow
def test_free_gains_of_the_leader_match_a_grid_search(enmity: float, boldness: float) -> None:
    """The gain over a rule, by grid search over safety at each lead and integration over leads."""
    n, mu = 3, 0.8
    lead = (np.arange(4000) + 0.5) / 4000 * mu
    safe = np.linspace(0, 1, 2001)[:, None]

    def paid(s: np.ndarray) -> np.ndarray:
        return np.where(s - lead > (1 - enmity) * s + 1e-12, (1 - enmity) * (s - lead), s)

    tried = np.concatenate([safe + 0 * lead, np.minimum(1, lead / enmity)[None]])
    short = paid(tried).max(axis=0) - paid(np.minimum(1, boldness * lead))
    expected = np.mean(short * (1 - lead / mu) ** (n - 1))
    game = rv.games.precipice(players=n, max_capability=mu, enmity=enmity, information="public")
    np.testing.assert_allclose(game.free_gains(jnp.full((n, 1), boldness)), expected, atol=1e-5)
    assert (expected > 1e-3) == ((enmity, boldness) != (1.0, 1.0))


def test_risks_match_numerical_integrals() -> None:
    """Integrals over the density of the highest capability (private) and of the lead (public)."""
    n, mu, e = 4, 1.2, 0.7
    steep = 1 + e * (n - 1)
    private = quad(lambda c: (1 - c / steep) * n * (c / mu) ** (n - 1) / mu, 0, mu)[0]
    public = quad(lambda a: (1 - min(1, a / e)) * n * (1 - a / mu) ** (n - 1) / mu, 0, mu, points=[e])[0]
    assert precipice_rule(n, mu, e, "private")[1] == pytest.approx(private, abs=1e-9)
    assert precipice_rule(n, mu, e, "public")[1] == pytest.approx(public, abs=1e-9)


def test_public_information_is_riskier_than_none_for_large_enmity() -> None:
    """For ``mu <= e`` public information has the higher risk."""
    for n in (2, 3, 5):
        for e in (0.1, 0.5, 1.0):
            for mu in (0.1 * e, 0.5 * e, e):
                assert precipice_rule(n, mu, e, "public")[1] > precipice_rule(n, mu, e, "none")[1]
    assert precipice_rule(2, 3.0, 1.0, "none")[1] == 0 < precipice_rule(2, 3.0, 1.0, "public")[1]


@pytest.mark.slow
def test_errors_name_the_wrong_parameter() -> None:
    with pytest.raises(ValueError, match="max_capability: 3 must be at most 2"):
        rv.oracles.closed_form(
            rv.games.precipice(players=3, max_capability=3.0, enmity=0.5, information="private")
        )
    with pytest.raises(ValueError, match=r"enmity: 1\.5 must be at most 1"):
        rv.games.precipice(enmity=1.5)
    with pytest.raises(ValueError, match="max_capability: nan must be finite and above 0"):
        rv.games.precipice(max_capability=float("nan"))


@pytest.mark.slow
def test_the_best_rule_of_a_leader_pays_the_same_whatever_its_own_is() -> None:
    # also where the own one is as bold as a rule may be that is not undercut, but for rounding
    game = rv.games.precipice(max_capability=4.049556384329674, enmity=0.7859730137, information="public")
    steps = 1e-12 * (1 + np.linspace(-1e-2, 1e-2, 41))
    rules = (1 + np.append(steps, [-0.5, 0.5])) / float(game.enmity)
    profiles = [np.array([[rule], [1.0]]) for rule in rules]
    best = [float((game.payoffs(x) + game.free_gains(x))[0]) for x in profiles]
    np.testing.assert_allclose(best, best[-1], rtol=1e-9)
