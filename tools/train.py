"""The program of ``stpn_plugin.cli.train``, where all about it stands."""

import sys

from stpn_plugin.cli.train import main

if __name__ == '__main__':
    sys.exit(main())
