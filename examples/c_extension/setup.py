"""Build the extension: ``python setup.py build_ext --inplace``."""

from setuptools import Extension, setup

import runtime

setup(name="fused", ext_modules=[Extension("fused", ["fused.c"], include_dirs=[runtime.get_include()])])
