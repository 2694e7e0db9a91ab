# SPDX-License-Identifier: Apache-2.0
"""python -m boathouse_import [MODEL_DIR OUT_DIR]: the process of role importer_python."""
from boathouse_import.main import main

if __name__ == "__main__":
    raise SystemExit(main())
