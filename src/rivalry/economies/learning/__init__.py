"""Learning algorithms, simulations and experiments for agents of karma economies and cities."""
