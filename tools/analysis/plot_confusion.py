"""The program of ``stpn_plugin.cli.plot_confusion``, where all about it stands."""

import sys

from stpn_plugin.cli.plot_confusion import main

if __name__ == '__main__':
    sys.exit(main())
