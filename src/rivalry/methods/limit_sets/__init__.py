"""Where dynamics end: rest points with their eigenvalues, periodic orbits."""
