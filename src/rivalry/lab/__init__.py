"""A study carried out: checked, run cell by cell, stored, reported, exported."""
