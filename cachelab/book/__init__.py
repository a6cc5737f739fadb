"""The edition on the web: pages made from the stored notebooks, without running or fetching anything."""
