"""Random karma economies: an agent's gain in the population of a policy, by value iteration in NumPy."""

import warnings
from typing import Any

import numpy as np

import rivalry as rv
from rivalry.population.oracles import state_types, type_shares
from rivalry.runtime.jax import compiled, jax, jnp
from tests.duel.draws import ALIKE, Rng, Setting, maybe, pick
from tests.duel.judge import SECONDS, Duel, Fault, tried
from tests.referee.draws import wide


def karma(form: Rng, rng: Rng) -> Setting:
    """Draw an economy of few states."""
    top = int(form.integers(2, 6))
    keys: dict[str, Any] = {"max_karma": top, "mean_karma": float(rng.uniform(0.1, 0.9)) * top}
    keys |= {
        "gamma": float(rng.uniform(0, 0.97)),
        "urgencies": [float(wide(rng, 0.1, 1)), float(wide(rng, 1, 20))],
    }
    if maybe(form, 0.3):
        keys["bids"] = [
            0,
            *sorted(
                form.choice(np.arange(1, top + 1), size=form.integers(1, top + 1), replace=False).tolist()
            ),
        ]
    keys["payment"] = pick(form, "PBP", "PBS", "difference", "highest_losing_bid", "fixed_price", "charge")
    if keys["payment"] not in ("PBP", "PBS"):
        keys["receiver"] = pick(form, "peer", "society")
    if keys["payment"] == "fixed_price":
        keys["price"] = int(rng.integers(0, top + 1))
    if keys["payment"] == "charge":
        del keys["payment"]
        bids = np.arange(top + 1)
        keys["charge"] = np.minimum(bids[:, None], rng.integers(0, top + 1, (top + 1, top + 1))).tolist()
    keys["tie"] = pick(form, "coin", "lowest_index", "highest_urgency", "nobody")
    keys["signal"] = pick(form, "none", "none", "richer", "karma")
    keys["overflow"] = pick(form, "surplus", "winner_pays_room", "burn")
    if maybe(form, 0.3):
        places = int(form.integers(1, 4))
        keys |= {"participants": 4, "places": places, "tie": "coin", "signal": "none", "overflow": "surplus"}
    if maybe(form, 0.5):
        keys["chain"] = rng.dirichlet(np.ones(2), 2).tolist()
    if maybe(form, 0.3):
        keys["served_chain"] = rng.dirichlet(np.ones(2), 2).tolist()
    if maybe(form, 0.3):
        keys["tax"] = float(rng.uniform(0, 0.5))
    if maybe(form, 0.2):
        keys |= {"redistribute_every": int(form.integers(1, 4)), "private_names": ["calm", "pressed"]}
    if maybe(form, 0.3):
        keys["types"] = [
            {"name": "a", "share": 0.5},
            {"name": "b", "share": 0.5, "gamma": float(rng.uniform(0, 0.9))},
        ]
    if maybe(form, 0.2):
        keys |= {"agents": 4, "mean_karma": 1.0, "initial_karma": [1, 1, 1, 1]}
    elif maybe(form, 0.3):
        keys |= {"agents": 101, "idle": "random"}
    elif maybe(form, 0.3):
        keys["reward"] = f"{rng.uniform(-1, 1):.3f} - urgency^0.5*(1 - served)"
    return Setting("", "karma", keys, (rv.methods.OnlineMirrorDescent(),))


def economies(seed: int, first: int, count: int) -> list[Setting]:
    """Return settings, each with a random stream of its own."""
    found = []
    for number in range(first, first + count):
        streams = [np.random.default_rng([seed, number // ALIKE, *more]) for more in ([], [number])]
        found.append(karma(*streams)._replace(name=f"karma-{seed}-{number}"))
    return found


@compiled
def _world(game: Any, mu: Any, pi: Any) -> Any:
    env = game.environment(mu, pi)
    # expect maps values of next states to their means: units give the probabilities [next state action]
    return game.reward(env), jax.vmap(game.expect(env))(jnp.eye(len(mu)))


def gain_of_one(game: Any, mu: np.ndarray, pi: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the gain of one agent of each type, its payoff, and how far ``mu`` is from being stationary."""
    reward, chances = (
        np.asarray(part, dtype=float) for part in _world(game, jnp.asarray(mu), jnp.asarray(pi))
    )
    chances = np.moveaxis(chances, 0, 2)  # [state action next]
    legal, discount = np.asarray(game.legal, dtype=bool), np.asarray(game.discount, dtype=float)
    moves = np.einsum("sa,san->sn", pi, chances)
    own = np.linalg.solve(
        np.eye(len(mu)) - discount[:, None] * moves, (pi * np.where(legal, reward, 0)).sum(axis=1)
    )
    best = own.copy()
    for _ in range(20_000):
        after = np.where(legal, reward + discount[:, None] * (chances @ best), -np.inf).max(axis=1)
        done = np.max(np.abs(after - best)) <= 1e-13 * np.max(np.abs(after))
        best = after
        if done:
            break
    types, shares = np.asarray(state_types(game)), np.asarray(type_shares(game), dtype=float)
    parts = [np.bincount(types, mu * each) / shares for each in (best - own, own)]
    return parts[0], parts[1], float(np.abs(mu @ moves - mu).max())


def duel_of_economy(setting: Setting, seed: int = 0) -> Duel:
    """Solve an economy and certify other policies, each beside value iteration."""
    rng, found = np.random.default_rng(seed), Duel(setting.name, [], [])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        game = tried(setting.make, "factory", found)
        if game is None:
            return found
        legal = np.asarray(game.legal, dtype=float)
        drawn = legal * rng.random(legal.shape) ** 3 + 1e-12 * legal
        starts: list[Any] = [(rv.methods.Evaluate(), drawn / drawn.sum(axis=1, keepdims=True))]
        starts += [(method, None) for method in setting.methods]
        for method, start in starts:
            what = type(method).__name__
            limits: dict[str, Any] = {} if start is not None else {"max_seconds": SECONDS}
            solved = tried(
                lambda m=method, s=start, k=limits: rv.solve(game, m, s, path=False, **k), what, found
            )
            if solved is not None and solved.certificate is not None and "distribution" in solved.data:
                _judged(game, solved, found, what)
    return found


def _judged(game: Any, solved: Any, found: Duel, what: str) -> None:
    """Add what is wrong with the certificate of a policy."""
    proof, pi = solved.certificate, np.asarray(solved.profile.values, dtype=float)
    mu = np.asarray(solved.data.distribution.values, dtype=float)
    gained, paid, moved = gain_of_one(game, mu, pi)
    rounding = 1e-8 * np.maximum(np.abs(paid), np.abs(paid + gained))
    found.words.append(f"{what}: {proof.claim}")
    text = f"{what}: gains {gained.tolist()}, {proof.claim}, bound {np.asarray(proof.bound).tolist()}"
    payoff = np.asarray(solved.data.payoff.values, dtype=float)
    if not np.allclose(paid, payoff, rtol=1e-6, atol=1e-9 * np.abs(payoff).max()):
        found.faults.append(Fault("payoffs", f"{what}: {payoff.tolist()}, by a linear solve {paid.tolist()}"))
    if proof.claim == "equilibrium" and (np.any(gained > proof.tolerance + rounding) or moved > 1e-6):
        found.faults.append(Fault("false equilibrium", f"{text}, distribution moves {moved:.2g}"))
    elif np.any(gained > proof.bound + rounding):
        found.faults.append(Fault("false bound", text))
    elif proof.claim == "not an equilibrium" and np.all(gained <= 1e-6 * rounding):
        found.faults.append(Fault("false refutation", text))
