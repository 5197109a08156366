"""The operator list and what is made of it: PyTorch's data model of native_functions.yaml, and our build's tables.

`gen` reads a list into the classes of `model`, with all rules of the format. `entries` reads and checks the entries of
kernels/native_functions.yaml for the build, `signatures` derives the public functions from them, `build` writes the C
files. setup.py runs this before the extension module exists, so nothing here imports it or `runtime` itself.
"""
