"""The option --device: what it chooses, and that an absent device is refused in one line."""

import os
import subprocess
import sys

import jax
import pytest

from rivalry.core.results import provenance
from rivalry.runtime.jax import choose_device
from tests.cli.conftest import Command

ASK = """
import os
import jax
from jax._src.xla_bridge import make_cpu_client
from jax.extend.backend import register_backend_factory
from rivalry.runtime.jax import choose_device
register_backend_factory("oneapi", make_cpu_client, priority=300)  # the only one of the three vendors
choose_device("gpu")
print(os.environ["JAX_PLATFORMS"], jax.config.jax_platforms, float(jax.numpy.ones(3).sum()))
"""


@pytest.fixture(autouse=True)
def _platforms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")  # what the command sets is undone


def absent(name: str) -> bool:
    try:
        return not jax.devices(name)
    except RuntimeError:
        return True


@pytest.mark.parametrize("command", [["run", "matrix_classics"], ["resume", "runs/any"]])
def test_an_absent_device_is_refused_in_one_line(rivalry: Command, command: list[str]) -> None:
    if not absent("tpu"):
        pytest.skip("needs a machine without a TPU")
    answer = rivalry(*command, "--device", "tpu")
    assert (answer.status, answer.out) == (2, "")
    assert answer.err == "rivalry: --device tpu: JAX has no such device here, but cpu\n"
    assert os.environ["JAX_PLATFORMS"] == "cpu"
    assert float(jax.numpy.zeros(3).sum()) == 0.0  # programs still run


def test_a_wrong_name_is_refused(rivalry: Command) -> None:
    answer = rivalry("run", "matrix_classics", "--device", "gpus")
    assert (answer.status, answer.err) == (2, "rivalry: --device gpus: did you mean 'gpu'?\n")
    answer = rivalry("run", "matrix_classics", "--device", "cpu", "--executor", "ray")
    assert answer.status == 2


@pytest.mark.slow
def test_a_device_that_is_there_is_chosen_for_this_process_and_its_workers() -> None:
    done = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["oneapi,cpu", "oneapi,cpu", "3.0"]
    choose_device("cpu")
    assert os.environ["JAX_PLATFORMS"] == "cpu"


def test_a_run_states_the_device_if_it_is_not_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "device" not in provenance()
    monkeypatch.setenv("JAX_PLATFORMS", "cuda,cpu")
    assert provenance()["device"] == "cuda"
