"""The road can learn: the full model and each ablation, both phases, on eight pairs (`benchmarks/overfit.py`)."""

import overfit
import pytest

from scagan_hub.training.config import VARIANTS


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_eight_pairs_are_learned(variant, tmp_path):
    figures = overfit.overfit(variant, overfit.STEPS, tmp_path)
    assert figures[f"{overfit.COPY} SSIM"] < 0.5
    assert figures[f"{overfit.MODEL} SSIM"] > 0.9
