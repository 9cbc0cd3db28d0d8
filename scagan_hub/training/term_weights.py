"""How much each term of a loss weighs."""

from dataclasses import dataclass


@dataclass
class Weights:
    """Weights of the objective's terms (the paper's; spec of `losses.py`)."""

    adversarial: float = 5.0
    appearance: float = 1.0
    perceptual: float = 1.0
    contextual: float = 0.1
    """phase 2 only: edge maps have no contextual term"""
    flow: float = 0.0
    """of the roughness of IS-Net's flow (`render="blend"`): without it faces are stretched into smooth skin"""


@dataclass
class PlaceWeights:
    """Weights of the terms of `place_losses.py`, of the preset `places`."""

    place: float = 0.25
    """of PlaceNet: how far its places are off"""
    shown: float = 1.0
    """whether the source shows them"""
    person: float = 2.0
    """where the person is"""
    edge: float = 0.5
    """where edges are"""
    head_place: float = 4.0
    """of the head's own net, the same"""
    head_shown: float = 1.0
    head_person: float = 0.5
    alpha: float = 0.2
    """of MendNet: the person's silhouette; needs parsing maps"""
    lpips: float = 1.0
    """LPIPS of the picture, by AlexNet; 0, as of the next ones: the net is not needed"""
    painted: float = 0.5
    """LPIPS of the painted layer inside the person, by AlexNet; needs parsing maps"""
    head_lpips: float = 0.25
    """LPIPS of the head's window, by VGG16"""
