"""Build the extension: ``python setup.py build_ext --inplace``."""

from Cython.Build import cythonize
from setuptools import Extension, setup

import runtime

setup(name="scaled", ext_modules=cythonize([Extension("scaled", ["scaled.pyx"], include_dirs=[runtime.get_include()])]))
