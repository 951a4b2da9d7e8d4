"""What every process of a mutant needs and no mutant changes, imported once and then forked."""

import amaranth as amaranth
import amaranth.back.rtlil as _rtlil  # noqa: F401
import numba as numba
import numpy as numpy

import mutate.process as _process  # noqa: F401
