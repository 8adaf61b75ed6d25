"""Where activities go: the shares as they were last seen, and which of them takes what.

verdicts      a pure function: what a job needs, the shares, and who asks give each share a verdict
routing       sends an activity to the best share
resources     the resources and their shares; share_config: what the configuration says of them
environments  which runtime environments answer a request; preparation: the text that prepares them in the job
operations    what endpoints ask for; commands: short commands on a resource's host
"""
