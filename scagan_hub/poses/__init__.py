"""Poses: `pose` is one, `openpose` reads its files, `skeleton` has its geometry, `motion` makes sequences of them;
`blazepose` finds people in a photo, which `detect` gives as poses.
"""
