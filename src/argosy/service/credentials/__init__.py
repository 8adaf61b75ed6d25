"""Credentials of activities: asked for at creation, used for their files, given to their jobs.

operations  what clients ask for; `argosy.delegation` does it
delegated   which credential a description means, and staging with it
offering    copies of credentials for a job
"""
