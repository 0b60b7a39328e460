"""Registrations of living figures: a command, and figures of results, of runs and of their reports."""

COMMANDS = {"freeze": "rivalry.living.command:freeze"}

HOOKS = {
    "Run.explore": "rivalry.living.runs:explore_run",
    "Solution.explore": "rivalry.living.widget:explore_solution",
    "freeze": "rivalry.living.freeze:freeze",
    "figures_of_report": "rivalry.living.runs:parts_of_report",
}
