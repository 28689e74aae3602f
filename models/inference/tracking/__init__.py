"""Where particles are: filtered and retrodicted states of a linear model, as a stream."""
