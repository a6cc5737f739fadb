"""The notebooks in a real browser. This is no quick test, because it needs Chromium and the extra `browser`."""
