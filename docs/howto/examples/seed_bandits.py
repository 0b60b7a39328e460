import numpy as np

from rivalry.extend import TableLearner, generator_from_array, generator_to_array, played, tables_of


class SeedBandits(TableLearner):
    """Two epsilon-greedy players; `advance_together` takes a step of all seeds at once."""

    exploration: float = 0.1
    step_size: float = 0.1

    def begin(self, world, stream):
        shape = (2, tables_of(world).sizes.max())
        rng = generator_to_array(np.random.default_rng(stream))
        return {"values": np.zeros(shape), "counts": np.zeros(shape), "rng": rng}

    def advance(self, world, session, steps):
        return self.advance_together(world, [session], steps)[0]

    def advance_together(self, world, sessions, steps):
        payoff, sizes = tables_of(world).payoff[0], tables_of(world).sizes
        rngs = [generator_from_array(session["rng"]) for session in sessions]
        draws = np.stack([rng.random((steps, 2, 2)) for rng in rngs], axis=1)  # [step seed player draw]
        values, counts = (np.stack([session[name] for session in sessions]) for name in ("values", "counts"))
        seeds, players = np.arange(len(sessions))[:, None], np.arange(2)
        for explores, picks in np.moveaxis(draws, 3, 1):
            random = (picks * sizes).astype(int)
            actions = np.where(explores < self.exploration, random, values.argmax(axis=2))
            joint = np.ravel_multi_index(tuple(actions.T), tuple(sizes))
            gap = payoff[:, joint].T - values[seeds, players, actions]
            values[seeds, players, actions] += self.step_size * gap
            counts[seeds, players, actions] += 1
        for k, session in enumerate(sessions):
            session |= {"values": values[k], "counts": counts[k], "rng": generator_to_array(rngs[k])}
        return [steps] * len(sessions)

    def read(self, world, session):
        return played(world, session["counts"] / max(session["counts"][0].sum(), 1))
