"""What every part of the package may use, and which uses none of them."""

from .allocation import keep_freed_memory
from .class_names import category_ids, classes_in, listed
from .extras import MissingPackageError, import_extra
from .files import (
    WholeFile,
    check_writable,
    leads_out,
    named_write_errors,
    refuse_overwriting_input,
    remove_unfinished,
    same_file,
    whole_binary,
    whole_folder,
    whole_path,
    whole_text,
)
from .json_files import check_regular_file, read_json, write_json
from .processes import end_with_parent
from .progress import ProgressBar
from .run_names import name_runs
from .tables import markdown_table, number_columns, text_table

__all__ = [
    'MissingPackageError',
    'ProgressBar',
    'WholeFile',
    'category_ids',
    'check_regular_file',
    'check_writable',
    'classes_in',
    'end_with_parent',
    'import_extra',
    'keep_freed_memory',
    'leads_out',
    'listed',
    'markdown_table',
    'name_runs',
    'named_write_errors',
    'number_columns',
    'read_json',
    'refuse_overwriting_input',
    'remove_unfinished',
    'same_file',
    'text_table',
    'whole_binary',
    'whole_folder',
    'whole_path',
    'whole_text',
    'write_json',
]
