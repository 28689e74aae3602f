"""Ways to turn the state of the light into masks and tones, and back."""
