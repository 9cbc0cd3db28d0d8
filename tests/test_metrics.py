"""Metrics against reference values of the published protocol, and their properties."""

from pathlib import Path

import numpy as np
import pytest

from scagan_hub.evaluation import l1, psnr, ssim

REFERENCE = Path(__file__).parent / "fixtures" / "metrics.npz"


@pytest.fixture(scope="module")
def pictures():
    return np.random.RandomState(0).randint(0, 256, (2, 3, 64, 44, 3), dtype=np.uint8)


@pytest.mark.parametrize(("protocol", "name"), [("scagan-2021", "ssim_padded"), ("unpadded", "ssim_unpadded")])
def test_ssim_matches_the_release(protocol, name):
    with np.load(REFERENCE) as reference:
        values = ssim(reference["generated"], reference["reference"], protocol)
        np.testing.assert_allclose(values, reference[name], atol=1e-6)


def test_equal_pictures_are_perfect(pictures):
    a = pictures[0]
    np.testing.assert_allclose(ssim(a, a), 1)
    assert (l1(a, a) == 0).all() and np.isinf(psnr(a, a)).all()


def test_order_and_batch_size_do_not_matter(pictures):
    a, b = pictures
    for metric in (ssim, l1, psnr):
        together = metric(a, b)
        np.testing.assert_array_equal(together[::-1], metric(a[::-1].copy(), b[::-1].copy()))
        np.testing.assert_array_equal(together, [metric(a[i : i + 1], b[i : i + 1])[0] for i in range(len(a))])


def test_black_against_white_is_as_far_as_it_gets():
    black, white = np.zeros((1, 16, 16, 3), np.uint8), np.full((1, 16, 16, 3), 255, np.uint8)
    assert l1(black, white) == 1 and psnr(black, white) == 0 and ssim(black, white) < 0.01


def test_padding_with_white_raises_ssim(pictures):
    assert (ssim(*pictures, "scagan-2021") > ssim(*pictures, "unpadded")).all()


def test_bad_input_is_refused(pictures):
    a, b = pictures
    with pytest.raises(ValueError, match="protocol 'paper'"):
        ssim(a, b, "paper")
    with pytest.raises(ValueError, match="one shape"):
        l1(a, b[:2])
    with pytest.raises(ValueError, match="uint8"):
        psnr(a / 255, b / 255)
