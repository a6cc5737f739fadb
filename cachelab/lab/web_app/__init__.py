"""The service of chapter 15, and what runs it: in virtual time, or as real processes."""
