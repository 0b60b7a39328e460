"""Economies of many agents who bid karma: karma games, the congested city, their learners and figures."""
