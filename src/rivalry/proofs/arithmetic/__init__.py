"""Interval arithmetic on payoffs: enclosures of values and derivatives, and the operations of programs."""
