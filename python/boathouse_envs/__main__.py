# SPDX-License-Identifier: Apache-2.0
"""python -m boathouse_envs …: the process of role env_builder."""
from boathouse_envs.main import main

if __name__ == "__main__":
    raise SystemExit(main())
