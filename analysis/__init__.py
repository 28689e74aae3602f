"""From a record to spectra, curves, fits, figures and reports: one road for everybody."""
