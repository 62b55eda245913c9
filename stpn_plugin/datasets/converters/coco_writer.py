"""Writer of COCO files that need not fit into memory."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from types import TracebackType
from typing import IO, Any, Sequence

from ...utils import named_write_errors, whole_binary

# One encoder for all entries: `json.dumps` with separators makes one each time.
_encode = json.JSONEncoder(separators=(',', ':')).encode


class CocoSetWriter:
    """Context manager that writes a COCO file entry by entry.

    The entries go to one temporary file a section. They become the COCO file when the
    context is left. If it is left by an exception, no file is written and an existing
    one stays as it is.

    Args:
        path: Path of the COCO file. Its folder is made if needed.
        categories: The categories.
        sections: Names of the other sections.

    Examples:
        >>> with CocoSetWriter('a.json', [], ['images']) as writer:
        ...     writer.add('images', file_name='1.JPEG')
        1
    """

    def __init__(
        self, path: str, categories: list[dict], sections: Sequence[str]
    ) -> None:
        self.path = path
        self.categories = categories
        self._counts = dict.fromkeys(sections, 0)
        self._files: dict[str, IO[bytes]] = {}

    def __enter__(self) -> CocoSetWriter:
        folder = os.path.dirname(os.path.abspath(self.path))
        os.makedirs(folder, exist_ok=True)
        for section in self._counts:
            self._files[section] = tempfile.TemporaryFile(dir=folder)
        return self

    def add(self, section: str, **entry: Any) -> int:
        """Append an entry to a section.

        Returns:
            The id of the entry: its place in the section, from 1.
        """
        self._counts[section] += 1
        entry_id = self._counts[section]
        separator = '\n' if entry_id == 1 else ',\n'
        text = separator + _encode({'id': entry_id, **entry})
        with named_write_errors(self.path):
            self._files[section].write(text.encode())
        return entry_id

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if exc_type is None:
                self._join()
        finally:
            for file in self._files.values():
                with contextlib.suppress(OSError):  # all that is needed was read
                    file.close()

    def _join(self) -> None:
        with named_write_errors(self.path), whole_binary(self.path) as output:
            output.write(b'{"categories":' + _encode(self.categories).encode())
            for section, file in self._files.items():
                output.write(f',\n"{section}":['.encode())
                file.seek(0)  # which writes what is still to be written
                shutil.copyfileobj(file, output, 1 << 20)
                output.write(b']')
            output.write(b'}\n')
