"""Finite games: all equilibria, regret matching, fictitious play, hedge."""
