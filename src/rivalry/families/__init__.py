"""Families of games: payoffs, analyses, bounds and figures. `rivalry.games` names their factories."""
