"""Invoke's entry point; the tasks live in the package of the same name."""

import sys
from importlib import import_module
from pathlib import Path

sys.modules.pop("tasks", None)  # Invoke registered this file under the package's name
checks = import_module("dev.checks")
namespace = import_module("tasks.cli").collection(Path(__file__).resolve().parent, checks.lint, checks.run_tests)
