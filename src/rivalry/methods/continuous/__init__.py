"""Mixed equilibria and policies over continuous strategies."""
