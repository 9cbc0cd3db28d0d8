"""One picture of a person: posed, lit and photographed, with its keypoints and parsing map."""

from dataclasses import dataclass

import numpy as np

from .body import normals, rotation
from .mesh import bend_angles
from .person import Person
from .raster import box_blur, cover, depth_map, pixels
from .shading import shade
from .studio import Camera, Studio, View, backdrop, occlusion

SAMPLES = 3  # samples a pixel along each axis
SHADOW_SIZE = 384
FLOOR_STEPS = 6  # cells a dm of the map of where the feet stand
# dm that a joint may lie behind what is seen in front of it and still count as visible
SLACK = {"nose": 0.15, "eye": 0.15, "ear": 0.35, "neck": 1.3, "shoulder": 1.1, "hip": 1.6}
KEYPOINTS = (
    *("nose", "neck", "r_shoulder", "r_elbow", "r_wrist", "l_shoulder", "l_elbow", "l_wrist", "r_hip", "r_knee"),
    *("r_ankle", "l_hip", "l_knee", "l_ankle", "r_eye", "l_eye", "r_ear", "l_ear"),
)
BONES = {
    **{"shoulder": "upperarm01", "elbow": "lowerarm01", "wrist": "wrist"},
    **{"hip": "upperleg01", "knee": "lowerleg01", "ankle": "foot"},
}
FACE = ("nose", "r_eye", "l_eye", "r_ear", "l_ear")
SEEN, HIDDEN, OUTSIDE = 2, 1, 0


@dataclass
class Surface:
    """What of the person's mesh a picture shows, at the middle of every pixel.

    Args:
        triangle: (H,W) int: number of the triangle shown, -1 where there is no person.
        weights: (H,W,2) of the triangle's second and third corner.
        corners: (T,3) the vertices of every triangle, the same in all pictures of a person.
        points: (N,3) every vertex in this picture: x, y in pixels and depth in dm.
        depth: (H,W) of what is shown, in dm, infinite where there is no person.
    """

    triangle: np.ndarray
    weights: np.ndarray
    corners: np.ndarray
    points: np.ndarray
    depth: np.ndarray


@dataclass
class Picture:
    """`size` = (H,W): image (H,W,3) uint8; keypoints (18,3) x, y, and SEEN, HIDDEN or OUTSIDE; parsing (H,W) uint8."""

    image: np.ndarray
    keypoints: np.ndarray
    parsing: np.ndarray
    surface: Surface

    def annotation(self) -> tuple[list[int], list[int]]:
        """y and x of the keypoints, -1 for those outside the picture and for points of the face that are hidden."""
        rows, columns = [], []
        for name, (x, y, seen) in zip(KEYPOINTS, self.keypoints, strict=True):
            missing = seen == OUTSIDE or (name in FACE and seen == HIDDEN)
            rows.append(-1 if missing else int(y))
            columns.append(-1 if missing else int(x))
        return rows, columns


def render(person: Person, pose: dict, view: View, studio: Studio, size=(256, 176), samples=SAMPLES) -> Picture:
    """A picture of `size` = (height, width)."""
    mesh = person.mesh
    vertices, joints, places = _place(person, pose, view)
    camera = _frame(view, vertices[mesh.shown], joints, size)
    points = camera.project(vertices, samples)
    height, width = size
    depth, winner, weights = cover(
        points, mesh.triangles, mesh.uv, mesh.material, mesh.materials["alpha_mode"], mesh.textures, mesh.cut,
        mesh.bias, height * samples, width * samples,
    )  # fmt: skip
    nearest, covered = pixels(depth, winner, samples)
    light = KeyLight(studio.lights[0], vertices, mesh)
    folds = mesh.folds.copy()
    folds[:, 0] += mesh.bends @ (0.07 * bend_angles(person.skeleton, places)).astype(np.float32)
    colour = shade(
        winner, weights, occlusion(nearest), samples, vertices, normals(vertices, mesh.triangles), mesh.triangles,
        mesh.uv, mesh.weave, mesh.material, mesh.materials, mesh.textures, mesh.normal_maps, folds,
        person.seed % 9973, studio.lights, studio.colours, light.frame, light.depth, light.scale, camera.eye,
    )  # fmt: skip
    picture = colour + (1 - covered[..., None]) * backdrop(studio, camera, light.shadow_at)
    middle = np.s_[samples // 2 :: samples, samples // 2 :: samples]
    projected = camera.project(vertices)
    projected[:, 2] += mesh.bias
    surface = Surface(winner[middle], weights[middle], mesh.triangles, projected, depth[middle])
    parsing = np.where(surface.triangle >= 0, mesh.label[surface.triangle], 0)
    return Picture(_developed(picture), _keypoints(joints, camera, nearest), parsing, surface)


def _place(person: Person, pose: dict, view: View) -> tuple[np.ndarray, dict, np.ndarray]:
    """The posed vertices and keypoints in the studio, turned and on its floor; and the bones before the turn."""
    mesh, assets = person.mesh, person.skeleton.assets
    turns, places = person.skeleton.solve(pose)
    posed = person.skeleton.skin(mesh.vertices, mesh.weights, turns, places)
    at = {name: places[i] for name, i in assets.bones.items()}
    joints = {f"{s.lower()}_{part}": at[f"{bone}.{s}"] for part, bone in BONES.items() for s in "RL"}
    joints["neck"] = (joints["r_shoulder"] + joints["l_shoulder"]) / 2
    joints |= {name: posed[index].mean(0) for name, index in mesh.landmarks.items()}
    for eye in ("r_eye", "l_eye"):  # the pupil is in front of the ball's centre
        joints[eye] = joints[eye] + turns[assets.bones["head"]] @ [0, 0, 0.12]
    turn = rotation([0, 1, 0], view.yaw)
    posed = (posed @ turn.T).astype(np.float32)
    floor = np.array([0, posed[mesh.shown, 1].min(), 0], np.float32)
    return posed - floor, {name: turn @ point - floor for name, point in joints.items()}, places


def _frame(view: View, shown: np.ndarray, joints: dict, size) -> Camera:
    top = shown[:, 1].max()
    low = {
        "full": -0.45,
        "knee": (joints["r_knee"][1] + joints["l_knee"][1]) / 2 - 0.9,
        "half": (joints["r_hip"][1] + joints["l_hip"][1]) / 2 - 1.6,
    }[view.frame]
    hips = (joints["r_hip"] + joints["l_hip"]) / 2
    middle = (joints["neck"][0] + hips[0]) / 2
    span = (top + 0.4 - low) * view.zoom
    if view.frame == "full":  # the hands should fit too
        wide = 2.05 * (np.abs(shown[:, 0] - middle).max() + 0.15) * size[0] / size[1]
        span = np.clip(wide, span, 1.25 * span)
    centre = (top + 0.4 + low) / 2
    return Camera(view, centre - span / 2, centre + span / 2, (middle, hips[2]), size)


class KeyLight:
    """The key light's depth map, and the shadow it throws on floor and wall."""

    def __init__(self, direction: np.ndarray, vertices: np.ndarray, mesh):
        right = np.cross([0, 1, 0], direction)
        right /= np.linalg.norm(right)
        self.frame = np.stack([right, np.cross(direction, right), direction])
        shown = vertices[mesh.shown]
        points = vertices @ self.frame.T.astype(np.float32)
        reach = np.abs(points[mesh.shown, :2]).max() * 1.05
        self.scale = SHADOW_SIZE / (2 * reach)
        points = points * np.float32([self.scale, self.scale, -1]) + np.float32([SHADOW_SIZE / 2] * 2 + [0])
        self.depth = depth_map(points.astype(np.float32), mesh.triangles, SHADOW_SIZE)
        feet = shown[shown[:, 1] < 0.6][:, [0, 2]]
        steps = (np.clip(feet * FLOOR_STEPS, -63, 63) + 64).astype(int)
        floor = np.zeros((128, 128))
        floor[steps[:, 1], steps[:, 0]] = 1
        self.contact = np.minimum(box_blur(box_blur(floor, 2), 2) * 3, 1)

    def shadow_at(self, points: np.ndarray) -> np.ndarray:
        """(N,) share of the light that the person keeps from points behind them; near the feet none arrives."""
        solid = np.isfinite(self.depth[::4, ::4]).astype(np.float32)
        soft = np.pad(box_blur(box_blur(solid, 3), 3) * 0.75, 1)
        at = points @ self.frame[:2].T * (self.scale / 4) + len(solid) / 2 + 1
        at = np.clip(at, 0, len(soft) - 1).astype(int)
        thrown = soft[at[:, 1], at[:, 0]]
        at = (np.clip(points[:, [0, 2]] * FLOOR_STEPS, -63, 63) + 64).astype(int)
        contact = np.where(np.abs(points[:, 1]) < 0.1, self.contact[at[:, 1], at[:, 0]], 0)
        return np.maximum(thrown, 0.9 * contact)


def _keypoints(joints: dict, camera: Camera, nearest: np.ndarray) -> np.ndarray:
    points = camera.project(np.array([joints[name] for name in KEYPOINTS]))
    out = np.zeros((len(KEYPOINTS), 3), np.float32)
    out[:, :2] = points[:, :2]
    for i, (name, (x, y, depth)) in enumerate(zip(KEYPOINTS, points, strict=True)):
        row, column = int(np.floor(y)), int(np.floor(x))
        if 0 <= row < camera.size[0] and 0 <= column < camera.size[1]:
            front = nearest[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2].min()
            out[i, 2] = SEEN if depth - SLACK.get(name.split("_")[-1], 0.85) < front else HIDDEN
    return out


def _developed(linear: np.ndarray) -> np.ndarray:
    """uint8 sRGB of linear light; what is brighter than paper white is rolled off."""
    soft = np.where(linear > 0.75, 0.75 + 0.25 * np.tanh((linear - 0.75) / 0.25), linear)
    return (np.clip(soft, 0, 1).astype(np.float32) ** np.float32(1 / 2.2) * 255 + 0.5).astype(np.uint8)
