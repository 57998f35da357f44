"""A channel's way in, which can be shut for as long as nobody takes what comes."""

from typing import Protocol


class Channel(Protocol):
    """What asyncssh's channels are to a tap."""

    def pause_reading(self) -> None:
        """Keep what comes."""

    def resume_reading(self) -> None:
        """Deliver what was kept, now, and then what comes."""


class Tap:
    """Opens and shuts a channel's way in: nothing piles up behind it beyond the channel's window.

    asyncssh hands the other side a whole window anew with the first piece that it delivers,
    however many more still wait. Who pauses again at that piece, each time, takes in one
    window for every piece. So what waits is all let through before the tap shuts again.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._shut = self._letting_through = False

    def shut(self) -> None:
        """Have no more delivered, but for what waits already if the tap is being opened."""
        self._shut = True
        if not self._letting_through:
            self._channel.pause_reading()

    def open(self) -> None:
        """Have all that waits delivered now, and then what comes."""
        self._shut = False
        if self._letting_through:
            return
        self._letting_through = True
        try:
            self._channel.resume_reading()
        finally:
            self._letting_through = False
        if self._shut:
            self._channel.pause_reading()
