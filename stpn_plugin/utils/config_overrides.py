"""Refusing to override entries of a config that nothing reads any more.

A config file is a program: when a variable such as ``train_pipeline`` or ``data_root``
is used to build other entries, its value is copied into them. A config that inherits
and sets the variable anew, or ``--cfg-options`` that name it, then change the variable
and nothing else. That is what the two functions here find::

    base.py                            child.py
    lr = 0.1                           _base_ = 'base.py'
    optim_wrapper = dict(              lr = 0.2    # refused: it is used up in base.py
        optimizer=dict(lr=lr))

Entries that the runner itself reads, and variables that the child uses too, are its
own business. Configs that an installed package ships are taken as they are.
"""

from __future__ import annotations

import ast
import inspect
import os.path as osp
from typing import Any, Iterator, Mapping, NamedTuple

from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.runner import Runner

#: Entries that are read when a program runs, and not while the config is.
READ_BY_THE_RUNNER = frozenset(inspect.signature(Runner.__init__).parameters) | {
    'auto_scale_lr',
    'custom_imports',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'runner_type',
}


class ConfigFile(NamedTuple):
    """What a config file does with variables at its top level."""

    path: str
    bases: list[str]
    assigned: set[str]
    read: set[str]
    read_of_bases: set[str]

    def uses_up(self, name: str) -> bool:
        """Whether values of the variable have been copied into other entries."""
        return name in self.read_of_bases or name in self.assigned & self.read


def check_inherited_variables(path: str) -> None:
    """Check that what a config sets anew has an effect.

    Args:
        path: A config file. Files that are not Python are not looked into.

    Raises:
        ValueError: A file sets a variable that a file it inherits from has used
            up.
    """
    for child, ancestors in _families(path):
        if '.mim' in child.path.split(osp.sep):  # shipped: not the user's to mend
            continue
        for name in sorted(child.assigned - child.read - READ_BY_THE_RUNNER):
            for ancestor in reversed(ancestors):
                if ancestor.uses_up(name):
                    raise ValueError(
                        f'{child.path} sets "{name}", which changes nothing: '
                        f'{ancestor.path} has copied its own value into other '
                        'entries. Set those entries, or copy that file and change '
                        'the value there'
                    )


def check_overrides(path: str, cfg: Config, options: Mapping[str, Any]) -> None:
    """Check that options of the command line have an effect.

    Args:
        path: The config file.
        cfg: The config, as read.
        options: Values by dotted key, as in ``--cfg-options``.

    Raises:
        ValueError: An option names a variable that a file has used up, or an
            entry that does not exist.
    """
    for key in options:
        name = key.split('.')[0]
        if name in READ_BY_THE_RUNNER:
            continue
        if name not in cfg:
            raise ValueError(
                f'--cfg-options {key}: the config has no entry "{name}", so nothing '
                'would read it'
            )
        for file, _ in reversed(list(_families(path))):
            if file.uses_up(name):
                raise ValueError(
                    f'--cfg-options {key} changes nothing: {file.path} has copied '
                    f'"{name}" into other entries. Set those, or copy that file and '
                    'change the value there'
                )


def _families(path: str) -> Iterator[tuple[ConfigFile, list[ConfigFile]]]:
    """Each file that a config is made of, bases first, with all their bases."""
    file = _parse(path)
    ancestors: list[ConfigFile] = []
    for base in file.bases:
        for child, its_ancestors in _families(base):
            yield child, its_ancestors
            ancestors.append(child)
    yield file, ancestors


def _parse(path: str) -> ConfigFile:
    file = ConfigFile(path, [], set(), set(), set())
    if not path.endswith('.py') or not osp.isfile(path):
        return file
    with open(path, encoding='utf-8') as stream:
        tree = ast.parse(stream.read(), path)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _is_base(node.value):
            file.read_of_bases.add(node.attr)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            file.read.add(node.id)
    for statement in tree.body:
        if not isinstance(statement, ast.Assign):
            continue
        for target in statement.targets:
            names = {node.id for node in ast.walk(target) if isinstance(node, ast.Name)}
            file.assigned.update(names)
            if '_base_' in names:
                bases = ast.literal_eval(statement.value)
                bases = [bases] if isinstance(bases, str) else bases
                file.bases.extend(_locate(base, osp.dirname(path)) for base in bases)
    file.assigned.discard('_base_')
    return file


def _is_base(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == '_base_'


def _locate(base: str, folder: str) -> str:
    """Path of a base, also of one that an installed package ships."""
    if '::' in base:
        return get_config(base).filename
    return osp.normpath(osp.join(folder, base))
