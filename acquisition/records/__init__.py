"""Recorded data of any format, behind one type: ``opening.open_record`` → ``record.Record``."""
