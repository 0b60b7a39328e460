"""Readers of a file that a user names say in one line that there is none."""

import pytest

import rivalry as rv
from rivalry.audit.tables import read_price_table
from rivalry.core.foreign_tables import read_table
from rivalry.interop import read_efg, read_extensive, read_nfg

READERS = {
    "absent.nfg": read_nfg,
    "absent.efg": read_efg,
    "tree.efg": read_extensive,
    "absent.npy": read_table,
    "absent.csv": read_table,
    "table.npy": read_price_table,
    "links.csv": lambda name: rv.games.routes(links=name, demand={"a>b": 1}),
    "network.json": lambda name: rv.games.city(network={"kind": "file", "path": name}),
    "resource.json": lambda name: rv.games.influencer(resource={"kind": "file", "path": name}),
}


@pytest.mark.parametrize("is_folder", [False, True])
def test_absent_file(tmp_path, is_folder):
    for name, read in READERS.items():
        path = tmp_path / name
        if is_folder:
            path.mkdir()
        with pytest.raises(ValueError, match=r"no such file|is no file") as caught:
            read(str(path))
        assert path.stem in str(caught.value)
        assert "Errno" not in str(caught.value)
        assert "\n" not in str(caught.value)
