"""Files that are whole or not there."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from stpn_plugin.utils import (
    WholeFile,
    check_writable,
    refuse_overwriting_input,
    same_file,
    whole_binary,
    whole_folder,
    whole_path,
    whole_text,
)
from tests.support.full_disk import file_limit


def names(folder: Path) -> list:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_gets_its_name_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / 'made/a.txt'
    with whole_text(path) as file:
        file.write('é\n')
        assert not path.exists()
    assert path.read_bytes() == 'é\n'.encode()
    with whole_binary(path) as binary:
        binary.write(b'new')
        assert path.read_bytes() == 'é\n'.encode()
    assert path.read_bytes() == b'new'
    with whole_path(str(path)) as temporary:
        assert temporary.endswith('.txt') and Path(temporary).parent == path.parent
        Path(temporary).write_text('by its path')
    assert path.read_text() == 'by its path'
    assert names(path.parent) == ['a.txt']


@pytest.mark.parametrize('error', [ValueError, KeyboardInterrupt])
def test_an_error_keeps_the_file_that_was_there(tmp_path: Path, error: type) -> None:
    path = tmp_path / 'a.txt'
    for _ in range(2):  # without and with a file
        for open_file in (whole_text, whole_binary, whole_path):
            with pytest.raises(error), open_file(path):
                raise error
        assert names(tmp_path) == (['a.txt'] if path.exists() else [])
        path.write_text('good')
    assert path.read_text() == 'good'


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / 'a'
    with whole_text(path) as first, whole_text(path) as second:
        first.write('first')
        second.write('second')
    assert path.read_text() == 'first' and names(tmp_path) == ['a']


def test_full_disk(tmp_path: Path) -> None:
    """No file may grow beyond a size: writes fail as on a full disk."""
    path = tmp_path / 'a.txt'
    path.write_text('good')
    for open_file, content in ((whole_text, 'x'), (whole_binary, b'x')):
        with file_limit(1000):
            with pytest.raises(OSError, match='a.txt cannot be written: File too'):
                with open_file(path) as file:
                    file.write(content * 2000)
        assert path.read_text() == 'good' and names(tmp_path) == ['a.txt']


def test_write_error_of_the_device(tmp_path: Path) -> None:
    """A write error without a file name is told with the name of the file."""
    with pytest.raises(OSError, match='a.txt cannot be written: No space') as raised:
        with whole_text(tmp_path / 'a.txt'), open('/dev/full', 'w') as full:
            full.write('x')
    assert raised.value.errno == errno.ENOSPC and names(tmp_path) == []
    with pytest.raises(FileNotFoundError, match='no_such'):  # of another file: as it is
        with whole_text(tmp_path / 'a.txt'):
            open(tmp_path / 'no_such')


def test_permissions(tmp_path: Path) -> None:
    """Those of a new file are as the umask has it, those of an old one stay."""
    before = os.umask(0o027)
    try:
        with whole_text(tmp_path / 'new'):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / 'new').stat().st_mode) == 0o640
    (tmp_path / 'new').chmod(0o600)
    with whole_text(tmp_path / 'new'):
        pass
    assert stat.S_IMODE((tmp_path / 'new').stat().st_mode) == 0o600


def test_long_names_and_links(tmp_path: Path) -> None:
    long = tmp_path / ('n' * 251 + '.txt')
    with whole_text(long) as file:
        file.write('long')
    link = tmp_path / 'link'
    link.symlink_to(long)
    with whole_text(link) as file:
        file.write('over the link')
    assert link.is_symlink() and long.read_text() == 'over the link'


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match='is a folder'):
        WholeFile(tmp_path)
    fifo = tmp_path / 'fifo'
    os.mkfifo(fifo)
    (tmp_path / 'device').symlink_to('/dev/null')
    for path in (fifo, tmp_path / 'device'):
        with pytest.raises(OSError, match='is no regular file'):
            WholeFile(path)
    (tmp_path / 'file').write_text('')
    with pytest.raises(OSError, match='file/a cannot be written: File exists'):
        check_writable(tmp_path / 'file/a')
    check_writable(tmp_path / 'made/a')
    assert names(tmp_path / 'made') == []


def test_a_name_made_of_the_content(tmp_path: Path) -> None:
    file = WholeFile(tmp_path / 'a.txt')
    Path(file.temporary).write_text('x')
    file.keep(tmp_path / 'a-123.txt')
    file.discard()  # nothing is left to discard
    assert names(tmp_path) == ['a-123.txt']


def test_a_folder_is_replaced_when_the_new_one_is_complete(tmp_path: Path) -> None:
    folder = tmp_path / 'made/a'
    with whole_folder(folder, replace=True) as temporary:
        Path(temporary, 'old').touch()
    with pytest.raises(FileExistsError, match='a exists'):
        with whole_folder(folder):
            pass
    with pytest.raises(KeyError):
        with whole_folder(folder, replace=True) as temporary:
            raise KeyError
    assert names(folder) == ['old']
    with whole_folder(folder, replace=True) as temporary:
        Path(temporary, 'new').touch()
    assert names(folder) == ['new'] and names(folder.parent) == ['a']


def test_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path('a').write_text('')
    Path('b').write_text('')
    Path('folder').mkdir()
    Path('to_a').symlink_to('a')
    os.link('a', 'hard_a')
    Path('to_folder').symlink_to('folder')
    for other in ('a', './folder/../a', tmp_path / 'a', 'to_a', 'hard_a'):
        assert same_file('a', other)
        with pytest.raises(ValueError, match='is the input a itself'):
            refuse_overwriting_input('a', other)
    assert same_file('folder/new', 'to_folder/new')  # not there yet
    assert not same_file('a', 'b') and not same_file('a', 'new')
    refuse_overwriting_input('a', 'b')
