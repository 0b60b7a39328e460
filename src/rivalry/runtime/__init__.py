"""Libraries as the package uses them: JAX, BLAS threads, number formats, imports and cached values."""
