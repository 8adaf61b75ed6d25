"""Commands that pretend to be those of a batch system, and really run the jobs."""
