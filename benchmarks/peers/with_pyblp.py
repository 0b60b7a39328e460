"""pyblp's side: costs and merged prices of its cereals; the problem is made once."""

from functools import cache
from glob import glob

import numpy as np
import pyblp

from benchmarks.peers.clock import serve

pyblp.options.verbose = False


@cache  # an estimate is made again whenever its problem is made again
def _estimated(table, slope):
    products = np.genfromtxt(glob(table)[0], delimiter=",", names=True, dtype=None, encoding="utf-8")
    formulation = pyblp.Formulation("0 + prices", absorb="C(product_ids)")
    fixed = {"beta": [slope], "beta_bounds": ([slope], [slope])}
    return products["firm_ids"], pyblp.Problem(formulation, products).solve(**fixed, method="1s")


@cache
def _costs(table, slope):
    return _estimated(table, slope)[1].compute_costs()


def _prices(table, slope, buyer, bought, costs):
    firms, results = _estimated(table, slope)
    return results.compute_prices(np.where(firms == bought, buyer, firms), costs=costs)[:, 0]


def costs_and_merged_prices(table, slope, buyer, bought):
    return _prices(table, slope, buyer, bought, _estimated(table, slope)[1].compute_costs())


def merged_prices(table, slope, buyer, bought):
    return _prices(table, slope, buyer, bought, _costs(table, slope))


if __name__ == "__main__":
    serve("pyblp", globals())
