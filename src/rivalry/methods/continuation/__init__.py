"""Branches of equilibria of any differentiable game, as one parameter varies.

`parametrised_game` evaluates the game, `groups` reduces it to one unknown per group, `pseudo_arclength`
follows a curve, `events` refines what happens on it, `switching` finds branches and orbits that begin there;
`session` holds the state as arrays, `trace` schedules the work, `branches` is the method.
"""
