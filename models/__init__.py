"""The physics and the statistics: no files, no hardware, no Qt."""
