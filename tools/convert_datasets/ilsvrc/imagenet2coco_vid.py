"""The program of ``stpn_plugin.cli.convert_ilsvrc_vid``, where all about it stands."""

import sys

from stpn_plugin.cli.convert_ilsvrc_vid import main

if __name__ == '__main__':
    sys.exit(main())
