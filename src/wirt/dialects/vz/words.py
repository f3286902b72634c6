"""What vzctl 4.11 says, and where the vzctl of 2006 said it otherwise."""

import msgspec


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """The words that differ."""

    ctid: str
    container: str
    starting: str
    unlimited: int
    """What a beancounter without a limit is written as by the kernel."""

    @property
    def capital(self) -> str:
        """Return the word for a container at the beginning of a sentence."""
        return self.container[0].upper() + self.container[1:]

    def creating(self, template: str, place: str) -> str:
        """Return the first line of ``create``: 4.11 names the template, 2006 the directory."""
        if self.container == "VPS":
            return f"Creating VPS private area: {place}"
        return f"Creating container private area ({template})"

    def saved(self, ctid: int, path: str) -> str:
        """Return the last line of a command that saved."""
        if self.container == "VPS":
            return f"Saved parameters for VPS {ctid}"
        return f"CT configuration saved to {path}"


NOW = Words(
    ctid="CTID", container="container", starting="Starting container...", unlimited=2**63 - 1
)
IN_2006 = Words(ctid="VPSID", container="VPS", starting="Starting VPS ...", unlimited=2**31 - 1)
