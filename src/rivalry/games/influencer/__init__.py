"""Influencer games: players choose where to act; each resource point is shared in proportion to influence."""

from rivalry.games.influencer.factory import influencer
from rivalry.games.influencer.game import Influencer

__all__ = ["Influencer", "influencer"]
