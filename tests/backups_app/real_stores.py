"""The real stores beside the repository, where they are; the tests that need them are skipped elsewhere."""

from pathlib import Path

import pytest

REAL = Path(__file__).resolve().parents[3] / "shared" / "realdata"
with_real_stores = pytest.mark.skipif(not REAL.exists(), reason="the real stores (../shared/realdata) are not here")
