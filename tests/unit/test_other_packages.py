"""The table of docs/howto/coming_from.md: every cell has a check that calls the functions it names."""

import inspect
import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from tests.unit.test_house import differences

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "coming_from.md"
TREES = Path(__file__).parents[1] / "gambit"
A, B = (
    np.array([[2.0, 0.0], [0.0, 1.0]]),
    np.array([[1.0, 0.0], [0.0, 2.0]]),
)  # two pure equilibria and a mixed
MIXED = np.array([[2 / 3, 1 / 3], [1 / 3, 2 / 3]])
PENNIES = [[1, -1], [-1, 1]]
MODULES = {
    "Nashpy": "nashpy",
    "QuantEcon.py": "quantecon",
    "Gambit": "pygambit",
    "OpenSpiel": "pyspiel",
    "Axelrod": "axelrod",
}
SLOW = {  # these compile programs
    ("bimatrix equilibria", "QuantEcon.py"): pytest.mark.slow,
    ("n-player equilibria", "QuantEcon.py"): pytest.mark.slow,
    ("learning in repeated games", "QuantEcon.py"): pytest.mark.slow,
    ("learning in repeated games", "rivalry"): pytest.mark.slow,
    ("evolution", "rivalry"): pytest.mark.slow,
    ("continuous strategies", "rivalry"): pytest.mark.slow,
    ("mean-field games", "rivalry"): pytest.mark.nightly,
    ("studies with provenance", "rivalry"): pytest.mark.slow,
    ("certificates", "rivalry"): pytest.mark.slow,
    ("proofs", "rivalry"): pytest.mark.nightly,
}


def cells() -> dict[tuple[str, str], str]:
    """Return the cells of the page's first table that say something, by capability and package."""
    table = PAGE.read_text(encoding="utf-8").partition("| capability |")[2].partition("\n\n")[0]
    rows = [[part.strip() for part in line.strip("|").split("|")] for line in table.splitlines()]
    packages = [name for name in rows[0] if name]
    return {
        (row[0], package): words
        for row in rows[2:]
        for package, words in zip(packages, row[1:], strict=True)
        if words
    }


CHECKS: dict[tuple[str, str], Callable[[Path], Any]] = {}


def check(capability: str, package: str) -> Callable[[Callable[[Path], Any]], Callable[[Path], Any]]:
    def add(function: Callable[[Path], Any]) -> Callable[[Path], Any]:
        CHECKS[capability, package] = function
        return function

    return add


def is_all_three(found: list[Any]) -> bool:
    """Return whether a list holds the equilibria of (A, B)."""
    known = sorted([[1, 0, 1, 0], [0, 1, 0, 1], MIXED.ravel().tolist()])
    return np.allclose(sorted(np.ravel(pair).tolist() for pair in found), known)


@check("bimatrix equilibria", "rivalry")
def _(folder: Path) -> None:
    found = rv.solve(rv.games.matrix(A, B), rv.methods.MixedEquilibria())
    assert is_all_three(list(found.data.equilibria.values))


@check("bimatrix equilibria", "Nashpy")
def _(folder: Path) -> None:
    import nashpy

    game = nashpy.Game(A, B)
    assert is_all_three(list(game.support_enumeration()))
    assert is_all_three(list(game.vertex_enumeration()))
    assert all(game.is_best_response(*game.lemke_howson(0)))


@check("bimatrix equilibria", "QuantEcon.py")
def _(folder: Path) -> None:
    from quantecon.game_theory import lemke_howson, support_enumeration, vertex_enumeration

    game = rv.interop.to_quantecon(rv.games.matrix(A, B))
    assert is_all_three(support_enumeration(game))
    assert is_all_three(vertex_enumeration(game))
    assert game.is_nash(lemke_howson(game))


def gambit(folder: Path, game: Any) -> Any:
    import pygambit

    rv.interop.write_nfg(game, folder / "game.nfg")
    return pygambit.read_nfg(str(folder / "game.nfg"))


@check("bimatrix equilibria", "Gambit")
def _(folder: Path) -> None:
    from pygambit.nash import enummixed_solve

    assert len(enummixed_solve(gambit(folder, rv.games.matrix(A, B))).equilibria) == 3


@check("n-player equilibria", "rivalry")
def _(folder: Path) -> None:
    game = rv.games.matrix("jordan")  # three players, the only equilibrium is one half for all
    found = rv.solve(game, rv.methods.MixedEquilibria())
    np.testing.assert_allclose(found.profile, 0.5, atol=1e-9)
    assert bool(found.data.complete)
    assert rv.solve(game, rv.methods.PureEquilibria()).status == "none exists"
    proved = rv.solve(game, rv.methods.FiniteEquilibria()).data
    assert (bool(proved.complete), int(proved.equilibrium_count)) == (True, 1)


@check("n-player equilibria", "QuantEcon.py")
def _(folder: Path) -> None:
    from quantecon.game_theory import mclennan_tourky, pure_nash_brute

    game = rv.interop.to_quantecon(rv.games.matrix("jordan"))
    assert pure_nash_brute(game) == []
    np.testing.assert_allclose(mclennan_tourky(game, epsilon=1e-3), 0.5, atol=1e-2)


@check("n-player equilibria", "Gambit")
def _(folder: Path) -> None:
    from pygambit.nash import enumpoly_solve

    (found,) = enumpoly_solve(gambit(folder, rv.games.matrix("jordan"))).equilibria
    assert found.max_regret() < 1e-6


@check("extensive form", "rivalry")
def _(folder: Path) -> None:
    found = rv.solve(rv.interop.read_efg(TREES / "poker.efg"), rv.methods.MixedEquilibria())
    np.testing.assert_allclose(found.profile[1][:2], [2 / 3, 1 / 3])
    tree = rv.interop.read_extensive(TREES / "poker.efg")
    value = rv.solve(tree, rv.methods.LinearProgramme()).data.game_value.item()
    np.testing.assert_allclose(value, found.payoff[0])
    plans = rv.solve(tree, rv.methods.SubgamePerfectEquilibria())
    np.testing.assert_allclose(plans.payoff, found.payoff)


@check("extensive form", "Gambit")
def _(folder: Path) -> None:
    import pygambit
    from pygambit.nash import enumpoly_solve

    (found,) = enumpoly_solve(pygambit.read_efg(str(TREES / "poker.efg"))).equilibria
    assert "MixedBehaviorProfile" in type(found).__name__
    assert found.max_regret() < 1e-9


@check("extensive form", "OpenSpiel")
def _(folder: Path) -> None:
    import pyspiel
    from open_spiel.python.algorithms.cfr import CFRSolver
    from open_spiel.python.algorithms.exploitability import nash_conv

    game = pyspiel.load_game("kuhn_poker")
    solver = CFRSolver(game)
    for _ in range(100):
        solver.evaluate_and_update_policy()
    assert nash_conv(game, solver.average_policy()) < 0.05
    assert len(pyspiel.registered_names()) > 100


@check("learning in repeated games", "rivalry")
def _(folder: Path) -> None:
    played = rv.solve(rv.games.matrix(PENNIES), rv.methods.FictitiousPlay(), max_steps=2000, seed=1)
    np.testing.assert_allclose(played.profile, 0.5, atol=0.1)
    dilemma = rv.games.matrix("prisoners_dilemma")
    learned = rv.solve(
        dilemma, rv.methods.RepeatedQLearning(sessions=2, stopping={"max_periods": 1000}), seed=1
    )
    assert learned.data.full_gap.size > 0
    payoffs = rv.solve(dilemma, rv.methods.SubgamePerfectPayoffs(discount=0.9)).data.payoff_vertices.values
    assert len(payoffs) > 1  # more than mutual defection
    tournament = rv.solve(dilemma, rv.methods.RoundRobin(["tit_for_tat", "defector"], turns=10))
    assert tournament.data.match_payoff.shape == (2, 2)


@check("learning in repeated games", "Nashpy")
def _(folder: Path) -> None:
    import nashpy

    counts = list(nashpy.Game(np.array(PENNIES)).fictitious_play(iterations=2000))[-1]
    np.testing.assert_allclose(np.array(counts) / 2000, 0.5, atol=0.1)


@check("learning in repeated games", "QuantEcon.py")
def _(folder: Path) -> None:
    from quantecon.game_theory import FictitiousPlay, NormalFormGame, Player, RepeatedGame

    dilemma = NormalFormGame((Player([[9, 1], [10, 3]]), Player([[9, 1], [10, 3]])))
    assert FictitiousPlay(dilemma).play(num_reps=50)[0][1] > 0.9
    hull = RepeatedGame(dilemma, 0.9).equilibrium_payoffs()
    assert hull.points.max() > 8.9  # patient players cooperate


@check("learning in repeated games", "OpenSpiel")
def _(folder: Path) -> None:
    import pyspiel
    from open_spiel.python.algorithms.exploitability import nash_conv
    from open_spiel.python.algorithms.fictitious_play import XFPSolver

    game = pyspiel.load_game("kuhn_poker")
    solver = XFPSolver(game)
    for _ in range(20):
        solver.iteration()
    assert nash_conv(game, solver.average_policy()) < 0.2


@check("learning in repeated games", "Axelrod")
def _(folder: Path) -> None:
    import axelrod

    assert len(axelrod.strategies) > 200
    players = [axelrod.TitForTat(), axelrod.Defector()]
    found = axelrod.Tournament(players, turns=5, repetitions=1).play(progress_bar=False)
    assert found.ranked_names[0] == "Defector"


@check("evolution", "rivalry")
def _(folder: Path) -> None:
    dilemma = rv.games.matrix("prisoners_dilemma")
    found = rv.solve(dilemma, rv.methods.Replicator(), start=[[0.5, 0.5], [0.5, 0.5]])
    np.testing.assert_allclose(found.profile[:, 1], 1.0, atol=1e-3)
    for kind, options in ((rv.methods.Moran, {"selection": 0.1}), (rv.methods.Fermi, {})):
        cooperators, defectors = rv.solve(dilemma, kind(population=10, **options)).data.small_mutation.values
        assert defectors > cooperators


@check("evolution", "Nashpy")
def _(folder: Path) -> None:
    import nashpy

    dilemma = nashpy.Game(np.array([[3, 0], [5, 1]]), np.array([[3, 5], [0, 1]]))
    rows, columns = dilemma.asymmetric_replicator_dynamics(timepoints=np.linspace(0, 20, 50))
    assert rows[-1][1] > 0.99
    assert columns[-1][1] > 0.99
    *_, last = dilemma.moran_process(initial_population=(0, 0, 1))
    assert len(set(last)) == 1


@check("evolution", "QuantEcon.py")
def _(folder: Path) -> None:
    from quantecon.game_theory import LogitDynamics

    game = rv.interop.to_quantecon(rv.games.matrix("prisoners_dilemma"))
    series = LogitDynamics(game, beta=50.0).time_series(ts_length=50, init_actions=(0, 0))
    assert np.all(np.asarray(series)[-1] == 1)


@check("evolution", "OpenSpiel")
def _(folder: Path) -> None:
    from open_spiel.python.egt import alpharank

    # the row's strategy is the column's best answer everywhere: all mass is on the second action
    ranked = alpharank.compute([np.array([[3.0, 0.0], [5.0, 1.0]])], alpha=10.0)
    assert any(np.allclose(part, [0.0, 1.0], atol=1e-3) for part in ranked if np.shape(part) == (2,))


@check("evolution", "Axelrod")
def _(folder: Path) -> None:
    import axelrod

    process = axelrod.MoranProcess([axelrod.Defector(), axelrod.Cooperator()], turns=3, seed=1)
    process.play()
    assert process.winning_strategy_name in ("Defector", "Cooperator")


@check("continuous strategies", "rivalry")
def _(folder: Path) -> None:
    pair = rv.games.influencer(reach=[0.3, 0.3], resource="bimodal")
    assert rv.certificate(pair, [[0.5], [0.5]]).claim == "equilibrium"
    assert rv.games.race().space.check([[1.0, 2.0], [1.0, 2.0]]) is not None
    assert rv.games.market().payoffs(rv.games.market().space.check([[1.0], [1.0]])).shape == (2,)


@check("continuous strategies", "QuantEcon.py")
def _(folder: Path) -> None:
    from quantecon import nnash

    # two players steer one state, x' = x + u + v, at costs x^2 + u^2: by symmetry both have one rule
    one, none = np.eye(1), np.zeros((1, 1))
    f, g, *_ = nnash(one, one, one, one, one, one, one, none, none, none, none, none, none, beta=0.9)
    np.testing.assert_allclose(f, g)
    assert 0 < f.item() < 1


@check("mean-field games", "rivalry")
def _(folder: Path) -> None:
    assert {"karma", "city"} <= set(dir(rv.games))
    economy = rv.games.karma(mean_karma=3, max_karma=12)
    assert rv.solve(economy, rv.methods.PopulationNewton(), start="uniform").certificate.regret.max() >= 0


@check("mean-field games", "OpenSpiel")
def _(folder: Path) -> None:
    import pyspiel
    from open_spiel.python.mfg.algorithms import mirror_descent, nash_conv
    from open_spiel.python.mfg.games import crowd_modelling  # noqa: F401, registers the game

    game = pyspiel.load_game("python_mfg_crowd_modelling")
    solver = mirror_descent.MirrorDescent(game)
    before = nash_conv.NashConv(game, solver.get_policy()).nash_conv()
    for _ in range(3):
        solver.iteration()
    assert nash_conv.NashConv(game, solver.get_policy()).nash_conv() < before


@check("certificates", "rivalry")
def _(folder: Path) -> None:
    exact = rv.certificate(rv.games.matrix(A, B), [[1, 0], [0, 1]])
    np.testing.assert_allclose(exact.regret, [1.0, 1.0])
    assert exact.bound.shape == (2,)
    proved = rv.certificate(rv.games.influencer(reach=[0.3, 0.3], resource="bimodal"), [[0.5], [0.5]])
    assert np.all(proved.bound < np.inf)


@check("certificates", "Nashpy")
def _(folder: Path) -> None:
    import nashpy

    answer = nashpy.Game(A, B).is_best_response(np.array([1, 0]), np.array([0, 1]))
    assert [bool(part) for part in answer] == [False, False]


@check("certificates", "QuantEcon.py")
def _(folder: Path) -> None:
    game = rv.interop.to_quantecon(rv.games.matrix(A, B))
    assert game.is_nash((0, 0))
    assert not game.is_nash((0, 1))


@check("certificates", "Gambit")
def _(folder: Path) -> None:
    profile = gambit(folder, rv.games.matrix(A, B)).mixed_strategy_profile([[1, 0], [0, 1]], rational=True)
    assert profile.max_regret() == 1


@check("certificates", "OpenSpiel")
def _(folder: Path) -> None:
    import pyspiel
    from open_spiel.python.algorithms.exploitability import nash_conv
    from open_spiel.python.policy import UniformRandomPolicy

    game = pyspiel.load_game("kuhn_poker")
    assert abs(nash_conv(game, UniformRandomPolicy(game)) - 11 / 12) < 1e-9


@check("proofs", "rivalry")
def _(folder: Path) -> None:
    found = rv.solve(rv.games.matrix(A, B), rv.methods.MixedEquilibria())
    assert bool(found.data.complete)
    assert "exact arithmetic" in str(found.data.complete_reason.values)
    assert found.certificate.rounding == "floating point"
    three = rv.all_equilibria(rv.games.matrix("jordan"))
    assert (three.complete, len(three)) == (True, 1)
    line = rv.games.influencer(reach=[0.25, 0.25], resource="bimodal")
    assert rv.certificate(line, [[0.5], [0.5]], proof=True).rounding == "outward"


@check("proofs", "Gambit")
def _(folder: Path) -> None:
    from pygambit.nash import enummixed_solve

    found = enummixed_solve(gambit(folder, rv.games.matrix(A, B))).equilibria
    assert {type(pair).__name__ for pair in found} == {"MixedStrategyProfileRational"}
    assert [pair.max_regret() for pair in found] == [0, 0, 0]


@check("studies with provenance", "rivalry")
def _(folder: Path) -> None:
    study = rv.load_study("matrix_classics").quick_form()
    assert study.source
    assert {"published", "published_tolerance", "locator"} <= {key for row in study.expect for key in row}
    first, second = (rv.run_study(study, folder / name).dataset() for name in ("one", "two"))
    assert first.equals(second)


@check("studies with provenance", "Axelrod")
def _(folder: Path) -> None:
    import axelrod

    players = [axelrod.Random(), axelrod.TitForTat()]
    one, two = (
        axelrod.Tournament(players, turns=20, repetitions=2, seed=3).play(progress_bar=False).scores
        for _ in range(2)
    )
    assert one == two


@check("deep reinforcement learning", "rivalry")
def _(folder: Path) -> None:
    # trained in tests/deep, which needs the extra
    from rivalry.methods import METHODS

    assert {"rllib.ppo", "rllib.dqn", "rllib.sac"} <= set(METHODS)


@check("deep reinforcement learning", "OpenSpiel")
def _(folder: Path) -> None:
    # the modules are there; they need PyTorch, and are not trained here
    assert find_spec("open_spiel.python.pytorch.dqn")
    assert find_spec("open_spiel.python.pytorch.nfsp")


def test_every_cell_has_a_check_of_the_functions_it_names() -> None:
    said = {" / ".join(where): words for where, words in cells().items()}
    checks = {" / ".join(where): check for where, check in CHECKS.items()}
    file, page = "tests/unit/test_other_packages.py", "docs/howto/coming_from.md, table of capabilities"
    absent = f"{page}, {{}}: add a check of this cell to {file}"
    lines = differences(said, checks, absent, f"{file}: remove the check of {{}}, which is no cell")
    lines += [
        f"{page}, {where}: call {name} in its check in {file}, or remove it from the page"
        for where in said.keys() & checks.keys()
        for name in re.findall(r"`([^`]+)`", said[where])
        if name not in inspect.getsource(checks[where]) and name != "deep"
    ]
    assert not lines, "\n".join(lines)


def test_every_name_of_ours_on_the_page_exists() -> None:
    text = PAGE.read_text(encoding="utf-8")
    pairs = set(re.findall(r"rv\.(games|interop|methods)\.(\w+)", text))
    absent = [f"rv.{space}.{name}" for space, name in pairs if name not in dir(getattr(rv, space))]
    absent += [f"rv.{name}" for name in set(re.findall(r"\brv\.(\w+)\(", text)) if not hasattr(rv, name)]
    lines = [f"docs/howto/coming_from.md: no {name} in the package: correct the name" for name in absent]
    assert not lines, "\n".join(lines)
    for name in set(re.findall(r"rivalry run (\w+)", text)) - {"STUDY"}:
        assert rv.load_study(name).title


def test_the_versions_compared_are_on_the_page() -> None:
    said = PAGE.read_text(encoding="utf-8").partition("Compared are ")[2].partition("\n\n")[0]
    named = re.findall(r"(rivalry|Nashpy|QuantEcon\.py|pygambit|OpenSpiel|Axelrod) \d+\.\d+", said)
    wanted = ["rivalry", "Nashpy", "QuantEcon.py", "pygambit", "OpenSpiel", "Axelrod"]
    assert named == wanted, f'docs/howto/coming_from.md, "Compared are": list versions of {wanted} in order'


@pytest.mark.slow
@pytest.mark.parametrize(
    "where", [pytest.param(key, marks=SLOW[key]) if key in SLOW else key for key in CHECKS], ids=" ".join
)
@pytest.mark.filterwarnings("ignore")  # the other packages' own
def test_what_a_cell_says(where: tuple[str, str], tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if where[1] in MODULES:
        pytest.importorskip(MODULES[where[1]])
    if where[1] == "QuantEcon.py":  # its caches of kernels are filled by one process at a time
        request.getfixturevalue("one_process")
    CHECKS[where](tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # QuantEcon's own
def test_both_sides_of_every_row_on_quantecon_agree(one_process: None) -> None:
    """All rows but the last, whose two sides `test_rules_match_quantecon` compares."""
    theory = pytest.importorskip("quantecon.game_theory")
    game, g = rv.games.matrix(A, B), theory.NormalFormGame((theory.Player(A), theory.Player(B.T)))
    profile = rv.interop.from_quantecon(g).space.check(MIXED)
    np.testing.assert_allclose(rv.interop.from_quantecon(g).payoffs(profile), game.payoffs(profile))
    for written, player in zip(rv.interop.to_quantecon(game).players, g.players, strict=True):
        np.testing.assert_array_equal(written.payoff_array, player.payoff_array)
    pure = rv.solve(game, rv.methods.PureEquilibria()).data.equilibria.values
    assert [tuple(row) for row in pure.argmax(axis=2)] == theory.pure_nash_brute(g)
    for method, algorithm in (
        (rv.methods.FiniteEquilibria(), theory.mclennan_tourky),
        (rv.methods.MixedEquilibria(algorithm="lemke_howson"), theory.lemke_howson),
    ):
        found = rv.solve(game, method).data.equilibria.values
        assert any(np.allclose(np.array(algorithm(g)), pair) for pair in found)
    for actions in ((0, 0), (0, 1)):
        regret = rv.certificate(game, np.eye(2)[list(actions)]).regret
        assert g.is_nash(actions) == (regret.max() == 0)
    dilemma = np.array([[9.0, 1.0], [10.0, 3.0]])
    repeated = theory.RepeatedGame(theory.NormalFormGame((theory.Player(dilemma),) * 2), 0.3)
    hull = repeated.equilibrium_payoffs()
    method = rv.methods.SubgamePerfectPayoffs(discount=0.3)
    vertices = rv.solve(rv.games.matrix(dilemma, dilemma.T), method).data.payoff_vertices.values
    np.testing.assert_allclose(sorted(hull.points[hull.vertices].tolist()), sorted(vertices.tolist()))
