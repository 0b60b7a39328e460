"""Our side of every task."""

import tempfile
from functools import cache
from glob import glob

import numpy as np

import rivalry as rv
from benchmarks.peers.clock import serve


def _equilibria(A, B, algorithm):
    found = rv.solve(rv.games.matrix(A, B), rv.methods.MixedEquilibria(algorithm=algorithm))
    return found.data.equilibria.values


def all_equilibria(A, B):
    return _equilibria(A, B, "vertex_enumeration")


def stack_of_games(games, size):
    payoffs = np.random.default_rng(1).random((games, 2, size, size))
    lists = rv.all_equilibria(payoffs)
    return np.split(lists.equilibria, np.cumsum(lists.counts)[:-1])


def exact_equilibria(A, B):
    return _equilibria(A, B, "vertex_enumeration")


def lemke_howson(A, B):
    return _equilibria(A, B, "lemke_howson")


def fictitious_play(A, B, periods):
    played = rv.solve(rv.games.matrix(A, B), rv.methods.FictitiousPlay(), max_steps=periods, seed=1)
    return played.profile.values


def replicator(A, B, start, end):
    return rv.solve(rv.games.matrix(A, B), rv.methods.Replicator(end_time=end), start).profile.values


def linear_quadratic(A, B, R, Q, discount):
    from rivalry.families.lq import lq

    game = lq(A=A, B=B, R=R, Q=Q, gamma=discount, initial=[1.0] * len(A))
    return rv.solve(game, rv.methods.LinearQuadratic()).data.feedback.values[:, 0]


def repeated_payoffs(A, B, discount):
    game = rv.games.matrix(A, B)
    found = rv.solve(game, rv.methods.SubgamePerfectPayoffs(discount=discount))
    return found.data.payoff_vertices.values


def equilibrium_of_roads(gap):
    from benchmarks.peers.roads import demand_of, sioux_falls

    data = sioux_falls()
    game = rv.games.routes(data["links"], demand=demand_of(data["trips"]))
    return rv.solve(game, rv.methods.UserEquilibrium(gap=gap)).data.flow.values


def _poker(name):
    from rivalry.studies import poker

    return {"kuhn_poker": poker.kuhn_poker, "leduc_poker": poker.leduc_poker}[name]()


def poker_value(name):
    return float(rv.solve(_poker(name), rv.methods.LinearProgramme()).data.game_value)


def nash_conv(name):
    return float(rv.solve(_poker(name), rv.methods.Evaluate(), "uniform").data.nash_conv)


def tree_value(tree):
    with tempfile.NamedTemporaryFile("w", suffix=".efg") as file:
        file.write(tree)
        file.flush()
        game = rv.interop.read_extensive(file.name)
    return float(rv.solve(game, rv.methods.LinearProgramme()).data.game_value)


def fixation(payoffs, population, selection):
    game = rv.games.matrix(payoffs, np.transpose(payoffs))
    found = rv.solve(game, rv.methods.Fermi(population=population, selection=selection))
    return found.data.fixation.values * (1 - np.eye(len(payoffs)))


def round_robin(payoffs, strategies, turns):
    game = rv.games.matrix(payoffs, np.transpose(payoffs))
    return rv.solve(game, rv.methods.RoundRobin(strategies, turns=turns)).data.score.values


def _played(game, **options):
    from rivalry.studies import mean_field_games

    return float(rv.solve(game, mean_field_games.FiniteHorizonPlay(**options)).data.exploitability)


def crowd_mirror_descent(rounds):
    from rivalry.studies.mean_field_games import WalkMirrorDescent, crowd

    play = WalkMirrorDescent(update="mirror_descent", rounds=rounds, rate=0.01)
    return float(rv.solve(crowd(cost_of_first_visit=True), play).data.exploitability)


def crowd_fictitious_play(rounds):
    from rivalry.studies.mean_field_games import crowd

    return _played(crowd(cost_of_first_visit=True), rounds=rounds)


class Beach:
    """The beach bar of MFGLib: a line of places with walls, moves -1, 0, 1 with noise of the same size."""

    def __init__(self, places, periods):
        self.horizon, self.actions, self.first = periods, 3, np.full(places, 1 / places)
        there = np.arange(places)
        self.chances = np.zeros((places, 3, places))
        for action in range(3):
            for noise, chance in ((-1, 0.25), (0, 0.5), (1, 0.25)):
                after = np.clip(there + action - 1 + noise, 0, places - 1)
                np.add.at(self.chances, (there, action, after), chance)
        bar = places // 2
        # as MFGLib counts: around the end of the line, and from both sides of the bar
        far = np.minimum(np.roll(there, bar), np.roll(there[::-1], bar + 1))
        self.paid = -far[:, None] - np.array([1, 0, 1]) / places

    def reward(self, t, mu):
        return self.paid - np.log(mu + 1e-20)[:, None]

    def transition(self, t, mu):
        return self.chances

    def final_reward(self, mu):
        return np.zeros(len(mu))


def beach_mirror_descent(places, periods, rounds, rate):
    return _played(Beach(places, periods), update="mirror_descent", rounds=rounds, rate=rate)


def beach_fictitious_play(places, periods, rounds):
    return _played(Beach(places, periods), rounds=rounds)


def chain_mirror_descent(places, crowding, move, pull, slip, gamma, rate, beta, rounds):
    from benchmarks.peers.chain import chain  # needs JAX, which takes time to import

    game = chain(places, crowding, move, pull, slip, gamma)
    method = rv.methods.OnlineMirrorDescent(beta=beta, rate=rate)
    return rv.solve(game, method, np.full((places, 3), 1 / 3), max_steps=rounds, tol=1e-12).profile.values


def shared_cap(costs, demand, cap, high):
    names = [f"x{i + 1}" for i in range(len(costs))]
    total = " + ".join(names)
    payoffs = [f"{x} * ({demand - cost} - ({total}))" for x, cost in zip(names, costs, strict=True)]
    game = rv.games.continuous(payoffs=payoffs, low=0.0, high=high, shared=[f"{total} <= {cap}"])
    return rv.solve(game, rv.methods.VariationalEquilibrium()).profile.values[:, 0]


@cache  # pyblp keeps its problem, too
def _cereals(table):
    data = np.genfromtxt(glob(table)[0], delimiter=",", names=True, dtype=None, encoding="utf-8")
    return {name: data[name] for name in ("market_ids", "firm_ids", "shares", "prices")}


def _merged_markets(table, slope, buyer, bought):
    markets, firms, shares, prices = _cereals(table).values()
    after = np.where(firms == bought, buyer, firms)
    games = rv.markets.from_logit(shares, prices, price_coefficient=slope, owners=firms, markets=markets)
    merged = []
    for name, game in games.items():
        owners = after[markets == name].tolist()
        rows = [[good for good in range(len(owners)) if owners[good] == firm] for firm in sorted(set(owners))]
        merged.append(rv.markets.owned(game, rows))
    return merged


def _equilibrium_prices(games):
    return np.concatenate([found.prices for found in rv.markets.logit_equilibria(games)])


def costs_and_merged_prices(table, slope, buyer, bought):
    return _equilibrium_prices(_merged_markets(table, slope, buyer, bought))


_kept_markets = cache(_merged_markets)


def merged_prices(table, slope, buyer, bought):
    return _equilibrium_prices(_kept_markets(table, slope, buyer, bought))


def karma_episode(agents, mean_karma, steps):
    levels = 1 + 10 * mean_karma
    bids = np.tri(levels)[:, :mean_karma]
    bids = np.pad(bids / bids.sum(axis=1, keepdims=True), ((0, 0), (0, levels - mean_karma)))
    none = np.tile(np.eye(levels)[0], (levels, 1))
    game = rv.games.karma(
        urgencies=[0.0, 1.0], mean_karma=mean_karma, max_karma=levels - 1, agents=agents, payment="PBP"
    )
    plays = rv.methods.Simulation(plays=np.stack([none, bids])[None], evaluation=steps, warm_up=0)
    return -float(rv.solve(game, plays, seed=1).data.efficiency)


if __name__ == "__main__":
    serve("rivalry", globals())
