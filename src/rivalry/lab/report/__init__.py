"""The report of a run, built from stored files only: results, certificates and reference values."""
