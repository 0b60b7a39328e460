"""Results of small studies against stored reference datasets; see `studies`."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tests.golden.studies import HERE, KEPT, dataset, studies

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", studies())
def test_a_study_reproduces_its_stored_dataset(name: str, tmp_path: Path) -> None:
    kept = xr.load_dataset(HERE / f"{name}.nc", engine="h5netcdf")
    found = dataset(studies()[name], tmp_path / "run")
    assert dict(found.sizes) == dict(kept.sizes)
    assert sorted(map(str, found.data_vars)) == sorted(map(str, kept.data_vars))
    for coordinate in kept.coords:
        assert found[coordinate].values.tolist() == kept[coordinate].values.tolist(), coordinate
    for variable in map(str, kept.data_vars):
        assert found[variable].dims == kept[variable].dims, variable
        new, old = found[variable].values, kept[variable].values
        if old.dtype.kind == "f":
            close = KEPT[variable]
            np.testing.assert_allclose(new, old, rtol=close, atol=close, err_msg=variable)
        else:
            assert new.tolist() == old.tolist(), variable
