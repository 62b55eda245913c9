"""What all commands share: typed options, and one way to tell users of errors.

The options of a command are the fields of a dataclass. A field's annotation says how
its words are read (``int``, ``list[str] | None``, ...), its name what the option is
called::

    @dataclass
    class Options(ConfigOptions):
        number: int = option('how many samples', default=20, type=positive)
        out: str | None = option('save the numbers', metavar='FILE.json')

    def run(options: Options) -> None: ...

    main = Command(__doc__, Options, run)
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import os
import os.path as osp
import pickle
import re
import shlex
import sys
import traceback
from dataclasses import dataclass
from typing import Any, Callable, Generic, NoReturn, Sequence, TypeVar

import torch
from mmengine.config import DictAction
from mmengine.logging import MMLogger

from ..apis import VideoError
from ..engine import build_runner, quiet_console
from ..evaluation import MetricError
from ..utils import refuse_overwriting_input, same_file
from .values import word

#: Exit status when there is something to mend: in what was asked for, or in the input.
USER_ERROR = 2
STOPPED = 130  # as of programs that Ctrl-C ends

_READERS: dict[str, Callable[[str], Any]] = {'str': word, 'int': int, 'float': float}


def argument(help: str, **how: Any) -> Any:
    """A field that is an argument without a name, in the order of the fields.

    Args:
        help: What it is.
        how: As for ``argparse``. ``nargs='?'`` makes it optional.
    """
    return dataclasses.field(default=None, metadata=dict(how, help=help))


def option(
    help: str,
    default: Any = None,
    flags: Sequence[str] = (),
    group: str | None = None,
    exclusive: str | None = None,
    output: bool = False,
    **how: Any,
) -> Any:
    """A field that is an option with a value.

    Args:
        help: What it is. The default is told by ``%(default)s``.
        default: Defaults to None.
        flags: Its spellings, by default ``--`` and the field's name.
        group: Title of the group of options in the help.
        exclusive: Options of one such name exclude each other.
        output: Whether it names a file to write: no other option may name it, too.
        how: As for ``argparse``.
    """
    metadata = dict(
        how,
        help=help,
        flags=tuple(flags),
        group=group,
        exclusive=exclusive,
        output=output,
    )
    return dataclasses.field(default=default, metadata=metadata)


def flag(help: str, **how: Any) -> Any:
    """A field that is True if the option is given."""
    return option(help, default=False, action='store_true', **how)


@dataclass
class BaseOptions:
    """Options of every command.

    Attributes:
        command: The command line, to be told in what a command makes.
    """

    command = ''

    debug: bool = flag('show the traceback of an error')


class KeyValues(DictAction):
    """``KEY=VALUE ...``, as mmengine reads them, with errors that say what is wrong."""

    def __call__(self, parser: Any, namespace: Any, values: Any, *args: Any) -> None:
        """Add the values to those that were given before."""
        for text in values:
            if not re.match('[^=]+=', text):
                raise argparse.ArgumentError(self, f'{text!r} is not KEY=VALUE')
        try:
            super().__call__(parser, namespace, values, *args)
        except (AssertionError, ValueError) as error:
            raise argparse.ArgumentError(self, str(error)) from error
        except RecursionError as error:  # of brackets that do not match, for one
            text = f'{" ".join(values):.100} cannot be read'
            raise argparse.ArgumentError(self, text) from error


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """End the program with one line."""
        self.exit(
            USER_ERROR, f'{self.prog}: error: {message} (see {self.prog} --help)\n'
        )


O = TypeVar('O', bound=BaseOptions)  # noqa: E741


class Command(Generic[O]):
    """A command: the function that its module offers as ``main``.

    Args:
        doc: What it does, the docstring of its module.
        options: Dataclass of its options.
        run: Does it; returns the exit status, by default 0.
    """

    def __init__(
        self, doc: str | None, options: type[O], run: Callable[[O], int | None]
    ) -> None:
        self.doc = doc
        self.options = options
        self.run = run

    def __call__(
        self, argv: Sequence[str] | None = None, prog: str | None = None
    ) -> int:
        """Run as a command line says, and tell of errors that are no bugs in one line.

        Args:
            argv: Arguments, by default the process's.
            prog: Name of the program, by default the process's.

        Returns:
            Exit status: that of the command, or 2 after an error of the user.

        Raises:
            SystemExit: With status 2, if the arguments are wrong.
            Exception: An error that nobody foresaw, with its traceback.
        """
        parser = self._parser(prog)
        options = self._read(parser, argv)
        program = ['python', sys.argv[0]] if prog is None else prog.split()
        words = sys.argv[1:] if argv is None else argv
        options.command = shlex.join([*program, *words])
        quiet_console(MMLogger.get_current_instance())  # runners have their own
        try:
            _check_outputs(options)
            return self.run(options) or 0
        except KeyboardInterrupt as stop:
            sys.stderr.write(f'{parser.prog}: {str(stop) or "stopped"}\n')
            return STOPPED
        except Exception as error:
            if options.debug:
                traceback.print_exc()
            elif not is_foreseen(error):
                raise
            message = f'{_process()}{parser.prog}: error: {one_line(error)}\n'
            # One write, so that lines of several processes do not mix.
            sys.stderr.write(message)
            return USER_ERROR if is_foreseen(error) else 1

    def parse(self, argv: Sequence[str] | None = None) -> O:
        """Read a command line.

        Raises:
            SystemExit: With status 2, if it is wrong.
        """
        return self._read(self._parser(None), argv)

    def _read(self, parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> O:
        return self.options(**vars(parser.parse_intermixed_args(argv)))

    def _parser(self, prog: str | None) -> argparse.ArgumentParser:
        parser = _Parser(prog=prog, description=self.doc)
        groups: dict[str, Any] = {}
        fields = dataclasses.fields(self.options)
        for field in sorted(fields, key=lambda field: field.name == 'debug'):
            how = {**_how_to_read(str(field.type)), **field.metadata}
            group: Any = parser
            title, rivals = how.pop('group', None), how.pop('exclusive', None)
            how.pop('output', None)
            if rivals:
                if rivals not in groups:
                    groups[rivals] = parser.add_mutually_exclusive_group()
                group = groups[rivals]
            elif title:
                if title not in groups:
                    groups[title] = parser.add_argument_group(title)
                group = groups[title]
            if 'flags' not in how:
                group.add_argument(field.name, **how)
                continue
            names = how.pop('flags') or [f'--{field.name.replace("_", "-")}']
            if how.get('action') == 'store_true':
                how = dict(action='store_true', help=how['help'])
            group.add_argument(*names, dest=field.name, default=field.default, **how)
        return parser


def _check_outputs(options: BaseOptions) -> None:
    """Raise a ValueError if a file is to be written over another of the options."""
    inputs: list[str] = []
    outputs: list[str] = []
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        paths = value if isinstance(value, list) else [value]
        named = outputs if field.metadata.get('output') else inputs
        named += [path for path in paths if isinstance(path, str)]
    for first, second in itertools.combinations(outputs, 2):
        if same_file(first, second):
            raise ValueError(f'two outputs have the name {first}')
    for path, output in itertools.product(filter(osp.isfile, inputs), outputs):
        refuse_overwriting_input(path, output)


def _how_to_read(annotation: str) -> dict[str, Any]:
    """Arguments of argparse for a value of a type."""
    annotation = annotation.replace(' | None', '')
    if annotation.startswith('dict'):
        return dict(nargs='+', action=KeyValues, metavar='KEY=VALUE')
    if annotation.startswith('list['):
        return dict(nargs='+', type=_READERS[annotation[len('list[') : -1]])
    return dict(type=_READERS.get(annotation, word))


def is_foreseen(error: BaseException) -> bool:
    """Whether an error is about what a user gave, and not a bug.

    It is if somebody wrote an error for it, or if it comes from the content of a
    config: of reading one, of an entry that it lacks, or of building what it describes.
    """
    known = (
        *(OSError, ValueError, MetricError, VideoError, pickle.UnpicklingError),
        *(MemoryError, torch.cuda.OutOfMemoryError),
    )
    if isinstance(error, known) or _is_about_config(error):
        return True
    if "can't allocate memory" in str(error):  # torch, on a CPU
        return True
    if not isinstance(error, (TypeError, KeyError)):
        return False
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and (frames[-1].line or '').startswith('raise')


def _is_about_config(error: BaseException) -> bool:
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    modules = [frame.f_globals.get('__name__', '') for frame in frames]
    return (
        'mmengine.registry.build_functions' in modules
        or any(frame.f_code is build_runner.__code__ for frame in frames)
        or modules[-1:] == ['mmengine.config.config']
    )


def one_line(error: BaseException) -> str:
    """What an error says, in one line."""
    text = str(error)
    if isinstance(error, OSError) and error.filename and error.strerror:
        text = f'{error.filename}: {error.strerror}'
    elif isinstance(error, KeyError) and len(error.args) == 1:
        text = str(error.args[0])
    if re.match(r'Caught \w+ in ', text):  # from a process that loads data
        text = text.strip().splitlines()[-1]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    text = ''.join(
        line if line is lines[-1] else line + (' ' if line[-1] in '.:,;' else '; ')
        for line in lines
    )
    if not isinstance(error, (OSError, ValueError, MetricError, VideoError)) or (
        type(error) in (ValueError, OSError) and _is_about_config(error)
    ):
        text = f'{type(error).__name__}: {text} (--debug shows where)'
    return text or type(error).__name__


def _process() -> str:
    """Which of several processes this is."""
    if int(os.environ.get('WORLD_SIZE', 1)) < 2:
        return ''
    return f'[process {os.environ.get("RANK", "?")}] '
