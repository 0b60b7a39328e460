"""Settings of every family with fresh seeds, where they are asked for: see the check's section on seeds."""

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.duel import draws
from tests.duel.judge import duel

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", draws.KINDS)
@settings(max_examples=2, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(seed=st.integers(2, 2**31))
def test_no_word_is_wrong_with_another_seed(kind: str, seed: int) -> None:
    assert [line for one in draws.settings(kind, seed, 0, 4) for line in duel(one).lines()] == []
