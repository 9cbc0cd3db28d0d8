"""Rendered people: pictures of clothed people in varied poses, with exact keypoints and parsing maps.

assets (fetched once) ─► body, wardrobe ─► person ─┐
                                 poses, camera ────┴─► render ─► dataset
Lengths are decimetres: +Y up, the person faces +Z, their left is +X. Needs the extra `people` (numba).
"""
