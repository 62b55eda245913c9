"""Hooks of MkDocs: the site has the layout of the repository.

So links between pages, and from pages to configs and pictures, lead to the same files
on the site and in a checkout.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
PATTERNS = (
    '*.md',
    'docs/**/*.md',
    'configs/**/*.md',
    'configs/**/*.py',
    'projects/**/*.md',
    'projects/**/*.json',
    'projects/**/*.py',
    'requirements/*.md',
    'stpn_plugin/pretrained/**/*.md',
    'Dockerfile',
    'resources/*',
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Put the files of the repository in place of those of ``docs``.

    Args:
        files: What MkDocs and its theme found.
        config: The site's.

    Returns:
        The files of the site.
    """
    for file in list(files):
        if file.src_uri.endswith('.md'):
            files.remove(file)
    for pattern in PATTERNS:
        for path in sorted(ROOT.glob(pattern)):
            name = path.relative_to(ROOT).as_posix()
            files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_content(html: str, **kwargs: Any) -> str:
    """Leave out the roles of Sphinx, which Markdown does not know.

    Args:
        html: A page.
        kwargs: More about it.

    Returns:
        The page, with ``name`` in place of ``:class:name``.
    """
    return re.sub(r':(?:class|func|meth|mod|data|attr):(?=<code>)', '', html)
