"""Files that are whole or not there.

A file is written under a temporary name in its own folder, and takes its name when it
is complete and on the disk. Until then, and after any error, a file that had the name
before stays as it was.

:func:`whole_text` and :func:`whole_binary` open a file, :func:`whole_path` is for
functions that want a path, :class:`WholeFile` for what is written over a long time.
"""

from __future__ import annotations

import contextlib
import errno
import os
import os.path as osp
import re
import secrets
import shutil
import stat
from typing import BinaryIO, Collection, Iterator, TextIO, Union

PathLike = Union[str, 'os.PathLike[str]']

#: Errors of a full disk, which reading has not.
FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# Errors of a write, whose exception does not tell which file they are about.
_WRITE_ERRORS = (*FULL_DISK, errno.EIO)


class WholeFile:
    """A file under a temporary name, to be kept or discarded.

    Args:
        path: Name that the file is to get. Missing folders are made; a link is
            followed.

    Attributes:
        path: As given.
        temporary: The empty file to write to. Its ending is that of ``path``.

    Raises:
        OSError: The file cannot be written, or what is there is no file.
    """

    def __init__(self, path: PathLike) -> None:
        self.path = os.fspath(path)
        self._target = osp.realpath(self.path)
        if osp.isdir(self._target):
            raise IsADirectoryError(f'{self.path} is a folder, a file is to be written')
        if osp.exists(self._target) and not osp.isfile(self._target):
            # A rename would put a file in the place of a device such as /dev/null.
            raise OSError(f'{self.path} is no regular file and cannot be replaced')
        folder, name = osp.split(self._target)
        stem, suffix = osp.splitext(name)
        # Short: file systems limit the length of a name.
        name = f'.{stem[:40]}.{secrets.token_hex(4)}.part{suffix}'
        self.temporary = osp.join(folder, name)
        with self._named_errors():
            os.makedirs(folder, exist_ok=True)
            # Not `tempfile`, which makes files that only their owner may read.
            with open(self.temporary, 'xb'):
                pass

    def keep(self, path: PathLike | None = None) -> None:
        """Bring the file to the disk and give it its name.

        Args:
            path: Another name in the same folder, for one that is made of the
                content. Defaults to ``self.path``.

        Raises:
            OSError: The disk is full, for example. The file is discarded.
        """
        if path is not None:
            self.path = os.fspath(path)
            self._target = osp.realpath(self.path)
        try:
            with self._named_errors():
                with open(self.temporary, 'rb+') as file:
                    os.fsync(file.fileno())
                if osp.exists(self._target):
                    mode = stat.S_IMODE(os.stat(self._target).st_mode)
                    os.chmod(self.temporary, mode)
                os.replace(self.temporary, self._target)
                _sync_folder(osp.dirname(self._target))
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Remove what was written."""
        with contextlib.suppress(FileNotFoundError):
            os.remove(self.temporary)

    def write_error(self, error: OSError) -> OSError:
        """An error that names the file, in place of one about its temporary name."""
        return _write_error(self.path, error)

    @contextlib.contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self.write_error(error) from error


def _write_error(path: PathLike, error: OSError) -> OSError:
    reason = error.strerror or error
    named = type(error)(f'{os.fspath(path)} cannot be written: {reason}')
    named.errno = error.errno
    return named


@contextlib.contextmanager
def named_write_errors(
    path: PathLike, numbers: Collection[int] = _WRITE_ERRORS
) -> Iterator[None]:
    """Let an error of a full disk name a file, where it names none.

    Args:
        path: The file that comes to be in the end.
        numbers: The errors; :data:`FULL_DISK` if files are read meanwhile.

    Raises:
        OSError: What was raised, if it is about writing and has no file name.
    """
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno in numbers:
            raise _write_error(path, error) from error
        raise


def _sync_folder(folder: str) -> None:
    """Bring a name to the disk; that is left to the system where it cannot be asked."""
    with contextlib.suppress(OSError):
        handle = os.open(folder or '.', os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def remove_unfinished(folder: PathLike, suffix: str) -> list[str]:
    """Remove what a killed process left of files that it was writing.

    Args:
        folder: Folder of the files, to which nobody else writes.
        suffix: Their ending, as ``'.pth'``.

    Returns:
        Paths of what was removed.
    """
    pattern = re.compile(rf'\..*\.[0-9a-f]{{8}}\.part{re.escape(suffix)}')
    removed = []
    for name in os.listdir(folder):
        if pattern.fullmatch(name):
            path = osp.join(folder, name)
            with contextlib.suppress(FileNotFoundError):
                os.remove(path)
                removed.append(path)
    return removed


@contextlib.contextmanager
def whole_path(path: PathLike) -> Iterator[str]:
    """Write a file by its path, whole or not at all.

    Args:
        path: Path of the file. Missing folders are made.

    Yields:
        The path to write to, with the same ending.

    Raises:
        OSError: The file cannot be written.
    """
    file = WholeFile(path)
    try:
        yield file.temporary
    except OSError as error:
        file.discard()
        about = error.filename or (
            file.temporary if error.errno in _WRITE_ERRORS else None
        )
        if about == file.temporary:
            raise file.write_error(error) from error
        raise
    except BaseException:
        file.discard()
        raise
    file.keep()


@contextlib.contextmanager
def whole_text(path: PathLike, newline: str | None = None) -> Iterator[TextIO]:
    """Open a text file (UTF-8) that is written whole or not at all.

    Args:
        path: Path of the file. Missing folders are made.
        newline: As for ``open``.

    Yields:
        The file.

    Raises:
        OSError: The file cannot be written.
    """
    with whole_path(path) as temporary:
        with open(temporary, 'w', encoding='utf-8', newline=newline) as file:
            yield file


@contextlib.contextmanager
def whole_binary(path: PathLike) -> Iterator[BinaryIO]:
    """Open a binary file that is written whole or not at all.

    Args:
        path: Path of the file. Missing folders are made.

    Yields:
        The file.

    Raises:
        OSError: The file cannot be written.
    """
    with whole_path(path) as temporary:
        with open(temporary, 'wb') as file:
            yield file


def check_writable(path: PathLike) -> None:
    """Find out whether a file can be written, before the work that it is for.

    Args:
        path: Path of the file. Missing folders are made.

    Raises:
        OSError: The file cannot be written.
    """
    WholeFile(path).discard()


def same_file(first: PathLike, second: PathLike) -> bool:
    """Whether two paths lead to one file or folder, also over links.

    Either may be missing.
    """
    with contextlib.suppress(OSError):
        return osp.samefile(first, second)
    return osp.realpath(first) == osp.realpath(second)


def leads_out(path: str) -> bool:
    """Whether a relative path is not below the folder that it is relative to."""
    normal = osp.normpath(path)
    return osp.isabs(normal) or normal.split(osp.sep)[0] == osp.pardir


def refuse_overwriting_input(source: PathLike, output: PathLike) -> None:
    """Raise a ValueError if an output would be written over what it is made from."""
    if same_file(source, output):
        raise ValueError(
            f'the output {os.fspath(output)} is the input {os.fspath(source)} itself: '
            'give it another name'
        )


@contextlib.contextmanager
def whole_folder(path: PathLike, replace: bool = False) -> Iterator[str]:
    """Fill a new folder, whole or not at all.

    Args:
        path: Path of the folder.
        replace: Whether the new folder takes the place of an earlier one.

    Yields:
        The folder to write to.

    Raises:
        OSError: The folder exists and is to stay, or cannot be written. The names in
            the error are those that files in it were to get.
    """
    target = os.path.abspath(os.fspath(path))
    if osp.lexists(target) and not replace:
        raise FileExistsError(f'{path} exists')
    parent, name = osp.split(target)
    temporary = osp.join(parent, f'.{name[:40]}.{secrets.token_hex(4)}.part')
    try:
        os.makedirs(parent, exist_ok=True)
        os.mkdir(temporary)
    except OSError as error:
        raise _write_error(path, error) from error
    try:
        yield temporary
        try:
            if replace and osp.lexists(target):
                shutil.rmtree(target)
            os.rename(temporary, target)
        except OSError as error:
            raise _write_error(path, error) from error
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if isinstance(error, OSError):
            raise _final_error(error, temporary, path) from error
        raise


def _final_error(error: OSError, temporary: str, path: PathLike) -> OSError:
    """An error that names a folder, in place of one about its temporary name."""
    final = os.fspath(path)
    if isinstance(error.filename, str) and error.filename.startswith(temporary):
        return _write_error(final + error.filename[len(temporary) :], error)
    if temporary in str(error):
        named = type(error)(str(error).replace(temporary, final))
        named.errno = error.errno
        return named
    if error.filename is None and error.errno in _WRITE_ERRORS:
        return _write_error(final, error)
    return error
