"""Spaces, games, what is known of games, certificates, results and records."""
