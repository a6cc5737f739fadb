"""A day at a site of four nodes, in 24 minutes of virtual time: its traffic, its site, its plans and their scores."""
