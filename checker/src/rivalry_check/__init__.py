"""Checks proof files of equilibria. The files are specified in FORMAT.md of its source."""


class Refuted(Exception):
    """A statement of the file is not proved by it; the text is the mathematical reason."""


class Damaged(Exception):
    """The file is not what its format says."""


STEPS = 2**30  # of a microsecond or so, in all that a file makes necessary
WORD = 64  # bits of numbers with which one step computes


class Steps:
    """Steps that a file may still take: the one limit on time and memory, since both are spent by it."""

    def __init__(self):
        self.allow(STEPS)

    def allow(self, limit):
        self.limit = self.left = limit

    def spend(self, count):
        """Take steps before they are made; raise `Damaged` where there are too few."""
        self.left -= count
        if self.left < 0:
            raise Damaged(f"more than {self.limit} steps are needed (see --large)")


STEP = Steps()
spend = STEP.spend


def cost(*numbers):
    """Return the steps of a product of whole numbers and fractions, as long as all of them together."""
    bits = sum(number.numerator.bit_length() + number.denominator.bit_length() for number in numbers)
    return 1 + (bits // WORD) ** 2
