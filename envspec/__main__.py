"""`python -m envspec` is `envspec`."""

import sys

from envspec.cli.main import main

sys.exit(main())
