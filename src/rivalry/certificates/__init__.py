"""Certificates: best deviations and their bounds, what is at stake, shared constraints."""
