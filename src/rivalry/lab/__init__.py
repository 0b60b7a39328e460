"""Studies: checks, execution cell by cell, storage, reports and export."""
