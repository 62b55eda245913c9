"""The program of ``stpn_plugin.cli.convert_ilsvrc_det``, where all about it stands."""

import sys

from stpn_plugin.cli.convert_ilsvrc_det import main

if __name__ == '__main__':
    sys.exit(main())
