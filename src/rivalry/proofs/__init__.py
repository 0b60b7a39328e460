"""Proofs by interval arithmetic: first-order points, gains, payoff ranges and lists of equilibria."""
