"""A messenger that keeps its messages."""

from __future__ import annotations

from ultra_recovery.core.call import Delivery, Message


class MemoryMessenger:
    """Takes messages and says of each what a test has decided.

    Attributes:
        messages: everything that was taken, in order.
        result: where new messages stand at once.
        full: whether the queue takes nothing.
    """

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.result = Delivery.DELIVERED
        self.full = False
        self._deliveries: dict[str, Delivery] = {}

    def send(self, message: Message) -> bool:
        """Take a message, once unless it failed."""
        if self._deliveries.get(message.key) in (Delivery.WAITING, Delivery.DELIVERED):
            return True
        if self.full:
            return False
        self.messages.append(message)
        self._deliveries[message.key] = self.result
        return True

    def delivery(self, key: str) -> Delivery | None:
        """Where a message stands."""
        return self._deliveries.get(key)

    def settle(self, key: str, delivery: Delivery) -> None:
        """Let a message that was taken end so."""
        self._deliveries[key] = delivery
