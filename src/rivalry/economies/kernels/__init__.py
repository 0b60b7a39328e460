"""Compiled simulation loops of karma economies and of the city."""
