"""The program of ``stpn_plugin.cli.convert_checkpoint``, where all about it stands."""

import sys

from stpn_plugin.cli.convert_checkpoint import main

if __name__ == '__main__':
    sys.exit(main())
