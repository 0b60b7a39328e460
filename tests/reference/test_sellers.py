"""The study `collusion_ends` beside a program in C that shares nothing with the package (`sellers.c`)."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rivalry.lab.report.full_runs import full_run

# of each setting: its options in C, and of a run of it sessions, mean gain and standard deviation
SETTINGS: dict[str, tuple[str, int, float, float]] = {
    "one remembered period": ("", 100, 0.8537, 0.115),
    "no memory": ("sees=0", 100, 0.9614, 0.043),
    "a discount factor of 0": ("gamma=0", 300, 0.2182, 0.102),
    "a discount factor of 0.5": ("gamma=.5", 100, 0.2015, 0.137),
    "a discount factor of 0.99": ("gamma=.99", 100, 0.9380, 0.056),
    "counterfactual updates": ("counterfactual=1", 100, 0.3497, 0.108),
    "on-policy updates (SARSA)": ("on_policy=1", 100, 0.7621, 0.149),
    "50 prices": ("points=50", 100, 0.7099, 0.024),
    "initial values above all attainable ones": ("low=10", 40, 0.9106, 0.097),
    "initial values below all attainable ones": ("low=0", 40, 0.6571, 0.125),
    "random initial values": ("low=0 high=10", 40, 0.8735, 0.108),
    "sight of the own price alone": ("sees=2", 40, -0.0345, 0.022),
    "sight of the rival's price alone": ("sees=3", 40, 0.6700, 0.192),
}


@pytest.fixture(scope="session")
def sellers(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], np.ndarray]:
    """``sellers("sees=0 ..")``: gain, periods and length of the cycle, a row per session."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        pytest.skip("needs a C compiler")
    program = tmp_path_factory.mktemp("sellers") / "sellers"
    source = Path(__file__).with_name("sellers.c")
    subprocess.run([compiler, "-O2", "-o", program, source, "-lm"], check=True)

    def run(options: str) -> np.ndarray:
        done = subprocess.run([program, *options.split()], check=True, capture_output=True, text=True)
        return np.array([line.split() for line in done.stdout.splitlines()], dtype=float)

    return run


def stored(name: str, column: int = 1) -> dict[str, list[tuple[float, float]]]:
    """Profit gains of a full run, with the half width of their 95 % interval, by setting."""
    full = full_run(name)
    assert full.answer is not None
    found: dict[str, list[tuple[float, float]]] = {}
    for row in full.answer.rows:
        mean, _, half = row[column].partition(" ± ")
        found.setdefault(row[0], []).append((float(mean), float(half or 0)))
    return found


def far(ours: tuple[float, float], mean: float, deviation: float, sessions: int) -> float:
    """Difference from the mean of the C program, in combined standard errors."""
    error = ours[1] / 2.02  # Student's quantile for 40 sessions; 2.09 for 20
    return abs(ours[0] - mean) / float(np.hypot(error, deviation / sessions**0.5))


def test_the_full_run_agrees_with_the_program_in_c() -> None:
    ours = stored("collusion_ends")
    assert set(ours) - set(SETTINGS) == {"random prices"}
    away = {words: far(ours[words][0], *SETTINGS[words][2:], SETTINGS[words][1]) for words in SETTINGS}
    assert max(away.values()) < 3.3, away


def test_other_units_and_other_random_numbers_leave_the_gains() -> None:
    """All prices doubled, or one unit higher: the same numbers as before, which are near those of C."""
    for words, gains in stored("collusion_ends_placebos", 4).items():
        assert len(gains) == 3
        assert len(set(gains)) == 1, words
        assert far(gains[0], *SETTINGS[words][2:], SETTINGS[words][1]) < 3.3, words


@pytest.mark.slow
def test_play_that_needs_no_learning_is_exact(sellers: Callable[[str], np.ndarray]) -> None:
    """Random prices have the mean gain of the grid, and memoryless learners of the dilemma defect."""
    assert abs(sellers("random=1 sessions=1")[0, 0] - stored("collusion_ends")["random prices"][0][0]) < 1e-4
    for gamma in ("0", ".5", ".95", ".99"):
        assert not sellers(f"dilemma=1 sees=0 sessions=5 gamma={gamma}")[:, 0].any()
    cooperate = sellers("dilemma=1 sees=1 sessions=40 gamma=.95")[:, 0] == 1
    assert abs(cooperate.mean() - 0.8) < 4 * (0.16 / 40) ** 0.5


@pytest.mark.nightly
@pytest.mark.parametrize("words", SETTINGS)
def test_each_setting_again_in_c(words: str, sellers: Callable[[str], np.ndarray]) -> None:
    gains = sellers(f"{SETTINGS[words][0]} sessions=40 seed=2")[:, 0]
    assert far(stored("collusion_ends")[words][0], gains.mean(), gains.std(ddof=1), 40) < 4


@pytest.mark.nightly
def test_gains_of_faster_exploration_differ_as_the_study_says(sellers: Callable[[str], np.ndarray]) -> None:
    """A decay of 2e-5, not 4e-6, lowers the gain with memory, patience or SARSA, and raises that at .5."""
    for words, expected in {
        "one remembered period": 0.79,
        "a discount factor of 0.99": 0.79,
        "a discount factor of 0.5": 0.42,
        "on-policy updates (SARSA)": 0.66,
    }.items():
        gains = sellers(f"{SETTINGS[words][0]} beta=2e-5 sessions=40 seed=2")[:, 0]
        assert abs(gains.mean() - expected) < 3.5 * gains.std(ddof=1) / 40**0.5 + 0.01, words
