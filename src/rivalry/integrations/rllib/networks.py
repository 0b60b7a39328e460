"""What learned networks do at what is seen: the best action, and chances or draws of all with exploration."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class PolicyNetwork(NamedTuple):
    """A policy as RLlib trained it.

    ``family`` tells what the network's outputs are: ``logits`` of actions, ``values`` of actions (of which
    the best is taken, or with chance ``epsilon`` any), or the mean and log deviation of choices from -1 to
    1, cut off there (``normal``) or squashed (``squashed``).
    """

    module: Any
    family: str
    epsilon: float = 0.0

    def outputs(self, seen: np.ndarray) -> np.ndarray:
        """The network's numbers ``[row output]`` at observations ``[row feature]``."""
        import torch

        with torch.no_grad():
            batch = {"obs": torch.as_tensor(np.asarray(seen, dtype=np.float32))}
            if self.family == "values":
                found = self.module.compute_q_values(batch)["qf_preds"]
            else:
                found = self.module.forward_inference(batch)["action_dist_inputs"]
        numbers: np.ndarray = found.numpy().astype(np.float64)
        return numbers

    @property
    def finite(self) -> bool:
        """Whether actions are numbered."""
        return self.family in ("logits", "values")

    def chances(self, seen: np.ndarray) -> np.ndarray:
        """Chances of numbered actions ``[row action]``, exploration included."""
        found = self.outputs(seen)
        if self.family == "logits":
            weights = np.exp(found - found.max(axis=1, keepdims=True))
            soft: np.ndarray = weights / weights.sum(axis=1, keepdims=True)
            return soft
        best = np.eye(found.shape[1])[found.argmax(axis=1)]
        chances: np.ndarray = (1 - self.epsilon) * best + self.epsilon / found.shape[1]
        return chances

    def best(self, seen: np.ndarray) -> np.ndarray:
        """What is done without exploration: numbers ``[row]``, or choices ``[row axis]`` from -1 to 1."""
        found = self.outputs(seen)
        if self.finite:
            actions: np.ndarray = found.argmax(axis=1)
            return actions
        mean, _ = np.split(found, 2, axis=1)
        return self._inside(mean)

    def drawn(self, seen: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        """What is done with exploration, in the same form."""
        if self.finite:
            odds = np.cumsum(self.chances(seen), axis=1)
            lots = draw.random(len(odds))[:, None] * odds[:, -1:]
            actions: np.ndarray = (lots >= odds).sum(axis=1)
            return actions
        mean, log_deviation = np.split(self.outputs(seen), 2, axis=1)
        return self._inside(mean + np.exp(log_deviation) * draw.normal(size=mean.shape))

    def _inside(self, numbers: np.ndarray) -> np.ndarray:
        found: np.ndarray = np.tanh(numbers) if self.family == "squashed" else np.clip(numbers, -1.0, 1.0)
        return found


def capped(network: PolicyNetwork, seen: np.ndarray, masks: np.ndarray, explore: bool) -> np.ndarray:
    """Chances of entries ``[row entry]`` by a network that knows no masks ``[row entry]``.

    What would go to entries that there are not goes to the last there is.
    """
    chances = network.chances(seen) if explore else np.eye(masks.shape[1])[network.best(seen)]
    kept: np.ndarray = np.where(masks > 0, chances, 0.0)
    last = masks.shape[1] - 1 - np.argmax(masks[:, ::-1] > 0, axis=1)
    kept[np.arange(len(kept)), last] += np.where(masks > 0, 0.0, chances).sum(axis=1)
    return kept
