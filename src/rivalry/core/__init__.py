"""Strategy spaces, games, oracles, certificates, results and records."""
