"""The decoder as a whole: it has the multipliers that it says, and no others."""

import pytest
from amaranth.back import rtlil

from design.decoder import Decoder, multipliers
from spec.config import Config
from spec.derived import derive
from tests.design.support import SMALL


@pytest.mark.parametrize("config", [SMALL[0], SMALL[-1]], ids=["three beside", "one beside"])
def test_multipliers_are_those_of_the_lanes_and_the_scalar_ones(config: Config):
    assert multipliers(config) == config.geometry.lanes + derive(config).scalar_multipliers
    assert rtlil.convert(Decoder(config)).count("cell $mul ") == multipliers(config)
