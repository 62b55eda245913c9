"""The program of ``stpn_plugin.cli.plot_logs``, where all about it stands."""

import sys

from stpn_plugin.cli.plot_logs import main

if __name__ == '__main__':
    sys.exit(main())
