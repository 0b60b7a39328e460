"""Adaptive dynamics: gradients, best responses, replicator, directional learning."""
