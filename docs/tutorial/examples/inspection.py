"""An inspection game: an agency inspects or trusts, a firm complies or violates."""

from typing import Annotated

from annotated_types import Gt

import rivalry as rv


def inspection(*, fine: Annotated[float, Gt(2), "paid by a firm that is caught"] = 5.0):
    """Return the game of an agency (player 0) and a firm (player 1)."""
    agency = [[3.0, 2.0], [4.0, 0.0]]
    firm = [[4.0, 6.0 - fine], [4.0, 6.0]]
    return rv.games.matrix(agency, firm, actions=[["inspect", "trust"], ["comply", "violate"]])
