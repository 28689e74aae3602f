"""The one table of what a fit may hold: names, symbols, kinds, units; and the names of statistics.

Every room reads it: fits, conversions, reports, figures and the window. A parameter is known by its
name, never by its place in a list.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..errors import InputError

__all__ = ["PARAMETERS", "STATISTICS", "UNITS", "Parameter", "require_unit", "symbol_of", "unit_of"]

Kind = Literal[
    "frequency",
    "damping",
    "coupling",
    "diffusion",
    "imprecision",
    "occupation",
    "coherence",
    "mixing",
    "delay",
    "phase",
    "number",
]

UNITS = ("quanta", "m", "V", "A", "W", "rad", "counts", "a.u.")
"""Units of a record."""

_PLAIN = {"mixing": "", "delay": "s", "phase": "rad", "number": ""}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a fit.

    Attributes
    ----------
    name : str
        As in results, files and options.
    symbol : str
        As plain text shows it.
    tex : str
        As figures show it.
    kind : str
        "frequency", "damping", "coupling" (rad/s in every record); "diffusion" (unit²/s),
        "imprecision" (unit²/Hz), "occupation" n_j(0) and "coherence" C(0) (unit²); of the
        detection "mixing" (a number) and "delay" (s); "phase" (rad) and "number" of a global fit.
    particles : tuple of int
        The two particles, from 0, whose amplitudes a quadratic parameter is a product of; empty
        for rates that no scale of length enters.
    positive : bool
        Whether it is a scale: positive, and natural in its logarithm.
    """

    name: str
    symbol: str
    tex: str
    kind: Kind
    particles: tuple[int, ...] = ()
    positive: bool = False

    @property
    def nonlinear(self) -> bool:
        """Whether it is part of the drift, so that second moments do not depend on it linearly."""
        return self.kind in ("frequency", "damping", "coupling")

    def unit(self, record: str) -> str:
        """Unit of value and error for a record in "quanta", "m" or "V".

        Raises
        ------
        InputError
            If the unit of the record is unknown.
        """
        quanta = require_unit(record) == "quanta"
        if self.kind in _PLAIN:
            return _PLAIN[self.kind]
        if not self.particles:
            return "rad/s"
        if self.kind == "diffusion":
            return "rad/s" if quanta else f"{record}^2/s"
        if self.kind == "imprecision":
            return "1/Hz" if quanta else f"{record}^2/Hz"
        return "quanta" if quanta else f"{record}^2"


def _table() -> dict[str, Parameter]:
    """All parameters by name, in the order of tables and figures."""
    first, second, both = (0, 0), (1, 1), (0, 1)
    rows = (
        Parameter("omega", "ω̃", r"$\tilde\omega$", "frequency"),
        Parameter("omega_1", "ω̃₁", r"$\tilde\omega_1$", "frequency"),
        Parameter("omega_2", "ω̃₂", r"$\tilde\omega_2$", "frequency"),
        Parameter("gamma", "γ", r"$\gamma$", "damping", positive=True),
        Parameter("gamma_1", "γ₁", r"$\gamma_1$", "damping", positive=True),
        Parameter("gamma_2", "γ₂", r"$\gamma_2$", "damping", positive=True),
        Parameter("g_r", "gᵣ", "$g_r$", "coupling"),
        Parameter("g_a", "gₐ", "$g_a$", "coupling"),
        Parameter("D", "D", "$D$", "diffusion", first, True),
        Parameter("D11", "D₁₁", "$D_{11}$", "diffusion", first, True),
        Parameter("D22", "D₂₂", "$D_{22}$", "diffusion", second, True),
        Parameter("re_D12", "Re D₁₂", "Re $D_{12}$", "diffusion", both),
        Parameter("n1_0", "n₁(0)", "$n_1(0)$", "occupation", first, True),
        Parameter("n2_0", "n₂(0)", "$n_2(0)$", "occupation", second, True),
        Parameter("n_0", "n(0)", "$n(0)$", "occupation", first, True),
        Parameter("re_C0", "Re C(0)", "Re $C(0)$", "coherence", both),
        Parameter("im_C0", "Im C(0)", "Im $C(0)$", "coherence", both),
        Parameter("noise", "S_imp", r"$S_\mathrm{imp}$", "imprecision", first, True),
        Parameter("noise_1", "S_imp,1", r"$S_{\mathrm{imp},1}$", "imprecision", first, True),
        Parameter("noise_2", "S_imp,2", r"$S_{\mathrm{imp},2}$", "imprecision", second, True),
        Parameter("noise_12", "S_imp,12", r"$S_{\mathrm{imp},12}$", "imprecision", both),
        Parameter("mix_12", "T₁₂", "$T_{12}$", "mixing"),
        Parameter("mix_21", "T₂₁", "$T_{21}$", "mixing"),
        Parameter("delay_12", "τ₂−τ₁", r"$\tau_2-\tau_1$", "delay"),
        Parameter("gain_1", "T₁₁", "$T_{11}$", "number", positive=True),
        Parameter("gain_2", "T₂₂", "$T_{22}$", "number", positive=True),
        Parameter("common_D", "D_c", "$D_c$", "diffusion", both),
        Parameter("G", "G", "$G$", "coupling", positive=True),
        Parameter("kd_0", "kd₀", "$kd_0$", "phase"),
        Parameter("phi_0", "φ₀", r"$\varphi_0$", "phase"),
        Parameter("kappa", "κ", r"$\kappa$", "number"),
        Parameter("omega_0", "ω₀", r"$\omega_0$", "frequency", positive=True),
        Parameter("balance_0", "b₀", "$b_0$", "number"),
        Parameter("omega_slope", "d ln ω/d ln P", r"$d\ln\omega/d\ln P$", "number"),
    )
    return {row.name: row for row in rows}


PARAMETERS = _table()
"""All parameters by name."""

STATISTICS = {
    "estimator": "which of several estimators of the same data",
    "chi2": "χ² of the fit",
    "dof": "degrees of freedom of χ²",
    "reduced_chi2": "χ² over its degrees of freedom",
    "p_value": "probability of a larger χ² if the model is right; None below 5 degrees of freedom",
    "log_likelihood": "logarithm of the likelihood",
    "aic": "Akaike's criterion",
    "bins": "bins of the spectrum, or averaging windows of a release",
    "fitted_parameters": "number of fitted parameters",
    "averages": "averaged segments K",
    "effective_averages": "independent averages of a bin ν",
    "repetitions": "averaged repetitions M",
    "kappa": "correlation of neighbouring bins κ",
    "weight": "weight of a bin K/κ",
    "residual_variance": "variance of whitened residuals, 1 if the model is right",
    "residual_autocorrelation": "correlation of neighbouring residuals, 0 if the model is right",
    "groups": "groups of bins in χ²",
    "stretches": "steady stretches that were transformed as a whole",
    "iterations": "steps of the optimiser",
    "blocks": "blocks of releases with constants of their own",
    "drift_p_value": "probability of a larger scatter of the blocks if nothing drifts",
    "samples": "samples of a channel in the likelihood",
    "agreement_p_value": "probability of a larger distance between the estimators: of curves and "
    "transitions from each other, of exact from transitions",
    "re_D12_z": "Re D₁₂ in standard errors",
    "re_D12_likelihood_ratio": "Δ(−2 ln L) against Re D₁₂ = 0",
    "re_D12_p_value": "probability of a larger ratio if Re D₁₂ = 0",
    "re_D12_cross_talk": "symmetric cross-talk of the detectors that feigns one standard error of "
    "Re D₁₂; without a reversal of the phase less is presupposed",
}
"""What ``FitResult.statistics`` may hold, by its one name, and what it means."""


def require_unit(record: str) -> str:
    """Return the unit of a record, or say which there are.

    Raises
    ------
    InputError
        If it is unknown.
    """
    if record not in UNITS:
        raise InputError(f"unit {record!r} of the record is unknown; known: {', '.join(UNITS)}")
    return record


def unit_of(name: str, record: str) -> str:
    """Unit of a fitted parameter for a record in "quanta", "m" or "V"; "" for a tie's helper.

    Raises
    ------
    InputError
        If the unit of the record is unknown.
    """
    require_unit(record)
    known = PARAMETERS.get(name)
    return "" if known is None else known.unit(record)


def symbol_of(name: str) -> str:
    """Symbol of a parameter in plain text; the name itself for a tie's helper."""
    known = PARAMETERS.get(name)
    return name if known is None else known.symbol
