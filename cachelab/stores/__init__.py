"""Where entries are kept: in this process, in Redis, and what travels between the two."""
