"""What the nets are fed: edges, heatmaps, edge prior and the aligned source, batched, on the tensors' device.

    source_image ── edges ──────► source_edge ── edge_prior ──► prior             (or `parsing` maps for edges)
    target_pose ─── heatmaps ───► pose_map
    source_image ── align ──────► aligned                          (with `alignment="limbs"`)

`Content` is a diffusers component: its settings are saved with the model, in content_config.json.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.schedulers.scheduling_utils import SchedulerMixin
from PIL import Image

from .alignment import backdrop, sample, sampling_map
from .edges import CLASSES, blur, edge_tensor
from .prior import JOINTS, NO_EDGE, patch_prior, release_prior

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


# `SchedulerMixin` is how a DiffusionPipeline saves and loads a component that has a config and no weights.
class Content(SchedulerMixin, ConfigMixin):
    """Edges, heatmaps, edge prior and limb alignment for pictures of one size.

    Args:
        image_size: (height, width) of every picture, in pixels.
        heatmap_sigma: of the joints' Gaussians, in pixels (PATN: 6; SCA-GAN's release: 12).
        edge_sigma, edge_k, edge_gamma, edge_phi, edge_epsilon: XDoG, see `edges`.
        prior: form of the edge prior. "patches": a patch of the source's edges around each joint, in that
            joint's own channel; "patches_release": the same with the quirks that the authors' weights were
            trained on; "aligned": the source's edges warped limb by limb, in one channel.
        prior_radius: half the side of a patch, in pixels.
        alignment: "limbs" makes `transfer` return the aligned source too, "none" doesn't.
        kind: what is transferred from source to target: "edges", or "parsing", one-hot class maps in their place
            (the ablation "with semantic content").
    """

    __module__ = "scagan_hub.content"  # saved models name it: it stays, whatever file the class lies in
    config_name = "content_config.json"

    @register_to_config
    def __init__(
        self,
        image_size: tuple[int, int] = (256, 176),
        heatmap_sigma: float = 6.0,
        edge_sigma: float = 0.8,
        edge_k: float = 1.6,
        edge_gamma: float = 0.98,
        edge_phi: float = 200.0,
        edge_epsilon: float = -0.1,
        prior: str = "patches",
        prior_radius: int = 20,
        alignment: str = "none",
        kind: str = "edges",
    ):
        if prior not in ("patches", "patches_release", "aligned"):
            raise ValueError(f'prior must be "patches", "patches_release" or "aligned", got {prior!r}')
        if alignment not in ("none", "limbs"):
            raise ValueError(f'alignment must be "none" or "limbs", got {alignment!r}')
        if kind not in ("edges", "parsing"):
            raise ValueError(f'kind must be "edges" or "parsing", got {kind!r}')

    @property
    def edge_channels(self) -> int:
        return 1 if self.config.kind == "edges" else CLASSES

    @property
    def prior_channels(self) -> int:
        return self.edge_channels * (1 if self.config.prior == "aligned" else JOINTS)

    def edges(self, image: torch.Tensor) -> torch.Tensor:
        """XDoG (Winnemöller 2011): difference of Gaussians, then a soft threshold.

        `u = G(sigma) - gamma G(k sigma)` of the grey image in [0, 255]; light where u >= epsilon, else
        `1 + tanh(phi (u - epsilon))`; inverted for the nets. Because of gamma < 1 the contrast that makes a line
        grows with the brightness; at greys in [0, 1] the usual parameters would find no lines at all.

        Args:
            image: (B,3,H,W) in [-1, 1].

        Returns:
            (B,1,H,W) in [-1, 1], dark with light lines.
        """
        image = self._check_image(image, 3, "image")
        config = self.config
        luma = torch.tensor(LUMA, device=image.device)[:, None, None]
        grey = ((image.float() * luma).sum(1) + 1) * 127.5  # (B,H,W)
        wide = blur(grey, config.edge_sigma * config.edge_k)
        difference = blur(grey, config.edge_sigma) - config.edge_gamma * wide - config.edge_epsilon
        light = 1 + torch.tanh(config.edge_phi * difference.clamp(max=0))  # 1 from the threshold on
        return (1 - 2 * light)[:, None].to(image.dtype)

    def read(self, pictures: Sequence[Image.Image]) -> torch.Tensor:
        """What a caller gives in place of `edges`, as these: one PIL picture of dark lines on light, or one a class
        that is light where the class is -> (1,E,H,W) in [-1, 1]."""
        maps = torch.cat([edge_tensor(picture) for picture in pictures], 1)
        return self.parsing(maps.argmin(1)) if self.config.kind == "parsing" else maps

    def parsing(self, classes: torch.Tensor) -> torch.Tensor:
        """Class maps (B,H,W) of integers 0..7 -> one-hot maps (B,8,H,W), -1 and 1, in place of `edges`.

        Raises:
            ValueError: on another size or a class beyond 7.
        """
        expected = tuple(self.config.image_size)
        if tuple(classes.shape[1:]) != expected or classes.max() >= CLASSES:
            raise ValueError(
                f"parsing: expected (B, {', '.join(map(str, expected))}) of classes 0 to {CLASSES - 1}, got "
                f"{tuple(classes.shape)} of classes up to {int(classes.max())}"
            )
        return F.one_hot(classes.long(), CLASSES).permute(0, 3, 1, 2).float() * 2 - 1

    def heatmaps(self, pose: torch.Tensor) -> torch.Tensor:
        """A Gaussian a joint, 1 at the joint; a missing joint's channel is zero.

        Args:
            pose: (B,18,3) x, y, confidence in pixels; confidence 0 = missing.

        Returns:
            (B,18,H,W) in [0, 1], float32.
        """
        pose = self._check_pose(pose, "pose")
        height, width = self.config.image_size
        columns = self._bell(width, pose[..., 0]) * (pose[..., 2] > 0)[..., None]  # (B,18,W)
        return self._bell(height, pose[..., 1])[..., :, None] * columns[..., None, :]

    def edge_prior(self, edge: torch.Tensor, source_pose: torch.Tensor, target_pose: torch.Tensor) -> torch.Tensor:
        """The source's edges brought to the target's pose, in the configured form.

        Args:
            edge: (B,E,H,W) in [-1, 1]: dark with light lines, E = 1, or of 8 classes.
            source_pose, target_pose: (B,18,3) x, y, confidence in pixels.

        Returns:
            (B,18 E,H,W), or (B,E,H,W) for "aligned"; in [-1, 1], or for "patches_release", whose bytes were
            never divided by 255, in [-1, 509].
        """
        edge = self._check_image(edge, self.edge_channels, "edge")
        source_pose, target_pose = self._check_poses(edge, source_pose, target_pose)
        if self.config.prior == "aligned":
            position, mask = sampling_map(source_pose, target_pose, self.config.image_size)
            return _on_background(edge, position, mask, NO_EDGE)
        maps = edge.flatten(0, 1)[:, None]  # (B E,1,H,W)
        source, target = (pose.repeat_interleave(self.edge_channels, 0) for pose in (source_pose, target_pose))
        if self.config.prior == "patches_release":
            prior = (release_prior(maps, source, target, self.config.prior_radius) - 0.5) / 0.5
        else:
            prior = patch_prior(maps, source, target, self.config.prior_radius)
        return prior.to(edge.dtype).view(len(edge), -1, *edge.shape[2:])

    def merged(self, prior: torch.Tensor) -> torch.Tensor:
        """The plates of an edge prior as one map: (B,18 E,H,W) or (B,E,H,W) -> (B,E,H,W), the largest value of each
        pixel. It stands in for the predicted edges in a model without PCT-Net."""
        return prior.unflatten(1, (self.edge_channels, -1)).amax(2)

    def align(self, source_image: torch.Tensor, source_pose: torch.Tensor, target_pose: torch.Tensor) -> torch.Tensor:
        """The source warped limb by limb to the target's pose (`alignment`).

        Args:
            source_image: (B,3,H,W) in [-1, 1].
            source_pose, target_pose: (B,18,3) x, y, confidence in pixels.

        Returns:
            (B,4,H,W): the warped picture in [-1, 1] on the backdrop's colour, and the mask: 0 where no part of
            the body was drawn, else from .5, a guess, to 1, shown by the source.
        """
        source_image = self._check_image(source_image, 3, "source_image")
        source_pose, target_pose = self._check_poses(source_image, source_pose, target_pose)
        position, mask = sampling_map(source_pose, target_pose, self.config.image_size)
        warped = _on_background(source_image, position, mask, backdrop(source_image))
        return torch.cat([warped, mask[:, None].to(warped.dtype)], 1)

    def transfer(
        self,
        source_image: torch.Tensor,
        source_edge: torch.Tensor,
        source_pose: torch.Tensor,
        target_pose: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """`edge_prior` and, with `alignment="limbs"`, `align` at the price of one.

        Returns:
            prior, aligned: as these two return them; aligned is None without the alignment.
        """
        if self.config.alignment == "none":
            return self.edge_prior(source_edge, source_pose, target_pose), None
        if self.config.prior != "aligned":
            prior = self.edge_prior(source_edge, source_pose, target_pose)
            return prior, self.align(source_image, source_pose, target_pose)
        source_image = self._check_image(source_image, 3, "source_image")
        source_edge = self._check_image(source_edge, self.edge_channels, "source_edge")
        source_pose, target_pose = self._check_poses(source_image, source_pose, target_pose)
        position, mask = sampling_map(source_pose, target_pose, self.config.image_size)
        background = F.pad(backdrop(source_image), (0, 0, 0, 0, 0, self.edge_channels), value=NO_EDGE)  # (B,3+E,H,1)
        both = torch.cat([source_image, source_edge.to(source_image.dtype)], 1)
        image, prior = _on_background(both, position, mask, background).split([3, self.edge_channels], 1)
        return prior, torch.cat([image, mask[:, None].to(image.dtype)], 1)

    def _bell(self, length: int, centre: torch.Tensor) -> torch.Tensor:
        distance = torch.arange(length, device=centre.device, dtype=centre.dtype) - centre[..., None]
        return torch.exp(distance.square() / (-2 * self.config.heatmap_sigma**2))

    def _check_image(self, image: torch.Tensor, channels: int, name: str) -> torch.Tensor:
        expected = (channels, *self.config.image_size)
        if image.ndim != 4 or tuple(image.shape[1:]) != expected:
            raise ValueError(
                f"{name}: expected (B, {', '.join(map(str, expected))}), got {tuple(image.shape)}; "
                "resize the picture, or set the image_size of the Content"
            )
        return image

    def _check_pose(self, pose: torch.Tensor, name: str) -> torch.Tensor:
        if pose.ndim != 3 or tuple(pose.shape[1:]) != (JOINTS, 3):
            raise ValueError(f"{name}: expected (B, {JOINTS}, 3) x, y, confidence, got {tuple(pose.shape)}")
        return pose.float()

    def _check_poses(
        self, image: torch.Tensor, source_pose: torch.Tensor, target_pose: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        poses = self._check_pose(source_pose, "source_pose"), self._check_pose(target_pose, "target_pose")
        if not len(image) == len(poses[0]) == len(poses[1]):
            raise ValueError(
                f"expected as many pictures as poses, got {len(image)} pictures, "
                f"{len(poses[0])} source poses and {len(poses[1])} target poses"
            )
        return poses


def _on_background(
    image: torch.Tensor, position: torch.Tensor, mask: torch.Tensor, background: torch.Tensor | float
) -> torch.Tensor:
    warped = sample(image.float(), position).to(image.dtype)
    return torch.where(mask[:, None] > 0, warped, background)
