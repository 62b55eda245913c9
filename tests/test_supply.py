"""What is said of dependencies and of trust is up to date."""

from __future__ import annotations

import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Iterator

import pytest

from tests.support.commands import ROOT, run_command

TOOL = ROOT / 'tools/dev/supply.py'

ADVISORIES = [
    dict(id='PYSEC-1', fixed_in=['99.0'], summary='it bites', withdrawn=None),
    dict(id='PYSEC-2', fixed_in=['99.0'], summary='it does not', withdrawn='2026'),
]


class Index(BaseHTTPRequestHandler):
    """Tells of one advisory about jinja2, and knows all other packages."""

    def do_GET(self) -> None:
        found = ADVISORIES if '/jinja2/' in self.path else []
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(dict(vulnerabilities=found)).encode())

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def index() -> Iterator[str]:
    server = HTTPServer(('127.0.0.1', 0), Index)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f'http://127.0.0.1:{server.server_port}'
    server.shutdown()
    server.server_close()


@pytest.mark.slow
def test_licences_are_those_of_the_locks() -> None:
    assert run_command(sys.executable, TOOL, '--check', cwd=ROOT) == ''


@pytest.mark.slow
def test_advisories(index: str) -> None:
    command = [sys.executable, TOOL, '--advisories', '--index']
    printed = run_command(*command, index, cwd=ROOT, status=1, no_proxy='127.0.0.1')
    assert re.search(r'jinja2 \S+: PYSEC-1, mended in 99.0: it bites', printed)
    assert 'PYSEC-2' not in printed and re.search(r'\d+ pins checked, 1 adv', printed)
    printed = run_command(
        *command, 'http://127.0.0.1:9', cwd=ROOT, status=2, no_proxy='127.0.0.1'
    )
    assert 'tells nothing of' in printed and '0 of' in printed


def test_guards_are_tests_that_exist() -> None:
    text = (ROOT / 'SECURITY.md').read_text()
    named = re.findall(r'`(tests/[\w/]+\.py)?(?:::(\w+))?`', text)
    path = ''
    number = 0
    for file, test in named:
        path = file or path
        if not (file or test):
            continue
        content = (ROOT / path).read_text()
        assert not test or f'def {test}(' in content, (path, test)
        number += 1
    assert number >= 10
