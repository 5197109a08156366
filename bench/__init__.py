"""The benchmarks behind ``python -m runtime bench``: one declarative list of rows, and what runs it."""
