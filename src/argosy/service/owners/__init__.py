"""Hosts that take their users' own proxies: each activity's commands are run there as whoever owns it.

whose   as whom: an owner, with the credentials that an activity names
logins  which proxy that is, in a file for as long as a login takes
kept    the proxies that came with requests, kept while jobs need them
driver  a driver for each of them
access  session directories that two accounts of one file system share
"""
