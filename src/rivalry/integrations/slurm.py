"""A run as an array job of SLURM: every task computes one shard of its cells."""

from __future__ import annotations

import re
from pathlib import Path
from shlex import quote
from shutil import which
from typing import Annotated

from rivalry.cli import output, work
from rivalry.cli.options import Json, StudyName, flag, option
from rivalry.cli.values import OptionError
from rivalry.runtime.processes import one_line, python_command, run_program, shell_line

NOTICE = 60  # seconds before the time limit at which a task stops, and asks to be queued again
KILLED = 3  # times that a task which was killed is queued again

SCRIPT = """#!/bin/bash
#SBATCH --job-name={name}
#SBATCH --array=1-{count}
#SBATCH --cpus-per-task={cpus}
#SBATCH --output={log}
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --signal=B:USR1@{notice}
{options}# The task stops {notice} s before its time limit, with finished cells on disk, and is queued again.
# One that was killed is queued again too, at most {killed} times.
again=
trap 'again=1; kill -INT $task' USR1
{work} --shard "$SLURM_ARRAY_TASK_ID/{count}" --workers {cpus} &
task=$!
wait $task
ended=$?
while kill -0 $task 2>/dev/null; do
  wait $task
  ended=$?
done
if [ -n "$again" ] || {{ [ $ended -eq 137 ] && [ "${{SLURM_RESTART_COUNT:-0}}" -lt {killed} ]; }}; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit $ended
"""


def script(folder: Path, count: int, cpus: int, time: str | None, partition: str | None) -> str:
    """Return the batch script of an array job with ``count`` tasks, whose shards are in ``folder`` of a run.

    >>> print(script(Path("runs/duel/array"), 8, 1, "01:00:00", None).splitlines()[8])
    #SBATCH --time=01:00:00
    """
    settings = {"time": time, "partition": partition}
    return SCRIPT.format(
        name=_sbatch_word(f"rivalry-{folder.parent.name}"),
        count=count,
        cpus=cpus,
        log=_sbatch_word(f"{str(folder).replace('%', '%%')}/%a.log"),
        notice=NOTICE,
        options="".join(f"#SBATCH --{key}={value}\n" for key, value in settings.items() if value),
        killed=KILLED,
        work=shell_line(python_command("rivalry", "work", str(folder.parent))),
    )


def _sbatch_word(text: str) -> str:
    """Value of an option as sbatch reads it: a blank ends it outside of quotes, a ``#`` anywhere."""
    return '"' + re.sub('["#]', r"\\\g<0>", text) + '"'


def slurm(
    study: StudyName,
    shards: Annotated[int, option("--shards", "N", "Tasks of the array job.", min=1, max=10_000)],
    out: Annotated[Path | None, option("--out", "DIR", "Folder of the run; default runs/NAME.")] = None,
    time: Annotated[str | None, option("--time", "TIME", "Time limit per task, as sbatch takes it.")] = None,
    partition: Annotated[str | None, option("--partition", "NAME", "Partition of the cluster.")] = None,
    workers: Annotated[int, option("--workers", "N", "Processors per task.", min=1, max=1024)] = 1,
    print_: Annotated[
        bool, flag("--print", "Make the run's folder, print the script, and submit nothing.")
    ] = False,
    json: Json = False,
) -> int:
    """Submit a study as an array job of SLURM.

    `rivalry status RUN` shows the shards, and `rivalry resume RUN` merges them when the job has ended.
    """
    from rivalry.core import files
    from rivalry.lab.array import FOLDER

    for name, value in {"--time": time, "--partition": partition}.items():
        if value is not None and not re.fullmatch(r"[\w:,.\-]+", value):
            raise OptionError(f"{name} {value}: must be a value that sbatch takes, without spaces")
    if not print_ and which("sbatch") is None:
        raise OptionError("slurm: no sbatch here; --print makes the folder and prints the script")
    try:
        place = one_line(str((out or Path()).resolve()))
    except ValueError as error:
        raise OptionError(f"--out {error}") from None
    if "\\" in place:  # SLURM would not replace the task's number in the name of its log
        raise OptionError(f"--out {place}: must not have backslashes")
    with output.reserve_stdout():
        run = work.prepare(study, out)
    folder = files.folder_for(run.folder / FOLDER).resolve()
    path = folder / "job.sh"
    text = script(folder, shards, workers, time, partition)
    files.write(path, text.encode())
    report: dict[str, object] = {"run": str(run.folder), "script": str(path), "shards": shards, "job": None}
    if print_:
        return output.print_result(json, report, text)
    submission = run_program(["sbatch", "--parsable", str(path)])
    if submission.returncode:
        raise OptionError(f"sbatch: {' '.join((submission.stderr or submission.stdout).split())}")
    report["job"] = submission.stdout.strip()
    quoted = quote(str(run.folder))
    text = f"job {report['job']}: {shards} tasks; `rivalry status {quoted}`, then `rivalry resume {quoted}`"
    return output.print_result(json, report, text)
