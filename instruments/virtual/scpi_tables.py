"""Settings of Keysight's and Rigol's generators, as their programming guides list them.

Known to the instruments of :mod:`.scpi_servers`, and asked by the drivers that others wrote.
"""

from __future__ import annotations

from .scpi_settings import NUMERIC, TEXT, Setting

__all__ = ["KEYSIGHT_SETTINGS", "RIGOL_1000Z_SETTINGS", "RIGOL_4000_SETTINGS"]

_ON, _OFF = 1.0, 0.0
_TRIGGERS = ("IMMediate", "EXTernal", "TIMer", "BUS")

_BOTH = (
    Setting("[SOURce#] VOLTage OFFSet", 0.0, NUMERIC, -5.0, 5.0),
    Setting("[SOURce#] SWEep [STATe]", _OFF),
    Setting("[SOURce#] SWEep TIME", 1.0, NUMERIC),
    Setting("[SOURce#] BURSt [STATe]", _OFF),
    Setting("[SOURce#] BURSt NCYCles", 1.0, NUMERIC),
    Setting("[SOURce#] BURSt PHASe", 0.0, NUMERIC, -360.0, 360.0),
    Setting("[SOURce#] BURSt INTernal PERiod", 1e-2, NUMERIC),
    Setting("[SOURce#] BURSt GATE POLarity", "NORM", ("NORMal", "INVerted")),
    Setting("[SOURce#] FREQuency STARt", 100.0, NUMERIC),
    Setting("[SOURce#] FREQuency STOP", 1e3, NUMERIC),
    Setting("[SOURce#] FUNCtion RAMP SYMMetry", 50.0, NUMERIC, 0.0, 100.0),
    Setting("[SOURce#] FUNCtion SQUare DCYCle", 50.0, NUMERIC, 0.0, 100.0),
)

KEYSIGHT_SETTINGS = (
    *_BOTH,
    *(
        Setting(f"[SOURce#] {kind} STATe", _OFF)
        for kind in ("AM", "FM", "PM", "FSKey", "BPSK", "PWM", "SUM")
    ),
    Setting("[SOURce#] FREQuency MODE", "CW", ("CW", "LIST", "SWEep=SWE", "FIXed")),
    Setting("[SOURce#] FREQuency COUPle [STATe]", _OFF),
    Setting("[SOURce#] VOLTage COUPle [STATe]", _OFF),
    Setting("[SOURce#] VOLTage RANGe AUTO", _OFF),  # on after power-up: a table is prepared
    Setting("[SOURce#] TRACk", "OFF", ("OFF", "ON", "INVerted")),
    Setting("[SOURce#] COMBine FEED", "NONE", ("NONE", "CH1", "CH2")),
    Setting("OUTPut# POLarity", "NORM", ("NORMal", "INVerted")),
    Setting("OUTPut# MODE", "NORM", ("NORMal", "GATed")),
    Setting("OUTPut SYNC", _ON),
    Setting("OUTPut SYNC SOURce", "CH1", ("CH1", "CH2")),
    Setting("OUTPut TRIGger", _OFF),
    Setting("[SOURce#] BURSt MODE", "TRIG", ("TRIGgered", "GATed")),
    Setting("[SOURce#] FUNCtion PULSe PERiod", 1e-3, NUMERIC),
    Setting("[SOURce#] FUNCtion PULSe HOLD", "WIDT", ("WIDTh", "DCYCle")),
    Setting("[SOURce#] FUNCtion PULSe WIDTh", 1e-4, NUMERIC),
    Setting("[SOURce#] FUNCtion PULSe DCYCle", 10.0, NUMERIC, 0.0, 100.0),
    Setting("[SOURce#] FUNCtion PULSe TRANsition [BOTH]", 1e-8, NUMERIC),
    Setting("[SOURce#] FUNCtion ARBitrary", '"INT:\\BUILTIN\\EXP_RISE.ARB"', TEXT),
    Setting("[SOURce#] FUNCtion ARBitrary ADVance", "SRAT", ("TRIGger", "SRATe")),
    Setting("[SOURce#] FUNCtion ARBitrary FILTer", "STEP", ("NORMal", "STEP", "OFF")),
    Setting("[SOURce#] FUNCtion ARBitrary SRATe", 4e4, NUMERIC),
    Setting("TRIGger# SOURce", "IMM", _TRIGGERS),
    Setting("TRIGger# SLOPe", "POS", ("POSitive", "NEGative")),
    Setting("TRIGger# COUNt", 1.0, NUMERIC),
    Setting("TRIGger# DELay", 0.0, NUMERIC, 0.0, 1e3),
    Setting("TRIGger# TIMer", 1e-3, NUMERIC, 1e-6, 8e3),
    Setting("DISPlay TEXT", '""', TEXT),
)

_RIGOL = (
    *_BOTH,
    Setting("OUTPut# POLarity", "NORMAL", ("NORMal=NORMAL", "INVerted=INVERTED")),
    Setting("OUTPut# SYNC [STATe]", _ON),
    Setting("OUTPut# SYNC POLarity", "POS", ("POSitive", "NEGative")),
    Setting("[SOURce#] MOD [STATe]", _OFF),
    Setting("[SOURce#] MOD TYPe", "AM", ("AM", "FM", "PM", "ASK", "FSK", "PSK", "PWM")),
    Setting("[SOURce#] BURSt MODE", "TRIG", ("TRIGgered", "GATed", "INFinity")),
    Setting("[SOURce#] BURSt TRIGger SLOPe", "POS", ("POSitive", "NEGative")),
    Setting("[SOURce#] BURSt TRIGger SOURce", "INT", ("INTernal", "EXTernal", "MANual")),
    Setting("[SOURce#] BURSt TRIGger TRIGOut", "OFF", ("OFF", "POSitive", "NEGative")),
    Setting("[SOURce#] FREQuency CENTer", 550.0, NUMERIC),
    Setting("[SOURce#] HARMonic ORDEr", 2.0, NUMERIC, 2.0, 16.0, digits="d"),
    Setting("[SOURce#] HARMonic TYPe", "EVEN", ("EVEN", "ODD", "ALL", "USER")),
    Setting("[SOURce#] MARKer [STATe]", _OFF),
    Setting("[SOURce#] MARKer FREQuency", 550.0, NUMERIC),
    Setting("[SOURce#] PULSe DCYCle", 50.0, NUMERIC, 0.0, 100.0),
    Setting("[SOURce#] PULSe DELay", 0.0, NUMERIC),
    Setting("[SOURce#] PULSe HOLD", "DUTY", ("WIDTh", "DUTY")),
    Setting("[SOURce#] PULSe TRANsition LEADing", 1.953e-5, NUMERIC),
    Setting("[SOURce#] PULSe TRANsition TRAiling", 1.953e-5, NUMERIC),
    Setting("[SOURce#] PULSe WIDTh", 5e-4, NUMERIC),
    Setting("[SOURce#] SWEep HTIMe STARt", 0.0, NUMERIC, 0.0, 300.0),
    Setting("[SOURce#] SWEep HTIMe STOP", 0.0, NUMERIC, 0.0, 300.0),
    Setting("[SOURce#] SWEep RTIMe", 0.0, NUMERIC, 0.0, 300.0),
    Setting("[SOURce#] SWEep SPACing", "LIN", ("LINear", "LOGarithmic", "STEp=STE")),
    Setting("[SOURce#] SWEep STEP", 2.0, NUMERIC, 2.0, 2048.0, digits="d"),
    Setting("COUNter ATTenuation", "1X", ("1X", "10X")),
    Setting("COUNter COUPling", "AC", ("AC", "DC")),
    Setting("COUNter GATEtime", "USER1", ("AUTO", *(f"USER{i}" for i in range(1, 7)))),
    Setting("COUNter HF", _OFF),
    Setting("COUNter IMPedance", "1M", ("50", "1M")),
    Setting("COUNter LEVEl", 0.0, NUMERIC, -2.5, 2.5),
    Setting("COUNter SENSitivity", 50.0, NUMERIC, 0.0, 100.0),
    Setting("COUNter [STATe]", _OFF),
    Setting("COUNter MEASure", ",".join(["0.000000E+00"] * 5), TEXT),
    Setting("SYSTem BEEPer STATe", _ON),
    Setting("SYSTem KLOCK", _OFF),
    Setting("SYSTem POWSet", "AUTO", ("USER", "AUTO")),
    Setting("SYSTem ROSCillator SOURce", "INT", ("INTernal", "EXTernal")),
    Setting("SYSTem VERSion", "1999.0", TEXT),
)

RIGOL_1000Z_SETTINGS = (
    *_RIGOL,
    Setting("[SOURce#] TRACK", "OFF", ("OFF", "ON", "INVerted")),
    Setting("[SOURce#] VOLTage RANGe AUTO", _OFF),  # on after power-up: a table is prepared
)
RIGOL_4000_SETTINGS = (
    *_RIGOL,
    Setting("OUTPut# NOISe [STATe]", _OFF),
    Setting("OUTPut# NOISe SCALe", 10.0, NUMERIC, 0.0, 50.0),
)
