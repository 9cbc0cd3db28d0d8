"""Train PCT-Net and IS-Net: accelerate launch -m scagan_hub.training --data DIR --output DIR [options].

Options override the fields of --config FILE (JSON or YAML), these the recipe of --preset.
"""

import os
import sys
from pathlib import Path

from .command import parse


def main(program: str = "scagan_hub.training", argv: list[str] | None = None) -> int:
    """A run as `argv` asks for it, or `sys.argv`; `program` is its name in what it says. Returns the exit status."""
    parent = launcher()
    try:
        config = parse(sys.argv[1:] if argv is None else argv, __doc__, program)
        if config.dry_run:
            return dry_run(config)
        from .data import notes
        from .loop import Stopped, Trainer

        trainer = Trainer(config, parent)
    except (ValueError, OSError, ImportError) as error:  # ImportError: an extra is not installed
        one_of_a_machine = os.environ.get("LOCAL_RANK", "0") == "0"  # all of them have the same to say
        return fail(program, error, speaks=one_of_a_machine)
    for line in [f"learning rates: {config.schedule}", *notes(config, trainer.train_set)]:
        trainer.accelerator.print(line)
    try:
        trainer.run()
    except Stopped as stopped:  # on every process
        status = fail(program, stopped, speaks=trainer.accelerator.is_main_process)
    except (ValueError, OSError) as error:
        return fail(program, error)
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        return fail(program, ValueError("a worker was killed, perhaps for want of memory; go on with --resume latest"))
    else:
        status = 0
    trainer.accelerator.state.destroy_process_group()
    return status


def dry_run(config) -> int:
    from .plan import plan

    lines = plan(config)
    if os.environ.get("RANK", "0") == "0":
        print(lines)
    return 0


def launcher() -> int | None:
    """The parent's process id, if that is `accelerate launch`: told to end, it does, and tells no single child of it.

    Its variables tell that it is somewhere above, the parent's command that it is the parent: what a launched script
    starts in its turn may outlive that script. Only Linux tells commands.
    """
    parent = os.getppid()
    try:
        words = Path(f"/proc/{parent}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return None
    called = any(Path(word).name.split(".")[0] in ("accelerate", "accelerate-launch") for word in words)
    return parent if called and "ACCELERATE_MIXED_PRECISION" in os.environ else None


def fail(program: str, error: Exception, speaks: bool = True) -> int:
    if speaks:
        line = str(error).strip().splitlines()[-1]  # a loader worker's error brings its traceback along
        print(f"{program}: error: {line}", file=sys.stderr)
    return getattr(error, "status", 1)


if __name__ == "__main__":
    sys.exit(main())
