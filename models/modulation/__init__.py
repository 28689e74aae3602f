"""Light that changes in time: modulated drift, Floquet analysis, demodulated spectra, working points."""
