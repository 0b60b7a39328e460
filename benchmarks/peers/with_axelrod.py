"""Axelrod's side."""

import axelrod

from benchmarks.peers.clock import serve

OTHER_NAMES = {"tit_for_two_tats": "TitFor2Tats"}


def round_robin(payoffs, strategies, turns):
    """Return scores in the order of the strategies."""
    (reward, sucker), (temptation, punishment) = payoffs
    names = [OTHER_NAMES.get(name, name.title().replace("_", "")) for name in strategies]
    players = [getattr(axelrod, name)() for name in names]
    game = axelrod.Game(r=reward, s=sucker, t=temptation, p=punishment)
    tournament = axelrod.Tournament(players, game=game, turns=turns, repetitions=1)
    return [sum(scores) for scores in tournament.play(progress_bar=False).scores]


if __name__ == "__main__":
    serve("axelrod", globals())
