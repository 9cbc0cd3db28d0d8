"""Train PCT-Net and IS-Net: `accelerate launch train_accelerate.py --data DIR --output DIR [--phase pct|is|both]`."""

import sys

import tyro

from scagan_hub.training.config import TrainConfig


def main() -> int:
    try:
        config = tyro.cli(TrainConfig, description=__doc__)
        from scagan_hub.training.loop import Trainer

        Trainer(config).run()
    except (ValueError, OSError) as error:
        print(f"train_accelerate: error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
