"""Numbers that decide what is true: tolerances of claims, units of gains, error bounds of proofs.

Each has its derivation beside it. `tests/faults` plants an unsafe value of every one, which its tests must
notice. Numbers that only limit effort, such as steps, points and boxes, are where they are used.
"""

EPS = 2.0**-52  # from 1 to the next float: an operation in double precision rounds by half of it

# Claims of certificates
TOLERANCE = 1e-6  # of what own choice changes: largest gain at an equilibrium; searches close bounds to 1e-8
APPROXIMATE = 0.01  # of what own choice changes, by definition: largest gain at an approximate equilibrium
ROUNDING = 64 * EPS  # of a payoff's size: sums of up to 128 terms of one sign round by less, in any order
OUTSIDE = 1e-9  # of an amount: a profile farther outside is refused; files keep more digits
FEASIBLE = 1e-9  # of the size of a shared constraint's terms: a larger excess violates it, as outside a box
SHARES_SUM = 1e-8  # how far a sum of shares may be from 1: ten shares of nine digits are off by less
SEARCH_TIE = 1e-10  # of what own choice changes: payoffs of two peaks that a search cannot tell apart

# Units of gains, calibrated on games against brute force (`rivalry.certificates.units` explains them)
STEEPER = 2.0  # losses that grow this many times faster than before have reached ruinous choices
USUAL_GROWTH = (4.0, 256.0)  # per doubled distance: of losses of the second and of the eighth power
UNLIKE = 10.0  # times the losses on the other side of a share, at the same distance: that side is ruinous
RUIN = 30.0  # times the cost of an ordinary mistake: larger losses do not count

# Interval arithmetic: bounds of errors are at least eight times the largest one seen against Arb
WIDEN = 4 * EPS  # of one operation: it rounds by half of `EPS`, contracted by a compiler by up to 1.5
STATED = 128 * EPS  # of a library's function, which rounds by a few units in the last place
VANISHING = 1e-280  # of a payoff: less than any unit of payoffs, and ten thousand million times `TINY`
TINY = 1e-290  # added to endpoints: its last digit, 1e-306, is a normal number, so none is flushed to zero
HUGE = 1e300  # its reciprocal is a normal number; those of numbers beyond 4e307 may be flushed to zero
SMALLEST = 2.3e-308  # above the smallest normal number, 2.23e-308: below it logarithms are those of zero
LOW_EXPONENT, HIGH_EXPONENT = -660.0, 708.0  # between them exp is above `TINY` and below the largest float

# Proofs
SHARES_SLACK = 1e-14  # of a sum of up to 45 shares, which round by half of `EPS` each
LAYER = 1e-12  # of the range: depth of the layer along a bound whose derivatives count as those at the bound
EIGENVALUE_ERROR = 1e-12  # of a norm, per row: symmetric eigenvalues round by a few `EPS` times it
DOMINANCE = 1e-12  # of a sum of up to 4,000 sizes, which round by half of `EPS` each
PRODUCTS = 0.75 * EPS  # of each term of a sum of products, `EPS` / 2, with room for powers of such factors

# Finite games
TIE = 1e-12  # of the largest payoff or value: closer ones are equal; 4,000 operations round by less
IMPROVEMENT = 1e-13  # of the largest value: another action must pay more than the current one by this
PROFITABLE = 1e-9  # of the value: a deviation that gains less does not pay; values are computed to 1e-12
LISTED_REGRET = 1e-9  # of a player's payoff range: largest regret of an equilibrium listed in floating point
ULPS = 4  # units in the last place by which arithmetic such as 0.1 + 0.2 may have changed a payoff
NEAREST = 2.0**-54  # largest distance of a probability to the nearest float: half of the spacing below 1

# Populations
CONSERVED = 1e-9  # largest change of a conserved quantity per step: a million operations round by less
CONSISTENT = 1e-8  # largest residual of a population whose gains are defined; equations are solved to 1e-11

# Verdicts
SAME_NUMBER = 1e-9  # relative: printed numbers of nine digits, or sums in another order, are the same
