"""The execution service.

contract        the operations that endpoints call; caller: who asks; reaching: whether they may
service         the operations, put together of those of the rooms below
activities      creating, changing, ending, showing activities
lifecycle       what follows from what: pure
engine          records what follows, then has it done
matching        resources and their shares, and which of them a job goes to
files           session directories, staging, quotas
credentials     for staging and for jobs
accounts        everything done as the local account of whoever asks for it
sweeps          many activities of one request
notifications   telling others of events
information     what is published of the service and its activities
administration  draining, stopping, limits
audit           a line for each operation
usage           what activities have used
assemble        from a configuration (config) to a service; policy: its times and limits; remote: other hosts
faults          points at which the tests kill it
"""
