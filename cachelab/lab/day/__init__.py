"""A day at a site of four nodes, in 24 minutes of virtual time: its traffic, what a plan may use, and how it is scored."""
