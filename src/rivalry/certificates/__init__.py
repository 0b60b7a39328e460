"""Certificates: best deviations and their bounds, what own choice changes, shared constraints."""
