"""The whole road from a photo and a pose to a picture, top to bottom.

    source_image, source_pose ─► encode ─► EncodedSource: picture, edges, pose, style
    target_pose ─► render: edge prior, aligned source ─► PCTNet ─► target_edge ─► ISNet ─► image
                   or, by learned places:             PlaceNet ─► places, edges ─► MendNet ─► image

Geometry is computed in float32; the nets run in their own dtype, on their own device.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from diffusers.utils.torch_utils import randn_tensor
from PIL import Image

from .backdrop import shown_before
from .content import Content, one_plane
from .content.alignment import carried_on
from .hub.saved import SavedPipeline
from .images.opening import Picture, open_image
from .inputs import (
    PLAIN,
    Backdrop,
    PoseLike,
    content_maps,
    listed,
    matching,
    paired,
    read_backdrop,
    read_pose,
    scaled,
)
from .models.fitting import check_components
from .models.is_net import ISNet
from .models.mend_net import MendNet
from .models.pct_net import PCTNet
from .models.place_net import PlaceNet
from .outputs import OUTPUT_TYPES, EncodedSource, Rendered, ScaGanOutput, edge_pictures, tensor
from .photos.crop import fit_photo
from .photos.cutout import Scene, scene_of
from .poses.pose import Pose


class ScaGan(SavedPipeline):
    """Makes the picture of a person in another pose.

    Args:
        pct_net: phase 1, predicts the target's edges, and as a `PlaceNet` where its pixels lie in the source; None: the
            edge prior, merged into one map, stands in for the edges.
        is_net: phase 2, renders the picture from style, edges and pose; after a `PlaceNet` a `MendNet`.
        content: what the nets are fed; its `image_size` is the size of the pictures.

    Raises:
        ValueError: when the components don't fit each other.
    """

    COMPONENTS = {"pct_net": (PCTNet, PlaceNet), "is_net": (ISNet, MendNet), "content": (Content,)}
    _optional_components = ["pct_net"]
    pct_net: PCTNet | PlaceNet | None
    is_net: ISNet | MendNet
    content: Content

    def __init__(self, pct_net: PCTNet | PlaceNet | None, is_net: ISNet | MendNet, content: Content):
        super().__init__()
        check_components(pct_net, is_net, content)
        for net in (pct_net, is_net):
            if net is not None:
                net.to(memory_format=torch.channels_last)  # several times as fast on a CPU; what goes in follows
        self.register_modules(pct_net=pct_net, is_net=is_net, content=content)

    @torch.inference_mode()
    def __call__(
        self,
        source_image: Picture | EncodedSource | Sequence[Picture],
        target_pose: PoseLike | Sequence[PoseLike],
        source_pose: PoseLike | Sequence[PoseLike] | None = None,
        source_edge: Picture | Sequence[Picture] | None = None,
        noise: torch.Tensor | None = None,
        generator: torch.Generator | list[torch.Generator] | None = None,
        output_type: str = "pil",
        source_parsing: Any = None,
        source_mask: Picture | Sequence[Picture] | None = None,
        backdrop: Backdrop = PLAIN,
    ) -> ScaGanOutput:
        """Generate pictures: of one source and many poses, many sources and one pose, or as many of either.

        Args:
            source_image: photo(s) of one person each: PIL, path or file, of any size and mode. A picture of
                the model's size is taken as it is; another is cropped round the person, who is cut out and laid
                before a plain ground as in the training.
                Or what `encode` made of them, which a further pose need not wait for.
            target_pose: `Pose`(s), or what one can be had from: a photo, OpenPose JSON (path, text or dict).
                A pose of a picture of the model's size is taken as it is; any other, or one whose JSON tells
                no size, is brought to the source person's size and place.
            source_pose: likewise, in the source image's pixels; detected where it is None.
            source_edge: PIL "L" image(s) of dark lines on light, of the source image's size; None: XDoG.
            noise: z (N,noise_size) for a model that starts from noise; None: drawn with `generator`.
            generator: seeds the noise: one for all pictures, or one a picture.
            output_type: "pil", "np" or "pt", see `ScaGanOutput`.
            source_parsing: for a model with semantic content, which needs it: class map(s) of the source image's
                size, PIL "L" or "P" or arrays (H,W) of 0 background, 1 hair, 2 face, 3 top, 4 bottom, 5 shoes,
                6 arms, 7 legs.
            source_mask: PIL "L" image(s) of the source image's size, white where the person is; None: found.
            backdrop: what the person is shown before. "plain": what the model makes; "keep": the source's own backdrop,
                filled in where its person stood, in a picture of the source's size; a colour ("#aabbcc", a name or
                three numbers from 0 to 255) or a picture, cropped to the model's size.

        Raises:
            ValueError: unreadable picture or pose, nobody in a photo, arguments that don't fit each other, or a model
                whose numbers are not finite.

        Example:
            >>> from scagan_hub import DEMO_MODEL, ScaGan, gallery
            >>> pipe = ScaGan.from_pretrained(DEMO_MODEL)
            >>> person, source_pose = gallery.person("person05")
            >>> out = pipe(person, gallery.pose("person14-view1"), source_pose=source_pose)
            >>> out.images[0].size
            (176, 256)
        """
        if output_type not in OUTPUT_TYPES:
            raise ValueError(f"output_type: expected one of {OUTPUT_TYPES}, got {output_type!r}")
        backdrop = read_backdrop(backdrop)
        targets = [read_pose(value) for value in listed(target_pose)]
        paired(targets, listed(source_image))
        source = self.encode(source_image, source_pose, source_edge, source_parsing, source_mask)
        poses = [self.place(pose, of) for pose, of in paired(targets, source.poses)]
        rendered = self.render(source, poses, self._noise(noise, generator, len(poses)))
        images = shown_before(backdrop, rendered, poses, source.scenes, output_type)
        return ScaGanOutput(images, edge_pictures(rendered.edge, output_type), poses)

    @torch.inference_mode()
    def animate(
        self,
        source_image: Picture | EncodedSource,
        poses: Sequence[PoseLike],
        source_pose: PoseLike | None = None,
        source_edge: Picture | None = None,
        noise: torch.Tensor | None = None,
        generator: torch.Generator | None = None,
        source_parsing: Any = None,
        source_mask: Picture | None = None,
        backdrop: Backdrop = PLAIN,
    ) -> list[Image.Image]:
        """One person in many poses, one after the other; the source is encoded once.

        Args:
            poses: as `target_pose` of `__call__`, in the order of the pictures.
            noise: z (1,noise_size), the same for every picture.
            others: as for `__call__`, for one source.

        Returns:
            a PIL picture a pose. Progress is shown as for any diffusers pipeline (`set_progress_bar_config`).

        Example:
            >>> from scagan_hub import DEMO_MODEL, ScaGan, gallery
            >>> pipe = ScaGan.from_pretrained(DEMO_MODEL)
            >>> person, source_pose = gallery.person("person05")
            >>> poses = [gallery.pose(f"person14-view{view}") for view in (1, 2, 3)]
            >>> film = pipe.animate(person, poses, source_pose=source_pose)
            >>> len(film)
            3
        """
        if len(listed(source_image)) != 1:
            raise ValueError("animate: expected one source image, got several; call it for each of them")
        backdrop = read_backdrop(backdrop)
        targets = [read_pose(value) for value in poses]
        source = self.encode(source_image, source_pose, source_edge, source_parsing, source_mask)
        noise = self._noise(noise, generator, 1)
        pictures = []
        for target in self.progress_bar(targets):
            placed = [self.place(target, source.poses[0])]
            pictures += shown_before(backdrop, self.render(source, placed, noise), placed, source.scenes, "pil")
        return pictures

    @torch.inference_mode()
    def encode(
        self,
        source_image: Picture | EncodedSource | Sequence[Picture],
        source_pose: PoseLike | Sequence[PoseLike] | None = None,
        source_edge: Picture | Sequence[Picture] | None = None,
        source_parsing: Any = None,
        source_mask: Picture | Sequence[Picture] | None = None,
    ) -> EncodedSource:
        """Everything that depends on the source alone; arguments as for `__call__`."""
        if isinstance(source_image, EncodedSource):
            if any(given is not None for given in (source_pose, source_edge, source_parsing, source_mask)):
                raise ValueError(
                    "source_pose, source_edge, source_parsing, source_mask: "
                    "an encoded source has its own; leave them out"
                )
            return source_image
        images = [open_image(image) for image in listed(source_image)]
        given_poses = matching("source_pose", source_pose, images)
        given_edges = matching("source_edge", source_edge, images)
        given_classes = matching("source_parsing", source_parsing, images)
        given_masks = matching("source_mask", source_mask, images)
        given = zip(images, given_poses, given_edges, given_classes, given_masks, strict=True)
        fitted = zip(*(self._fit_source(*source) for source in given), strict=True)
        scenes, pictures, poses, edges = map(list, fitted)
        image = torch.cat([tensor(picture) for picture in pictures]).to(self.device)  # (S,3,H,W)
        drawn = [self.content.edges(image[i : i + 1]) if given is None else given for i, given in enumerate(edges)]
        edge = torch.cat([x.to(image) for x in drawn])  # (S,E,H,W)
        is_net: Any = self.is_net
        x = image.to(is_net.dtype)
        if not self.learns_places:
            style = is_net.style_modulations(is_net.encode(x))
            return EncodedSource(image, edge, poses, style, scenes)
        keypoints = self._keypoints(poses)
        person = carried_on(image, self._inside(image, keypoints, scenes))
        return EncodedSource(image, edge, poses, is_net.encode(person.to(x), keypoints), scenes, person)

    @torch.inference_mode()
    def render(self, source: EncodedSource, target_poses: list[Pose], noise: torch.Tensor | None = None) -> Rendered:
        """The nets' part of the road.

        Args:
            source: of 1 or N pictures.
            target_poses: N poses in the pixels of the generated pictures.
            noise: z (N,noise_size) for a model that starts from noise.

        Raises:
            ValueError: the nets' numbers are not finite.
        """
        n = len(target_poses)
        if len(source) not in (1, n):
            raise ValueError(f"render: expected 1 or {n} sources for {n} target poses, got {len(source)}")
        image, edge = (x.expand(n, -1, -1, -1) for x in (source.image, source.edge))
        source_pose = self._keypoints(source.poses).expand(n, -1, -1)  # (N,18,3)
        target_pose = self._keypoints(target_poses)
        pct_net: Any = self.pct_net
        is_net: Any = self.is_net
        if self.learns_places:
            places = pct_net(image.to(pct_net.dtype), source_pose, target_pose)
            person: Any = source.person
            layers = is_net.decode(source.style, image, person.expand_as(image), target_pose, places)
            rendered = Rendered(layers.image, 2 * torch.sigmoid(places.edge) - 1, layers.alpha, layers.person)
            return rendered.checked(is_net.dtype)
        pose_map = self.content.heatmaps(target_pose)  # (N,18,H,W)
        prior, aligned = self.content.transfer(image, edge, source_pose, target_pose)

        if pct_net is None:
            target_edge = self.content.merged(prior)
        else:
            dtype = pct_net.dtype
            target_edge = pct_net(edge.to(dtype), pose_map.to(dtype), prior.to(dtype))  # (N,E,H,W)
        dtype = is_net.dtype
        contents: list[Any] = [None if x is None else x.to(dtype) for x in (target_edge, pose_map, aligned, noise)]
        return Rendered(is_net.decode(source.style, *contents), one_plane(target_edge)).checked(dtype)

    def _fit_source(
        self, image: Image.Image, pose: PoseLike | None, edge: Picture | None, classes: Any, mask: Picture | None
    ) -> tuple[Scene, Image.Image, Pose, torch.Tensor | None]:
        """Scene of one source; picture, pose and, if given, edges (1,E,H,W), brought to the model's size alike."""
        pose = Pose.detect(image) if pose is None else scaled(read_pose(pose, image.size), image.size)
        maps = content_maps(self.content.config.kind, image.size, edge, classes)
        scene = scene_of(image, pose, mask, self.picture_size)
        fitted, fitted_pose = scene.fitted()
        maps = [fit_photo(picture, pose, self.picture_size)[0] for picture in maps]
        if edge is not None:
            maps = [scene.alone(picture, "white") for picture in maps]
        return scene, fitted, fitted_pose.drop_outside(), self.content.read(maps) if maps else None

    def _inside(self, image: torch.Tensor, source_pose: torch.Tensor, scenes: Sequence[Scene]) -> torch.Tensor:
        """Where sources (S,3,H,W) show their person, 1 or 0 (S,1,H,W): as cut out, else as phase 1 says."""
        pct_net: Any = self.pct_net
        inside = pct_net.silhouette(image.to(pct_net.dtype), source_pose).to(image)
        for number, scene in enumerate(scenes):
            if scene.fitted_mask is not None:
                inside[number, 0] = torch.from_numpy(np.asarray(scene.fitted_mask) > 127).to(inside)
        return inside

    def place(self, target: Pose, source: Pose) -> Pose:
        """A target pose in the pixels of the generated picture of a source with this (fitted) pose."""
        return (target if target.size == self.picture_size else target.fit_to(source)).drop_outside()

    def _keypoints(self, poses: list[Pose]) -> torch.Tensor:
        return torch.from_numpy(np.stack([pose.keypoints for pose in poses])).to(self.device)

    def _noise(
        self, noise: torch.Tensor | None, generator: torch.Generator | list[torch.Generator] | None, n: int
    ) -> torch.Tensor | None:
        if self.noise_size is None:
            if noise is not None:
                raise ValueError("noise: this model starts from the pose and takes none; leave it out")
            return None
        shape = (n, self.noise_size)
        if noise is None:
            return randn_tensor(shape, generator=generator, device=self.device)
        if tuple(noise.shape) != shape:
            raise ValueError(f"noise: expected shape {shape}, got {tuple(noise.shape)}")
        return noise.to(self.device)

    @property
    def learns_places(self) -> bool:
        """Whether phase 1 says where in the source every pixel lies, and phase 2 copies it from there."""
        return isinstance(self.is_net, MendNet)

    @property
    def noise_size(self) -> int | None:
        """Dimension of the noise that pictures start from; None for a model that starts from the pose."""
        config = self.is_net.config
        return config.noise_size if config.get("start") == "noise" else None

    @property
    def picture_size(self) -> tuple[int, int]:
        """(width, height) of the pictures, as Pillow has it."""
        height, width = self.content.config.image_size
        return width, height
