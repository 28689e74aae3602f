"""Global fits: many records of one pair under many settings of its light, explained together."""
