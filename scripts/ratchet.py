"""Take out of tests/exemptions.toml what is needed no longer. It never adds: that is done by hand.

With --seed it writes the lists as they are today, for a tree that has none yet.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests import style

HEAD = """\
# Files that the style tests let pass for now. The lists only shrink: a file that needs its place
# no longer fails the tests until `make ratchet` has taken it out.
"""
KINDS = {
    "untested": (style.untested_files, "no test of their own yet, in rooms that ask for one"),
    "unused": (style.unused_files, "used by no production file yet"),
}


def main() -> None:
    """Write the file again with the shorter lists."""
    seed = "--seed" in sys.argv[1:] and not style.EXEMPTIONS.exists()
    text = HEAD
    for kind, (find, meaning) in KINDS.items():
        kept = find() if seed else find() & style.exemptions(kind)
        rows = "".join(f'    "{name}",\n' for name in sorted(kept))
        text += f"\n# {meaning}\n{kind} = [\n{rows}]\n" if kept else f"\n# {meaning}\n{kind} = []\n"
    style.EXEMPTIONS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
