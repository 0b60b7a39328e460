"""Random settings of every family: each claim and each list beside brute force by payoffs alone."""
