"""The edition on the web: what its pages are made of, and the whole site."""
