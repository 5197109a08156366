"""Databases of operators with sample inputs, for tests that run once per entry. They are empty until the operator library fills them."""

op_db = []
custom_op_db = []
hop_db = []
module_db = []
