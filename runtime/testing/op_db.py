"""Databases of operators with sample inputs, for tests that run once per entry.

They are empty: entries come with the operator library's own sample inputs. Tests over an empty database are no tests, and none is made.
"""

op_db = []
hop_db = []
module_db = []
