"""Influencer games: players choose positions; the resource is shared in proportion to influence."""
