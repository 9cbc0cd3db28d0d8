"""How a run meets its processes: one `Accelerator`, set for nets that are trained against each other."""

import warnings

from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.utils import DistributedType, ProjectConfiguration

from .config import TrainConfig

REPLICATED = (DistributedType.NO, DistributedType.MULTI_GPU, DistributedType.MULTI_CPU)


def start(config: TrainConfig) -> Accelerator:
    """
    Raises:
        ValueError: when the launch shards or pipelines nets, which three nets with optimisers of their own don't bear.
    """
    # Buffers are not broadcast: in place, between two passes, that would spoil the first one's gradients. What newer
    # torches call it, older ones don't know.
    warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated", FutureWarning)
    parallel = DistributedDataParallelKwargs(broadcast_buffers=False, gradient_as_bucket_view=True)
    project = ProjectConfiguration(str(config.output), logging_dir=str(config.output / "tracking"))
    accelerator = Accelerator(
        mixed_precision=config.mixed_precision,
        log_with=list(config.trackers) or None,
        project_config=project,
        kwargs_handlers=[parallel],
    )
    if accelerator.distributed_type not in REPLICATED:
        raise ValueError(
            f"launched with {accelerator.distributed_type.value}: expected one process or data-parallel ones, "
            "as in examples/accelerate"
        )
    if accelerator.gradient_accumulation_steps != 1:
        raise ValueError("gradient accumulation was asked of accelerate launch: use --accumulate instead")
    return accelerator
