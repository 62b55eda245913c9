"""Which torch an environment gets, if not the one of its lock file.

A choice is written as ``make setup TORCH=...`` takes it:

- a version, ``2.6.0``: from the package index, with the CUDA that it comes with there;
- a build, ``cpu`` or ``cu126``: the version of the lock file from PyTorch's own index;
- both, ``2.6.0+cpu``;
- ``lock``: the one of the lock file again.
"""

import re
from pathlib import Path
from typing import Callable, List, NamedTuple, Optional, Tuple

LOCKS = Path(__file__).resolve().parents[1] / 'requirements' / 'lock'
PYTORCH = 'https://download.pytorch.org/whl'
OLDEST = (2, 0)
# The first that works with numpy 2, as the packages of the lock files do.
FIRST_WITH_NUMPY2 = (2, 3)
# What comes and goes with torch.
FAMILY = re.compile(r'(torch|torchvision|triton|nvidia-\S*|cuda-\S*)==')
MMCV_LITE = 'mmcv-lite==2.0.0rc4'

# A pip command made of its arguments.
Pip = Callable[..., List[str]]


class TorchBuild(NamedTuple):
    """A version of torch, and where it comes from.

    Attributes:
        version: Its release, such as ``2.6.0``.
        label: Its build, such as ``cpu``; empty for that of the package index.
        index: URL of an index which has torch and all that it needs; empty for the
            index that pip is set up for.
    """

    version: str
    label: str
    index: str

    @property
    def minor(self) -> Tuple[int, int]:
        """First two numbers of the version."""
        major, minor = self.version.split('.')[:2]
        return int(major), int(minor)

    @property
    def requirements(self) -> List[str]:
        """What pip is asked for: torch, and the torchvision that goes with it."""
        local = f'+{self.label}' if self.label else ''
        # Each minor version of torch has one of torchvision, which names the very
        # version of torch that it wants.
        vision = f'torchvision==0.{self.minor[1] + 15}.*'
        return [f'torch=={self.version}{local}', vision]

    @property
    def title(self) -> str:
        """What a reader is told."""
        local = f'+{self.label}' if self.label else ''
        return f'torch {self.version}{local}' + (
            f' from {self.index}' if self.index else ''
        )


def parse(choice: str, index: Optional[str], lock: Path) -> TorchBuild:
    """Read a choice of torch.

    Args:
        choice: A version, a build or both; see above.
        index: URL of an index to take it from, instead of the usual one.
        lock: The lock file, which knows the version if the choice does not.

    Raises:
        ValueError: If the choice is none.
    """
    found = re.fullmatch(
        r'(\d+\.\d+\.\d+)?(?:(?:^|\+)(cpu|xpu|cu\d+|rocm[\d.]+))?', choice
    )
    if not choice or found is None:
        raise ValueError(
            f'TORCH={choice} is no build of torch. Give a version (2.6.0), a build '
            '(cpu, cu126), both (2.6.0+cpu), or lock for the one of the lock file.'
        )
    version, label = found[1], found[2] or ''
    if version is None:
        version = locked_version(lock)
    if label and index is None:
        index = f'{PYTORCH}/{label}'
    build = TorchBuild(version, label, index or '')
    if build.minor < OLDEST:
        raise ValueError(
            f'TORCH={choice}: torch before {OLDEST[0]}.{OLDEST[1]} is not supported.'
        )
    return build


def locked_version(lock: Path) -> str:
    """Return the version of torch in a lock file."""
    pins = dict(re.findall(r'^([\w-]+)==(\S+)', lock.read_text(), re.M))
    return pins['torch']


def without_torch(lock: Path) -> str:
    """Return the text of a lock file without torch and what comes with it."""
    lines = lock.read_text().splitlines(keepends=True)
    return ''.join(line for line in lines if not FAMILY.match(line))


def commands(
    build: TorchBuild, lock: Path, rest: Path, pip: Pip, options: List[str]
) -> List[List[str]]:
    """Return what installs all packages with another torch.

    Args:
        build: The torch.
        lock: The lock file.
        rest: A file that will have the lock file's lines :func:`without_torch`.
        pip: Makes a command of the environment's pip.
        options: Options for installing what the lock files name.
    """
    plain = ('--no-deps', '--no-build-isolation', *options)
    index = ['--index-url', build.index] if build.index else []
    removed = pip('uninstall', '--yes', 'torch', 'torchvision')
    if build.minor >= FIRST_WITH_NUMPY2:
        return [
            pip('install', *plain, '-r', str(rest)),
            removed,
            pip('install', *build.requirements, *index),
        ]
    # What is older than numpy 2 is not in the lock files: pip looks for it.
    old = LOCKS / 'old-torch.in'
    return [
        removed,
        pip('install', *build.requirements, *index),
        pip(
            *('install', *build.requirements),
            *('-r', str(LOCKS / 'default.in'), '-r', str(old)),
        ),
        pip('install', *plain, '-r', str(LOCKS / 'mm.in'), MMCV_LITE),
    ]
