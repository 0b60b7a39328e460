"""Finite games: pure and mixed equilibria, regret matching, fictitious play, Hedge, policy gradients."""
