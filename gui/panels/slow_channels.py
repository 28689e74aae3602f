"""Slow channels of a record over its time: pressure, sensors, read-back values of knobs."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pyqtgraph as pg
from PyQt6.QtWidgets import QComboBox

from ...analysis.recorded.session import RecordedSession
from ..bridge import Bridge
from ..plots import FewAxis, LinePlot, add_curve, set_curve
from ..theme import Theme
from ..viewmodels.port import SessionPort
from ..viewmodels.slow_channels import slow_view
from ..widgets.flow import FlowBox
from .base import Panel, hint

__all__ = ["SlowChannelsPanel"]


class SlowChannelsPanel(Panel):
    """One channel at a time, with the stretch that is looked at; its mean of it is said."""

    name = "slow"
    title = "Slow channels"
    period = 0.3
    draws = True

    def __init__(self, bridge: Bridge, theme: Theme) -> None:
        super().__init__(bridge, theme)
        assert isinstance(bridge.session, RecordedSession)
        self.session = bridge.session
        self.channel = QComboBox()
        self.channel.setAccessibleName("slow channel")
        self.channel.setToolTip("what was read beside the samples")
        self.channel.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.channel.addItems([series.name for series in self.session.story.slow])
        self.channel.currentIndexChanged.connect(lambda _: self._follow())
        self.body.addWidget(FlowBox(self.channel))
        self.plot = LinePlot({"left": FewAxis("left")})
        self.plot.label("bottom", "time since the first sample (s)")
        self.curve = add_curve(self.plot, name="readings", channel=0)
        self.dots = pg.ScatterPlotItem(size=4, pxMode=True)
        self.plot.addItem(self.dots, ignoreBounds=True)
        self.ends = [pg.InfiniteLine(0.0, angle=90) for _ in range(2)]
        for line in self.ends:
            self.plot.addItem(line, ignoreBounds=True)
        self.body.addWidget(self.plot, 1)
        self.note = hint("this record holds no slow channels")
        self.body.addWidget(self.note)
        known = bool(self.session.story.slow)
        self.channel.setVisible(known)
        self.plot.setVisible(known)
        if not known:
            self.body.addStretch(1)
        self.set_theme(theme)

    def _follow(self) -> None:
        self.plot.follow()
        self.repaint_soon()

    def pull(self, session: SessionPort) -> Any:
        """The channel that is chosen; None where there is none."""
        index = self.channel.currentIndex()
        return None if index < 0 else self.session.story.slow[index]

    def key(self, snapshot: Any) -> Hashable:
        """Channel, stretch and theme."""
        return snapshot.name, self.session.stretch, self.theme.name

    def draw(self, snapshot: Any) -> None:
        """Draw the readings and the ends of the stretch."""
        start, stop = self.session.stretch
        view = slow_view(snapshot, self.session.seconds, (start, stop))
        set_curve(self.curve, view.curve)
        few = view.curve.x.size <= 200
        self.dots.setData(view.curve.x if few else [], view.curve.y if few else [])
        self.plot.set_ranges((0.0, self.session.seconds(self.session.extent[1])), view.y_range)
        self.plot.label("left", f"{snapshot.name} ({view.unit})" if view.unit else snapshot.name)
        for line, sample in zip(self.ends, (start, stop), strict=True):
            line.setValue(self.session.seconds(sample))
        self.note.setText(view.words)

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        super().set_theme(theme)
        self.plot.set_theme(theme)
        self.curve.setPen(theme.pen(theme.channel(0)))
        self.dots.setPen(None)
        self.dots.setBrush(pg.mkBrush(theme.channel(0)))
        for line in self.ends:
            line.setPen(theme.pen(theme.band))
        self.repaint_soon()
