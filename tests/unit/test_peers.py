"""The comparison with other packages, with a package that the test writes."""

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers import __main__ as peers
from benchmarks.peers import works

SIDE = """
from benchmarks.peers.clock import serve

def squares(numbers):
    print("words of the package")
    return [number**2 + {more} for number in numbers]

def missing(numbers):
    raise ValueError("no such package")

serve("numpy", globals())
"""


def side(folder: Path, more: float = 0.0) -> list[str | Path]:
    path = folder / f"side_{more}.py"
    brief = "from benchmarks.peers import clock\nclock.WARM_UP, clock.ROUND = 1e-9, 1e-3\n"
    path.write_text(brief + SIDE.format(more=more))
    begin = f"import sys, runpy; sys.path.insert(0, {str(peers.ROOT)!r}); runpy.run_path({str(path)!r})"
    return [sys.executable, "-c", begin]


def work(task: str = "squares") -> works.Work:
    return works.Work("squares", task, ("none",), {"numbers": [1.0, 0.1]}, works._same_numbers, 1e-9)


@pytest.mark.slow
def test_both_sides_are_timed_in_turns(tmp_path: Path) -> None:
    found = peers.compare(work(), side(tmp_path), side(tmp_path, 1e-12))
    assert found.difference == pytest.approx(1e-12, rel=1e-3)
    assert len(found.ours) == len(found.theirs) == peers.ROUNDS
    assert all(times["processor"] > 0 and times["wall"] > 0 for times in [*found.ours, *found.theirs])
    assert min(found.first) > max(times["processor"] for times in found.ours)
    assert found.version == np.__version__
    assert len(peers.row("Nashpy", "squares", found).strip("| ").split(" | ")) == 8


@pytest.mark.slow
def test_results_that_differ_and_sides_that_fail_say_so(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"differ by 1; must be within 1e-09"):
        peers.compare(work(), side(tmp_path), side(tmp_path, 1.0))
    with pytest.raises(RuntimeError, match="no such package"):
        peers.compare(work("missing"), side(tmp_path), side(tmp_path))


def test_a_package_that_does_not_install_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(peers, "PEERS", {"none": peers.Peer("None", "none", "MIT")})
    monkeypatch.setattr(peers, "ENVIRONMENTS", tmp_path)
    monkeypatch.setattr(peers, "INSTALL_LIMIT", 1e-9)
    assert peers.main() == 0
    assert capsys.readouterr().out == "None: does not install within 0 s; left out\n"


def test_every_work_has_a_function_on_both_sides() -> None:
    folder = Path(peers.__file__).parent
    ours = (folder / "ours.py").read_text(encoding="utf-8")
    used = {key for each in works.WORKS for key in each.peers}
    assert used == set(peers.PEERS), "benchmarks/peers/works.py: correct the peers of WORKS to those of PEERS"
    for each in works.WORKS:
        for key in each.peers:
            begin, peer = f"def {each.task}({', '.join(each.inputs)}):", folder / f"with_{key}.py"
            assert begin in ours, f"benchmarks/peers/ours.py: add `{begin}` for {each.title}"
            assert begin in peer.read_text(encoding="utf-8"), (
                f"benchmarks/peers/{peer.name}: add `{begin}` for {each.title}"
            )


def test_orders_and_doubles_of_equilibria_do_not_matter() -> None:
    one, other = [[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.25, 0.75]]
    assert works._same_points({}, [one, other], [other, one, one]) == 0
    assert works._same_points({}, [one], [one, other]) == np.inf
    game = {"A": [[1.0, 0.0], [0.0, 1.0]], "B": [[1.0, 0.0], [0.0, 1.0]]}
    assert works._gain(game, one) == 1  # both would rather meet
    assert works._gain(game, [[0.5, 0.5], [0.5, 0.5]]) == 0
