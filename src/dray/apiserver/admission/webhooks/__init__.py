"""Admission webhooks: servers of others that are asked about every write that they care for, and may change it."""
