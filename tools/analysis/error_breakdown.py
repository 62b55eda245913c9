"""The program of ``stpn_plugin.cli.errors``, where all about it stands."""

import sys

from stpn_plugin.cli.errors import main

if __name__ == '__main__':
    sys.exit(main())
