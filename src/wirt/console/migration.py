"""Renders what became of a guest that went to another node."""

from wirt.console.output import columns
from wirt.model.migration import Migration
from wirt.units import render_bytes

_HEADS = ("STAGE", "SECONDS", "SENT")


def render_migration(done: Migration) -> str:
    """Return a row for each stage, the downtime, and where it went."""
    rows = [
        (stage.name, f"{stage.seconds:.3f}", render_bytes(stage.bytes) if stage.bytes else "-")
        for stage in done.stages
    ]
    lines = [columns(_HEADS, rows, right=_HEADS[1:]), ""]
    if done.memory_at_last is not None:
        lines.append(_tell_memory(done, done.memory_at_last))
    if done.downtime_seconds is not None:
        unseen = done.unseen_seconds
        seen = "not seen" if unseen is None else f"{unseen:.3f} s"
        engine = (
            "" if done.engine_seconds is None else f" ({done.engine_seconds:.3f} s by its engine)"
        )
        lines.append(
            f"downtime {done.downtime_seconds:.3f} s{engine}; without an answer on the network: {seen}"
        )
    lines.append(f"guest {done.guest} migrated to node {done.node}: {done.mode}")
    return "\n".join(lines)


def _tell_memory(done: Migration, at_last: int) -> str:
    still = f"{render_bytes(at_last)} while it stood still"
    if not done.memory_ahead:
        return f"memory: {still}, in one piece: {done.in_one_piece}"
    return f"memory: {', '.join(map(render_bytes, done.memory_ahead))} ahead, {still}"
