"""The program of ``stpn_plugin.cli.bench_backbone``, where all about it stands."""

import os
import sys

os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')  # read when torch is loaded

from stpn_plugin.cli.bench_backbone import main  # noqa: E402

if __name__ == '__main__':
    sys.exit(main())
