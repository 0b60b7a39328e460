"""BibTeX of the package and of studies."""

import re
from pathlib import Path

import pytest

import rivalry as rv
from rivalry.cli.show import describe
from rivalry.lab.citation import bibtex, bibtex_of_run, how_to_cite
from rivalry.lab.store import Run
from rivalry.lab.study import Study, load_study

FIELD = re.compile(r"^  (\w+) = \{(.*)\},$", re.MULTILINE)


def fields_of(text: str) -> list[dict[str, str]]:
    return [dict(FIELD.findall(entry)) for entry in text.split("\n\n")]


def test_the_package_is_cited_as_its_citation_file_says() -> None:
    text = bibtex()
    assert text.startswith("@software{rivalry,\n")
    (found,) = fields_of(text)
    file = (Path(__file__).parents[2] / "CITATION.cff").read_text(encoding="utf-8")
    for key, words in (("author", found["author"]), ("title", found["title"]), ("version", found["version"])):
        name = "name" if key == "author" else key
        assert re.search(rf'{name}: "?{re.escape(words.strip("{}"))}"?\n', file), key
    assert found["version"] == rv.__version__


@pytest.mark.slow
def test_a_study_is_cited_by_the_fields_that_it_has() -> None:
    _, found = fields_of(bibtex(load_study("lovett_fig6")))
    assert found["note"] == r"Source: Lovett, Fu \& McAvoy, Fig. 6 (package InflGame)"
    assert found["howpublished"] == r"Study lovett\_fig6 of rivalry"
    bare = Study(name="bare", game={"family": "market"}, method={"kind": "best_response"})
    assert fields_of(bibtex(bare))[1] == {"howpublished": "Study bare of rivalry"}
    parts = load_study("tour").parts()
    assert len(fields_of(bibtex(load_study("tour")))) == 1 + len(parts)


def test_a_run_names_its_source_and_the_command(tmp_path: Path) -> None:
    run = Run.create_or_open(tmp_path / "run", load_study("race_readme"))
    assert how_to_cite(run) == (
        f"to cite: The rivalry developers, rivalry {rv.__version__}; README of dynapai 0.2.0, which prints "
        "the payoffs; `rivalry cite race_readme` prints BibTeX"
    )
    mine = tmp_path / "mine.toml"
    mine.write_text('[game]\nfamily = "market"\n[[method]]\nkind = "best_response"\n')
    own = Run.create_or_open(tmp_path / "own", load_study(mine))
    assert how_to_cite(own).endswith(f"rivalry {rv.__version__}; `rivalry cite` prints BibTeX")
    mine.write_text(describe("race_readme")[1][0])
    copy = Run.create_or_open(tmp_path / "copy", load_study(mine))
    assert how_to_cite(copy) == how_to_cite(run)
    copy.head["study"]["based_on"] = "x; rm -r ."  # in a run of somebody else
    assert "`rivalry cite 'x; rm -r .'` prints" in how_to_cite(copy)


def test_a_run_is_cited_with_the_year_of_its_log(tmp_path: Path) -> None:
    run = Run.create_or_open(tmp_path / "run", load_study("race_readme"))
    (run.folder / "log.txt").write_text("2031-02-03 04:05:06 1 of 1 cells to do\n")
    package, found = fields_of(bibtex_of_run(run.folder))
    assert (package["year"], found["year"]) == ("2031", "2031")
    assert found["howpublished"] == r"Study race\_readme of rivalry"
    (run.folder / "log.txt").write_text("of somebody else")
    assert all("year" not in entry for entry in fields_of(bibtex_of_run(run.folder)))
    with pytest.raises(ValueError, match="not a run folder"):
        bibtex_of_run(tmp_path)


def test_the_publication_of_a_study_is_an_entry_of_its_own() -> None:
    *_, entry = bibtex(load_study("race_precipice")).split("\n\n")
    assert entry.startswith("@article{armstrong2016,\n")
    assert dict(FIELD.findall(entry)) == {
        "author": "Armstrong and Bostrom and Shulman",
        "title": "{Racing to the precipice}",
        "journal": r"AI \& Society",
        "volume": "31",
        "year": "2016",
    }
    *_, entry = bibtex(load_study("race_compute_price")).split("\n\n")
    assert entry.startswith("@misc{jensen2023,\n")
    assert dict(FIELD.findall(entry))["eprint"] == "2302.11436"


def test_a_citation_without_a_year_or_with_an_unknown_key_is_refused() -> None:
    known = {"name": "bare", "game": {"family": "market"}, "method": {"kind": "best_response"}}
    with pytest.raises(ValueError, match="citation"):
        Study(**known, citation={"author": ["Cournot"], "title": "Recherches"})
    with pytest.raises(ValueError, match="jurnal"):
        Study(**known, citation={"author": ["Cournot"], "title": "Recherches", "year": 1838, "jurnal": "x"})
