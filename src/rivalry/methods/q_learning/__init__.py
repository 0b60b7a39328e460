"""Tabular Q-learning: independent, over periods, and in repeated games with memory."""
