"""Staging's part of the configuration, all of it optional.

[staging]
file_roots = ["/data/public"]   # what file: URLs may name; without it there are none
transfers = 16                  # files moved at once
transfers_per_host = 4
attempts = 4                    # of one file from one source, or to one target
cache_size = 10737418240        # bytes of inputs kept for other activities; 0: none are kept
ca_directory = "/etc/grid-security/certificates"

[staging.s3]                    # a table for a scheme's own options
endpoint = "https://s3.example.org"
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

Seconds = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]


class StagingConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``[staging]``. Times are in seconds, sizes in bytes, speeds in bytes a second."""

    file_roots: list[str] = []
    transfers: Count = 16
    transfers_per_host: Count = 4
    attempts: Count = 4
    retry_first: Seconds = 1.0
    """The wait before the second attempt; it doubles up to `retry_most`, which also bounds Retry-After."""
    retry_most: Seconds = 60.0
    connect_timeout: Seconds = 30.0
    idle_timeout: Seconds = 60.0
    """For how long nothing may arrive or leave."""
    minimum_speed: Annotated[float, Meta(ge=0)] = 1000.0
    """What is slower than this over `minimum_speed_time` is given up, and tried again."""
    minimum_speed_time: Seconds = 300.0
    bandwidth: Annotated[float, Meta(gt=0)] | None = None
    """The most of all transfers together."""
    max_file: Annotated[int, Meta(ge=0)] | None = None
    """No larger file is fetched."""
    max_entries: Count = 100_000
    """The most files of one directory or pattern."""
    cache_size: Annotated[int, Meta(ge=0)] = 10 * 1024**3
    cache_smallest: Annotated[int, Meta(ge=0)] = 64 * 1024
    """What is smaller is not worth keeping."""
    ca_file: str | None = None
    ca_directory: str | None = None
    s3: dict[str, Any] = {}
    sftp: dict[str, Any] = {}
    options: dict[str, dict[str, Any]] = {}
    """Options of other schemes, by the scheme's name."""

    def options_of(self, scheme: str) -> dict[str, Any]:
        """The table of one scheme."""
        if scheme == "file":
            return {"roots": self.file_roots}
        own = {"s3": self.s3, "sftp": self.sftp, "scp": self.sftp}.get(scheme, {})
        return {**self.options.get(scheme, {}), **own}
