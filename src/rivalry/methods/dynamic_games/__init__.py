"""Games over periods: Markov-perfect equilibria, backward induction, commitment."""
