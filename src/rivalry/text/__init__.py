"""Numbers and tables in words."""
