"""Registrations of the exchange with other libraries: learners in environments, readers of files, a study."""

from rivalry.schema.register import Entry

METHODS = {"q_learning": Entry(("rivalry.interop.environment_q_learning:EnvironmentQLearning",), "")}
STUDIES = {"pretrained_policies": "rivalry.interop:pretrained_policies"}
TABLES = {
    "mean_return": "rivalry.interop.tables:returns",
    "truncated_share": "rivalry.interop.tables:policies",
}
HOOKS = {
    "games_of_file": "rivalry.interop.profiles:games_of_file",
    "rounding_of": "rivalry.interop.profiles:rounding",
    "read_profiles": "rivalry.interop.profiles:read_profiles",
}
