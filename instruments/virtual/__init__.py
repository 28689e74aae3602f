"""The simulated world behind the protocols of real devices: TCP, serial lines, gRPC."""
