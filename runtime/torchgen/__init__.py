"""Code generation from the operator list: reading kernels/native_functions.yaml and writing C tables.

`entries` reads and checks the entries, `signatures` derives the public functions from them, `build` writes the C files.
setup.py runs all of this before the extension module exists, so nothing here imports it or `runtime` itself.
"""
