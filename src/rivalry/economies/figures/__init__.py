"""Charts that only karma economies and cities draw."""
