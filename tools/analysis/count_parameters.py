"""The program of ``stpn_plugin.cli.count``, where all about it stands."""

import sys

from stpn_plugin.cli.count import main

if __name__ == '__main__':
    sys.exit(main())
