"""Trained policies: greedy actions, probabilities of actions, and samples with exploration."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray


class PolicyNetwork(NamedTuple):
    """A policy trained by RLlib.

    ``family`` is the kind of the network's outputs: ``logits`` of actions, ``values`` of actions (the best is
    chosen, or with probability ``epsilon`` a random one), or the mean and log deviation of choices in
    [-1, 1], clipped (``normal``) or squashed by tanh (``squashed``).
    """

    module: Any
    family: str
    epsilon: float = 0.0

    def outputs(self, observations: ndarray) -> ndarray:
        """Return the outputs ``[row output]`` at observations ``[row feature]``."""
        # inside: PyTorch belongs to the extra `deep`
        import torch

        with torch.no_grad():
            batch = {"obs": torch.as_tensor(np.asarray(observations, np.float32))}
            if self.family == "values":
                outputs = self.module.compute_q_values(batch)["qf_preds"]
            else:
                outputs = self.module.forward_inference(batch)["action_dist_inputs"]
        return np.asarray(outputs.numpy(), np.float64)

    @property
    def finite(self) -> bool:
        """True where actions are discrete."""
        return self.family in ("logits", "values")

    def probabilities(self, observations: ndarray) -> ndarray:
        """Return probabilities of discrete actions ``[row action]``, exploration included."""
        outputs = self.outputs(observations)
        if self.family == "logits":
            # less the largest, so that exponentials cannot overflow
            weights = np.exp(outputs - outputs.max(axis=1, keepdims=True))
            return weights / weights.sum(axis=1, keepdims=True)
        one_hot = np.eye(outputs.shape[1])[outputs.argmax(axis=1)]
        return np.asarray((1 - self.epsilon) * one_hot + self.epsilon / outputs.shape[1])

    def best(self, observations: ndarray) -> ndarray:
        """Return actions without exploration: numbers ``[row]``, or choices ``[row axis]`` in [-1, 1]."""
        outputs = self.outputs(observations)
        if self.finite:
            return outputs.argmax(axis=1)
        mean, _ = np.split(outputs, 2, axis=1)
        return self._inside(mean)

    def sample(self, observations: ndarray, draw: np.random.Generator) -> ndarray:
        """Return actions with exploration, in the form of `best`."""
        if self.finite:
            cdf = np.cumsum(self.probabilities(observations), axis=1)
            # times the total, which rounding may keep below 1: no draw is beyond the last action
            uniforms = draw.random(len(cdf))[:, None] * cdf[:, -1:]
            return (uniforms >= cdf).sum(axis=1)
        mean, log_deviation = np.split(self.outputs(observations), 2, axis=1)
        return self._inside(mean + np.exp(log_deviation) * draw.normal(size=mean.shape))

    def _inside(self, numbers: ndarray) -> ndarray:
        return np.asarray(np.tanh(numbers) if self.family == "squashed" else np.clip(numbers, -1.0, 1.0))


def clip_to_masks(network: PolicyNetwork, observations: ndarray, masks: ndarray, explore: bool) -> ndarray:
    """Return probabilities of entries ``[row entry]`` by a network that does not know masks ``[row entry]``.

    The probability of masked entries goes to the largest legal entry.
    """
    probabilities = (
        network.probabilities(observations) if explore else np.eye(masks.shape[1])[network.best(observations)]
    )
    legal: ndarray = np.where(masks > 0, probabilities, 0.0)
    last_legal = masks.shape[1] - 1 - np.argmax(masks[:, ::-1] > 0, axis=1)
    legal[np.arange(len(legal)), last_legal] += np.where(masks > 0, 0.0, probabilities).sum(axis=1)
    return legal
