"""Licences of all that the locks pin, and what is known against it.

Writes ``requirements/licenses.md`` from the metadata of the packages installed beside
this Python, and for the others from the wheels of the package index, some GB. With
``--advisories`` the index is asked for known vulnerabilities of each pin, as
``pip-audit`` does; the exit status is 1 if there are any, and 2 if the index does not
tell.
"""

from __future__ import annotations

import argparse
import email
import json
import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from email.message import Message
from importlib import metadata
from pathlib import Path
from typing import Any

from stpn_plugin.utils import ProgressBar, markdown_table, whole_text

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ROOT / 'requirements' / 'lock'
TABLE = ROOT / 'requirements' / 'licenses.md'
INDEX = 'https://pypi.org/pypi'

_LONGEST = 60  # of a licence's name; some packages have its whole text there
_CLASSIFIER = 'License :: '


def main() -> int:
    """Write, or compare, the table of licences; ask for advisories."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--check', action='store_true', help='only tell whether the table is up to date'
    )
    parser.add_argument('--advisories', action='store_true', help='ask the index')
    parser.add_argument(
        '--index', default=INDEX, help='where it has JSON, default: %(default)s'
    )
    args = parser.parse_args()
    pins = read_locks()
    if args.advisories:
        return tell_advisories(pins, args.index)
    names = set(re.findall(r'^\| ([a-z0-9-]+) \| [0-9]', read(TABLE), re.MULTILINE))
    if args.check:
        lacking = sorted({*pins} ^ names)
        if lacking:
            print(f'{TABLE} is out of date about {", ".join(lacking)}')
        return int(bool(lacking))
    with whole_text(TABLE) as file:
        file.write(table(pins))
    print(f'{TABLE}: {len(pins)} packages')
    return 0


def read(path: Path) -> str:
    """The text of a file, empty if there is none."""
    return path.read_text(encoding='utf-8') if path.exists() else ''


def read_locks() -> dict[str, set[str]]:
    """Versions of each package in any of the lock files."""
    pins: dict[str, set[str]] = {}
    for path in sorted(LOCKS.glob('*.txt')):
        for line in path.read_text().splitlines():
            found = re.match(r'([A-Za-z0-9._-]+)==([^\s;]+)', line)
            if found:
                pins.setdefault(normal(found[1]), set()).add(found[2])
    return pins


def normal(name: str) -> str:
    """A package's name in the one spelling that package indexes have."""
    return re.sub('[-_.]+', '-', name).lower()


def table(pins: dict[str, set[str]]) -> str:
    """The table of licences in Markdown."""
    licences = {
        normal(str(dist.metadata['Name'])): licence_of(dist.metadata)  # type: ignore[arg-type]
        for dist in metadata.distributions()
        if dist.metadata['Name']
    }
    rows = [('package', 'versions in the locks', 'licence')]
    for name in ProgressBar(sorted(pins), desc='packages'):
        versions = sorted(pins[name])
        licence = licences.get(name) or licence_from_index(name, versions)
        rows.append((name, ', '.join(versions), licence))
    return (
        '# Licences of the dependencies\n\n'
        'Written by `tools/dev/supply.py` from what the packages say of themselves, '
        'where they are installed or in the package index. None of them is distributed '
        'with this one.\n\n'
        f'{markdown_table(rows)}\n'
    )


def licence_of(info: Message) -> str:
    """What a package says of its licence: expression, else classifiers, else text."""
    expression = info.get('License-Expression')
    if expression:
        return str(expression)
    classifiers = [
        value.split(' :: ')[-1]
        for value in info.get_all('Classifier', [])
        if value.startswith(_CLASSIFIER) and value != 'License :: OSI Approved'
    ]
    if classifiers:
        return ', '.join(classifiers)
    first, *_ = [*str(info.get('License', '')).strip().splitlines(), '']
    return first[:_LONGEST] or 'says nothing'


def licence_from_index(name: str, versions: list[str]) -> str:
    """What a package that is not installed says of its licence in the package index.

    Args:
        name: The package.
        versions: Those of the locks; one that pip can have for this Python tells.
    """
    for version in reversed(versions):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, '-m', 'pip', 'download', '--quiet', '--no-deps']
            command += ['--only-binary', ':all:', '--dest', folder]
            done = subprocess.run([*command, f'{name}=={version}'], capture_output=True)
            for wheel in Path(folder).glob('*.whl') if done.returncode == 0 else ():
                with zipfile.ZipFile(wheel) as files:
                    (info,) = (
                        n for n in files.namelist() if n.endswith('.dist-info/METADATA')
                    )
                    return licence_of(email.message_from_bytes(files.read(info)))
    return 'not known: no wheel for this Python'


def tell_advisories(pins: dict[str, set[str]], index: str) -> int:
    """Ask for the advisories about all pins, and print them."""
    number = 0
    wanted = [(name, version) for name in sorted(pins) for version in pins[name]]
    for done, (name, version) in enumerate(wanted):
        try:
            found = advisories(name, version, index)
        except (OSError, ValueError) as error:
            print(
                f'{index} tells nothing of {name} {version} ({error}): '
                f'{done} of {len(wanted)} pins were checked'
            )
            return 2
        for advisory in found:
            number += 1
            fixed = ', '.join(advisory.get('fixed_in') or ['nothing'])
            summary = advisory.get('summary') or advisory.get('details') or ''
            print(
                f'{name} {version}: {advisory["id"]}, mended in {fixed}: {summary:.200}'
            )
    print(f'{len(wanted)} pins checked, {number} advisories')
    return int(number > 0)


def advisories(name: str, version: str, index: str) -> list[dict[str, Any]]:
    """Advisories about one version of a package that have not been withdrawn.

    Raises:
        OSError: The index cannot be reached, or does not know it.
        ValueError: The answer is none.
    """
    address = f'{index}/{name}/{version}/json'
    try:
        with urllib.request.urlopen(address, timeout=20) as answer:
            content = json.load(answer)
    except urllib.error.HTTPError as error:
        raise OSError(f'{address}: {error.code} {error.reason}') from error
    return [
        advisory
        for advisory in content.get('vulnerabilities') or []
        if not advisory.get('withdrawn')
    ]


if __name__ == '__main__':
    sys.exit(main())
