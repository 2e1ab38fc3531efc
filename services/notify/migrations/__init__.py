"""The schema `notify`."""
