"""Phase masks with prescribed amplitude and phase in every spot."""
