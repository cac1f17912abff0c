"""Ours and peers side by side, in one run: `python -m benchmarks [--quick] [--only NAME] [--json FILE | --into FILE]`.

One file per question; `harness` measures, `table` shows, `page` writes the tables into the documentation.
"""
