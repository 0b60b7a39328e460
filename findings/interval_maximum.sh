#!/usr/bin/env bash
# Python's max of intervals is not an interval around the maximum, and it depends on the order.
#
# A proved regret is a maximum over deviations whose gains are known as intervals. Guess: max([1, 2], [0, 3]) is
# [1, 3], or an error because neither is certainly larger. mpmath's intervals answer None and python-flint's balls
# answer False where a comparison is open, and max then keeps its first argument: [1, 2], and in the other order
# [0, 3]. The first says that no gain exceeds 2, though a gain may be 3. flint's arb.max holds all of [1, 3]. The
# same call with mpmath 1.4.1 is a ValueError.
#
# Seen on 2026-11-28 with mpmath 1.3.0 and python-flint 0.9.0: "mpmath: upper ends 2 and 3", "python-flint: upper
# ends 2 and 3", "arb.max: upper end 3".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet mpmath==1.3.0 python-flint==0.9.0
"$folder/env/bin/python" - <<'P'
from importlib.metadata import version

from flint import arb
from mpmath import iv


def upper(ball):
    """Upper end of a ball, rounded."""
    return round(float(ball.upper()), 6)


print("mpmath", version("mpmath"), "python-flint", version("python-flint"))
narrow, wide = iv.mpf([1, 2]), iv.mpf([0, 3])
ends = [float(max(narrow, wide).b), float(max(wide, narrow).b)]
print(f"mpmath: upper ends {ends[0]:g} and {ends[1]:g}")
narrow, wide = arb(1.5, 0.5), arb(1.5, 1.5)
balls = [upper(max(narrow, wide)), upper(max(wide, narrow))]
print(f"python-flint: upper ends {balls[0]:g} and {balls[1]:g}")
print(f"arb.max: upper end {upper(narrow.max(wide)):g}")
assert ends == [2, 3] and balls == [2, 3] and upper(narrow.max(wide)) == 3, "the behaviour has changed"
P
