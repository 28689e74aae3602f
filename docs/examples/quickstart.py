"""Predict the couplings of two nanospheres, simulate the experiment, and fit what it recorded."""

import math

import optobind as ob

changed = ["tweezers.0.phase=0.8 rad"]
pair = ob.load_trap("simulated-pair", changed).pair_constants().constants
predicted = ob.fit_convention(pair, "m")  # from first principles, rad/s
record = ob.simulate("simulated-pair", ob.MonitorPlan(duration=1.0), settings=changed)
analysis = ob.analyse_spectrum(record)  # recorded under runs/, calibrated
for name in ("g_r", "g_a", "re_D12"):
    found = analysis.result.parameters[name]
    numbers = [x / math.tau for x in (found.value, found.stderr, predicted[name])]
    print("{:>7}/2π: {:7.0f} ± {:3.0f}, predicted {:7.0f} Hz".format(name, *numbers))
figure = ob.spectrum_figure(analysis.csd, analysis.result)
ob.save_figure(figure, record.path.with_name("spectrum.png"))
