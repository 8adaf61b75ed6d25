"""What executors of others use beside the interface, under psij-python's name."""

from __future__ import annotations

import os
import threading
from typing import ClassVar, TypeVar

T = TypeVar("T", bound="SingletonThread")


class SingletonThread(threading.Thread):
    """A thread of which each process has one for each class; a subclass gives it `run`."""

    _instances: ClassVar[dict[tuple[int, type], SingletonThread]] = {}
    _lock = threading.RLock()

    def __init__(self, name: str | None = None, daemon: bool = False) -> None:
        super().__init__(name=name, daemon=daemon)

    @classmethod
    def get_instance(cls: type[T]) -> T:
        """The thread of this process, started. A forked child gets one of its own."""
        with SingletonThread._lock:
            key = (os.getpid(), cls)
            instance = SingletonThread._instances.get(key)
            if instance is None:
                instance = cls()
                instance.start()
                SingletonThread._instances[key] = instance
            assert isinstance(instance, cls)
            return instance


def _renew_lock() -> None:
    # Another thread of the parent may have held it.
    SingletonThread._lock = threading.RLock()


os.register_at_fork(after_in_child=_renew_lock)
