"""The program of ``stpn_plugin.cli.plot_motion_ap``, where all about it stands."""

import sys

from stpn_plugin.cli.plot_motion_ap import main

if __name__ == '__main__':
    sys.exit(main())
