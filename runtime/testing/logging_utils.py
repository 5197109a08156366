"""Tests of what is logged: each runs with the levels that its decorator sets, and gets the records."""

import functools
import inspect
import logging

from runtime.testing.common_utils import TestCase

__all__ = ["LoggingTestCase", "make_logging_test"]

#: Names that tests set levels for -> loggers.
_LOGGERS = {"autograd": "torch.autograd"}


class _Collector(logging.Handler):
    """Puts records into a list."""

    def __init__(self, records):
        super().__init__(logging.DEBUG)
        self.records = records

    def emit(self, record):
        """Keep a record."""
        self.records.append(record)


class LoggingTestCase(TestCase):
    """A TestCase whose tests are made by `make_logging_test`."""

    def getRecord(self, records, m):
        """The one record whose message has a text."""
        (found,) = (record for record in records if m in record.getMessage())
        return found

    def hasRecord(self, records, m):
        """Whether a record's message has a text."""
        return any(m in record.getMessage() for record in records)


def make_logging_test(**levels):
    """Decorate a test that gets the records of some loggers in its last argument.

    Parameters
    ----------
    **levels
        A logging level for each name; of the systems that log, only ``autograd`` is here.
    """
    unknown = sorted(set(levels) - set(_LOGGERS))
    if unknown:
        raise NotImplementedError(f"make_logging_test(): nothing logs as {unknown} in this runtime")

    def decorate(fn):
        @functools.wraps(fn)
        def run(self, *args, **kwargs):
            records = []
            handler = _Collector(records)
            loggers = [(logging.getLogger(_LOGGERS[name]), level) for name, level in levels.items()]
            before = [logger.level for logger, _ in loggers]
            for logger, level in loggers:
                logger.addHandler(handler)
                logger.setLevel(level)
            try:
                return fn(self, *args, records, **kwargs)
            finally:
                for (logger, _), level in zip(loggers, before, strict=True):
                    logger.removeHandler(handler)
                    logger.setLevel(level)

        # Test runners look at the signature, which is without the records.
        run.__signature__ = inspect.Signature(list(inspect.signature(fn).parameters.values())[:-1])
        return run

    return decorate
