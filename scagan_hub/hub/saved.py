"""How a pipeline goes to disk and to the Hub and comes back: strictly, whole or not at all, with its card."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any, Self

from diffusers import DiffusionPipeline, ModelMixin

from ..domain import FILE, Domain
from ..files.writing import check_switched, whole_folder
from . import card, checks

REPORT = "report.json"
STALE = (REPORT, FILE, "*.index.json")  # what described earlier weights; an index would name others
HUB_OPTIONS = {"revision", "cache_dir", "token", "local_files_only", "force_download"}


class SavedPipeline(DiffusionPipeline):
    """A `DiffusionPipeline` that refuses damaged files, never leaves half a model, and writes its own card.

    Subclasses name their components in `COMPONENTS`, with the classes that each may have, and those that may be None in
    `_optional_components` too.

    Attributes:
        report: what was measured on these weights (see `scagan_hub.hub.card`), saved with them; None where
            nothing was. Whoever changes the weights replaces it.
        domain: what these weights were trained on (see `scagan_hub.domain`), saved with them; or None.
    """

    COMPONENTS: dict[str, tuple[type, ...]] = {}

    def __init__(self):
        super().__init__()
        self.report: dict | None = None
        self.domain: Domain | None = None

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | os.PathLike, **kwargs: Any) -> Self:
        """Load a model from a folder or from the Hub, strictly.

        Args:
            pretrained_model_name_or_path: a folder made by `save_pretrained`, or a Hub id ("owner/name").
            kwargs: as for `DiffusionPipeline.from_pretrained`: `dtype`, `variant`, `revision`,
                `cache_dir`, `token`, `local_files_only`, or a component to use in place of the saved one.

        Raises:
            ValueError: no such model; a file missing or damaged; a tensor missing, superfluous or misshapen.
        """
        hub = {key: kwargs.pop(key) for key in HUB_OPTIONS & kwargs.keys()}
        folder = checks.model_folder(pretrained_model_name_or_path, **hub)
        components = checks.check_index(folder, cls.__name__, cls.COMPONENTS, cls._optional_components)
        check_switched(folder)
        report = card.read_report(folder / REPORT) if (folder / REPORT).exists() else None
        domain = Domain.read(folder / FILE) if (folder / FILE).exists() else None
        variant, dtype = kwargs.pop("variant", None), kwargs.get("dtype", kwargs.get("torch_dtype"))
        dtypes = dtype if isinstance(dtype, dict) else {"default": dtype}
        for name in sorted(components.keys() - kwargs.keys()):
            component = components[name]
            if issubclass(component, ModelMixin):
                dtype = dtypes.get(name, dtypes.get("default"))
                kwargs[name] = checks.read_model(folder / name, component, variant, dtype)
            else:
                checks.build(folder / name, component)
        pipe = super().from_pretrained(folder, use_safetensors=True, **kwargs)
        pipe.report, pipe.domain = report, domain
        return pipe

    def save_pretrained(self, save_directory: str | os.PathLike, variant: str | None = None):
        """Write weights (safetensors), configurations, measured report and model card: all of it, or nothing.

        Args:
            save_directory: a folder; it is made, or the files of an earlier model in it are replaced, at one stroke,
                and those that described it are deleted.
            variant: goes into the weights' file names, as in diffusers ("fp16").

        Raises:
            ValueError: when it cannot be written.
        """
        with whole_folder(save_directory, STALE) as folder:
            self._write(folder, variant)

    def push_to_hub(
        self,
        repo_id: str,
        commit_message: str = "Upload model",
        private: bool | None = None,
        token: str | None = None,
        create_pr: bool = False,
        variant: str | None = None,
    ) -> str:
        """Upload what `save_pretrained` writes; arguments as for any diffusers pipeline.

        Returns:
            the commit's address.
        """
        from huggingface_hub import HfApi

        api = HfApi(token=token)
        repo_id = api.create_repo(repo_id, private=private, exist_ok=True).repo_id
        with tempfile.TemporaryDirectory() as folder:
            self._write(Path(folder), variant, repo_id)
            return api.upload_folder(
                repo_id=repo_id, folder_path=folder, commit_message=commit_message, create_pr=create_pr
            )

    def _write(self, folder: Path, variant: str | None, name: str = "path/to/this/folder"):
        super().save_pretrained(folder, variant=variant)
        for path in folder.rglob("*.json"):  # where a model was loaded from is nobody else's business
            config = json.loads(path.read_text(encoding="utf-8"))
            if config.pop("_name_or_path", None) is not None:
                path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        parts = {part: getattr(self, part) for part in self.COMPONENTS}
        configs = {part: dict(component.config) for part, component in parts.items() if component is not None}
        (folder / "README.md").write_text(card.render(configs, self.report, name), encoding="utf-8")
        if self.report is not None:
            (folder / REPORT).write_text(json.dumps(self.report, indent=2) + "\n", encoding="utf-8")
        if self.domain is not None:
            self.domain.save(folder / FILE)
