"""Options of the commands that analyse saved predictions."""

from __future__ import annotations

from dataclasses import dataclass

from ..evaluation import SavedRun, load_saved_run
from ..utils import name_runs
from .command import argument, option
from .configs import ConfigOptions


@dataclass
class SavedRunOptions(ConfigOptions):
    """A results file and the config of its test run."""

    results: str = argument('file that tools/test.py --out wrote (.npz or .pkl)')

    def load_run(self) -> SavedRun:
        """Read the run, see :func:`~stpn_plugin.evaluation.load_saved_run`."""
        return load_saved_run(self.read_config(), self.results)


@dataclass
class SavedRunsOptions(ConfigOptions):
    """Results files of one data set, and a config that names it."""

    results: list[str] = argument(
        'file that tools/test.py --out wrote (.npz or .pkl), or several of one data set'
    )
    names: list[str] | None = option('names for the legend, default: the file names')

    def load_runs(self) -> list[SavedRun]:
        """Read the runs.

        Raises:
            ValueError: They cannot be told apart by their names, see
                :func:`~stpn_plugin.utils.name_runs`; see also
                :func:`~stpn_plugin.evaluation.load_saved_run`.
        """
        names = name_runs(self.results, self.names)
        cfg = self.read_config()
        return [load_saved_run(cfg, *pair) for pair in zip(self.results, names)]
