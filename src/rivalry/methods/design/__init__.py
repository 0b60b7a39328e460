"""A designer who moves first, anticipating the equilibrium or what agents learn."""
