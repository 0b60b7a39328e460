"""Random policies, their entropies and distances, against SciPy and the sampling distributions."""

import numpy as np
import pytest
from scipy import stats

from rivalry.population.distances import DISTANCES, entropies, policy_distance, transport
from rivalry.runtime.jax import jnp
from rivalry.studies.karma_theory import at_least_as_random, draw_policies

pytestmark = pytest.mark.mostly_slow

GENERATORS = ("dirichlet_state", "smooth_gaussian", "logit_noise")
SEED = np.random.SeedSequence(11)


@pytest.mark.default
@pytest.mark.parametrize("generator", GENERATORS)
def test_random_policies_are_valid_distributions(generator: str) -> None:
    drawn = draw_policies(generator, 300, 2, 8, SEED)
    assert drawn.policies.shape == (300, 2, 9, 9)
    assert np.all(drawn.policies >= 0)
    assert np.all(drawn.policies[..., ~np.tri(9, dtype=bool)] == 0)
    np.testing.assert_allclose(drawn.policies.sum(axis=-1), 1, atol=1e-14)
    assert all(len(numbers) == 300 for numbers in drawn.parameters.values())


@pytest.mark.default
@pytest.mark.parametrize("generator", GENERATORS)
def test_policies_do_not_depend_on_the_number_drawn(generator: str) -> None:
    many = draw_policies(generator, 6, 2, 5, SEED)
    later = draw_policies(generator, 2, 2, 5, SEED, first=4)
    np.testing.assert_array_equal(many.policies[4:], later.policies)
    for name, numbers in many.parameters.items():
        np.testing.assert_array_equal(numbers[4:], later.parameters[name])
    assert draw_policies(generator, 0, 2, 5, SEED).policies.shape == (0, 2, 6, 6)


@pytest.mark.parametrize(
    ("generator", "name", "low", "high"),
    [
        ("dirichlet_state", "concentration", -1, 2),
        ("smooth_gaussian", "width", -1, 1.2),
        ("logit_noise", "scale", -1, 1),
    ],
    ids=GENERATORS,
)
def test_generator_parameters_are_log_uniform(generator: str, name: str, low: float, high: float) -> None:
    numbers = draw_policies(generator, 2000, 1, 1, SEED).parameters[name].ravel()
    assert stats.kstest(np.log10(numbers), stats.uniform(low, high - low).cdf).pvalue > 0.01


def test_dirichlet_probabilities_have_beta_marginals() -> None:
    """The probability of the first of k+1 bids has a Beta(c, k c) distribution."""
    drawn = draw_policies("dirichlet_state", 3000, 1, 3, SEED)
    c = drawn.parameters["concentration"]
    for k in (1, 3):
        each = stats.beta(c, k * c).cdf(drawn.policies[:, 0, k, 0])
        assert stats.kstest(each, stats.uniform.cdf).pvalue > 0.01


@pytest.mark.default
def test_smooth_policies_match_their_formula() -> None:
    drawn = draw_policies("smooth_gaussian", 20, 2, 6, SEED)
    for i, z, k in np.ndindex(20, 2, 7):
        away = (np.arange(k + 1) - drawn.parameters["centre"][i, z] * k) / drawn.parameters["width"][i, z]
        weights = np.exp(-(away**2) / 2) + 1e-12
        np.testing.assert_allclose(drawn.policies[i, z, k, : k + 1], weights / weights.sum(), rtol=1e-12)


def test_logit_noise_is_normal() -> None:
    drawn = draw_policies("logit_noise", 3000, 1, 2, SEED)
    logs = np.log(drawn.policies[:, 0, 1, :2])
    apart = (logs[:, 0] - logs[:, 1]) / drawn.parameters["scale"] / np.sqrt(2)
    assert stats.kstest(apart, stats.norm.cdf).pvalue > 0.01


def test_distances_match_scipy() -> None:
    one, two = (draw_policies("dirichlet_state", 1, 2, 6, SEED, first=i).policies[0] for i in (0, 1))
    b = np.arange(7)
    far = np.array(
        [[stats.wasserstein_distance(b, b, one[z, k], two[z, k]) / max(k, 1) for k in b] for z in (0, 1)]
    )
    np.testing.assert_allclose(transport(jnp.asarray(one), jnp.asarray(two)), far, atol=1e-14)
    mu = np.random.default_rng(0).dirichlet(np.ones(14)).reshape(2, 7)
    expected = {
        "mean": far[:, 1:].mean(),
        "sum": far.sum(),
        "mu_weighted": np.sum(mu * far),
        "l1": np.abs(one - two).sum(),
    }
    for name in DISTANCES:
        found = policy_distance(jnp.asarray(one), jnp.asarray(two), name, jnp.asarray(mu))
        assert float(found) == pytest.approx(expected[name], abs=1e-13)
        each = policy_distance(jnp.asarray(np.stack([one, two])), jnp.asarray(two), name, jnp.asarray(mu))
        np.testing.assert_allclose(each, [expected[name], 0.0], atol=1e-13)


def test_entropies_match_scipy() -> None:
    policies = draw_policies("dirichlet_state", 5, 2, 6, SEED).policies
    each = stats.entropy(policies, axis=-1)
    np.testing.assert_allclose(entropies(jnp.asarray(policies)), each, atol=1e-14)


def test_at_least_as_random_compares_entropies() -> None:
    policies = draw_policies("logit_noise", 50, 2, 6, SEED).policies
    bar = policies[7]
    each, limit = stats.entropy(policies, axis=-1), stats.entropy(bar, axis=-1)
    mean, every = (at_least_as_random(policies, bar, rule) for rule in ("mean", "every"))
    assert mean[7]
    assert every[7]
    np.testing.assert_array_equal(mean, each.mean(axis=(1, 2)) >= limit.mean() - 1e-12)
    np.testing.assert_array_equal(every, np.all(each >= limit - 1e-12, axis=(1, 2)))
    assert 1 < mean.sum() < 50


def test_unknown_options_are_named() -> None:
    policies = draw_policies("logit_noise", 1, 1, 2, SEED).policies
    with pytest.raises(ValueError, match="generator: 'even' is unknown; known: dirichlet_state, logit_noise"):
        draw_policies("even", 1, 1, 2, SEED)
    with pytest.raises(ValueError, match="entropy_rule: 'some' is unknown; known: every, mean"):
        at_least_as_random(policies, policies[0], "some")
    with pytest.raises(ValueError, match="distance: 'far' is unknown; known: l1, mean, mu_weighted, sum"):
        policy_distance(jnp.asarray(policies), jnp.asarray(policies), "far")
    with pytest.raises(ValueError, match="mu: must be given"):
        policy_distance(jnp.asarray(policies), jnp.asarray(policies), "mu_weighted")
