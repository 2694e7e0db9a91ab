# SPDX-License-Identifier: Apache-2.0
"""Runs one served entity's Python model in a sandbox and answers its invocations over a socket."""
