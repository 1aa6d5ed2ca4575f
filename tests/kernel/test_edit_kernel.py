"""The edits of the test kernel's source are made completely, or not at all silently."""

import subprocess
import sys
from pathlib import Path

import pytest

EDIT = Path(__file__).resolve().parent / "testbed/edit_kernel.py"
FILES = {
    "arch/um/Kconfig": "config HZ\n\tint\n\tdefault 100\n",
    "arch/um/include/asm/irq.h": "#define NR_IRQS\t\tUM_LAST_SIGNAL_IRQ\n#define ALL (UM_LAST_SIGNAL_IRQ + 64)\n",
    "drivers/gpio/gpio-sim.c": "#include <linux/irq_sim.h>\nset_value:\n\treturn;\n",
    "drivers/i2c/i2c-stub.c": "module_param_array(chip_addr, ushort, NULL, S_IRUGO);\n",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Nothing but the anchors."""
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True)
        file.write_text(text)
    return tmp_path


def edit(tree: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, EDIT, tree], check=False, capture_output=True, text=True)


def test_every_anchor_is_edited(tree: Path) -> None:
    assert edit(tree).returncode == 0
    assert "\tdefault 250\n" in (tree / "arch/um/Kconfig").read_text()
    assert "NR_IRQS\t\t(UM_LAST_SIGNAL_IRQ + 512)\n" in (tree / "arch/um/include/asm/irq.h").read_text()
    driver = (tree / "drivers/gpio/gpio-sim.c").read_text()
    assert driver.index("<linux/irq_work.h>") < driver.index("irq_work_run();") < driver.index("set_value:")
    assert "ushort, NULL, S_IRUGO | S_IWUSR);\n" in (tree / "drivers/i2c/i2c-stub.c").read_text()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("times", [0, 2])
def test_an_anchor_missing_or_ambiguous_stops_the_build_and_is_named(
    tree: Path, name: str, times: int
) -> None:
    (tree / name).write_text(FILES[name] * times)
    result = edit(tree)
    assert result.returncode != 0
    assert f"{name}: " in result.stderr
    assert f"found {times} times, expected once" in result.stderr
