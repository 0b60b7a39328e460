"""NashOpt's side, in double precision."""

from functools import cache

import jax
import jax.numpy as jnp
import nashopt
import numpy as np

from benchmarks.peers.clock import serve

jax.config.update("jax_enable_x64", True)


@cache  # a game is compiled again whenever it is made again
def _cournot(costs, demand, cap, high):
    def cost(i):
        return lambda x: x[i] * (costs[i] + jnp.sum(x) - demand)

    count = len(costs)
    return nashopt.GNEP(
        sizes=[1] * count,
        f=[cost(i) for i in range(count)],
        g=lambda x: jnp.sum(x, keepdims=True) - cap,
        ng=1,
        lb=np.zeros(count),
        ub=np.full(count, high),
        variational=True,
    )


def shared_cap(costs, demand, cap, high):
    return _cournot(tuple(costs), demand, cap, high).solve(verbose=0).x


if __name__ == "__main__":
    serve("nashopt", globals())
