"""`python3 xtask/libtorch`, which `cargo xtask setup` runs."""

import sys

from setup import main

sys.exit(main())
