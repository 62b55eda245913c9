"""Make the wheel of mmcv-lite that Python 3.13 and later cannot make themselves.

Usage: ``python .dev_scripts/mmcv_lite_wheel.py FOLDER``, run by a Python with pip,
setuptools and wheel. The wheel, pure Python and for any version of it, is left in the
folder, and not made again if it is there.

mmcv-lite 2.0.0rc4 has no wheel in the index, and its ``setup.py`` looks in ``locals()``
for what ``exec`` has defined, which is not there any more since Python 3.13 (PEP 667).
Here pip unpacks its sources, ``setup.py`` gets a namespace of its own for ``exec``, and
pip makes the wheel.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Tuple

NAME, VERSION = 'mmcv-lite', '2.0.0rc4'
PATTERN = f'mmcv_lite-{VERSION}-*.whl'
# What stands in `get_version` of setup.py -> what does the same on every Python.
CURES = (
    (
        "exec(compile(f.read(), version_file, 'exec'))",
        "exec(compile(f.read(), version_file, 'exec'), defined := {})",
    ),
    ("locals()['__version__']", "defined['__version__']"),
)


def cure(setup: str) -> str:
    """Return the text of ``setup.py`` with what it does not find any more cured.

    Args:
        setup: Its text.

    Raises:
        ValueError: If it is not the ``setup.py`` that this was written for.
    """
    for old, new in CURES:
        if setup.count(old) != 1:
            raise ValueError(f'setup.py of {NAME} has no {old}: is it {VERSION}?')
        setup = setup.replace(old, new)
    return setup


def build(what: str, folder: Path, temporary: Path) -> Tuple[int, str]:
    """Ask pip for a wheel.

    Args:
        what: A requirement, or a folder with sources.
        folder: Where the wheel goes.
        temporary: Where pip unpacks, and leaves, what it builds.

    Returns:
        pip's status, and what it wrote.
    """
    command = [sys.executable, '-m', 'pip', 'wheel', '--no-deps', '--no-clean']
    command += ['--no-build-isolation', '--wheel-dir', str(folder), what]
    done = subprocess.run(
        command,
        env={**os.environ, 'TMPDIR': str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


def main() -> int:
    """Make the wheel, unless the folder has it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=Path, help='where the wheel goes')
    folder = parser.parse_args().folder
    if list(folder.glob(PATTERN)):
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        made, temporary = Path(name, 'wheel'), Path(name, 'tmp')
        temporary.mkdir()
        # It works where pip's cache, or the user's index, has a wheel.
        status, output = build(f'{NAME}=={VERSION}', made, temporary)
        if status:
            scripts = list(temporary.glob('*/*/setup.py'))
            if len(scripts) != 1:
                print(output)
                return status
            scripts[0].write_text(cure(scripts[0].read_text('utf-8')), 'utf-8')
            status, output = build(str(scripts[0].parent), made, temporary)
        if status:
            print(output)
            return status
        (wheel,) = made.glob(PATTERN)
        partial = folder / f'{wheel.name}.{os.getpid()}.partial'
        partial.write_bytes(wheel.read_bytes())
        partial.rename(folder / wheel.name)
        print(f'made {folder / wheel.name}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
