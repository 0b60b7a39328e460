"""How RLlib is told what to do: its configuration, an iteration, its state, its networks."""

from __future__ import annotations

import pickle
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from rivalry.integrations.rllib import libraries
from rivalry.integrations.rllib.arenas import Arena, Networks, Reading, TrainingSetup
from rivalry.integrations.rllib.networks import PolicyNetwork
from rivalry.integrations.rllib.session import NoNumber, Training

if TYPE_CHECKING:
    from rivalry.integrations.rllib.learner import DeepLearner

LOSS, TRAINED = "total_loss", "num_module_steps_trained"  # of a network, as RLlib tells it of an iteration


def iteration(learner: DeepLearner, arena: TrainingSetup, session: Training) -> np.ndarray:
    """Plays and learns once; mean rewards of a period ``[agent]``, NaN where no episode ended.

    The session is ``lost`` where rewards or losses are no numbers: RLlib itself would pass over them.
    """
    with session.own():
        algorithm = _alive(learner, arena, session)
        try:
            found = algorithm.train()
        except RuntimeError as error:  # what an environment raises, RLlib raises so
            if not isinstance(error.__cause__, NoNumber):
                raise error.__cause__ or error from None
            session.lost = str(error.__cause__)
            return np.full(len(arena.names), np.nan)
    for name, row in found.get("learners", {}).items():  # nobody before the first update
        if row.get(TRAINED, 0) > 0 and not np.isfinite(float(row.get(LOSS, 0.0))):
            session.lost = f"the loss of {name} became {float(row[LOSS])}"
    means = found["env_runners"].get("agent_episode_returns_mean", {})
    length = found["env_runners"].get("episode_len_mean", np.nan)
    each = np.array([float(means.get(name, np.nan)) for name in arena.names])
    rewards: np.ndarray = each * arena.scale / arena.lasted(float(length))
    return rewards


def networks(learner: DeepLearner, arena: TrainingSetup, session: Training) -> Networks:
    """What every agent follows now."""
    with session.own():
        algorithm, env = _alive(learner, arena, session), arena.env()
    epsilon = float(getattr(learner, "epsilon", 0.0))
    return {
        name: PolicyNetwork(algorithm.get_module(group), learner.family(env.action_space(name)), epsilon)
        for name, group in zip(arena.names, arena.groups, strict=True)
    }


def state(session: Training) -> bytes:
    """All that RLlib would go on with; what it does not keep are the games that are being played."""
    if session.algorithm is None:
        return session.kept or b""
    with session.own():
        return pickle.dumps((session.algorithm.get_state(), session.streams))


def stop(session: Training) -> None:
    """RLlib's processes of this session end."""
    if session.algorithm is not None:
        session.kept = state(session)
        with session.own(), suppress(Exception):
            session.algorithm.stop()
        session.algorithm = None


def _alive(learner: DeepLearner, arena: TrainingSetup, session: Training) -> Any:
    """RLlib's algorithm, made anew or from what was kept."""
    if session.algorithm is None:
        try:
            session.algorithm = configured(learner, arena, int(session.words[0] % 2**31)).build_algo()
        except (ValueError, TypeError) as error:
            what = f"settings {dict(learner.settings)}: " if learner.settings else ""
            raise ValueError(f"{learner.kind}: {what}{' '.join(str(error).split())}") from None
        _seeded(session.algorithm, arena, session.words)
        if session.kept:
            found, streams = pickle.loads(session.kept)
            session.algorithm.set_state(found)
            if streams is not None:
                streams.set()
        elif _normal(learner, arena):
            _narrow(session.algorithm, float(getattr(learner, "deviation", 1.0)))
        if session.first and not session.kept:
            _taken_over(session.algorithm, session.first)
    return session.algorithm


def _seeded(algorithm: Any, arena: TrainingSetup, words: np.ndarray) -> None:
    """Memories draw from the seed, and policy by policy in the same order in every process."""
    memory = algorithm.local_replay_buffer
    if memory is not None:
        memory.rng = np.random.default_rng(np.random.SeedSequence(words.tolist(), spawn_key=(1,)))
        memory.sample = partial(memory.sample, modules_to_sample=sorted(set(arena.groups)))


def configured(learner: DeepLearner, arena: TrainingSetup, seed: int) -> Any:
    """RLlib's configuration of an algorithm. Raises `ValueError` for settings that it does not know."""
    libraries.started()
    from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
    from ray.tune.registry import get_trainable_cls, register_env

    from rivalry.integrations.rllib.bridge import Bridge

    register_env("rivalry", lambda _: Bridge(arena.env(), arena.look, arena.scale))
    group_of = dict(zip(arena.names, arena.groups, strict=True))
    config = get_trainable_cls(learner.algorithm).get_default_config()
    episodes = max(1, learner.batch // learner.periods)
    try:
        config.training(gamma=float(arena.discount), **(learner.told() | dict(learner.settings)))
    except TypeError as error:
        raise ValueError(f"settings: {error}; see RLlib's {learner.algorithm}Config.training") from None
    return (
        config.environment("rivalry", disable_env_checking=True)
        .framework("torch")
        .env_runners(
            num_env_runners=learner.runners,
            num_cpus_per_env_runner=0,  # else they would wait for processors that cells hold
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
                fusionnet_hiddens=list(learner.hidden),  # where critics bring what is seen and done together
                vf_share_layers=False,
                free_log_std=_normal(learner, arena),
            )
        )
        .reporting(
            min_sample_timesteps_per_iteration=learner.batch,
            min_time_s_per_iteration=None,
            metrics_num_episodes_for_smoothing=episodes,
        )
        .debugging(seed=seed, log_level="CRITICAL")
    )


def _normal(learner: Any, arena: TrainingSetup) -> bool:
    """Whether policies draw from normal distributions."""
    env = arena.env()
    return all(learner.family(env.action_space(name)) == "normal" for name in arena.names)


def _narrow(algorithm: Any, deviation: float) -> None:
    """Policies begin with that deviation; RLlib's own, 1, is from the middle of a box to its ends."""

    def prime(learner: Any) -> None:
        for _, module in learner.module.items():
            for name, parameter in module.named_parameters():
                if name.endswith("log_std"):
                    parameter.data.fill_(float(np.log(deviation)))

    algorithm.learner_group.foreach_learner(prime)
    algorithm.env_runner_group.sync_weights(from_worker_or_learner_group=algorithm.learner_group)


def _taken_over(algorithm: Any, first: dict[str, Any]) -> None:
    """Policies begin as other networks are, in all parts that both have."""

    def prime(learner: Any) -> None:
        for group, network in first.items():
            learner.module[group].load_state_dict(network.state_dict(), strict=False)

    algorithm.learner_group.foreach_learner(prime)
    algorithm.env_runner_group.sync_weights(from_worker_or_learner_group=algorithm.learner_group)


def reading(learner: DeepLearner, arena: Arena, words: np.ndarray) -> Reading:
    """How policies are watched, and how best responses to them are trained."""
    from rivalry.integrations.rllib.best_response import Alone

    def trained(player: int, others: Networks) -> PolicyNetwork:
        sequence = np.random.SeedSequence(words.tolist(), spawn_key=(player,))
        alone, session = Alone(arena, player, others), Training(sequence.generate_state(4, np.uint32))
        own = others[arena.names[player]].module
        if hasattr(own, "state_dict"):  # else it is no network, and the reply begins anew
            session.first = {arena.names[player]: own}
        for _ in range(learner.reply_iterations):
            iteration(learner, alone, session)
            if session.lost:
                break
        found = networks(learner, alone, session)[arena.names[player]]
        stop(session)
        return found

    return Reading(learner.evaluation, learner.rounds, trained if learner.reply_iterations else None)
