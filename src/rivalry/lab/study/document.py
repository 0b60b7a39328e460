"""What may stand in a study, table by table; families and methods check their own keys later."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rivalry.lab.study.errors import StudyError, from_pydantic, shown
from rivalry.lab.study.points import Grid

Number = int | float
_STORED = (  # what every version stored of a study
    *("title", "question", "source", "cost", "game", "method", "sweep", "batch", "replications"),
    *("expect", "certificate", "plots", "include"),
)
MANY = ("random", "grid")  # starts of which there may be many
Start = str | list[Number] | list[list[Number]]


class _Table(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class Replications(_Table):
    """How often everything is repeated; all randomness comes from ``seed``."""

    count: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    paired: bool = False


class CertificateTable(_Table):
    """``tolerance``: regret up to this, in units of the game's payoff scale, counts as none."""

    tolerance: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1e-6


class Expect(_Table):
    """A value that a source prints, one that was computed independently, or both, and where ours is."""

    quantity: str
    at: dict[str, bool | int | float | str] = {}
    reduce: Literal["mean", "min", "max", "share"] | None = None
    equals: bool | int | float | str | None = None  # what ``reduce = "share"`` counts; otherwise what is true
    published: bool | int | float | str | None = None
    published_tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    published_tolerance_reason: str = ""
    locator: str = ""
    read: Literal["first-hand", "second-hand", "from a figure"] | None = None
    why: str = ""
    expected: bool | int | float | str | None = None
    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    within: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    quick: bool = False
    note: str = ""


class RunKeys(_Table):
    """Keys of a ``[[method]]`` that are not the method's own: how it is started and when it stops."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_\-]+$")]
    kind: str
    start: Start = "random"
    starts: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    tol: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    max_steps: Annotated[int, Field(ge=1)] | None = None
    max_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    steps: Annotated[int, Field(ge=1)] | None = None
    path: bool = True
    negative_controls: bool | list[str] = True


class Document(_Table):
    """The whole file."""

    title: str = ""
    question: str = ""
    source: str = ""
    cost: Literal["seconds", "minutes", "hours"] = "seconds"
    game: dict[str, Any] | None = None
    method: list[dict[str, Any]] = []
    sweep: dict[str, Any] = {}
    batch: dict[str, Any] = {}
    replications: Replications = Replications()
    expect: list[Expect] = []
    quick: dict[str, Any] = {}
    certificate: CertificateTable = CertificateTable()
    plots: list[str | dict[str, Any]] = []
    include: list[str] = []


def read(data: Mapping[str, Any]) -> Document:
    """The tables of a study, checked as far as no family or method is needed. Raises `StudyError`."""
    plain = dict(data)
    for key in ("method", "expect"):
        if isinstance(plain.get(key), Mapping):
            raise StudyError(f"is one table; must be a list of them, each headed [[{key}]]", key=key)
    for k, row in enumerate(plain.get("expect") or ()):
        if isinstance(row, Mapping) and "over" in row:
            raise StudyError("is called reduce", key=f"expect[{k}].over")
    document: Document = _validated(Document, plain, ())
    if document.include:
        _alone(plain)
    else:
        _complete(document)
    return document.model_copy(update={"method": _methods(document.method)})


def check_stored(study: Mapping[str, Any]) -> None:
    """Whether a resolved study has the form that `rivalry.lab.study.Study.resolved` gives it.

    What its names stand for is not looked up, so a run can be read where a plug-in is missing. Raises
    `StudyError`.
    """
    for key in _STORED:
        if key not in study:
            raise StudyError("is missing", key=key)
    given = {key: study.get(key) for key in Document.model_fields}
    read({key: value for key, value in given.items() if value not in (None, {}, [], "")})
    for k, method in enumerate(study.get("method") or []):
        if "name" not in method:
            raise StudyError("has no name", key=f"method[{k}]")
    for table in ("sweep", "batch"):
        Grid(study.get(table) or {}, table)
    for k, plot in enumerate(study.get("plots") or []):
        if not isinstance(plot if isinstance(plot, str) else plot.get("kind"), str):
            raise StudyError("has no kind", key=f"plots[{k}]")
    known = study.get("files") or {}
    if not isinstance(known, Mapping) or not all(isinstance(digest, str) for digest in known.values()):
        raise StudyError("must be digests by the names of files", key="files")
    included = study.get("included") or {}
    if not isinstance(included, Mapping) or not all(isinstance(part, Mapping) for part in included.values()):
        raise StudyError("must be studies by their names", key="included")
    for part in included.values():
        check_stored(part)
    if study.get("base") is not None:
        _check_base(study["base"])


def _check_base(base: Any) -> None:
    """Whether the tables that a study had before it was changed are tables of a study."""
    if not isinstance(base, Mapping) or set(base) - set(Document.model_fields):
        raise StudyError("must be tables of a study", key="base")
    try:
        read({key: value for key, value in base.items() if value not in (None, {}, [], "")})
        for table in ("sweep", "batch"):
            Grid(base.get(table) or {}, table)
    except StudyError as error:
        raise StudyError(str(error), key="base") from None


def expectation(row: Expect) -> dict[str, Any]:
    """One ``[[expect]]`` as it is stored: what was left out stays out."""
    return row.model_dump(exclude_unset=True)


def run_keys(table: Mapping[str, Any], prefix: Sequence[str | int]) -> dict[str, Any]:
    """The keys of a method's table that the run uses, checked. Raises `StudyError`."""
    own = {k: v for k, v in table.items() if k in RunKeys.model_fields}
    _validated(RunKeys, own, prefix)
    if "starts" in own and not isinstance(own.get("start", "random"), str):
        raise StudyError(
            "clashes with start: give one start, or a number of random ones", key=_key(prefix, "starts")
        )
    if "starts" in own and own.get("start", "random") not in MANY:
        raise StudyError(
            f"clashes with start = {shown(own['start'])}: they are random, or a grid",
            key=_key(prefix, "starts"),
        )
    if own.get("start") == "grid" and "starts" not in own:
        raise StudyError("'grid' needs starts, how many there are", key=_key(prefix, "start"))
    if own.get("path") and "starts" in own:
        raise StudyError(
            "clashes with starts: many starts in one cell record no paths", key=_key(prefix, "path")
        )
    if "steps" in own and "max_steps" in own:
        raise StudyError(
            "clashes with max_steps: learners take steps, other methods max_steps", key=_key(prefix, "steps")
        )
    return own


def _key(prefix: Sequence[str | int], name: str) -> str:
    from rivalry.lab.study.errors import dotted

    return dotted([*prefix, name])


def _validated(model: type[Any], data: dict[str, Any], prefix: Sequence[str | int]) -> Any:
    try:
        return model.model_validate_json(json.dumps(data, default=str))
    except ValidationError as error:
        raise from_pydantic(error, data, prefix, _known(model, error)) from None


def _known(model: type[BaseModel], error: ValidationError) -> list[str]:
    """The keys allowed where the first unknown one stands."""
    extra = next((e["loc"] for e in error.errors(include_url=False) if e["type"] == "extra_forbidden"), ())
    inner: dict[str, type[BaseModel]] = {
        "replications": Replications,
        "certificate": CertificateTable,
        "expect": Expect,
    }
    place: type[BaseModel] | None = inner.get(str(extra[0])) if len(extra) > 1 else None
    return list((place or model).model_fields)


def _alone(plain: Mapping[str, Any]) -> None:
    allowed = {"title", "question", "source", "cost", "include"}
    for key in plain:
        if key not in allowed:
            raise StudyError("clashes with include: a study of studies has no tables of its own", key=key)


def _complete(document: Document) -> None:
    if document.game is None:
        raise StudyError("is missing: a study needs a [game], or include = [...]", key="game")
    if "family" not in document.game:
        raise StudyError(
            'is missing; write family = "influencer", or another of `rivalry list games`', key="game.family"
        )
    if not isinstance(document.game["family"], str):
        raise StudyError(f"{shown(document.game['family'])} must be text", key="game.family")
    if not document.method:
        raise StudyError("is missing: a study needs at least one [[method]]", key="method")
    for k, row in enumerate(document.expect):
        _references(row, f"expect[{k}]")


def _references(row: Expect, key: str) -> None:
    """Whether a row says what it is compared with, and how exactly each reference is known."""
    if row.tolerance is not None and row.within is not None:
        raise StudyError("clashes with within: give one of them", key=f"{key}.tolerance")
    if row.equals is not None and row.reduce != "share":
        raise StudyError('needs reduce = "share", of what equals it', key=f"{key}.equals")
    if row.within is not None and row.within[0] > row.within[1]:
        raise StudyError(f"{row.within} must be [low, high]", key=f"{key}.within")
    if row.published is None and row.expected is None and row.within is None:
        raise StudyError("needs published, expected or within", key=key)
    if row.published is None:
        for name in ("published_tolerance", "published_tolerance_reason", "locator", "read", "why"):
            if getattr(row, name) not in (None, ""):
                raise StudyError("describes a published value; give published too", key=f"{key}.{name}")
    elif _is_number(row.published):
        if row.published_tolerance is None:
            rule = "is missing; give half a unit of the last printed digit, as in 0.005 for 0.85"
            raise StudyError(rule, key=f"{key}.published_tolerance")
        if not row.published_tolerance_reason:
            rule = 'is missing; say where the tolerance comes from, as in "rounding of two printed decimals"'
            raise StudyError(rule, key=f"{key}.published_tolerance_reason")
    if row.tolerance is not None and row.expected is None:
        rule = "belongs to expected, which is missing"
        if row.published is not None:
            rule += "; that of published is published_tolerance"
        raise StudyError(rule, key=f"{key}.tolerance")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _methods(tables: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Every method's table with its name, which is its kind where none is given."""
    named: list[dict[str, Any]] = []
    for k, table in enumerate(tables):
        kind = table.get("kind")
        if not isinstance(kind, str):
            rule = "is missing; see `rivalry list methods`" if kind is None else f"{shown(kind)} must be text"
            raise StudyError(rule, key=f"method[{k}].kind")
        default = kind.rpartition(":")[2] if ".py:" in kind else kind.replace(".", "_")
        row = {"name": table.get("name", default), **{n: v for n, v in table.items() if n != "name"}}
        run_keys(row, ("method", k))
        if any(row["name"] == other["name"] for other in named):
            raise StudyError(
                f"{row['name']!r} is taken; give each method a name of its own", key=f"method[{k}].name"
            )
        named.append(row)
    return named
