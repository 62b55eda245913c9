"""Measuring time and memory, for ``stpn bench`` and its like.

One module for each thing that is measured; all of them compare sides that take turns in
one process, see :mod:`.measuring`.
"""
