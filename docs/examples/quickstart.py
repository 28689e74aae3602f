"""Predict the couplings of two nanospheres, simulate the experiment, and fit what it recorded."""

from optobind.acquisition.plans import MonitorPlan
from optobind.acquisition.records.opening import open_record
from optobind.acquisition.session import Session
from optobind.analysis.figures import save_figure, spectrum_figure
from optobind.analysis.spectrum import analyse_spectrum
from optobind.config.build import build_rig
from optobind.config.load import load_rig
from optobind.models.inference.convention import fit_convention

rig = build_rig(load_rig("simulated-pair", ["simulation.clock=fast", "tweezers.0.phase=0.8 rad"]))
predicted = fit_convention(rig.trap.pair_constants().constants, "m")  # from first principles
session = Session(rig, live_fits=False)
session.connect().result()
run = session.start(MonitorPlan(duration=1.0)).result()  # recorded under runs/
session.close()
analysis = analyse_spectrum(open_record(run.path))
for name in ("g_r", "g_a", "re_D12"):
    value, stderr = analysis.result.value(name), analysis.result.stderr(name)
    print(f"{name:>7}: {value:7.0f} ± {stderr:3.0f}, predicted {predicted[name]:7.0f} rad/s")
save_figure(spectrum_figure(analysis.csd, analysis.result), run.path.with_name("spectrum.png"))
