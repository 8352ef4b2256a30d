"""Invoke's entry point; the tasks live in the package of the same name."""

import sys
from importlib import import_module
from pathlib import Path

from platformdirs import user_cache_path

sys.modules.pop("tasks", None)  # Invoke registered this file under the package's name
# Invoke turns bytecode off, for task files that are a page long: the package behind this one is not, and to compile
# it takes a quarter of a run. Who wants none beside the sources has it in the cache folder.
if sys.flags.dont_write_bytecode:
    sys.pycache_prefix = str(user_cache_path("container-tasks", appauthor=False) / "bytecode")
sys.dont_write_bytecode = False
checks, picture, bench = (import_module(f"dev.{name}") for name in ("checks", "picture", "bench.task"))
pictures = (picture.picture, picture.picture_report)
own = (checks.lint, checks.run_tests, *pictures, bench.bench, bench.bench_designs, bench.bench_profiles)
namespace = import_module("tasks.cli").collection(Path(__file__).resolve().parent, *own)
