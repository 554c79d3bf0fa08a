"""`python -m credits_core`."""

import sys

try:
    from credits_core.cli.main import main

    main()
except KeyboardInterrupt:  # while the packages load, which takes a second; afterwards `main` answers it
    sys.stderr.write("error: stopped by Ctrl-C\n")
    sys.exit(130)
