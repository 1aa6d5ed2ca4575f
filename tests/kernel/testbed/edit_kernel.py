"""The changes a kernel 6.1 needs to be the test bed, made in an unpacked source tree.

Most make gpio-sim's edges work on User-Mode Linux; the last lets a test pull an I2C chip off its bus.

    edit_kernel.py SOURCE

Each edit finds one short anchor in one file. An anchor that is not there exactly once means that the
source is not the one these edits were written for, and nothing is guessed.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the only match of `anchor` (a multi-line regular expression) in `path`."""

    path: str
    anchor: str
    replacement: str
    why: str


EDITS = (
    Edit(
        "arch/um/Kconfig",
        r"\bdefault 100$",
        "default 250",
        why="Kernel debounce counts in ticks: tick as often as the kernels of Debian and Raspberry Pi OS do.",
    ),
    Edit(
        "arch/um/include/asm/irq.h",
        r"(?<=\s)UM_LAST_SIGNAL_IRQ$",
        "(UM_LAST_SIGNAL_IRQ + 512)",
        why="The platform claims all its interrupt numbers for itself, so no simulated line could be watched.",
    ),
    Edit(
        "drivers/gpio/gpio-sim.c",
        r"^#include <linux/irq_sim\.h>$",
        "#include <linux/irq_sim.h>\n#include <linux/hardirq.h>\n#include <linux/irq_work.h>",
        why="The next edit calls what these two declare.",
    ),
    Edit(
        "drivers/gpio/gpio-sim.c",
        r"^set_value:$",
        "local_irq_disable();\nirq_enter();\nirq_work_run();\nirq_exit();\nlocal_irq_enable();\nset_value:",
        why="A simulated edge is irq_work. Without an interrupt to itself the platform runs it at the next tick, "
        "and two edges within a tick become one. Run it inside the write that caused it.",
    ),
    Edit(
        "drivers/i2c/i2c-stub.c",
        r"(?<=^module_param_array\(chip_addr, ushort, NULL, )S_IRUGO(?=\);$)",
        "S_IRUGO | S_IWUSR",
        why="The bus cannot vanish while a program has it open. A chip can, if its address may be changed.",
    ),
)


def edit(source: Path) -> None:
    """Apply every edit to the tree at `source`.

    Raises:
        ValueError: an anchor is missing or ambiguous.
        OSError: a file is not there.
    """
    for change in EDITS:
        file = source / change.path
        text, count = re.subn(change.anchor, change.replacement, file.read_text(), flags=re.MULTILINE)
        if count != 1:
            raise ValueError(
                f"{change.path}: {change.anchor!r} found {count} times, expected once ({change.why})"
            )
        file.write_text(text)


if __name__ == "__main__":
    edit(Path(sys.argv[1]))
