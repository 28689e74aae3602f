"""Radio-frequency sources for AOMs and AODs."""
