"""Shell blocks of our documents, to be run as printed."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def script_of(page: str, chapter: str, **addresses: str) -> str:
    """The blocks of a chapter as one script, with this test's addresses and this Python."""
    text = (ROOT / page).read_text().split(f"## {chapter}\n")[1].split("\n## ")[0]
    script = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.S))
    for name, address in addresses.items():
        script = re.sub(rf"\b{name}=\S+", f"{name}={address}", script)
    script = script.replace(".venv/bin/undrop", f"{sys.executable} -m api.cli")
    return script.replace(".venv/bin/uvicorn", f"{sys.executable} -m uvicorn")
