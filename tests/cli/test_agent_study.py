"""A study of a user's class with ``act``: its options are keys, and every replication has its own seeds."""

from pathlib import Path

import numpy as np
import pytest

import rivalry as rv
from tests.cli.conftest import Command
from tests.unit.test_agent_play import BANDIT


@pytest.mark.slow
def test_a_study_names_the_class(rivalry: Command) -> None:
    Path("bandit.py").write_text(BANDIT, encoding="utf-8")
    study = """
    title = "Bandits"
    [game]
    family = "matrix"
    name = "prisoners_dilemma"
    [[method]]
    kind = "bandit.py:Bandit"
    average_last = 500
    steps = 2000
    [sweep]
    "method.Bandit.epsilon" = [0.1, 1.0]
    [replications]
    count = 4
    """
    Path("study.toml").write_text(study, encoding="utf-8")
    assert rivalry("run", "study.toml").status == 0
    data = rv.load_run("runs/study").dataset()
    plays = data.profile.sel(axis=0).mean(["replication", "player"]).values.ravel()
    assert plays == pytest.approx([0.05, 0.5], abs=0.03)
    assert len(np.unique(data.regret.values)) == data.regret.size  # every replication has seeds of its own
    wrong = study.replace("average_last = 500", "epsilom = 0.5")
    Path("wrong.toml").write_text(wrong, encoding="utf-8")
    assert "method.Bandit.epsilom: unknown key; did you mean 'epsilon'?" in rivalry("run", "wrong.toml").err
