"""The program of ``stpn_plugin.cli.worst_frames``, where all about it stands."""

import sys

from stpn_plugin.cli.worst_frames import main

if __name__ == '__main__':
    sys.exit(main())
