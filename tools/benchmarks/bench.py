"""The program of ``stpn_plugin.cli.bench``, where all about it stands."""

import sys

from stpn_plugin.cli.bench import main

if __name__ == '__main__':
    sys.exit(main())
