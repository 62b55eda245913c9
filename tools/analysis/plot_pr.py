"""The program of ``stpn_plugin.cli.plot_pr``, where all about it stands."""

import sys

from stpn_plugin.cli.plot_pr import main

if __name__ == '__main__':
    sys.exit(main())
