"""Charts of karma economies and cities."""
