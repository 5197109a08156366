"""Build the extension: ``python setup.py build_ext --inplace``."""

from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

import runtime

# Editable installs may hide the package behind an import hook, which Cython does not ask for .pxd files.
packages = str(Path(runtime.__file__).parent.parent)
extension = Extension("scaled", ["scaled.pyx"], include_dirs=[runtime.get_include()])
setup(name="scaled", ext_modules=cythonize([extension], include_path=[packages]))
