"""``rivalry certify --policy``: a policy from a file, judged in the game of a study."""

import pickle
import re
import sys
from hashlib import sha256
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.tables import policy_certificate
from rivalry.tables.repeated import repeated_form
from tests.cli.conftest import Answer, Command

STUDY = """
title = "The prisoner's dilemma, repeated"
question = "Is a strategy an equilibrium?"
source = "own"
[game]
family = "matrix"
payoffs = [[[3, 0], [5, 1]], [[3, 5], [0, 1]]]
[[method]]
kind = "repeated_q_learning"
memory = 1
gamma = GAMMA
"""
POLICIES = """
import numpy as np
def tit_for_tat(seen): return int(seen[3])
def grim(seen): return int(not (seen[0] and seen[2]))
def half(seen): return [0.5, 0.5]
def fails(seen): return 1 / 0
def unequal(seen): return [0.5, 0.6]
def beyond(seen): return 2
defect = [[0, 1]] * 4
defect_always = [1] * 4
short = [[0, 1]] * 3
holes = [[np.nan, 1]] * 4
words = "always defect"
draws = np.random.default_rng(1)
def random(seen): return int(draws.integers(2))
asked = []
def counts(seen):
    asked.append(seen)
    return len(asked) % 2
def remembers(seen):
    before = asked[-1][0] if asked else 0
    asked.append(seen)
    return int(before)
def complex(seen): return [0.5 + 0.1j, 0.5 - 0.1j]
def boolean(seen): return bool(seen[0])
def text(seen): return "1"
def nothing_at_all(seen): return None
def ends(seen): raise SystemExit("bye")
class Mute(Exception):
    def __str__(self): raise RuntimeError
def mute(seen): raise Mute
def lines(seen): raise KeyError("a\\nb\\x1b[2J")
class Hostile:
    def __array__(self, *_, **__): raise MemoryError("no")
    def __repr__(self): raise ValueError("no")
def hostile(seen): return Hostile()
def recursive(seen): return recursive(seen)
complex_table = np.array([[0.5 + 0.1j, 0.5]] * 4)
boolean_table = np.array([[False, True]] * 4)
text_table = [["0", "1"]] * 4
"""
BID = "def bid(seen, mask): return mask / mask.sum(axis=1, keepdims=True)\n"


@pytest.fixture
def certify(rivalry: Command) -> Command:
    """Judges a policy in the repeated game; returns what the command says."""
    Path("dilemma.toml").write_text(STUDY.replace("GAMMA", "0.6"))
    Path("own.py").write_text(POLICIES)

    def call(policy: str, *more: str, game: str = "dilemma.toml") -> Answer:
        return rivalry("certify", "--policy", policy, "--game", game, *more)

    return call


def judged(certify: Command, policy: str, *more: str, **game: str) -> dict[str, Any]:
    answer = certify(policy, "--json", *more, **game)
    assert answer.status == 0, answer.err
    found: dict[str, Any] = answer.value["certificates"][0]
    return found


@pytest.mark.slow
def test_grim_play_is_an_equilibrium_at_high_discount_factors_only(certify: Command) -> None:
    # 3 for ever against 5 once and 1 for ever: an equilibrium if the discount factor is at least 1/2
    assert judged(certify, "own.py:grim")["claim"] == "equilibrium"
    Path("dilemma.toml").write_text(STUDY.replace("GAMMA", "0.4"))
    found = judged(certify, "own.py:grim")
    assert found["claim"] == "not an equilibrium"
    assert found["regret"][0] == pytest.approx(5 * 0.6 + 1 * 0.4 - 3)


@pytest.mark.representative
def test_mixed_play_and_tables(certify: Command) -> None:
    found = judged(certify, "own.py:half")
    assert found["regret"] == pytest.approx([3 - 2.25] * 2)  # always defecting, against even mixing
    assert judged(certify, "own.py:defect")["regret"] == [0.0, 0.0]
    assert judged(certify, "own.py:defect_always")["regret"] == [0.0, 0.0]


def test_gains_are_those_of_the_best_policy_of_all() -> None:
    """Against all 16 policies with one round of memory, from every state, by linear equations."""
    rng = np.random.default_rng(3)
    pays, gamma = np.array([[3.0, 0.0], [5.0, 1.0]]), 0.6
    world = repeated_form(rv.games.matrix(pays, pays.T))
    for _ in range(5):
        table = rng.dirichlet(np.ones(2), size=4)
        values = {}
        for own in [table, *(np.eye(2)[list(moves)] for moves in product((0, 1), repeat=4))]:
            joint = np.einsum("sa,sb->sab", own, table).reshape(4, 4)
            values[own.tobytes()] = np.linalg.solve(np.eye(4) - gamma * joint, joint @ pays.ravel())
        best = np.max(list(values.values()), axis=0)
        found = policy_certificate(world, np.array([gamma, gamma]), table)
        expected = (1 - gamma) * (best - values[table.tobytes()]).max()
        assert found.regret[0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("fails", "at [1.0, 0.0, 1.0, 0.0] it raised ZeroDivisionError"),
        ("unequal", "must be at least 0 and sum to 1"),
        ("beyond", "2 must be an action, 0 to 1"),
        ("short", "shape (3, 2) must be (4, 2) [state action]"),
        ("holes", "must be at least 0 and sum to 1"),
        ("words", "'always defect' must be actions or probabilities"),
        ("random", "returns different actions for the same observation; return probabilities"),
        ("counts", "at [1.0, 0.0, 1.0, 0.0] returns different actions for the same observation"),
        ("remembers", "returns different actions for the same observation; return probabilities"),
        ("complex", "[(0.5+0.1j), (0.5-0.1j)] must be actions or probabilities"),
        ("boolean", "True must be actions or probabilities, not booleans"),
        ("text", "'1' must be actions or probabilities"),
        ("nothing_at_all", "at [1.0, 0.0, 1.0, 0.0] nan must be an action"),
        ("ends", "at [1.0, 0.0, 1.0, 0.0] it raised SystemExit: bye"),
        ("mute", "at [1.0, 0.0, 1.0, 0.0] it raised Mute"),
        ("lines", "it raised KeyError: 'a"),
        ("hostile", "it raised MemoryError: no"),
        ("recursive", "it raised RecursionError"),
        ("complex_table", "must be actions or probabilities"),
        ("boolean_table", "must be actions or probabilities, not booleans"),
        ("text_table", "must be actions or probabilities"),
        ("nothing", "defines no 'nothing'"),
    ],
)
def test_wrong_policies_are_refused_in_one_line(certify: Command, name: str, words: str) -> None:
    answer = certify(f"own.py:{name}")
    assert answer.status == 2
    announced, line = answer.err.strip().splitlines()
    assert announced == "runs own.py, which --policy names"
    assert words in line


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("grim", "verified: the gain of player 0 is from 0.0 to "),
        ("half", "verified: the gain of player 0 is from 0.74999999"),
        ("defect", "verified: the gain of player 0 is from 0.0 to "),
    ],
)
def test_the_proof_of_a_policy_is_written_and_checked(certify: Command, name: str, verdict: str) -> None:
    pytest.importorskip("flint")
    found = certify(f"own.py:{name}", "--export", "proofs", "--json").value
    (line,) = found["proofs"]
    assert line.startswith(f"{name}.json: ")
    assert verdict in line
    digest = sha256(Path("proofs", f"{name}.json").read_bytes()).hexdigest()
    assert line.endswith(f"SHA-256 {digest}")
    # the gain that is proved is that of the certificate
    low, high = map(float, re.findall(r"player 0 is from (\S+) to ([^;]+);", line)[0])
    assert low - 1e-11 <= found["certificates"][0]["regret"][0] <= high + 1e-11


@pytest.mark.slow
def test_what_has_no_proof_says_why(certify: Command, rivalry: Command) -> None:
    Path("more.py").write_text(BID)
    answer = certify("more.py:bid", "--export", "proofs", game="karma_equilibrium")
    assert answer.status == 0
    assert "bid: no file: proof: " in answer.out
    assert certify("own.py:defect", "--proof", game="matrix_classics").status == 2
    assert "judge a profile by --profile" in certify("own.py:defect", game="matrix_classics").err
    assert rivalry("certify", "runs", "--export", "proofs").status == 2


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["runs", "--policy", "own.py:grim", "--game", "tour"],
        ["--policy", "own.py:grim"],
        ["runs", "--game", "tour"],
    ],
)
def test_a_run_and_a_policy_exclude_each_other(rivalry: Command, arguments: list[str]) -> None:
    answer = rivalry("certify", *arguments)
    assert answer.status == 2
    assert "give" in answer.err


@pytest.mark.slow
def test_policies_of_populations(certify: Command) -> None:
    Path("more.py").write_text(BID)
    found = judged(certify, "more.py:bid", game="karma_equilibrium")
    assert (found["claim"], found["concept"]) == ("not an equilibrium", "mean field")
    lines = certify("more.py:bid", game="karma_equilibrium").out.splitlines()
    assert lines[0].split() == ["type", "largest", "gain", "bound"]  # a mean field has no player 0
    assert lines[-1].startswith("gain: that of an agent of the type from a best response; ")


# Tables that other programs wrote


def in_plain_python(policy: list[int], gamma: float) -> float:
    """The best response's largest gain per period against two players of memory 2, by value iteration."""
    pays = {(0, 0): 3.0, (0, 1): 0.0, (1, 0): 5.0, (1, 1): 1.0}
    past = list(product(range(2), repeat=4))  # a0 and a1 two rounds ago, then of the last round
    rule = dict(zip(past, policy, strict=True))
    own, best = dict.fromkeys(past, 0.0), dict.fromkeys(past, 0.0)
    for _ in range(400):
        later = {s: {a: (*s[2:], a, rule[s]) for a in range(2)} for s in past}
        own = {s: pays[rule[s], rule[s]] + gamma * own[later[s][rule[s]]] for s in past}
        best = {s: max(pays[a, rule[s]] + gamma * best[later[s][a]] for a in range(2)) for s in past}
    return max(best[s] - own[s] for s in past) * (1 - gamma)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["npy", "npz", "csv", "values"])
def test_tables_of_other_programs_with_two_rounds_of_memory(form: str, certify: Command) -> None:
    rng = np.random.default_rng(4)
    Path("dilemma.toml").write_text(STUDY.replace("GAMMA", "0.6").replace("memory = 1", "memory = 2"))
    for _ in range(3):
        policy = rng.integers(0, 2, 16)
        name, more = f"table.{form}", list[str]()
        if form == "npy":
            np.save("table.npy", policy)
        elif form == "npz":
            np.savez_compressed("table.npz", q=policy, other=np.zeros(3))
            name = "table.npz:q"
        elif form == "csv":
            Path(name).write_text("action\n" + "\n".join(map(str, policy.tolist())) + "\n")
        else:
            name, more = "q.npy", ["--q-values"]
            np.save(name, np.eye(2, dtype=np.float32)[policy] * 7 - 3)
        found = judged(certify, name, *more)
        assert found["regret"][0] == pytest.approx(in_plain_python(policy.tolist(), 0.6), abs=1e-9)
        assert found["coverage"] == "tight"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("missing.npy", "missing.npy: no such file"),
        ("objects.npy", "an array of object"),
        ("cut.npy", "cut.npy: "),
        ("many.npz", "2 arrays; name one, FILE.npz:NAME: a, b"),
        ("many.npz:c", "no array 'c'; known: a, b"),
        ("words.csv", "column 'c' is unknown; known: 0, 1"),
        ("ragged.csv", "row 2: 1 entries; must be 2, as in the first row"),
        ("short.csv", "shape (2, 2) must be (4, 2) [state action]"),
        ("endless.npy", "must be at least 0 and sum to 1"),
        ("table.pkl", "must be FILE.py:NAME, FILE.npy, FILE.npz:NAME, FILE.pt:NAME, FILE.csv, FILE.parquet"),
    ],
)
def test_files_that_are_no_tables_are_refused_in_one_line(name: str, says: str, certify: Command) -> None:
    np.save("objects.npy", np.array([{}, 1], dtype=object), allow_pickle=True)
    np.save("cut.npy", np.zeros((4, 2)))
    Path("cut.npy").write_bytes(Path("cut.npy").read_bytes()[:-9])
    np.savez("many.npz", a=np.zeros(4), b=np.zeros(4))
    Path("words.csv").write_text("c,d\nyes,no\n")
    Path("ragged.csv").write_text("1,0\n1\n")
    Path("short.csv").write_text("1,0\n1,0\n")
    np.save("endless.npy", np.full((4, 2), np.inf))
    assert says in certify(name).refusal


@pytest.mark.slow
def test_probabilities_with_two_rounds_of_memory(certify: Command) -> None:
    """Against a fair coin defection pays (5 + 1)/2, and a coin (3 + 0 + 5 + 1)/4."""
    Path("dilemma.toml").write_text(STUDY.replace("GAMMA", "0.6").replace("memory = 1", "memory = 2"))
    np.save("half.npy", np.full((16, 2), 0.5))
    found = judged(certify, "half.npy")
    assert found["regret"] == pytest.approx([0.75, 0.75], abs=1e-9)
    assert found["coverage"] == "tight"


@pytest.mark.parametrize(
    ("name", "more"),
    [("q.pt", ["--q-values"]), ("agents.pth:q", ["--q-values"]), ("half.pt", []), ("moves.pt:policy", [])],
)
def test_tensors_are_tables(name: str, more: list[str], certify: Command) -> None:
    torch = pytest.importorskip("torch")
    q = np.eye(2)[[0, 1, 1, 1]] * 7 - 3
    torch.save(torch.tensor(q, dtype=torch.bfloat16), "q.pt")
    torch.save({"q": torch.tensor(q, requires_grad=True), "seen": torch.zeros(3)}, "agents.pth")
    torch.save({"policy": torch.full((4, 2), 0.5)}, "half.pt")
    torch.save({"policy": torch.tensor([0, 1, 1, 1]), "step.weight": torch.zeros(1)}, "moves.pt")
    found = judged(certify, name, *more)
    expected = judged(certify, "own.py:half" if name == "half.pt" else "own.py:grim")
    assert found["regret"] == pytest.approx(expected["regret"], abs=1e-9)


class Bomb:
    """An object that makes a file when it is unpickled."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path("ran"),)


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ("object", "holds more than tensors, of which nothing was run"),
        ("dictionary", "holds more than tensors, of which nothing was run"),
        ("plain pickle", "is no archive, as torch.save writes; a pickle alone is not read"),
    ],
)
def test_nothing_in_a_hostile_file_of_pytorch_is_run(form: str, says: str, certify: Command) -> None:
    torch = pytest.importorskip("torch")
    content = {"q": torch.zeros(4, 2), "more": Bomb()} if form == "dictionary" else Bomb()
    if form == "plain pickle":
        Path("agents.pt").write_bytes(pickle.dumps(content))
        pickle.loads(Path("agents.pt").read_bytes())
    else:
        torch.save(content, "agents.pt")
        torch.load("agents.pt", weights_only=False)
    assert Path("ran").exists()  # it does run where pickles are trusted
    Path("ran").unlink()
    for name in ("agents.pt", "agents.pt:q"):
        assert says in certify(name).refusal
        assert not Path("ran").exists()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("network.pt", "holds the weights of a network; a table of actions, probabilities or values"),
        ("checkpoint.pt", "must hold a tensor, or a dictionary of tensors by name; a table of actions"),
        ("module.pt", "holds more than tensors, of which nothing was run; a table of actions"),
        ("many.pt", "2 arrays; name one, FILE.pt:NAME: first, second"),
        ("many.pt:third", "no array 'third'; known: first, second"),
        ("shared.pt", "a tensor of 1000000000000 entries; must have at most"),
        ("sparse.pt", "a sparse tensor or one without numbers; must be dense"),
        ("complex.pt", "an array of complex64; must be of numbers"),
        ("cut.pt", "is no archive, as torch.save writes"),
    ],
)
def test_files_of_pytorch_without_a_table_are_refused_in_one_line(
    name: str, says: str, certify: Command
) -> None:
    torch = pytest.importorskip("torch")
    network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    torch.save(network.state_dict(), "network.pt")
    torch.save({"model": network.state_dict(), "epoch": 3}, "checkpoint.pt")
    torch.save(network, "module.pt")
    torch.save({"first": torch.zeros(4, 2), "second": torch.zeros(4, 2)}, "many.pt")
    torch.save(torch.zeros(1).expand(10**12), "shared.pt")
    torch.save(torch.eye(4, 2).to_sparse(), "sparse.pt")
    torch.save(torch.zeros(4, 2, dtype=torch.complex64), "complex.pt")
    Path("cut.pt").write_bytes(Path("many.pt").read_bytes()[:-30])
    assert says in certify(name).refusal


def test_files_of_pytorch_need_a_version_that_runs_nothing_in_them(
    certify: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("q.pt").write_bytes(b"PK")
    old = ModuleType("torch")
    old.__version__ = "2.9.1+cpu"  # type: ignore[attr-defined]
    for module, says in (
        (None, "needs PyTorch, pip install"),
        (old, "needs PyTorch 2.10 or newer, pip install"),
    ):
        monkeypatch.setitem(sys.modules, "torch", module)
        assert says in certify("q.pt").refusal
