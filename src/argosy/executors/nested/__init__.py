"""Many small jobs inside an allocation that the program already has.

packing      which job fits where: pure
allocation   what the allocation has, from the environment
steps        a job as a step of a Slurm job (srun)
executor     the queue, the processes, their ends
slurm        a Slurm job as an allocation
machine      this machine as one
choice       which kind of allocation this program is in
"""

from .choice import nested_executor
from .executor import NestedJobExecutor

__all__ = ["NestedJobExecutor", "nested_executor"]
