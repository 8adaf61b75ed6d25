"""The engine: what happened is recorded with what follows, and then done.

engine        an inbox for each activity; decides, records, has it performed
performer     performs the instructions: submission, watching, cancelling; stages: stage-in and stage-out
controls      asks batch systems for hold, release, suspend, resume
requests      what a driver is asked to run for an activity
waiting       activities that no share takes now
housekeeping  leases, retention, what is left to do after a purge
"""
