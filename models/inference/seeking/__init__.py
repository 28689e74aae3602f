"""Where a rig is to go, and by which settings it gets there: the autopilot's pure half."""
