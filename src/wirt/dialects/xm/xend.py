"""``xend-config.sxp``: what of xend's configuration means something here, which is what the bridge is called.

There is no xend. Its file is looked for in ``xm`` below WIRT_ETC, then where Xen has it; nobody needs one.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from wirt.dialects.xm import sxp
from wirt.errors import InvalidInput
from wirt.host import files
from wirt.model.home import Home

USUAL_BRIDGES = ("xenbr0", "xen-br0")
_FILE = "xend-config.sxp"


def bridges(home: Home) -> list[str]:
    """Return the names that configuration files may call this home's bridge by, beside its own.

    Raises:
        InvalidInput: the file cannot be read.
    """
    for directory in (os.path.join(home.etc, "xm"), "/etc/xen"):
        path = os.path.join(directory, _FILE)
        with files.translated(f"read {path}"):
            try:
                text = Path(path).read_text()
            except FileNotFoundError:
                continue
            except UnicodeDecodeError:
                raise InvalidInput(f"{path} is no text", hint="write it anew") from None
        return [*_named(sxp.parse(text, name=path)), *USUAL_BRIDGES]
    return list(USUAL_BRIDGES)


def _named(nodes: Sequence[sxp.Node]) -> list[str]:
    """Return the bridge of ``(network-script 'network-bridge bridge=NAME netdev=DEVICE')``."""
    script = sxp.value(nodes, "network-script") or ""
    pairs = dict(word.partition("=")[::2] for word in script.split()[1:])
    return [pairs["bridge"]] if pairs.get("bridge") else []
