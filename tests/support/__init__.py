"""What tests of different folders share: tiny models and data, and tools to try them.

Nothing outside of this package is imported by another test module.
"""
