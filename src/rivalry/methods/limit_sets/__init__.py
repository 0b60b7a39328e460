"""Limit sets of dynamics: rest points with their eigenvalues, and periodic orbits."""
