"""Models by the name of their folder, of their repository, or shipped."""

from __future__ import annotations

import os.path as osp
import re

from ..utils import MissingPackageError, import_extra

#: The model that comes with this package. It knows the drawn objects of
#: ``projects/tiny_vid`` alone.
TINY_MODEL = osp.join(osp.dirname(osp.dirname(__file__)), 'pretrained', 'tiny_stpn')

_REPO_ID = re.compile(r'[\w.-]+/[\w.-]+')
_FILES = ['*.safetensors', '*.safetensors.index.json', 'config.py', 'config.json']


def find_model(name: str, revision: str | None = None) -> str:
    """Find the folder of a model.

    Args:
        name: A folder, or the id of a repository at Hugging Face's Hub.
        revision: Branch, tag or commit of the repository.

    Returns:
        The folder; that of a repository after its download.

    Raises:
        FileNotFoundError: There is neither.
        MissingPackageError: It may be a repository, and ``huggingface_hub`` is not
            installed.
        ValueError: The repository cannot be had.
    """
    if osp.isdir(name):
        return name
    if not _REPO_ID.fullmatch(name):
        raise FileNotFoundError(f'there is no folder {name} with a model')
    try:
        hub = import_extra('huggingface_hub', 'hub')
    except MissingPackageError as error:
        raise MissingPackageError(
            f"there is no folder {name}; to look for it at Hugging Face's Hub, {error}"
        ) from error
    try:
        return hub.snapshot_download(name, revision=revision, allow_patterns=_FILES)
    except Exception as error:  # of the network, or of one of the Hub's many kinds
        raise ValueError(
            f"{name} is no folder, and cannot be had from Hugging Face's Hub: {error}"
        ) from error
