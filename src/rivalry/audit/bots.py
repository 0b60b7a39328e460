"""Bots: what a pricing algorithm must answer, and the kinds of program that are read as one."""

from __future__ import annotations

import json
import os
import random
import re
import resource
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from http import HTTPStatus
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from typing import Any, ClassVar, Protocol, runtime_checkable
from urllib.parse import urlsplit

import numpy as np

from rivalry.core.files import read_text
from rivalry.core.foreign_tables import is_table
from rivalry.runtime.processes import PIPE, TimeoutExpired, start
from rivalry.schema.named_calls import act_fault, call_named, callables_of, parameter_names

Period = tuple[float, tuple[float, ...]]
"""The own price of a period, and those of the rivals."""

History = list[Period]

SECONDS = 5.0  # in which a bot must answer with a price
MEMORY = 2**31  # bytes of a bot, beyond what this package takes
LINE = 2**16  # bytes of an answer


class BotFault(Exception):
    """A bot charged no price; the message says in one line what it did."""


class Overdue(BaseException):  # a bot may catch any Exception
    """A bot did not answer in time."""


@runtime_checkable
class Bot(Protocol):
    """One firm's pricing algorithm in a session of play."""

    learns: bool
    """True where it takes profits."""

    def begin(self, seed: int, firm: int) -> None:
        """Forget everything; ``seed`` numbers the session, the same for all its firms."""

    def price(self, history: History) -> float:
        """Return the price of the next period, by the periods so far, newest last."""

    def learn(self, profit: float, period: Period) -> None:
        """Take the profit of the last period, and its prices."""

    def fork(self, history: History, profits: list[float]) -> Bot:
        """Return a copy in the state after a history, which goes on by itself."""


class _Alarm:
    """The handler of the timer, installed once for nested uses: to install it takes longer than most bots."""

    def __init__(self) -> None:
        self._uses = 0
        self._before: Any = None

    def __enter__(self) -> None:
        if not self._uses:
            self._before = signal.signal(signal.SIGALRM, self._stop)
        self._uses += 1

    def __exit__(self, *_: object) -> None:
        self._uses -= 1
        if not self._uses:
            signal.signal(signal.SIGALRM, self._before)

    @staticmethod
    def _stop(*_: object) -> None:
        raise Overdue


alarm = _Alarm()


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `Overdue` in code that runs for too long."""
    with alarm:
        signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)  # again: a bot may catch the first
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


class HistoryBot:
    """A function of the history, ``rule(history) -> price``, as a bot.

    >>> HistoryBot(lambda history: 1.5 if not history else history[-1][1][0]).price([(1.5, (1.4,))])
    1.4
    """

    learns = False

    def __init__(self, rule: Callable[[History], Any]) -> None:
        self.rule = rule

    def begin(self, seed: int, firm: int) -> None:
        """Do nothing: a function of the history has no state."""

    def price(self, history: History) -> float:
        """Return the price after a history."""
        return float(self.rule(history))

    def learn(self, profit: float, period: Period) -> None:
        """Do nothing."""

    def fork(self, history: History, profits: list[float]) -> HistoryBot:
        """Return the bot itself."""
        return self


class AgentBot:
    """An object with ``act(observation)``, perhaps ``reset`` and ``learn``, as a bot.

    An observation is the last period, own price and rivals' prices, or None before the first. ``reset`` may
    take ``seed`` and ``firm``; ``learn`` takes ``observation``, ``price``, ``profit`` and
    ``next_observation``, those that it names, or the profit alone.
    """

    def __init__(self, agent: Any) -> None:
        self.agent = agent
        members = callables_of(agent)
        self.learns = "learn" in members
        self._resets = "reset" in members
        self._last: dict[str, Any] = {}
        self._names: tuple[str, ...] = ()

    def begin(self, seed: int, firm: int) -> None:
        """Reset the agent with those of the two numbers that it takes."""
        self._last = {}
        # signatures are read once: it takes longer than most bots take to learn
        self._names = parameter_names(self.agent.learn) if self.learns else ()
        if self._resets:
            names = parameter_names(self.agent.reset)
            call_named(self.agent.reset, names, {"seed": seed, "firm": firm})

    def price(self, history: History) -> float:
        """Return the price after the last period."""
        observation = history[-1] if history else None
        self._last = {"observation": observation}
        return float(self.agent.act(observation))

    def learn(self, profit: float, period: Period) -> None:
        """Hand over the profit."""
        values = self._last | {"price": period[0], "profit": profit, "next_observation": period}
        call_named(self.agent.learn, self._names, values, profit)

    def fork(self, history: History, profits: list[float]) -> AgentBot:
        """Return a deep copy."""
        return deepcopy(self)


class MessageBot:
    """A program or a server that answers messages in JSON with prices, as a bot.

    A message is an object with ``seed``, ``firm``, ``period``, ``history`` (pairs of the own price and the
    list of the rivals', newest last) and ``profit`` (of the last period, null before); the answer is a number
    or ``{"price": number}``. An empty history begins a session.
    """

    learns = True

    def __init__(self, channel: Callable[[], Any]) -> None:
        self._open = channel
        self._channel: Any = None
        self._session = (0, 0)
        self._profits: list[float] = []
        self._asked: History = []  # what a copy is asked again

    def begin(self, seed: int, firm: int) -> None:
        """Open a channel: a process of its own, or the address."""
        self.close()
        self._channel, self._session, self._profits, self._asked = self._open(), (seed, firm), [], []

    def price(self, history: History) -> float:
        """Return the answer to the message of a period."""
        if self._channel is None:
            self._channel = self._open()
        for period in range(len(self._asked)):
            self._ask_price(self._asked[:period], self._profits[period - 1] if period else None)
        self._asked = []
        return self._ask_price(history, self._profits[-1] if self._profits else None)

    def _ask_price(self, history: History, profit: float | None) -> float:
        seed, firm = self._session
        message = {"seed": seed, "firm": firm, "period": len(history), "history": history, "profit": profit}
        answer = self._channel.ask(json.dumps(message))
        try:
            content = json.loads(answer)
            return float(content["price"] if isinstance(content, dict) else content)
        except (ValueError, TypeError, KeyError):
            raise BotFault(f"answered {answer[:80]!r}, which is no price") from None

    def learn(self, profit: float, period: Period) -> None:
        """Store the profit for the next message."""
        self._profits.append(profit)

    def fork(self, history: History, profits: list[float]) -> MessageBot:
        """Return a new session that is asked everything again, once it is asked for a price."""
        branch = MessageBot(self._open)
        branch._session, branch._profits, branch._asked = self._session, list(profits), list(history)
        return branch

    def close(self) -> None:
        """Close the channel."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None


class BotProcess:
    """A process that answers lines of JSON, with limits of time and memory."""

    def __init__(self, command: list[str]) -> None:
        process: Any = start(command, memory=MEMORY, stdin=PIPE, stdout=PIPE)
        self._process, self._stdin, self._stdout = process, process.stdin, process.stdout
        self._ready = DefaultSelector()
        self._ready.register(self._stdout, EVENT_READ)
        _running.add(self)

    def ask(self, line: str) -> str:
        """Return the line that answers a line. Raises `BotFault`."""
        end = time.monotonic() + SECONDS
        try:
            self._stdin.write(line.encode() + b"\n")
            self._stdin.flush()
        except OSError:
            raise BotFault(self._ended()) from None
        answer = b""
        while not answer.endswith(b"\n"):
            if not self._ready.select(max(end - time.monotonic(), 0.0)):
                raise BotFault(f"did not answer within {SECONDS:g} s")
            part = os.read(self._stdout.fileno(), LINE)
            if not part:
                raise BotFault(self._ended())
            answer += part
            if len(answer) > LINE:
                raise BotFault(f"answered more than {LINE} bytes in a line")
        return answer.decode(errors="replace").strip()

    def _ended(self) -> str:
        try:
            return f"ended with status {self._process.wait(timeout=SECONDS)}"
        except TimeoutExpired:
            return "closed its output"

    def close(self) -> None:
        """End the process."""
        _running.discard(self)
        self._ready.close()
        self._process.kill()
        self._process.communicate()


_running: set[BotProcess] = set()


def end_processes() -> None:
    """End the processes of all bots."""
    for process in list(_running):
        process.close()


class BotServer:
    """A server on this machine that answers POST requests."""

    # a connection that stays open would keep a server of one thread from the other firm's bot
    _HEAD: ClassVar = {"Content-Type": "application/json", "Connection": "close"}

    def __init__(self, url: str) -> None:
        from http.client import HTTPConnection

        self._url = urlsplit(url)
        self._connection = HTTPConnection(self._url.hostname or "", self._url.port, timeout=SECONDS)

    def ask(self, line: str) -> str:
        """Return the body of the response. Raises `BotFault`."""
        from http.client import HTTPException

        path = self._url.path + (f"?{self._url.query}" if self._url.query else "")
        try:
            self._connection.request("POST", path or "/", line, self._HEAD)
            response = self._connection.getresponse()
            body = response.read().decode(errors="replace")
            self._connection.close()
        except TimeoutError:
            raise BotFault(f"no answer within {SECONDS:g} s") from None
        except (OSError, HTTPException) as error:
            self._connection.close()
            raise BotFault(f"{self._url.netloc}: {type(error).__name__}: {error}") from None
        if response.status != HTTPStatus.OK:
            raise BotFault(f"{self._url.netloc} answered with status {response.status}")
        return body

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PYTHON = re.compile(r"(.+\.py):([A-Za-z_]\w*)")


def files_of(bot: str) -> list[Path]:
    """Return the files of a bot that would be run.

    >>> [files_of(bot) for bot in ("http://127.0.0.1:8000/price", "q.npy", "bots/mine.py:price")]
    [[], [], [PosixPath('bots/mine.py')]]
    """
    if bot.startswith("http://") or is_table(bot):
        return []
    if match := _PYTHON.fullmatch(bot):
        return [Path(match[1])]
    return [Path(word) for word in shlex.split(bot) if Path(word).is_file()]


def bot_maker(bot: str) -> Callable[[], Bot]:
    """Return a function that makes independent copies of a bot.

    Parameters
    ----------
    bot : str
        ``FILE.py:NAME``, a command, or an address of this machine, ``http://127.0.0.1:PORT/PATH``.

    Raises
    ------
    ValueError
        For what is none of these.
    """
    if bot.startswith("http://"):
        if urlsplit(bot).hostname not in LOOPBACK:
            raise ValueError(
                f"{bot}: must be an address of this machine, such as http://127.0.0.1:8000/price"
            )
        return lambda: MessageBot(lambda: BotServer(bot))
    if match := _PYTHON.fullmatch(bot):
        return _python_bot(Path(match[1]), match[2])
    words = shlex.split(bot)
    if not words or shutil.which(words[0]) is None:
        raise ValueError(f"{bot}: is no FILE.py:NAME, no command, and no address http://127.0.0.1:PORT/PATH")
    return lambda: MessageBot(lambda: BotProcess([str(shutil.which(words[0])), *words[1:]]))


def _python_bot(path: Path, name: str) -> Callable[[], Bot]:
    try:
        code = compile(read_text(path), str(path), "exec", dont_inherit=True)
    except SyntaxError as error:
        raise BotFault(f"as {path} was read: {error}") from None

    def make() -> Bot:
        # every copy has variables of its own: copies that share a module would not be independent
        scope: dict[str, Any] = {"__name__": path.stem, "__file__": str(path)}
        with faults("as it was loaded"):
            exec(code, scope)
        if name not in scope:
            callables = ", ".join(
                sorted(k for k, v in scope.items() if callable(v) and not k.startswith("_"))
            )
            raise ValueError(f"{path}: defines no {name!r}; callable are: {callables}")
        rule = scope[name]
        with faults("as it was made"):
            if isinstance(rule, type):
                rule = rule()
        acts = "act" in callables_of(rule)
        if (acts or not callable(rule)) and (fault := act_fault(rule)):
            raise ValueError(f"{path}:{name}: is no function of the history, and {fault}")
        return AgentBot(rule) if acts else HistoryBot(rule)

    return make


@contextmanager
def faults(action: str, seconds: float = SECONDS) -> Iterator[None]:
    """Raise what a bot's code raises as a `BotFault` in one line, and stop it after some time."""
    try:
        with time_limit(seconds):
            yield
    except Overdue:
        raise BotFault(f"{action}: no answer within {seconds:g} s") from None
    except MemoryError:
        raise BotFault(f"{action}: it took more than {MEMORY / 2**30:g} GB of memory") from None
    except BotFault as fault:
        raise BotFault(f"{action}: {fault}") from None
    except (Exception, SystemExit) as error:
        text = " ".join(str(error).split())[:200]
        raise BotFault(f"{action}: {type(error).__name__}: {text}") from None


def seed_generators(seed: int) -> None:
    """Seed the generators that bots share, so that an audit can be repeated."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002


def limit_memory() -> None:
    """Limit the memory of this process to what it has, and `MEMORY` more."""
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if sys.platform == "linux" else 0
    if pages:
        limit = pages * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))
