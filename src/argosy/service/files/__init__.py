"""The files of activities.

sessions     session directories, beneath which no path leads out; listing: large ones, page by page
copies       files of a job's own credentials, beside its session directory
transfers    fetches input files and delivers output files; progress: what is being moved just now
files_asked  whether what a description asks of staging can be done here
quotas       how much lies there; weighing: finding that out
"""
