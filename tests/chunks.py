"""Runs in parts: what a learner computes must not depend on where it is interrupted."""

from io import BytesIO
from itertools import cycle
from typing import Any

import numpy as np


def _read_again(learner: Any, session: Any) -> Any:
    file = BytesIO()
    np.savez(file, **learner.pack(session))
    file.seek(0)
    with np.load(file) as stored:
        return learner.unpack(dict(stored))


def assert_same_in_chunks(
    learner: Any, game: Any, *chunks: int, steps: int = 100_000, start: Any = None
) -> Any:
    """Whole session, equal to one of such chunks in turn that is stored and read again after each."""
    world, sequence = learner.world(game), np.random.SeedSequence(3)

    def run(sizes: tuple[int, ...], *, stored: bool) -> tuple[Any, int]:
        session = learner.begin(world, sequence)
        if start is not None:
            session = learner.begin_at(world, sequence, start)
        taken = 0
        for size in cycle(sizes):
            new = learner.advance(world, session, min(size, steps - taken))
            taken += new
            if taken == steps or (size and not new):
                return session, taken
            session = _read_again(learner, session) if stored else session
        raise AssertionError

    whole, taken = run((steps,), stored=False)
    parts, taken_in_parts = run(chunks, stored=True)
    assert taken == taken_in_parts
    for name, array in whole.items():
        np.testing.assert_array_equal(array, parts[name], err_msg=name)
    return whole
