"""The report of a run: one page that holds everything, pictures included."""
