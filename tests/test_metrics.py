"""Metrics against reference values of the published protocol, against other implementations, and their properties."""

from pathlib import Path

import numpy as np
import pytest

from scagan_hub.evaluation import PROTOCOLS, frechet_distance, inception_score, l1, pckh, psnr, published, ssim
from scagan_hub.evaluation.distributions import Moments, SplitEntropies, distance
from scagan_hub.hub import card

REFERENCE = Path(__file__).parent / "fixtures" / "metrics.npz"


@pytest.fixture(scope="module")
def reference():
    with np.load(REFERENCE) as file:
        return dict(file)


@pytest.fixture(scope="module")
def pictures():
    return np.random.RandomState(0).randint(0, 256, (2, 3, 64, 44, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def features():
    """Two sets of features of different means, correlated, far from zero."""
    state = np.random.RandomState(0)
    mixing = state.randn(12, 12)
    return state.randn(90, 12) @ mixing + 1000, state.randn(70, 12) @ mixing.T + 1001


@pytest.mark.parametrize(("protocol", "name"), [("scagan-2021", "ssim_padded"), ("unpadded", "ssim_unpadded")])
def test_ssim_matches_the_release(reference, protocol, name):
    values = ssim(reference["generated"], reference["reference"], protocol)
    np.testing.assert_allclose(values, reference[name], atol=1e-6)


@pytest.mark.parametrize("protocol", ["scagan-2021", "unpadded"])
def test_ssim_is_torchmetrics_without_the_border(pictures, protocol):
    import torch
    from torchmetrics.functional.image import structural_similarity_index_measure

    for pair in np.swapaxes(pictures, 0, 1):
        a, b = (torch.from_numpy(PROTOCOLS[protocol].apply(x[None])).permute(0, 3, 1, 2).double() for x in pair)
        spread = float(a.max() - a.min())
        _, full = structural_similarity_index_measure(a, b, sigma=1.5, data_range=spread, return_full_image=True)
        expected = full[..., 5:-5, 5:-5].mean().item()
        np.testing.assert_allclose(ssim(pair[:1], pair[1:], protocol), expected, atol=1e-6)


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


def test_l1_and_psnr_are_symmetric_and_so_is_ssim_for_one_range(pictures):
    a, b = pictures.copy()
    for x in (a, b):
        x[:, 0, 0], x[:, 0, 1] = 0, 255
    for metric in (ssim, l1, psnr):
        np.testing.assert_allclose(metric(a, b), metric(b, a), rtol=1e-6)


def test_black_against_white_is_as_far_as_it_gets():
    black, white = np.zeros((1, 16, 16, 3), np.uint8), np.full((1, 16, 16, 3), 255, np.uint8)
    assert l1(black, white) == 1 and psnr(black, white) == 0 and ssim(black, white) < 0.01


def test_padding_with_white_raises_ssim(pictures):
    assert (ssim(*pictures, "scagan-2021") > ssim(*pictures, "unpadded")).all()


def test_a_mask_picks_the_pixels_of_the_mean(pictures):
    a, b = pictures.copy()
    everywhere = np.ones(a.shape[:3], bool)
    person = np.zeros_like(everywhere)
    person[:, 20:50, 10:30] = True
    for metric in (ssim, l1, psnr):
        np.testing.assert_allclose(metric(a, b, mask=everywhere), metric(a, b))
        np.testing.assert_allclose(metric(a, b, "scagan-2021", person), metric(a, b, "unpadded", person), rtol=1e-6)
        assert np.isnan(metric(a, b, mask=~everywhere)).all()
    b[~person] = a[~person]
    assert (l1(a, b) < l1(a, b, mask=person)).all()
    np.testing.assert_allclose(l1(a, b, mask=person), l1(a[:, 20:50, 10:30], b[:, 20:50, 10:30]))


def test_bad_pictures_are_refused(pictures):
    a, b = pictures
    with pytest.raises(ValueError, match="protocol 'paper'"):
        ssim(a, b, "paper")
    with pytest.raises(ValueError, match="one shape"):
        l1(a, b[:2])
    with pytest.raises(ValueError, match="uint8"):
        psnr(a / 255, b / 255)
    with pytest.raises(ValueError, match="at least 11 x 11"):
        ssim(a[:, :10], b[:, :10])
    with pytest.raises(ValueError, match="mask"):
        ssim(a, b, mask=np.ones(a.shape[:3]))


def test_inception_score_matches_the_release(reference):
    mean, deviation = inception_score(reference["is_probabilities"])
    assert mean == pytest.approx(float(reference["is_mean"]), abs=1e-6)
    assert deviation == pytest.approx(float(reference["is_std"]), abs=1e-6)


def test_inception_score_is_between_one_and_the_number_of_classes():
    assert inception_score(np.full((20, 5), 0.2), splits=4) == pytest.approx((1, 0))
    assert inception_score(np.tile(np.eye(5), (4, 1)), splits=4) == pytest.approx((5, 0))


def test_inception_score_in_batches_that_come_in_any_order(reference):
    p = reference["is_probabilities"]
    parts = [SplitEntropies(len(p), 10, p.shape[1]) for _ in range(2)]
    for i, chosen in enumerate(np.array_split(np.random.RandomState(0).permutation(len(p)), 7)):
        parts[i % 2].update(p[chosen], chosen)
    parts[0].merge(parts[1].state())
    assert parts[0].score() == pytest.approx(inception_score(p), abs=1e-12)


def test_bad_probabilities_are_refused():
    with pytest.raises(ValueError, match="at least as many pictures, got 9"):
        inception_score(np.full((9, 4), 0.25))
    with pytest.raises(ValueError, match="sum to 1"):
        inception_score(np.ones((20, 4)))
    with pytest.raises(ValueError, match=r"\(N, classes\)"):
        inception_score(np.ones(20))


def test_frechet_distance_matches_the_release(reference):
    measured = frechet_distance(reference["fid_features_a"], reference["fid_features_b"])
    assert measured == pytest.approx(float(reference["fid"]), rel=1e-4)


def test_frechet_distance_is_torchmetrics(features):
    import torch
    from torchmetrics.image.fid import FrechetInceptionDistance

    class Given(torch.nn.Module):
        num_features = 12

        def forward(self, x):
            return x

    theirs = FrechetInceptionDistance(feature=Given())
    for real, x in zip((False, True), features, strict=True):
        theirs.update(torch.from_numpy(x), real=real)
    assert frechet_distance(*features) == pytest.approx(theirs.compute().item(), rel=1e-6)


def test_frechet_distance_is_a_squared_distance(features):
    a, b = features
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-8)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a)) and frechet_distance(a, b) > 0
    assert frechet_distance(a, a + 3) == pytest.approx(9 * a.shape[1])
    few = a[:5]  # fewer pictures than features: covariances without full rank
    assert frechet_distance(few, few + 1) == pytest.approx(a.shape[1])


def test_moments_in_batches_are_moments_of_all(features):
    a, b = features
    whole, parts = Moments(12), [Moments(12) for _ in range(2)]
    whole.update(a)
    np.testing.assert_allclose(whole.covariance, np.cov(a, rowvar=False), rtol=1e-9)
    for i, chosen in enumerate(np.array_split(np.random.RandomState(0).permutation(len(a)), 9)):
        parts[i % 2].update(a[chosen])
    parts[0].merge(parts[1].state())
    other = Moments(12)
    other.update(b)
    assert distance(parts[0], other) == pytest.approx(frechet_distance(a, b), rel=1e-9)


def test_moments_stay_precise_far_from_zero():
    x = np.random.RandomState(0).randn(1000, 3)
    far = Moments(3)
    for batch in np.array_split(x + 1e7, 50):
        far.update(batch)
    np.testing.assert_allclose(far.covariance, np.cov(x, rowvar=False), rtol=1e-6, atol=1e-8)


def test_bad_features_are_refused(features):
    a, _ = features
    with pytest.raises(ValueError, match="at least two pictures on either side, got 1"):
        frechet_distance(a, a[:1])
    with pytest.raises(ValueError, match="got 0"):
        frechet_distance(a[:0], a)
    with pytest.raises(ValueError, match=r"\(90, 12\) and \(90, 11\)"):
        frechet_distance(a, a[:, 1:])
    with pytest.raises(ValueError, match="finite"):
        frechet_distance(a, a * np.nan)


def person(dy=0, dx=0) -> np.ndarray:
    """(18,2) y, x: a head of 20 x 40 pixels (w x h) over a body of twelve joints; moved by dy, dx."""
    points = np.stack([np.linspace(60, 200, 18), np.linspace(60, 120, 18)], axis=1).round()
    points[[0, 1, 14, 15, 16, 17]] = [[20, 90], [50, 90], [10, 85], [10, 95], [15, 80], [15, 100]]
    return points + (dy, dx)


def test_pckh_by_hand():
    target = person()[None]
    assert pckh(target, target) == 1
    assert pckh(person(dy=19, dx=9)[None], target) == 1
    assert pckh(person(dy=20)[None], target) == 0  # half the head's height is too far already
    assert pckh(person(dx=10)[None], target) == 0
    predicted = target.copy()
    predicted[0, :5] = -1  # not found
    predicted[0, 7] += (0, 50)  # found elsewhere
    assert pckh(predicted, target) == pytest.approx(12 / 18)


def test_pckh_counts_the_joints_that_the_target_has():
    target, predicted = np.stack([person()] * 2), np.stack([person()] * 2)
    target[0, 5:14] = -1
    assert pckh(predicted, target) == 1
    predicted[0] = -1
    assert pckh(predicted, target) == pytest.approx(18 / 27)


def test_pckh_leaves_people_without_a_head_out():
    target, predicted = np.stack([person()] * 2), np.stack([person()] * 2)
    target[0, [0, 14, 15, 16, 17]] = -1  # of the head only the neck
    predicted[0] = -1
    assert pckh(predicted, target) == 1
    with pytest.raises(ValueError, match="at least two of nose"):
        pckh(predicted[:1], target[:1])
    with pytest.raises(ValueError, match=r"\(N, 18, 2\)"):
        pckh(predicted[:, :17], target[:, :17])


def test_the_published_tables_name_their_protocol():
    tables = published()
    assert [len(table["rows"]) for table in tables] == [7, 7]
    assert {table["protocol"] for table in tables} == {"scagan-2021"} <= PROTOCOLS.keys()
    assert tables[0]["rows"]["SCA-GAN"] == tables[1]["rows"]["Full model"]
    assert card.table(tables[0]).splitlines()[2] == "| PG2 | 3.202 | 0.773 | - | - |"
