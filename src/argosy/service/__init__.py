"""The execution service.

contract      the operations that endpoints call
service       the operations, over all the rest
lifecycle     what follows from what: pure
engine        records what follows, then has it performed
performer     performs it: stage-in, submission, watching, cancelling, stage-out
housekeeping  leases, retention, what is left to do after a purge
sessions      session directories; beneath: paths that cannot lead out of one
matching      which share a job fits
sweeps        many activities of one request
reaching      whether a caller may ask for an operation
streams       events as they happen; notifications: telling others of them
config        the configuration file; assemble: from it to a service; policy: its times and limits
usage         what activities have used
faults        points at which the tests kill it
"""
