"""What PlaceNet and MendNet learn by, a function a net or a term; unweighted, and finite whatever a batch lacks.

A mean over places where something is known is 0, with gradients of 0, where nothing is.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ..content.alignment import inverse_frames, sample
from ..data.places import HIDDEN, SHOWN, UNKNOWN
from ..models.place_net import STEP, HeadNet, Places, in_frame

NEAR, NEAR_IN_HEAD = 2.0, 0.1  # of smooth L1: quadratic below so many pixels, so many half boxes of the head
HIDDEN_SHARE, HIDDEN_SHARE_IN_HEAD = 0.3, 0.15  # how much hidden places count, beside shown ones
REACH_OF_HIDDEN, FARTHEST = 2.5, 4.0  # half boxes from the head's middle: where hidden places count; the farthest goal
SURELY = 0.95  # share of known pixels that a place between them needs
FACE = 2  # of `data.PARSING`; it counts twice
SMALLEST = 1e-4  # share of the person that its cross entropy still tells from none


@dataclass
class Truth:
    """What is known of a batch's targets.

    Args:
        places: (B,2,H,W) x, y in source pixels.
        state: (B,1,H,W) of `data.places`: UNKNOWN, NOWHERE, HIDDEN, SHOWN.
        classes: (B,1,H,W) indices of `data.PARSING`.
        edge: (B,1,H,W) in [0, 1].
    """

    places: torch.Tensor
    state: torch.Tensor
    classes: torch.Tensor
    edge: torch.Tensor

    @property
    def person(self) -> torch.Tensor:
        """(B,1,H,W): 1 where the person is, else 0."""
        return (self.classes > 0).float()


def mean_where(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Weighted mean of x by weights of its shape; of weights below 1 in all, their sum's share of it."""
    return (x * weight).sum() / weight.sum().clamp_min(1)


def body_terms(body: Places, truth: Truth) -> dict[str, torch.Tensor]:
    """Of the whole picture's net.

    Args:
        body: of `PlaceNet.body`: places in every second row and column, edges everywhere.
    Returns:
        place: smooth L1, in pixels, of places that the source shows, and less of those with a place to copy from;
        shown, person, edge: binary cross entropies.
    """
    coarse = (slice(None),) * 2 + (slice(None, None, STEP),) * 2
    places, state, person = truth.places[coarse], truth.state[coarse], truth.person[coarse]
    seen = (state == SHOWN).float()
    off = F.smooth_l1_loss(body.position, places, reduction="none", beta=NEAR).sum(1, keepdim=True)
    return {
        "place": mean_where(off, seen + HIDDEN_SHARE * (state == HIDDEN)),
        "shown": mean_where(_entropy(body.shown, seen), (state != UNKNOWN).float()),
        "person": _entropy(body.person, person).mean(),
        "edge": _entropy(body.edge, truth.edge).mean(),
    }


def head_terms(head: tuple, net: HeadNet, frames: list[torch.Tensor], both: torch.Tensor, truth: Truth) -> dict:
    """Of the head's net, in its window, where both poses have a head.

    Args:
        head: what `net` has given: box coordinates (B,2,w,w), logits of shown and of person (B,1,w,w).
        frames, both: of `head_frames`.
    Returns:
        head_place: smooth L1, in half boxes; the face counts twice; head_shown, head_person: binary cross entropies.
    """
    place, shown, person = head
    at = net.pixels(frames[1]).permute(0, 2, 3, 1)  # (B,w,w,2)
    height, width = truth.state.shape[2:]
    inside = ((at >= 0) & (at <= at.new_tensor([width - 1, height - 1]))).all(-1)[:, None] & both[:, None, None, None]
    has_place, is_known, is_shown = (x.float() for x in _kinds(truth.state))
    share, known = sample(has_place, at), sample(is_known, at)  # (B,1,w,w)
    goal = sample(truth.places * has_place, at) / share.clamp_min(1e-3)
    goal = in_frame(inverse_frames(frames[0]), goal)
    seen = (sample(is_shown, at) / known.clamp_min(1e-3)).clamp(0, 1)
    there = sample(truth.person, at)
    nearest = sample(truth.classes.float(), at.round()).round()
    close = goal.abs().amax(1, keepdim=True) < REACH_OF_HIDDEN
    weight = seen + HIDDEN_SHARE_IN_HEAD * (1 - seen) * close
    weight = weight * (inside & (share > SURELY)) * (1 + (nearest == FACE).float())
    goal = goal.clamp(-FARTHEST, FARTHEST)
    off = F.smooth_l1_loss(place, goal, reduction="none", beta=NEAR_IN_HEAD).sum(1, keepdim=True)
    return {
        "head_place": mean_where(off, weight),
        "head_shown": mean_where(_entropy(shown, seen), (inside & (known > SURELY)).float()),
        "head_person": mean_where(_entropy(person, there.clamp(0, 1)), inside.float()),
    }


def alpha_loss(alpha: torch.Tensor, person: torch.Tensor) -> torch.Tensor:
    """Binary cross entropy of the person's layer with the silhouette, softened by a mean of 3 x 3.

    Args:
        alpha: (B,1,H,W) in [0, 1].
        person: (B,1,H,W), 1 where the person is, else 0.
    """
    soft = F.avg_pool2d(F.pad(person, (1, 1, 1, 1), mode="replicate"), 3, 1)
    alpha = alpha.clamp(SMALLEST, 1 - SMALLEST)
    return -(soft * alpha.log() + (1 - soft) * (1 - alpha).log()).mean()


def painted_alone(painted: torch.Tensor, target: torch.Tensor, person: torch.Tensor) -> torch.Tensor:
    """The painted layer (B,3,H,W) inside the person, where nothing is copied, in the true surroundings."""
    return painted * person + target * (1 - person)


def _kinds(state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Where there is a place to copy from, where anything is known, and what the source shows."""
    return state >= HIDDEN, state != UNKNOWN, state == SHOWN


def _entropy(logits: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
