"""Branches of equilibria of a differentiable game along one parameter.

`parametrised_game` evaluates the game, `groups` reduces it to one unknown per group, `pseudo_arclength`
follows a curve, `events` locates its singular points, `switching` finds branches and orbits that start there;
`session` stores the state as arrays, `branches` is the method, which schedules the work. `quantal_response`
follows the logit equilibria of a finite game by the same steps, in NumPy.
"""
