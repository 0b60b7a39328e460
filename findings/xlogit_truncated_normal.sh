#!/usr/bin/env bash
# The truncated normal of xlogit is a censored one: part of the consumers ignore the price.
#
# A random coefficient with the distribution 'tn' is listed as a truncated normal. Guess: with mean 1 and standard
# deviation 1 the draws below zero are left out, so that everybody likes the attribute. The draws below zero are set
# to zero instead: 16 % of the consumers do not care, and choose either of two alternatives half of the time, however
# far these are apart. Shares, elasticities and willingness to pay differ from those of a truncated normal.
#
# Seen on 2026-11-28 with xlogit 0.2.7: "chosen though 100 units worse: 0.081 (truncated 0.000, censored 0.079)".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet xlogit==0.2.7
"$folder/env/bin/python" - <<'P'
from importlib.metadata import version
from statistics import NormalDist

import numpy as np
from xlogit import MixedLogit

print("xlogit", version("xlogit"))
random = np.random.default_rng(1)
consumers = np.repeat(np.arange(200), 2)
alternatives = np.tile([0, 1], 200)
quality = random.normal(size=(400, 1))
utility = quality[:, 0] + random.gumbel(size=400)
chosen = (utility.reshape(200, 2).argmax(1)[:, None] == [0, 1]).ravel()
model = MixedLogit()
model.fit(quality, chosen, ["quality"], alternatives, consumers, randvars={"quality": "tn"}, n_draws=100, verbose=0)
model.coeff_ = np.array([1.0, 1.0])
apart = np.tile([[0.0], [100.0]], (200, 1))
_, shares = model.predict(
    apart, ["quality"], alternatives, consumers, isvars=None, n_draws=2000, verbose=0, return_proba=True
)
worse = float(shares.mean(axis=0)[0])
censored = NormalDist().cdf(-1) / 2
print(f"chosen though 100 units worse: {worse:.3f} (truncated 0.000, censored {censored:.3f})")
assert abs(worse - censored) < 0.01, "the behaviour has changed"
P
