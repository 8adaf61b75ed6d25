"""What is for those who run the service, and what a caller may have of it at once.

operations      what endpoints ask for
administration  what the service is doing, and stopping it gently; figures: what is shown of that
admission       whether new activities are recorded: drained or not, and within the owner's limits
limits          the limits, and the rate of requests
"""
