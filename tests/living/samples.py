"""A record of branches in closed form: a pitchfork of two players at a reach of 0.5."""

from __future__ import annotations

import numpy as np

from rivalry.core.results import Record


def branch_record() -> Record:
    """All players at 0.5, stable above 0.5; below, ``0.5 +- sqrt(0.5 - r) / 2``, stable."""
    reach = np.linspace(0.1, 1.0, 31)
    low = np.linspace(0.1, 0.5, 21)
    gap = np.sqrt(0.5 - low) / 2
    together = np.full((31, 2, 1), 0.5)
    apart = np.stack([0.5 - gap, 0.5 + gap], axis=1)[..., None]
    parameter = np.concatenate([reach, low])
    rows = len(parameter)
    return {
        "parameter_name": ((), np.asarray("reach")),
        "exchangeable": (("player",), np.zeros(2, int)),
        "branch": (("row",), np.repeat([0, 1], [31, 21])),
        "branch_parameter": (("row",), parameter),
        "branch_position": (("row", "player", "axis"), np.concatenate([together, apart])),
        "branch_group": (("row", "player"), np.repeat([[0, 0], [0, 1]], [31, 21], axis=0)),
        "branch_payoff": (("row", "player"), np.ones((rows, 2))),
        "branch_regret": (("row", "player"), np.zeros((rows, 2))),
        "branch_stable": (("row",), np.concatenate([reach > 0.5, np.ones(21, bool)])),
        "branch_coverage": (("row",), np.full(rows, "lower bound")),
        "branch_ending": (("branch_id",), np.full(2, "the end of the range")),
        "event_kind": (("event",), np.array(["symmetric_loss"])),
        "event_parameter": (("event",), np.array([0.5])),
        "event_position": (("event", "player", "axis"), np.full((1, 2, 1), 0.5)),
    }


def orbit_record() -> Record:
    """The first branch alone, with cycles of period 2 from 0.4 to 0.6 where it is unstable."""
    record = branch_record()
    first = np.flatnonzero(record["branch"][1] == 0)
    for name, (dims, array) in record.items():
        if dims[:1] == ("row",):
            record[name] = dims, array[first]
    orbits = np.array([0.1, 0.3, 0.45])
    return record | {
        "orbit_hopf": (("orbit",), np.zeros(3, int)),
        "orbit_parameter": (("orbit",), orbits),
        "orbit_period": (("orbit",), np.full(3, 2.0)),
        "orbit_stable": (("orbit",), np.ones(3, bool)),
        "orbit_low": (("orbit", "player", "axis"), np.full((3, 2, 1), 0.4)),
        "orbit_high": (("orbit", "player", "axis"), np.full((3, 2, 1), 0.6)),
    }
