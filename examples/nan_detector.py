"""Where the first NaN comes from: the operator, the ranges of its inputs, and the line of this file."""

import runtime
from runtime.tools import NanDetector, NanError


def normalize(x):
    return (x - x.mean()) / x.std()


try:
    with NanDetector():
        normalize(runtime.arange(4.0)).exp()
        normalize(runtime.ones(4)).exp()
except NanError as error:
    print(error)

with NanDetector(report_only=True) as detector:
    runtime.tensor([-1.0, 0.0, 1.0]).log().sum()
print(len(detector.findings), "finding")
