"""What every part of the package may use, and which uses none of them."""

from .class_names import category_ids, classes_in
from .files import (
    WholeFile,
    check_writable,
    refuse_overwriting_input,
    same_file,
    whole_binary,
    whole_path,
    whole_text,
)

__all__ = [
    'WholeFile',
    'category_ids',
    'check_writable',
    'classes_in',
    'refuse_overwriting_input',
    'same_file',
    'whole_binary',
    'whole_path',
    'whole_text',
]
