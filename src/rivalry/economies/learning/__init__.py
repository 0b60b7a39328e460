"""Agents of an economy or a city who learn, follow given policies, or are measured."""
