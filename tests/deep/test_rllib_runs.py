"""Runs of deep learners: reproducible, resumed after an interruption, no processes left over."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core import files
from rivalry.integrations.rllib import DQN, PPO, SAC
from rivalry.integrations.rllib.algorithms import STATE, DeepLearner
from rivalry.lab import trust
from rivalry.lab.checkpoints import CheckpointFile

pytest.importorskip("ray")
torch = pytest.importorskip("torch")
psutil = pytest.importorskip("psutil")


SHORT: dict[str, Any] = {
    "iterations": 2,
    "batch": 40,
    "envs": 2,
    "periods": 10,
    "minibatch": 16,
    "rounds": 10,
    "evaluation": 20,
}
LEARNERS: dict[str, DeepLearner] = {
    "ppo": PPO(policies="shared", **SHORT),
    "dqn": DQN(moves="grid", action_grid=5, warm_up=0, updates=5, **SHORT),
    "sac": SAC(warm_up=0, updates=5, **SHORT),
}
ALONE = """
import sys
from tests.deep.test_rllib_runs import LEARNERS, bits
for name in sys.argv[1:]: print(bits(LEARNERS[name], 1))
"""


def found(learner: DeepLearner, seed: int) -> Any:
    return rv.solve(rv.games.influencer(reach=[0.2, 0.3]), learner, seed=seed, tolerance=None).data


def bits(learner: DeepLearner, seed: int) -> str:
    data = found(learner, seed)
    text = {name: np.asarray(data[name]).tolist() for name in sorted(data.data_vars)}
    return json.dumps(text, sort_keys=True)


def lines(words: list[str], hashes: str) -> list[str]:
    """Return the results of a separate process with the given hash seed, one line per learner."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ALONE, *words],
        env=os.environ | {"PYTHONHASHSEED": hashes},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_results_depend_only_on_the_seed() -> None:
    words = list(LEARNERS)
    assert lines(words, "1") == lines(words[::-1], "2")[::-1]


def test_seeds_differ_and_global_generators_are_unchanged() -> None:
    np.random.seed(5), torch.manual_seed(5)  # noqa: NPY002
    threads = torch.get_num_threads()
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    one, two = (found(LEARNERS["ppo"], seed) for seed in (1, 2))
    assert not np.array_equal(one.learning_reward, two.learning_reward)
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[1])
    assert torch.get_num_threads() == threads
    np.random.seed(3), torch.manual_seed(8)  # noqa: NPY002
    np.testing.assert_array_equal(found(LEARNERS["ppo"], 1).learning_reward, one.learning_reward)


@pytest.mark.brief
@pytest.mark.parametrize("name", LEARNERS)
def test_a_checkpoint_restores_weights_and_progress(name: str) -> None:
    game, learner = rv.games.influencer(), LEARNERS[name]
    world = learner.world(game)
    session = learner.begin(world, np.random.SeedSequence(1))
    assert learner.advance(world, session, 1) == 1
    began = time.perf_counter()
    arrays = learner.pack(session)
    took = time.perf_counter() - began
    assert sum(array.nbytes for array in arrays.values()) < 4e6
    assert took < 5
    weights = session.algorithm.get_weights()
    again = learner.unpack(arrays)
    np.testing.assert_array_equal(again.rewards[0], session.rewards[0])
    assert learner.advance(world, again, 0) == 0
    from rivalry.integrations.rllib import training

    training.networks(world, again)  # rebuild the algorithm
    for group, own in again.algorithm.get_weights().items():
        for key, value in own.items():
            np.testing.assert_array_equal(value, weights[group][key])
    assert learner.advance(world, again, 5) == 1
    record = learner.read(world, again)
    assert bool(record["resumed"][1])
    assert len(record["learning_step"][1]) == 2
    np.testing.assert_array_equal(record["learning_step"][1], [0, 40])
    assert not bool(learner.read(world, session)["resumed"][1])


@pytest.mark.parametrize("game", [rv.games.influencer, rv.games.race])
def test_episodes_are_sampled_by_other_processes(game: Any) -> None:
    learner = PPO(moves="grid", action_grid=5, runners=2, **SHORT)
    result = rv.solve(game(), learner, seed=1, tolerance=None)
    assert (result.data.learning_reward.dims, result.data.sizes["sample"]) == (("sample", "player"), 2)
    assert np.isfinite(result.data.learning_reward).all()
    end = time.monotonic() + 30
    while any(runs_games(process) for process in psutil.Process().children(recursive=True)):
        assert time.monotonic() < end, "the processes that played are still there"
        time.sleep(0.1)


def runs_games(process: Any) -> bool:
    try:
        return "EnvRunner" in " ".join(process.cmdline())
    except psutil.Error:
        return False


def test_rewards_of_staged_periods() -> None:
    record = rv.solve(rv.games.market(stages=[[1], [0]]), PPO(**SHORT | {"iterations": 4}), seed=1).data
    # 40 steps of two environments are 10 periods of 2 stages: one episode each per iteration
    assert record.learning_reward.shape == (4, 2)
    assert np.all(np.abs(record.learning_reward) < 2025 * 2)


def test_long_episodes_are_recorded_at_the_step_where_they_end() -> None:
    record = rv.solve(rv.games.influencer(), PPO(**SHORT | {"iterations": 5, "periods": 50}), seed=1).data
    np.testing.assert_array_equal(record.learning_step, [80, 160])
    np.testing.assert_allclose(record.learning_reward.sum("player"), 100, atol=1e-3)


def test_learning_curves_include_learning_followers() -> None:
    data = rv.solve(rv.games.market(stages=[[0], [1]]), PPO(**SHORT), seed=1).data
    assert (data.profile.shape, data.learning_reward.dims) == ((1, 1), ("sample", "seat"))
    assert data.learning_reward.shape[1] == 2


STUDY = """
title = "short"
[game]
family = "influencer"

[[method]]
kind = "rllib.ppo"
iterations = {iterations}
batch = 40
envs = 2
periods = 10
minibatch = 16
epochs = 1
"""


MAIN = "import sys; from rivalry.cli import main; sys.exit(main())"
HASTY = """
from rivalry.lab.executor import carry_out
from rivalry.lab.store import Run
from rivalry.lab.study import load_study
if __name__ == "__main__":
    carry_out(Run.create_or_open("run", load_study("short.toml")), workers=1, checkpoint_every=0.5)
"""


def begun(*words: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    )


def of_ray(before: set[int]) -> list[str]:
    """Return the command lines of Ray processes that are not in ``before``."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        words = " ".join(process.info["cmdline"] or [])
        if process.info["pid"] not in before and "rivalry-rllib-" in words:
            found.append(words[:80])
    return found


def killed_with_a_checkpoint(folder: Path) -> Path:
    """Run a study, kill it once it has saved a state, and return the file of that state."""
    (folder / "short.toml").write_text(STUDY.format(iterations=40))
    before = {process.pid for process in psutil.process_iter()}
    process = begun("-c", HASTY, cwd=folder)
    saved = folder / "run" / "checkpoints"
    end = time.monotonic() + 120
    while time.monotonic() < end and not (saved.is_dir() and any(saved.iterdir())):
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    end = time.monotonic() + 30
    while of_ray(before) and time.monotonic() < end:
        time.sleep(0.3)
    assert of_ray(before) == []
    (path,) = saved.glob("*.npz")
    return path


@pytest.mark.brief
def test_a_killed_run_is_resumed(tmp_path: Path) -> None:
    killed_with_a_checkpoint(tmp_path)
    before = {process.pid for process in psutil.process_iter()}
    again = begun("-c", MAIN, "resume", "run", "--json", cwd=tmp_path)
    out, err = again.communicate(timeout=300)
    assert again.returncode == 0, err
    for line in out.splitlines():
        json.loads(line)
    assert of_ray(before) == []
    data = rv.load_run(tmp_path / "run").dataset()
    assert bool(np.asarray(data.resumed).all())
    assert data.learning_reward.sizes["sample"] == 40


class Bomb:
    """An object whose pickle runs code when it is read."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> object:
        return open, (str(self.mark), "w")


def test_a_strangers_state_of_rllib_is_refused_and_nothing_of_it_runs(tmp_path: Path) -> None:
    path, mark = killed_with_a_checkpoint(tmp_path), tmp_path / "ran"
    arrays = {
        name: array for name, (_, array) in files.read(path, kind="checkpoint", name=path.stem).record.items()
    }
    state, streams = pickle.loads(arrays[STATE].tobytes())
    bomb = pickle.dumps(((state, Bomb(mark)), streams))
    strangers = arrays | {STATE: np.frombuffer(bomb, np.uint8)}
    genuine = path.read_bytes()
    for key in ("a stranger's", trust.cell_key("another cell")):
        CheckpointFile(path, key=key).save(strangers)
        again = begun("-c", MAIN, "resume", "run", cwd=tmp_path)
        _, err = again.communicate(timeout=300)
        assert again.returncode == 2
        assert "continues from a pickle that was not written here" in err.splitlines()[-1]
        assert not mark.exists()
    # a state that is damaged on the disk is put aside, and its cell begins anew
    middle = len(genuine) // 2
    path.write_bytes(genuine[:middle] + bytes([genuine[middle] ^ 1]) + genuine[middle + 1 :])
    again = begun("-c", MAIN, "resume", "run", cwd=tmp_path)
    _, err = again.communicate(timeout=300)
    assert again.returncode == 0, err
    assert not np.asarray(rv.load_run(tmp_path / "run").dataset().resumed).any()
