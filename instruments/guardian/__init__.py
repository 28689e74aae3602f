"""A process that alone owns the feedback gate and closes it when the program dies."""
