"""A referee: random games, judged by plain NumPy that shares no line with the package.

Payoffs are written out from the textbook formulas; deviations are found by dense search and refinement. What
a certificate claims must stand beside them (`tests.referee.judge`). ``python -m tests.referee --count 2000``
runs more.
"""
