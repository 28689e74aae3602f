"""The window: PyQt6 and pyqtgraph views over view-models that know no toolkit."""
