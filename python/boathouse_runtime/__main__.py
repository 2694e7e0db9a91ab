# SPDX-License-Identifier: Apache-2.0
"""python -m boathouse_runtime: the process of role runtime_host."""
from boathouse_runtime.host import main

if __name__ == "__main__":
    raise SystemExit(main())
