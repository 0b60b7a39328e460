"""Coordinates in which proofs are computed: boxes, simplices, logarithms, ranges of parameters."""
