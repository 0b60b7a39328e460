"""Programs of JAX on an accelerator beside one thread of the processor: wall time per call, and results.

python -m benchmarks.accelerator cpu cpu.json       a device's times, in a process of its own
python -m benchmarks.accelerator gpu gpu.json
python -m benchmarks.accelerator cpu.json gpu.json  the table of docs/howto/clusters.md
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.page import scaled

PAGE = Path(__file__).parents[1] / "docs" / "howto" / "clusters.md"
BEGIN, END = "<!-- devices -->", "<!-- end of devices -->"
HEAD = """\
| work | size | processor | accelerator | ratio | first: processor | first: accelerator | difference |
|---|---|---|---|---|---|---|---|
"""
CALLS, LONG = 5, 10.0  # repetitions, fewer where they have taken so many seconds
Call = Callable[[], Any]


def field(count: int) -> Call:
    """Gradients of two influencers at pairs of positions."""
    import rivalry as rv
    from rivalry.core.game import own_gradients
    from rivalry.runtime.jax import jax, jnp

    game = rv.games.influencer(reach=[0.2, 0.2], resource="bimodal")
    places = jnp.linspace(0, 1, count)
    pairs = jnp.stack(jnp.meshgrid(places, places, indexing="ij"), axis=-1)[..., None]
    program = jax.jit(jax.vmap(jax.vmap(lambda x: own_gradients(game, x)[:, 0])))
    return lambda: program(pairs)


def payoff_table(count: int) -> Call:
    """Payoffs of five influencers at all joint positions, by their formula."""
    import rivalry as rv
    from rivalry.runtime.jax import jax, jnp

    game = rv.games.influencer(reach=[0.2] * 5, resource="bimodal")
    axes = jnp.meshgrid(*[jnp.linspace(0, 1, count)] * 5, indexing="ij")
    profiles = jnp.stack([axis.ravel() for axis in axes], axis=1)[:, :, None]
    program = jax.jit(jax.vmap(game.payoffs))
    return lambda: program(profiles)


def flows(count: int) -> Call:
    """Ends of gradient flows of three influencers, as many reaches in one program."""
    import rivalry as rv
    from rivalry.solving.batches import solve_batch

    games = [rv.games.influencer(reach=[reach] * 3) for reach in np.linspace(0.1, 0.3, count)]
    starts = [rv.oracles.named_start(game, "paper_default") for game in games]
    methods = [rv.methods.GradientFlow()] * count
    return lambda: [end.profile for end in solve_batch(games, methods, starts, tolerance=None)]


def markets(count: int) -> Call:
    """Ends of best responses of two firms, as many unit costs in one program."""
    import rivalry as rv
    from rivalry.core.game import initial_profile
    from rivalry.solving.batches import solve_batch

    games = [rv.games.market(unit_cost=[cost, 10.0]) for cost in np.linspace(5.0, 20.0, count)]
    starts = [initial_profile(game, [[20.0], [20.0]]) for game in games]
    methods = [rv.methods.BestResponse()] * count
    return lambda: [end.profile for end in solve_batch(games, methods, starts, tolerance=None)]


def operator(levels: int) -> Call:
    """Values and distribution of a karma economy, 20 steps of both operators."""
    import rivalry as rv
    from benchmarks.test_mean_field import economy
    from rivalry.population import action_values, push
    from rivalry.population.oracles import first_distribution
    from rivalry.runtime.jax import jax, jnp

    game = economy(levels)
    pi = rv.oracles.named_start(game, "uniform")
    env = game.environment(first_distribution(game), pi)

    @jax.jit
    def program(values: Any, mu: Any) -> Any:
        def step(_: Any, carry: Any) -> Any:
            values, mu = carry
            q = action_values(game, env, values)
            return jnp.sum(pi * q, axis=1), push(game, env, mu[:, None] * pi)

        return jax.lax.fori_loop(0, 20, step, (values, mu))

    start = jnp.zeros(pi.shape[0]), first_distribution(game)
    return lambda: jnp.concatenate(program(*start))


def mean_field(levels: int) -> Call:
    """Efficiency at the mean-field equilibrium of a karma economy, by continuation."""
    from benchmarks.test_mean_field import economy, solved

    game = economy(levels)
    return lambda: solved(game)


def certified(family: str) -> Call:
    """Profile of a certified solve of a small game."""
    import rivalry as rv

    game, method = getattr(rv.games, family)(), rv.methods.BestResponse()
    return lambda: rv.solve(game, method).profile


WORKS: tuple[tuple[str, Callable[[Any], Call], tuple[Any, ...], str], ...] = (
    ("field of two influencers", field, (100, 1000), "{0} x {0} positions"),
    ("payoffs of five influencers", payoff_table, (11, 15), "{}⁵ profiles"),
    ("operators of a karma economy", operator, (21, 201, 1001), "{} levels"),
    ("ends of best responses", markets, (64, 1024), "{} markets"),
    ("certified solve", certified, ("market", "influencer"), "two players, {}"),
    ("mean-field equilibrium", mean_field, (21, 101), "{} levels"),
    ("ends of gradient flows", flows, (16, 64), "{} games of three influencers"),
)


def measured(make: Callable[[Any], Call], size: Any) -> dict[str, Any]:
    """Seconds of the first call and median of later ones, and the result as numbers."""
    from rivalry.runtime.jax import jax

    since = time.perf_counter()
    call = make(size)
    result = jax.block_until_ready(call())
    first, seconds = time.perf_counter() - since, []
    while not seconds or (len(seconds) < CALLS and sum(seconds) < LONG):
        since = time.perf_counter()
        jax.block_until_ready(call())
        seconds.append(time.perf_counter() - since)
    numbers = np.ravel(np.asarray(result, dtype=float))
    some = numbers[:: max(1, len(numbers) // 1000)]
    return {"first": first, "seconds": median(seconds), "result": some.tolist()}


def times(device: str, file: Path, limit: float = 240.0) -> None:
    """Measure works on a device until a limit of seconds, and write them to a file after each."""
    from rivalry.runtime.jax import choose_device, jax

    choose_device(device)
    report: dict[str, Any] = {"device": jax.devices()[0].device_kind, "jax": jax.__version__, "works": {}}
    begin = time.perf_counter()
    for title, make, sizes, unit in WORKS:
        for size in sizes:
            if time.perf_counter() - begin > limit:
                return
            name = f"{title} | {unit.format(size)}"
            try:
                report["works"][name] = measured(make, size)
            except Exception as error:
                print(f"{name}: {type(error).__name__}: {error}", flush=True)
                continue
            work = report["works"][name]
            print(f"{name}: first {scaled(work['first'])}, then {scaled(work['seconds'])}", flush=True)
            file.write_text(json.dumps(report))


def table(processor: dict[str, Any], accelerator: dict[str, Any]) -> str:
    """Return rows of works that both devices have done."""
    rows = []
    for name, theirs in accelerator["works"].items():
        if (ours := processor["works"].get(name)) is None:
            continue
        difference = float(np.abs(np.subtract(ours["result"], theirs["result"])).max())
        cells = [
            scaled(ours["seconds"]),
            scaled(theirs["seconds"]),
            f"{theirs['seconds'] / ours['seconds']:.2g}",
        ]
        cells += [scaled(ours["first"]), scaled(theirs["first"]), f"{difference:.0e}" if difference else "0"]
        rows.append(f"| {' | '.join([name, *cells])} |\n")
    return HEAD + "".join(rows)


def main(first: str, second: str) -> None:
    """Measure a device, or write the table of two devices into the page."""
    if not first.endswith(".json"):
        times(first, Path(second))
        return
    rows = table(*(json.loads(Path(file).read_text()) for file in (first, second)))
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n\n{rows}\n{END}{after}")


if __name__ == "__main__":
    main(*sys.argv[1:])
