"""Congested cities: agents travel through a network and bid karma for admission to its lanes."""

from rivalry.economies.city.factory import city
from rivalry.economies.city.model import City

__all__ = ["City", "city"]
