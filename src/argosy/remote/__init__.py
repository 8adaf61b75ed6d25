"""PSI/J's JobExecutor over another Argosy: its backend is a service.

executor    submit, cancel, attach, list; what the service says becomes the jobs' status
describe    from a JobSpec to the service's description, and what must be uploaded for it
following   one event stream for all jobs, and what was missed behind it
transfers   files to the service before the job, and from it after
"""

from .executor import RemoteExecutorConfig, RemoteJobExecutor

__all__ = ["RemoteExecutorConfig", "RemoteJobExecutor"]
