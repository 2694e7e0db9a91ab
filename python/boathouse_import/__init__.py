# SPDX-License-Identifier: Apache-2.0
"""Opens one model with the library it came from and writes it down as data, for the C importer."""
