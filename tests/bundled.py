"""Bundled studies as parameters of tests."""

import re

from rivalry.lab.study import studies


def includes_others(name: str) -> bool:
    """Whether a bundled study is a collection of others, from its text: loading all studies takes seconds."""
    return re.search("^include *=", studies()[name].read_text(encoding="utf-8"), re.MULTILINE) is not None
