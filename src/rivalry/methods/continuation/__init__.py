"""Branches of equilibria of any differentiable game, as one parameter varies.

`family` evaluates, `groups` reduces to one unknown a group, `walk` follows a curve, `events` refines what
happens on it, `switching` finds the branches born there, `cycles` the closed orbits beyond Hopf points;
`session` holds what is known as arrays, `trace` decides what comes next, `learner` is the method.
"""
