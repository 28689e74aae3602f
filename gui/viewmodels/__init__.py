"""View-models: snapshots in, render-ready arrays and text out; no Qt is imported here."""
