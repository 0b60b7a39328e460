"""The workbench: a local web application for studies, runs and games, opened by ``rivalry open``."""
