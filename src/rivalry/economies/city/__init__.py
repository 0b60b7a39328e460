"""Congested cities: agents travel through a network and bid karma for admission to its lanes."""

from rivalry.economies.city.city import City
from rivalry.economies.city.factory import city

__all__ = ["City", "city"]
