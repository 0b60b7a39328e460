"""One side of a comparison: a process that does a piece of work when asked, and answers with its times.

A side reads one line from standard input, ``[task, inputs]`` in JSON, and calls the function of that name. It
answers with the result, the version of the package and the processor time since the process started, so that
this first time includes imports and compiling. Then it repeats the work to warm up. For every further line it
answers with the processor time and the wall time of one call, the mean of a round that takes a tenth of a
second at least. This file needs Python alone: it runs in the environment of every peer.
"""

import contextlib
import json
import os
import resource
import sys
import time

WARM_UP, ROUND = 1.0, 0.1  # seconds of wall time
MOST_CALLS = 5  # of the warm-up, unless it compiles longer


def processor():
    """Return the processor time of this process, all threads, and of processes it has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + used.ru_utime + used.ru_stime


def clock(work, calls=1):
    """Return the mean processor time and wall time of ``calls`` calls of ``work()``."""
    before = processor(), time.perf_counter()
    for _ in range(calls):
        work()
    return (processor() - before[0]) / calls, (time.perf_counter() - before[1]) / calls


def serve(package, tasks):
    """Answer by functions of a dictionary, on standard output; what they print goes to standard error."""
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)

        def answer(**found):
            # arrays as lists, without importing NumPy
            answers.write(json.dumps(found, default=lambda value: value.tolist()) + "\n")
            answers.flush()

        name, inputs = json.loads(sys.stdin.readline())
        task = tasks[name]
        result = task(**inputs)
        first = processor()
        from importlib.metadata import version

        with contextlib.suppress(BrokenPipeError):
            answer(result=result, first=first, version=version(package))
            spent = calls = 0
            while spent < WARM_UP and calls < MOST_CALLS:
                last = clock(lambda: task(**inputs))[1]
                spent, calls = spent + last, calls + 1
            calls = max(1, round(ROUND / last))
            for _ in sys.stdin:
                processor_time, wall_time = clock(lambda: task(**inputs), calls)
                answer(processor=processor_time, wall=wall_time)
