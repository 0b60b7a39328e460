"""Congested cities: agents travel through a network and bid karma for admission to its lanes."""

from rivalry.games.city.city import City
from rivalry.games.city.factory import city

__all__ = ["City", "city"]
