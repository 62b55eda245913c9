"""The command lines: options of each command, and what they mean."""
