"""How RLlib is told what to do: its configuration, an iteration, its state, its networks."""

from __future__ import annotations

import pickle
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from rivalry.integrations.rllib import libraries
from rivalry.integrations.rllib.arenas import Arena, Networks, Reading, TrainingSetup, acted
from rivalry.integrations.rllib.networks import PolicyNetwork
from rivalry.integrations.rllib.options import LearnerOptions
from rivalry.integrations.rllib.session import NoNumber, Training

LOSS, TRAINED = "total_loss", "num_module_steps_trained"  # of a network, as RLlib tells it of an iteration


def iteration(learner: LearnerOptions, arena: TrainingSetup, session: Training) -> np.ndarray:
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


def networks(learner: LearnerOptions, arena: TrainingSetup, session: Training) -> Networks:
    """What every agent follows now."""
    with session.own():
        algorithm, env = _alive(learner, arena, session), arena.env()
    epsilon = learner.random_share()
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


def _alive(learner: LearnerOptions, arena: TrainingSetup, session: Training) -> Any:
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
            _narrow(session.algorithm, learner.first_deviation())
        if session.first and not session.kept:
            _taken_over(session.algorithm, session.first)
    return session.algorithm


def _seeded(algorithm: Any, arena: TrainingSetup, words: np.ndarray) -> None:
    """Memories draw from the seed, and policy by policy in the same order in every process."""
    memory = algorithm.local_replay_buffer
    if memory is not None:
        memory.rng = np.random.default_rng(np.random.SeedSequence(words.tolist(), spawn_key=(1,)))
        memory.sample = partial(memory.sample, modules_to_sample=sorted(set(arena.groups)))


def configured(learner: LearnerOptions, arena: TrainingSetup, seed: int) -> Any:
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
        config.training(gamma=float(arena.discount), **(learner.training_settings() | dict(learner.settings)))
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


def _normal(learner: LearnerOptions, arena: TrainingSetup) -> bool:
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


def reading(learner: LearnerOptions, arena: Arena, words: np.ndarray) -> Reading:
    """How policies are watched, and how best responses to them are trained."""
    from torch import nn

    def trained(player: int, others: Networks) -> PolicyNetwork:
        sequence = np.random.SeedSequence(words.tolist(), spawn_key=(player,))
        alone, session = Alone(arena, player, others), Training(sequence.generate_state(4, np.uint32))
        own = others[arena.names[player]].module
        if isinstance(own, nn.Module):  # other policies have no weights to begin with
            session.first = {arena.names[player]: own}
        for _ in range(learner.reply_iterations):
            iteration(learner, alone, session)
            if session.lost:
                break
        found = networks(learner, alone, session)[arena.names[player]]
        stop(session)
        return found

    return Reading(learner.evaluation, learner.rounds, trained if learner.reply_iterations else None)


@dataclass(frozen=True)
class Alone:
    """An arena of one agent, who meets ``others`` at their best, without exploration."""

    arena: TrainingSetup
    player: int
    others: Networks

    @property
    def names(self) -> tuple[str, ...]:
        """The one."""
        return (self.arena.names[self.player],)

    @property
    def groups(self) -> tuple[str, ...]:
        """Its own."""
        return self.names

    @property
    def scale(self) -> float:
        """As among all."""
        return self.arena.scale

    @property
    def discount(self) -> float:
        """As among all."""
        return self.arena.discount

    def lasted(self, steps: float) -> float:
        """As it is told."""
        return steps

    def env(self) -> Any:
        """The game with the others in it."""
        return Against(self.arena, self.names[0], self.others)

    def look(self, name: str, seen: Any) -> np.ndarray:
        """As among all."""
        return self.arena.look(name, seen)


class Against:
    """The parallel environment of an arena in which all but one act by themselves."""

    def __init__(self, arena: TrainingSetup, name: str, others: Networks) -> None:
        self.arena, self.name, self.others = arena, name, others
        self.inner = arena.env()
        self.possible_agents = [name]
        self.agents: list[str] = []

    def action_space(self, name: str) -> Any:
        """As among all."""
        return self.inner.action_space(name)

    def reset(self, seed: int | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
        """A new episode, up to the first turn of the one."""
        self.seen, _ = self.inner.reset(seed=seed)
        self.agents = [self.name]
        if not self._turn():
            self._onward({})
        return {self.name: self.seen[self.name]}, {}

    def step(self, actions: dict[str, Any]) -> tuple[dict[str, Any], ...]:
        """Its action, and what all do until it is its turn again."""
        paid, over, short = self._onward(actions)
        self.agents = [] if over or short else [self.name]
        name = self.name
        return {name: self.seen[name]}, {name: paid}, {name: over}, {name: short}, {name: {}}

    def _turn(self) -> bool:
        return self.name in self.inner.movers()

    def _onward(self, actions: dict[str, Any]) -> tuple[float, bool, bool]:
        total = 0.0
        while True:
            turn = [n for n in self.inner.movers() if n != self.name]
            rest = acted(self.others, {n: self.arena.look(n, self.seen[n]) for n in turn}, None)
            seen, paid, over, short, _ = self.inner.play(rest | actions)
            self.seen, actions = {**self.seen, **seen}, {}
            total += paid.get(self.name, 0.0)
            ended, cut = bool(over.get(self.name)), bool(short.get(self.name))
            if ended or cut or self._turn():
                return total, ended, cut
