"""Figures that only races have."""
