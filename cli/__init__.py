"""The ``optobind`` command."""
