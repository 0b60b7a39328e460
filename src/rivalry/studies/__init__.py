"""Bundled studies, and beside them the methods and plots that only these name."""
