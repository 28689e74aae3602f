"""Light that changes in time: modulated drift, Floquet analysis, spectra, working points."""
