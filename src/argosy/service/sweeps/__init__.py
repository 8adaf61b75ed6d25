"""Parameter sweeps: one request, one record, and activities that are made as others end.

contract    the operations that endpoints call
deciding    what a sweep needs next: pure
runner      does it, sweep by sweep, and goes on with it after a crash
operations  the operations, over the runner
"""
