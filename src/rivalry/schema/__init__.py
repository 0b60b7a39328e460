"""Arguments: annotations, validation, and the registry of families, methods and plots."""
