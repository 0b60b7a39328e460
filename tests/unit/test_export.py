"""Export: tidy, sorted and exact tables, and equal bytes for equal data."""

import csv
import io
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from rivalry.lab.export import _tables, export, number_format, tidy, to_csv
from rivalry.lab.store import Run, StoreError
from rivalry.results.render import dataframe, latex
from rivalry.results.table import Estimate, Table
from tests.duel_study import record, store, study
from tests.unit.stored_run import stored
from tests.unit.stored_run import study as influencer


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = Run.create_or_open(tmp_path / "run", study(tmp_path))
    for k, place in enumerate(run.cells):
        store(run, place.id, record(k))
    return run


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_variable_is_in_one_table_with_exact_values(run: Run, tmp_path: Path) -> None:
    paths, left_out, damaged = export(run, "csv", tmp_path / "out", everything=True)
    assert (left_out, damaged) == ([], [])
    assert sorted(p.name for p in paths) == [
        "cells.csv",
        "columns.md",
        "player.csv",
        "player_axis.csv",
        "step_player_axis.csv",
    ]
    data = run.dataset()
    players = table(tmp_path / "out" / "player.csv")
    assert len(players) == 6 * 2
    for row in players:
        at = {
            "prize": float(row["prize"]),
            "algorithm": row["algorithm"],
            "replication": int(row["replication"]),
        }
        found = data.sel(at).isel(player=int(row["player"]))
        for name in ("payoff", "regret", "bound"):
            assert float(row[name]) == float(found[name])
    paths_of_cells = table(tmp_path / "out" / "step_player_axis.csv")
    assert len(paths_of_cells) == sum(record(k)["path"][1].size for k in range(6))  # no padding


def test_rows_are_sorted_by_their_coordinates() -> None:
    data = xr.Dataset({"x": (("b", "a"), np.arange(4.0).reshape(2, 2))}, {"a": ["z", "y"], "b": [3.0, 1.0]})
    assert to_csv(tidy(data, ("b", "a"), ["x"])) == "b,a,x\n1.0,y,3.0\n1.0,z,2.0\n3.0,y,1.0\n3.0,z,0.0\n"


def test_missing_values_are_empty_and_empty_rows_are_left_out() -> None:
    data = xr.Dataset(
        {
            "x": ("k", [np.nan, 1.0, np.nan]),
            "n": ("k", [-1, 2, 3]),
            "s": ("k", ["", "a,b", ""]),
            "y": ("k", [np.inf] * 3),
        }
    )
    assert to_csv(tidy(data, ("k",), ["n", "s", "x"])) == 'k,n,s,x\n1,2,"a,b",1.0\n2,3,,\n'
    assert to_csv(tidy(data, ("k",), ["y"])).splitlines()[1] == "0,inf"
    assert to_csv(tidy(data, ("k",), ["n", "y"])).splitlines()[1:] == ["0,,inf", "1,2,inf", "2,3,inf"]


def test_coordinates_follow_the_column_of_their_dimension() -> None:
    data = xr.Dataset({"x": ("a", [1.0])}, {"a": [0.5], "b": ("a", ["w"])})
    frame = tidy(data, ("a",), ["x"])
    assert (list(frame.columns), frame.to_numpy().tolist()) == (["a", "b", "x"], [[0.5, "w", 1.0]])


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_text_is_escaped_against_formulas_and_numbers_are_not(first: str) -> None:
    data = xr.Dataset(
        {"=x": ("k", [-1.5]), "s": ("k", [f"{first}1+cmd"]), "i": ("k", [-2])}, {"k": [f"{first}k"]}
    )
    text = to_csv(tidy(data, ("k",), ["=x", "i", "s"]))
    first = first.replace("\r", "\n")
    head, row = csv.reader(io.StringIO(text, newline=""))
    assert head == ["k", "'=x", "i", "s"]
    assert row == [f"'{first}k", "-1.5", "-2", f"'{first}1+cmd"]


@pytest.mark.slow
@given(st.floats(allow_nan=False))
def test_a_float_reads_back_as_itself(number: float) -> None:
    text = to_csv(tidy(xr.Dataset({"x": ("k", [number])}), ("k",), ["x"]))
    assert float(text.splitlines()[1].split(",")[1]) == number


@pytest.mark.slow
def test_netcdf_equals_the_dataset(run: Run, tmp_path: Path) -> None:
    (path,) = export(run, "netcdf", tmp_path / "out").files
    assert path.name == "duel.nc"
    assert xr.load_dataset(path, engine="h5netcdf").identical(run.dataset())


@pytest.mark.slow
def test_the_same_data_give_the_same_bytes(run: Run, tmp_path: Path) -> None:
    other = Run.create_or_open(tmp_path / "other", study(tmp_path))
    for k, place in reversed(list(enumerate(other.cells))):
        store(other, place.id, record(k))
    for form in ("csv", "netcdf"):
        one, two = (export(each, form, everything=form != "netcdf").files for each in (run, other))
        assert [p.name for p in one] == [p.name for p in two]
        assert [p.read_bytes() for p in one] == [p.read_bytes() for p in two]
        assert one[0].parent == run.folder / "export"


def test_truth_values_are_words() -> None:
    stored = ("k", np.array([1, 0, -1], np.int8), {"flag_meanings": "false true"})  # -1 where missing
    data = xr.Dataset({"stable": ("k", [True, False, True]), "unique": stored})
    assert (
        to_csv(tidy(data, ("k",), ["stable", "unique"]))
        == "k,stable,unique\n0,true,true\n1,false,false\n2,true,\n"
    )


def test_single_rows_are_collected_and_longer_tables_are_not(tmp_path: Path) -> None:
    data = xr.Dataset(
        {
            "claim": ("cell", ["equilibrium"]),
            "threshold": (("cell", "root"), [[0.25, np.nan]]),
            "stable": (("cell", "root"), [[1, -1]], {"flag_meanings": "false true"}),
            "count": (("cell", "level"), [[3]]),
            "payoff": (("cell", "player"), [[1.0, 2.0]]),
        },
        {"cell": ["a"], "level": [0.5]},
    )
    written = list(_tables(data, ["cell"], tmp_path, "csv"))
    assert [Path(str(path)).name for path in written] == ["cells.csv", "player.csv", "single_rows.csv"]
    assert (tmp_path / "single_rows.csv").read_text().splitlines() == [
        "table,cell,level,root,variable,value",
        "level,a,0.5,,count,3",
        "root,a,,0,stable,true",
        "root,a,,0,threshold,0.25",
    ]
    assert (tmp_path / "cells.csv").read_text() == "cell,claim\na,equilibrium\n"


def test_parquet_has_the_types_of_the_dataset(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    truth = {"flag_meanings": "false true"}
    data = xr.Dataset(
        {
            "x": ("k", [0.1, np.nan, np.inf, np.nan]),
            "n": ("k", [-1, 2, 3, -1]),
            "s": ("k", ["", "=a", "b\r\nc", ""]),
            "unique": ("k", np.array([1, 0, -1, -1], np.int8), truth),
        },
        {"k": [0.5, 1.5, 2.5, 3.5]},
    )
    (path,) = _tables(data, [], tmp_path, "parquet")
    frame = pd.read_parquet(str(path), dtype_backend="numpy_nullable")
    assert list(frame.columns) == ["k", "n", "s", "unique", "x"]
    assert frame.k.tolist() == [0.5, 1.5, 2.5]  # the last row holds no known value
    assert frame.n.tolist() == [pd.NA, 2, 3]
    assert frame.s.tolist() == [pd.NA, "=a", "b\r\nc"]
    assert frame.unique.tolist() == [True, False, pd.NA]
    assert (frame.x[0], frame.x[2]) == (0.1, np.inf)
    assert [str(frame[name].dtype) for name in ("n", "s", "unique")] == ["Int64", "string", "boolean"]


@pytest.mark.slow
def test_parquet_holds_the_tables_of_csv(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    csvs = export(run, "csv", tmp_path / "csv", everything=True).files[:-1]
    parquets = export(run, "parquet", tmp_path / "parquet", everything=True).files[:-1]
    assert [path.stem for path in parquets] == [path.stem for path in csvs]
    for ours, text in zip(parquets, csvs, strict=True):
        one, other = pd.read_parquet(ours), pd.read_csv(text)
        assert list(one.columns) == list(other.columns)
        for name in one.columns:
            assert one[name].map(str).replace("<NA>", "nan").tolist() == other[name].map(str).tolist(), name


def test_parquet_needs_its_library(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rivalry.lab.export.find_spec", lambda name: None)
    with pytest.raises(StoreError, match=r"^--to parquet: needs PyArrow; pip install '.*\[parquet\]'"):
        export(run, "parquet", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_wrong_exports_are_refused(run: Run, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="--to excel: must be one of csv, xlsx, latex, markdown, parquet"):
        export(run, "excel")
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="is a file"):
        export(run, "csv", tmp_path / "file")
    empty = Run.create_or_open(tmp_path / "empty", study(tmp_path))
    with pytest.raises(StoreError, match="no cell is done"):
        export(empty, "csv")


# -- the table of the answer -----------------------------------------------------------------------------


@pytest.mark.parametrize("to", ["csv", "xlsx", "latex", "markdown", "parquet"])
def test_the_table_of_the_answer_is_one_file(run: Run, tmp_path: Path, to: str) -> None:
    pytest.importorskip({"xlsx": "xlsxwriter", "parquet": "pyarrow"}.get(to, "csv"))
    (path,) = export(run, to, tmp_path / "out").files
    assert [one.name for one in (tmp_path / "out").iterdir()] == [path.name]
    assert path.stem == "results"
    again = export(Run.open(run.folder), to, tmp_path / "again").files[0]
    assert again.read_bytes() == path.read_bytes()


def test_every_format_holds_the_numbers_of_the_printed_table(run: Run, tmp_path: Path) -> None:
    printed = run.answer.table
    rows = table(export(run, "csv", tmp_path / "csv").files[0])
    assert len(rows) == len(printed.rows)
    for row, entries in zip(rows, printed.cells, strict=True):
        for name, entry in zip(printed.columns, entries, strict=True):
            if name == "strategies":  # a column per number
                assert name not in row
            elif np.isfinite(entry.mean):
                assert float(row[name]) == entry.mean
            else:
                assert row[name] == entry.text
    means = run.dataset().profile.mean("replication").values.reshape(len(rows), -1)
    np.testing.assert_array_equal([[float(row[f"player {k}"]) for k in (0, 1)] for row in rows], means)
    text = export(run, "markdown", tmp_path / "md").files[0].read_text(encoding="utf-8")
    assert "| " + " | ".join(printed.columns) + " |" in text
    assert all(f"- {line}" in text for line in run.answer.caveats)
    latex = export(run, "latex", tmp_path / "tex").files[0].read_text(encoding="utf-8")
    assert latex.count(r" \\") == len(rows) + 1
    for part in (r"\caption{", r"\label{tab:duel}", r"\toprule", r"\bottomrule", r"\end{table}"):
        assert part in latex


@pytest.mark.slow
def test_a_workbook_holds_numbers_as_numbers_and_no_formulas(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("xlsxwriter")
    openpyxl = pytest.importorskip("openpyxl")
    (path,) = export(run, "xlsx", tmp_path / "out").files
    rows = list(openpyxl.load_workbook(path).active.iter_rows(values_only=True))
    printed = run.answer.table
    names = list(rows[0])
    for name in [name for name in printed.columns[:4] if name != "strategies"]:
        column = [row[names.index(name)] for row in rows[1 : len(printed.rows) + 1]]
        for value, entry in zip(column, printed.column(name), strict=True):  # a workbook has 16 digits
            assert value == (pytest.approx(entry.mean, rel=1e-15) if np.isfinite(entry.mean) else entry.text)

    sheet = openpyxl.load_workbook(path).active
    shown = [cell for row in sheet.iter_rows(min_row=2) for cell in row if isinstance(cell.value, float)]
    assert all(cell.number_format == number_format(cell.value) for cell in shown)


@pytest.mark.slow
def test_a_workbook_has_each_sheet_once_and_columns_as_wide_as_headings(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("xlsxwriter")
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.load_workbook(export(run, "xlsx", tmp_path / "out").files[0])
    assert book.sheetnames == ["results", "about"]  # a row per point has all that is known of it
    for sheet in book:
        for (head,) in sheet.iter_cols(min_row=1, max_row=1):
            width = sheet.column_dimensions[head.column_letter].width
            lines = (sheet.row_dimensions[1].height or 15) / 15
            assert len(str(head.value)) <= width * lines


@pytest.mark.parametrize("value", [0.5, -0.25, 99.94, 12345.6, 1 / 3, 9.9e-4])
def test_a_spreadsheet_shows_four_digits(value: float) -> None:
    places = len(number_format(value).removeprefix("0."))
    assert float(f"{value:.{places}f}") == pytest.approx(value, rel=5.1e-4)


def test_intervals_have_columns_of_their_own() -> None:
    mean = Estimate("2.0 ± 0.5", 2.0, 1.5, 2.5)
    share = Estimate("0.50 (0.20 to 0.90)", 0.5, 0.2, 0.9)
    shown = Table([{"method": Estimate("a"), "gain": mean, "converged": share}], "points")
    assert dataframe(shown).to_dict("records") == [
        {
            "method": "a",
            "gain": 2.0,
            "gain, ±": 0.5,
            "converged": 0.5,
            "converged, from": 0.2,
            "converged, to": 0.9,
        }
    ]


@pytest.mark.slow
@pytest.mark.parametrize("to", ["png", "pdf", "svg"])
def test_figures_are_files_with_equal_bytes(tmp_path: Path, to: str) -> None:
    made = stored(tmp_path / "run", influencer(sweep={"game.reach": [0.2, 0.25]}, plots=["bifurcation"]))
    paths = export(made, to, tmp_path / "out").files
    assert [path.name for path in paths] == [f"01-bifurcation.{to}"]
    again = export(made, to, tmp_path / "again").files
    assert [path.read_bytes() for path in paths] == [path.read_bytes() for path in again]


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs LaTeX")
@pytest.mark.slow
@pytest.mark.parametrize("points", [2, 60])
def test_the_table_compiles_within_the_margins(tmp_path: Path, points: int) -> None:
    reaches = np.linspace(0.1, 0.2, points).tolist()
    words = {"threshold": "the smallest reach at which all firms stand together and none leaves (50 %)"}
    answer = {"quantities": ["threshold"], "words": words}
    made = stored(
        tmp_path / "run",
        influencer(sweep={"game.reach": reaches}, plots=[], title="50 % of A_b & {c} ~ ^", answer=answer),
    )
    (path,) = export(made, "latex", tmp_path / "out").files
    packages = r"\documentclass{article}\usepackage{booktabs,graphicx,longtable}"
    page = packages + r"\begin{document}\input{%s}\end{document}"
    (tmp_path / "page.tex").write_text(page % path.as_posix(), encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout
    assert "Float too large" not in done.stdout


def test_a_latex_table_has_short_lines_and_is_cut_into_pages_where_it_is_long() -> None:
    long = "the gain from a best response to the policies of the rivals"
    row = {
        long: Estimate("0.25", 0.25, 0.25, 0.25),
        "strategies": Estimate("[inspect 0.8, trust 0.2], [comply 0.7, violate 0.3]"),
    }
    few = latex(Table([row] * 3, "points", notes=("n: 4",)), caption="A duel", label="duel")
    many = latex(Table([row] * 60, "points"), caption="A duel", label="duel")
    (head,) = re.findall(r"\\shortstack\[r\]\{(.*?)\}", few)
    assert head.replace(r"\\", " ") == long
    assert max(map(len, head.split(r"\\"))) <= 14
    assert r"\parbox[t]{17em}{\raggedright [inspect" in few
    assert "In every row: n: 4." in few
    assert "longtable" not in few
    for words in (r"\begin{longtable}{rl}", r"\endhead", r"\caption{", r"\label{tab:duel}"):
        assert words in many


def test_everything_is_for_tables_alone(run: Run, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="--all: is for csv, parquet; png has nothing to add"):
        export(run, "png", tmp_path / "out", everything=True)
