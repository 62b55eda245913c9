"""What every part of the package may use, and which uses none of them."""

from .class_names import category_ids, classes_in, listed
from .files import (
    WholeFile,
    check_writable,
    refuse_overwriting_input,
    same_file,
    whole_binary,
    whole_path,
    whole_text,
)
from .json_files import write_json
from .progress import ProgressBar
from .run_names import name_runs
from .tables import markdown_table, number_columns, text_table

__all__ = [
    'ProgressBar',
    'WholeFile',
    'category_ids',
    'check_writable',
    'classes_in',
    'listed',
    'markdown_table',
    'name_runs',
    'number_columns',
    'refuse_overwriting_input',
    'same_file',
    'text_table',
    'whole_binary',
    'whole_path',
    'whole_text',
    'write_json',
]
