"""Small studies whose datasets are kept; every number in them has a test of its own elsewhere.

What is kept are ends and what they are worth, not steps and paths, whose last digits differ between
processors.
"""

from pathlib import Path

from xarray import Dataset

from rivalry.lab.executor import run_study
from rivalry.lab.study import Study, load_study

HERE = Path(__file__).parent

KEPT = {
    "profile": 1e-6,
    "payoff": 1e-6,
    "threshold": 1e-9,
    "symmetric_position": 1e-9,
    "symmetric_stable": 0,
    "max_real_eigenvalue": 1e-3,
    "equilibria": 1e-9,
    "equilibrium_payoff": 1e-9,
    "equilibrium_count": 0,
    "complete": 0,
    "end_state": 0,
    "status": 0,
    "claim": 0,
    "cell": 0,
}
"""Variables that are kept, and how far a number may be off, absolutely or relatively."""


def studies() -> dict[str, Study]:
    """Every kept dataset's study."""
    classics = {"sweep.game.name": ["battle_of_the_sexes", "rock_paper_scissors"]}
    return {
        "lovett_fig6": load_study("lovett_fig6").quick_form(),
        "matrix_classics": load_study("matrix_classics").with_changes(classics),
    }


def dataset(study: Study, folder: Path) -> Dataset:
    """What the study finds, as far as it is kept."""
    data = run_study(study, folder).dataset()
    return data[[name for name in KEPT if name in data]]
