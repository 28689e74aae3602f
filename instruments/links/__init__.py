"""Text links to devices: VISA for sockets and serial lines, and a scripted one for tests."""
