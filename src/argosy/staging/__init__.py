"""Moving files between session directories and the places that URLs name. One file a scheme, in `schemes`."""

from .config import StagingConfig
from .contract import (
    Capability,
    Credentials,
    Fetch,
    Fetched,
    Password,
    Progress,
    Push,
    Pushed,
    S3Keys,
)
from .errors import Fault, TransferFailed
from .staging import Staging

__all__ = [
    "Capability",
    "Credentials",
    "Fault",
    "Fetch",
    "Fetched",
    "Password",
    "Progress",
    "Push",
    "Pushed",
    "S3Keys",
    "Staging",
    "StagingConfig",
    "TransferFailed",
]
