"""A power of some approaches beside those in ``base``: to bring a guest back from a checkpoint without letting it go on."""

from typing import Protocol, runtime_checkable

from wirt.model.guest import Handle
from wirt.model.launch import Launch


@runtime_checkable
class ResumesStill(Protocol):
    """A power of approaches whose guests are frozen from their first instant on, if that is wanted."""

    def resume_still(self, launch: Launch, directory: str) -> Handle:
        """Do what ``Checkpointable.resume`` does, but let no process of the guest run: it is frozen when this returns.

        Raises:
            Corrupt, Failed: it could not be; whatever was made ``kill`` takes away.
        """
        ...
