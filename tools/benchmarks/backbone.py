"""The program of ``stpn_plugin.cli.bench_backbone``, where all about it stands."""

import sys

from stpn_plugin.cli.bench_backbone import main

if __name__ == '__main__':
    sys.exit(main())
