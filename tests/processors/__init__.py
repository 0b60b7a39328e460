"""Results under other instruction sets and numbers of threads: see ``python -m tests.processors --help``."""
