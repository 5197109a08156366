"""Names that generated code has for operators and kernels."""
