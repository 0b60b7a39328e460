"""Registrations of the adapters to optional libraries and to clusters."""

from rivalry.schema.register import Entry

_GAINS = ("policy_regret", "exploitability", "trained_best_response_gain")
METHODS = {
    "rllib.dqn": Entry(
        ("rivalry.integrations.rllib.algorithms:DQN",),
        "deep Q-networks of numbered actions, by RLlib (extra deep)",
        uses=("ray", "torch"),
        result=_GAINS,
    ),
    "rllib.ppo": Entry(
        ("rivalry.integrations.rllib.algorithms:PPO",),
        "proximal policy optimisation, of any choices, by RLlib (extra deep)",
        uses=("ray", "torch"),
        result=_GAINS,
    ),
    "rllib.sac": Entry(
        ("rivalry.integrations.rllib.algorithms:SAC",),
        "soft actor-critic of choices in a box, by RLlib (extra deep)",
        uses=("ray", "torch"),
        result=_GAINS,
    ),
}

EXECUTORS = {"ray": "rivalry.integrations.ray:Cluster"}

COMMANDS = {"slurm": "rivalry.integrations.slurm:slurm"}
