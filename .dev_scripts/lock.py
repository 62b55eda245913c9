"""Write the lock file of the running Python version.

Usage: ``python3.X .dev_scripts/lock.py [--compiled]``. Asks pip to resolve
``requirements/lock/*.in`` without installing anything, for Linux on x86-64.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

LOCKS = Path(__file__).resolve().parents[1] / 'requirements' / 'lock'
# Only in torch's Linux wheels, hence not to be asked for elsewhere.
LINUX_ONLY = ('nvidia-', 'cuda-', 'triton')
LINUX = "platform_system == 'Linux' and platform_machine == 'x86_64'"


def resolve(*arguments: str) -> dict[str, str]:
    """Ask pip what it would install.

    Args:
        arguments: Arguments of ``pip install``.

    Returns:
        Version of each distribution, by its name.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / 'report.json'
        command = [sys.executable, '-m', 'pip', 'install', '--quiet', '--dry-run']
        command += ['--ignore-installed', '--report', str(report), *arguments]
        subprocess.run(command, check=True)
        installs = json.loads(report.read_text())['install']
    metadata = [install['metadata'] for install in installs]
    return {item['name'].lower(): item['version'] for item in metadata}


def main() -> None:
    """Resolve and write the lock file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--compiled', action='store_true', help='for .venv-compiled')
    compiled = parser.parse_args().compiled

    narrower = LOCKS / ('compiled.in' if compiled else 'no-compile.in')
    versions = resolve('-r', str(LOCKS / 'default.in'), '-r', str(narrower))
    versions.update(resolve('--no-deps', '-r', str(LOCKS / 'mm.in')))
    # The compiled environment gets a wheel of mmcv built on this machine instead.
    if not compiled:
        versions['mmcv-lite'] = '2.0.0rc4'

    name = f'py{sys.version_info.major}{sys.version_info.minor}'
    path = LOCKS / f'{name}{"-compiled" if compiled else ""}.txt'
    with path.open('w') as file:
        file.write('# Written by .dev_scripts/lock.py; install with --no-deps.\n')
        for name, version in sorted(versions.items()):
            marker = f' ; {LINUX}' if name.startswith(LINUX_ONLY) else ''
            file.write(f'{name}=={version}{marker}\n')
    print(f'wrote {path}: {len(versions)} distributions')


if __name__ == '__main__':
    main()
