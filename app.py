"""The demo, as a Space and `make demo` open it; an installed package has it as `scagan demo`.

`python app.py` opens it with the bundled weights, `python app.py --model FOLDER [FOLDER ...]` with others. The page
asks nothing of other hosts. The endpoint `/generate` takes what the page takes (docs/demo.md).
"""

import contextlib
import os
import sys

with contextlib.suppress(ImportError):  # on ZeroGPU, and there before torch
    import spaces  # noqa: F401

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported

try:
    from scagan_hub.demo import LAUNCH, build_demo
    from scagan_hub.demo.command import main, model_name
except ImportError as error:
    sys.exit(f"app.py: error: {error}")

__all__ = ["LAUNCH", "build_demo", "main", "model_name"]

if __name__ == "__main__":
    sys.exit(main())
