"""The experiment on tiny_vid: a single-frame detector against prompted ones.

Every method is trained on the same data with the same schedule, once for each seed,
from a single-frame detector that was trained with that seed on a backbone that learned
still images with that seed. A run is ``tools/train.py``, then ``tools/test.py``, then
scores; all its files lie in a folder of its own. What is finished is not run again, and
an interrupted training goes on from its last checkpoint: to resume, give the same
command again.

:mod:`.plan` says what is run, :mod:`.run` runs it, :mod:`.report` tells what came out.

Example:
    $ python -m projects.tiny_vid.experiment --jobs 2
"""
