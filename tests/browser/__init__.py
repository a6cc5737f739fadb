"""The notebooks in a real browser; outside the quick tests, because it needs Chromium and the extra `browser`."""
