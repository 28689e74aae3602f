"""Many particles: normal modes, chains and rings, amplification, stability maps."""
