# SPDX-License-Identifier: Apache-2.0
"""Python environments of models: what a model asks for, whether the base has it, and building one."""
