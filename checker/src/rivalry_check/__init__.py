"""Checks proof files of equilibria. The files are specified in docs/reference/proof_files.md of `rivalry`."""


class Refuted(Exception):
    """A statement of the file is not proved by it; the text is the mathematical reason."""


class Damaged(Exception):
    """The file is not what its format says."""
