"""Published and independently computed numbers, held against the package through its public interface."""
