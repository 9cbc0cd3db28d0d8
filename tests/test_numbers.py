"""Numbers that are not finite are an error, and half precision makes the same picture or is refused."""

import numpy as np
import pytest
import torch
from conftest import make_pipe

from scagan_hub import DEMO_MODEL, ScaGan, gallery
from scagan_hub.content import Content


@pytest.mark.parametrize("output_type", ["pil", "np", "pt"])
def test_numbers_that_are_none_are_an_error(picture, pose, output_type):
    pipe = make_pipe()
    pipe.is_net.conv_out.bias.data[0] = torch.nan
    with pytest.raises(ValueError, match="not finite, in float32") as error:
        pipe(picture, pose, pose, output_type=output_type)
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="not finite"):
        pipe.animate(picture, [pose], source_pose=pose)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_makes_float32s_picture(dtype):
    image, pose = gallery.person("person05")
    target = gallery.pose("person11-view1")
    expected = ScaGan.from_pretrained(DEMO_MODEL)(image, target, pose, output_type="np").images
    pipe = ScaGan.from_pretrained(DEMO_MODEL, dtype=dtype)
    made = pipe(image, target, pose, output_type="np").images
    np.testing.assert_allclose(made, expected, atol=0.02)


def test_learned_places_in_half_precision(mend_pipe):
    image, pose = gallery.person("person05")
    expected = mend_pipe(image, pose, pose, output_type="np").images
    halves = (type(net).from_config(net.config) for net in (mend_pipe.pct_net, mend_pipe.is_net))
    nets = [
        half.load_state_dict(net.state_dict()) and half.eval().half()
        for half, net in zip(halves, (mend_pipe.pct_net, mend_pipe.is_net), strict=True)
    ]
    made = ScaGan(*nets, Content())(image, pose, pose, output_type="np").images
    assert np.abs(made - expected).mean() < 0.01
