"""In a checkout, `accelerate launch train_accelerate.py` is `accelerate launch -m scagan_hub.training`."""

import sys

from scagan_hub.training import __main__ as training


def main() -> int:
    return training.main("train_accelerate")


if __name__ == "__main__":
    sys.exit(main())
