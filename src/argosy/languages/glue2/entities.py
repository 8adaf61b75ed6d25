"""GLUE 2's entities as far as a computing service publishes them, and the order of their parts (GFD.147; its schema).

Times are RFC 3339 texts, durations seconds, memory MB, disk GB, clocks MHz.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

#: What stands for a mandatory text or number that nobody knows (GLUE 2.1, appendix A).
UNDEFINED = "UNDEFINEDVALUE"
UNKNOWN_NUMBER = 999_999_999


class ExtendedBoolean(Enum):
    """ExtendedBoolean_t."""

    TRUE = "true"
    FALSE = "false"
    UNDEFINED = "undefined"


Value = str | int | float | ExtendedBoolean | list[str]


@dataclass(slots=True)
class Entity:
    """One entity. `kind` is its name in GLUE 2; attributes that are None or empty are not told.

    `associations` are ids by role, as the XML schema names the roles.
    """

    kind: str
    id: str
    attributes: dict[str, Value | None] = field(default_factory=dict)
    associations: dict[str, list[str]] = field(default_factory=dict)
    name: str | None = None
    created: str | None = None
    validity: int | None = None
    other_info: list[str] = field(default_factory=list)
    extensions: dict[str, str] = field(default_factory=dict)
    """By key: letters, digits, ``_ - . :``, a letter first."""

    def told(self) -> dict[str, Value]:
        """The attributes that have a value, in the schema's order."""
        form = FORMS[self.kind]
        unknown = self.attributes.keys() - set(form.attributes)
        assert not unknown, f"{self.kind} has no {unknown}"
        return {
            name: value for name in form.attributes if (value := self.attributes.get(name)) is not None and value != []
        }


@dataclass(frozen=True, slots=True)
class Form:
    """How an entity is written. `base` is its BaseType; attributes and roles are in the schema's order.

    `json_roles` are the roles of the JSON rendering with the XML role that each is: where it is to be told even if it
    is empty, `required` says so, and `single` are those that hold one id.
    """

    base: str | None
    attributes: tuple[str, ...]
    roles: tuple[str, ...]
    json_roles: dict[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    single: frozenset[str] = frozenset()


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_JOBS = "TotalJobs RunningJobs WaitingJobs StagingJobs SuspendedJobs PreLRMSWaitingJobs"

#: By kind, in the order in which a document has them.
FORMS: dict[str, Form] = {
    "Location": Form(
        None,
        _words("Address Place Country PostCode Latitude Longitude"),
        _words("ServiceID DomainID"),
    ),
    "Contact": Form(None, _words("Detail Type"), _words("ServiceID DomainID"), required=("DomainID",)),
    "AdminDomain": Form(
        "Domain",
        _words("Description WWW Distributed Owner"),
        _words("ServiceID ChildDomainID ParentDomainID ContactID LocationID"),
        required=("ParentDomainID", "LocationID"),
        single=frozenset({"ParentDomainID", "LocationID"}),
    ),
    "UserDomain": Form(
        "Domain",
        _words("Description WWW Level UserManager Member"),
        _words("PolicyID ChildDomainID ParentDomainID ContactID LocationID"),
        required=("LocationID",),
        single=frozenset({"ParentDomainID", "LocationID"}),
    ),
    "ComputingService": Form(
        "Service",
        _words(f"Capability Type QualityLevel StatusInfo Complexity {_JOBS}"),
        _words("EndpointID ShareID ManagerID ServiceID ContactID LocationID"),
        required=("ContactID", "LocationID", "ServiceID"),
        single=frozenset({"LocationID"}),
    ),
    "ComputingEndpoint": Form(
        "Endpoint",
        _words(
            "URL Capability Technology InterfaceName InterfaceVersion InterfaceExtension WSDL SupportedProfile "
            "Semantics Implementor ImplementationName ImplementationVersion QualityLevel HealthState "
            "HealthStateInfo ServingState StartTime IssuerCA TrustedCA DowntimeAnnounce DowntimeStart "
            f"DowntimeEnd DowntimeInfo Staging JobDescription {_JOBS}"
        ),
        _words("ServiceID ShareID ActivityID PolicyID"),
        {"AccessPolicyID": "PolicyID"},
        required=("ServiceID", "ShareID"),
        single=frozenset({"ServiceID"}),
    ),
    "ComputingShare": Form(
        "Share",
        _words(
            "Description MappingQueue MaxWallTime MaxMultiSlotWallTime MinWallTime DefaultWallTime MaxCPUTime "
            "MaxTotalCPUTime MinCPUTime DefaultCPUTime MaxTotalJobs MaxRunningJobs MaxWaitingJobs "
            "MaxPreLRMSWaitingJobs MaxUserRunningJobs MaxSlotsPerJob MaxStateInStreams MaxStageOutStreams "
            "SchedulingPolicy MaxMainMemory GuaranteedMainMemory MaxVirtualMemory GuaranteedVirtualMemory "
            "MaxDiskSpace DefaultStorageService Preemption ServingState TotalJobs RunningJobs LocalRunningJobs "
            "WaitingJobs LocalWaitingJobs SuspendedJobs LocalSuspendedJobs StagingJobs PreLRMSWaitingJobs "
            "EstimatedAverageWaitingTime EstimatedWorstWaitingTime FreeSlots FreeSlotsWithDuration UsedSlots "
            "RequestedSlots ReservationPolicy Tag"
        ),
        _words("EndpointID ResourceID ServiceID ActivityID PolicyID"),
        {"MappingPolicyID": "PolicyID"},
        required=("ResourceID", "ServiceID"),
        single=frozenset({"ServiceID"}),
    ),
    "ComputingManager": Form(
        "Manager",
        _words(
            "ProductName ProductVersion Reservation BulkSubmission TotalPhysicalCPUs TotalLogicalCPUs "
            "TotalSlots SlotsUsedByLocalJobs SlotsUsedByGridJobs Homogeneous NetworkInfo LogicalCPUDistribution "
            "WorkingAreaShared WorkingAreaGuaranteed WorkingAreaTotal WorkingAreaFree WorkingAreaLifeTime "
            "WorkingAreaMultiSlotTotal WorkingAreaMultiSlotFree WorkingAreaMultiSlotLifeTime CacheTotal "
            "CacheFree TmpDir ScratchDir ApplicationDir"
        ),
        _words("ServiceID ResourceID ApplicationEnvironmentID BenchmarkID"),
        required=("ServiceID", "ResourceID"),
        single=frozenset({"ServiceID"}),
    ),
    "ExecutionEnvironment": Form(
        "Resource",
        _words(
            "Platform VirtualMachine TotalInstances UsedInstances UnavailableInstances PhysicalCPUs LogicalCPUs "
            "CPUMultiplicity CPUVendor CPUModel CPUVersion CPUClockSpeed CPUTimeScalingFactor "
            "WallTimeScalingFactor MainMemorySize VirtualMemorySize OSFamily OSName OSVersion ConnectivityIn "
            "ConnectivityOut NetworkInfo"
        ),
        _words("ManagerID ShareID ActivityID ApplicationEnvironmentID BenchmarkID"),
        required=("ManagerID",),
        single=frozenset({"ManagerID"}),
    ),
    "ComputingActivity": Form(
        "Activity",
        _words(
            "Type IDFromEndpoint LocalIDFromManager JobDescription State RestartState ExitCode "
            "ComputingManagerExitCode Error WaitingPosition UserDomain Owner LocalOwner RequestedTotalWallTime "
            "RequestedTotalCPUTime RequestedSlots RequestedApplicationEnvironment StdIn StdOut StdErr LogDir "
            "ExecutionNode Queue UsedTotalWallTime UsedTotalCPUTime UsedMainMemory SubmissionTime "
            "ComputingManagerSubmissionTime StartTime ComputingManagerEndTime EndTime WorkingAreaEraseTime "
            "ProxyExpirationTime SubmissionHost SubmissionClientName OtherMessages"
        ),
        _words("EndpointID ShareID ResourceID DomainID ActivityID"),
        {"UserDomainID": "DomainID"},
        required=("UserDomainID", "EndpointID", "ShareID", "ResourceID", "ActivityID"),
        single=frozenset({"UserDomainID", "EndpointID", "ShareID", "ResourceID"}),
    ),
    "AccessPolicy": Form(
        "Policy",
        _words("Scheme Rule"),
        _words("EndpointID DomainID"),
        {"UserDomainID": "DomainID"},
        required=("EndpointID", "UserDomainID"),
        single=frozenset({"EndpointID"}),
    ),
    "MappingPolicy": Form(
        "Policy",
        _words("Scheme Rule"),
        _words("ShareID DomainID"),
        {"UserDomainID": "DomainID"},
        required=("ShareID", "UserDomainID"),
        single=frozenset({"ShareID"}),
    ),
    "ApplicationEnvironment": Form(
        None,
        _words(
            "AppName AppVersion Repository State RemovalDate License Description BestBenchmark ParallelSupport "
            "MaxSlots MaxJobs MaxUserSeats FreeSlots FreeJobs FreeUserSeats"
        ),
        _words("ResourceID ManagerID ApplicationHandleID"),
        {"ExecutionEnvironmentID": "ResourceID", "ComputingManagerID": "ManagerID"},
        required=("ExecutionEnvironmentID", "ComputingManagerID"),
        single=frozenset({"ComputingManagerID"}),
    ),
    "ToStorageService": Form(None, _words("LocalPath RemotePath"), _words("ServiceID")),
    "ApplicationHandle": Form(
        None,
        _words("Type Value"),
        _words("ApplicationEnvironmentID"),
        required=("ApplicationEnvironmentID",),
        single=frozenset({"ApplicationEnvironmentID"}),
    ),
}
