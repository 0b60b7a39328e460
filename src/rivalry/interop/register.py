"""What the exchange with other libraries registers: a learner in their environments."""

from rivalry.schema.register import Entry

METHODS = {"q_learning": Entry(("rivalry.interop.environment_q_learning:EnvironmentQLearning",), "")}
