"""`python -m rtu` is `rtu`."""

import sys

from rtu.cli.main import main

sys.exit(main())
