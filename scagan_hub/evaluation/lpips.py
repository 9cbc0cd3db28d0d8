"""LPIPS of 8-bit pictures, as the other metrics take them."""

import torch

from ..features import lpips


class Lpips(lpips.Lpips):
    """LPIPS v0.1 of uint8 pictures (N,H,W,3); arguments, `distance` and the rest are `features.Lpips`'."""

    def features(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        """uint8 (N,H,W,3) -> five (N,C,h,w), of length 1 at each place, float32."""
        return super().features(pictures.permute(0, 3, 1, 2).contiguous().float() / 127.5 - 1)
