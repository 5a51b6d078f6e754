"""CIC-MalMem-2022: features of memory dumps, half of them of infected machines."""

from __future__ import annotations

from whitecrow.data.prepare.layout import Layout

__all__ = ["LAYOUTS"]


def attack(text: str) -> str:
    """Return family and member: "Ransomware-Ako" of "Ransomware-Ako-0a1b...-1.raw"."""
    return "-".join(text.split("-")[:2])


def family(name: str) -> str:
    """Return the family: Ransomware, Spyware or Trojan."""
    return name.partition("-")[0]


LAYOUTS = (
    Layout(
        name="malmem2022",
        title="CIC-MalMem-2022",
        aliases=("malmem", "cic_malmem_2022"),
        source="https://www.unb.ca/cic/datasets/malmem-2022.html (after a form; "
        "Obfuscated-MalMem2022.csv)",
        files="Obfuscated-MalMem2022.csv",
        label="Category",
        normal="benign",
        required=("pslist.nproc", "Class"),
        drop={"Class": "benign or malware: gives the truth away"},
        attack=attack,
        family=family,
    ),
)
