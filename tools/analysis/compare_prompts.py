"""The program of ``stpn_plugin.cli.compare_prompts``, where all about it stands."""

import sys

from stpn_plugin.cli.compare_prompts import main

if __name__ == '__main__':
    sys.exit(main())
