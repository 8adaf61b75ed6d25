"""Telling others what happens to activities: subscriptions, and messages sent until they have arrived."""

from .contract import NewSubscription, Notifications
from .sender import Sender
from .settings import NotificationConfig

__all__ = ["NewSubscription", "NotificationConfig", "Notifications", "Sender"]
