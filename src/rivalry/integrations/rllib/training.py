"""Training by RLlib: its configuration, an iteration, its state, its networks, best responses."""

from __future__ import annotations

import pickle
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray
from numpy.random import SeedSequence

from rivalry.integrations.rllib import libraries
from rivalry.integrations.rllib.networks import PolicyNetwork
from rivalry.integrations.rllib.session import NoNumber, Training

if TYPE_CHECKING:
    from rivalry.integrations.rllib.arenas import Arena, BestResponse, Networks

LOSS, TRAINED = "total_loss", "num_module_steps_trained"  # keys of RLlib's results per network


def iteration(arena: Arena, session: Training) -> ndarray:
    """Play and learn once; return mean rewards per period ``[agent]``, NaN where no episode ended.

    Marks the session ``lost`` where rewards or losses are infinite or NaN, which RLlib itself ignores.
    """
    with session.own():
        algorithm = _running_algorithm(arena, session)
        try:
            results = algorithm.train()
        except RuntimeError as error:  # RLlib wraps what an environment raises
            if not isinstance(error.__cause__, NoNumber):
                raise error.__cause__ or error from None
            session.lost = str(error.__cause__)
            return np.full(len(arena.names), np.nan)
    for name, row in results.get("learners", {}).items():  # empty before the first update
        if row.get(TRAINED, 0) > 0 and not np.isfinite(float(row.get(LOSS, 0.0))):
            session.lost = f"the loss of {name} became {float(row[LOSS])}"
    means = results["env_runners"].get("agent_episode_returns_mean", {})
    length = results["env_runners"].get("episode_len_mean", np.nan)
    returns = np.array([float(means.get(name, np.nan)) for name in arena.names])
    return returns * arena.scale / arena.periods_in(float(length))


def networks(arena: Arena, session: Training) -> Networks:
    """Return the present policy of every agent."""
    with session.own():
        algorithm, env = _running_algorithm(arena, session), arena.env()
    learner = arena.learner
    epsilon = learner.random_share()
    return {
        name: PolicyNetwork(algorithm.get_module(group), learner.family(env.action_space(name)), epsilon)
        for name, group in zip(arena.names, arena.groups, strict=True)
    }


def state(session: Training) -> bytes:
    """Return RLlib's state for a checkpoint; episodes in progress are not part of it."""
    if session.algorithm is None:
        return session.checkpoint or b""
    with session.own():
        return pickle.dumps((session.algorithm.get_state(), session.streams))


def stop(session: Training) -> None:
    """Stop RLlib's processes of this session."""
    if session.algorithm is not None:
        session.checkpoint = state(session)
        with session.own(), suppress(Exception):
            session.algorithm.stop()
        session.algorithm = None


def _running_algorithm(arena: Arena, session: Training) -> Any:
    """Return RLlib's algorithm, made when it is first needed, from the checkpoint if there is one."""
    if session.algorithm is None:
        learner = arena.learner
        try:
            session.algorithm = configuration(arena, int(session.words[0] % 2**31)).build_algo()
        except (ValueError, TypeError) as error:
            settings_text = f"settings {dict(learner.settings)}: " if learner.settings else ""
            raise ValueError(f"{learner.kind}: {settings_text}{' '.join(str(error).split())}") from None
        _seed_memory(session.algorithm, arena, session.words)
        if session.checkpoint:
            state, streams = pickle.loads(session.checkpoint)
            session.algorithm.set_state(state)
            if streams is not None:
                streams.set()
        else:
            deviation = learner.first_deviation() if _normal(arena) else None
            _initialise(session.algorithm, deviation, session.first)
    return session.algorithm


def _seed_memory(algorithm: Any, arena: Arena, words: ndarray) -> None:
    """Seed replay memories, and let them sample policies in the same order in every process."""
    memory = algorithm.local_replay_buffer
    if memory is not None:
        memory.rng = np.random.default_rng(SeedSequence(words.tolist(), spawn_key=(1,)))
        memory.sample = partial(memory.sample, modules_to_sample=sorted(set(arena.groups)))


def configuration(arena: Arena, seed: int) -> Any:
    """Return RLlib's configuration of an algorithm. Raises `ValueError` for settings unknown to it."""
    libraries.start_ray()
    learner = arena.learner
    from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
    from ray.tune.registry import get_trainable_cls, register_env

    from rivalry.integrations.rllib.bridge import Bridge

    register_env("rivalry", lambda _: Bridge(arena))
    group_of = dict(zip(arena.names, arena.groups, strict=True))
    config = get_trainable_cls(learner.algorithm).get_default_config()
    episodes = max(1, learner.batch // learner.periods)
    try:
        config.training(gamma=float(arena.discount), **(learner.training_settings() | dict(learner.settings)))
    except TypeError as error:
        raise ValueError(f"settings: {error}; see RLlib's {learner.algorithm}Config.training") from None
    return (
        config.environment("rivalry", disable_env_checking=True)
        .framework("torch")
        .env_runners(
            num_env_runners=learner.runners,
            num_cpus_per_env_runner=0,  # otherwise they would wait for processors that cells use
            num_envs_per_env_runner=learner.envs,
            rollout_fragment_length=learner.fragment,
            batch_mode="truncate_episodes",
        )
        .learners(num_learners=0)
        .multi_agent(
            policies=sorted(set(arena.groups)),
            policy_mapping_fn=lambda name, episode, **_: group_of[str(name)],
        )
        .rl_module(
            model_config=DefaultModelConfig(
                fcnet_hiddens=list(learner.hidden),
                fcnet_activation="tanh",
                fusionnet_hiddens=list(learner.hidden),  # of critics that take observations and actions
                vf_share_layers=False,
                free_log_std=_normal(arena),
            )
        )
        .reporting(
            min_sample_timesteps_per_iteration=learner.batch,
            min_time_s_per_iteration=None,
            metrics_num_episodes_for_smoothing=episodes,
        )
        .debugging(seed=seed, log_level="CRITICAL")
    )


def _normal(arena: Arena) -> bool:
    """True if policies are normal distributions."""
    env = arena.env()
    return all(arena.learner.family(env.action_space(name)) == "normal" for name in arena.names)


def _initialise(algorithm: Any, deviation: float | None, networks: dict[str, Any]) -> None:
    """Set weights in all processes: a standard deviation of policies, and those of other networks.

    RLlib's own standard deviation, 1, is half the width of a box. Weights are copied in all layers that both
    networks have.
    """

    def prime(learner: Any) -> None:
        for _, module in learner.module.items():
            for name, parameter in module.named_parameters():
                if deviation is not None and name.endswith("log_std"):
                    parameter.data.fill_(float(np.log(deviation)))
        for group, network in networks.items():
            learner.module[group].load_state_dict(network.state_dict(), strict=False)

    algorithm.learner_group.foreach_learner(prime)
    algorithm.env_runner_group.sync_weights(from_worker_or_learner_group=algorithm.learner_group)


def responding(arena: Arena, words: ndarray) -> BestResponse | None:
    """Return the training of a best response to policies; None where the learner trains none."""
    iterations = arena.learner.best_response_iterations
    from torch import nn

    def train_response(player: int, rival_networks: Networks) -> PolicyNetwork:
        sequence = SeedSequence(words.tolist(), spawn_key=(player,))
        session = Training(sequence.generate_state(4, np.uint32))
        rivals = dict(rival_networks)
        module = rivals.pop(arena.names[player]).module
        alone = replace(arena, rivals=rivals)
        if isinstance(module, nn.Module):  # other policies have no weights to start from
            session.first = {arena.names[player]: module}
        for _ in range(iterations):
            iteration(alone, session)
            if session.lost:
                break
        response = networks(alone, session)[arena.names[player]]
        stop(session)
        return response

    return train_response if iterations else None
