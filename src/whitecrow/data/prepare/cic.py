"""Flow tables of CICFlowMeter: CIC-IDS2017, CSE-CIC-IDS2018 and USB-IDS-1.

Each has its quirks: blanks before names and a doubled "Fwd Header Length" (2017),
header rows repeated among the data (2018), a folder of csv.gz files (USB-IDS-1).
Zero-duration flows have undefined rates, "NaN" or "Infinity". Counts, lengths and times
are never negative; where they are, a counter ran over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from whitecrow.data.prepare.layout import Columns, Layout

__all__ = ["LAYOUTS"]

_FAMILIES = (
    (r"ddos", "DDoS"),
    (r"dos\b", "DoS"),
    (r"infil", "Infiltration"),
    (r"web|xss|sql", "Web Attack"),
)


def family(name: str) -> str:
    """Return the family of an attack of 2017 or 2018; others are their own family."""
    kinds = (kind for found, kind in _FAMILIES if re.search(found, name.lower()))
    return next(kinds, name)


def before_dash(name: str) -> str:
    """Drop the defence from a USB-IDS-1 label such as "Hulk-NoDefense"."""
    return name.partition("-")[0].strip()


def reasons(columns: Iterable[str], reason: str) -> dict[str, str]:
    """Give each column the same reason."""
    return dict.fromkeys(columns, reason)


# Both spellings: the longer one is that of 2017.
ENDPOINTS = reasons(
    (
        *("Flow ID", "Timestamp", "Source IP", "Src IP", "Source Port", "Src Port"),
        *("Destination IP", "Dst IP"),
    ),
    "tells one connection from another",
) | {"Protocol": "left out in the published preparations"}
PORT = "a port is a name, not a quantity"
NO_WINDOW = "-1 means that there was none"
FIRST_GAP = "negative where packets arrived in another order"

# ------------------------------------------------------ feature groups of IDS2018

_GROUP_2 = (
    *("Fwd Pkts/s", "Fwd Header Len", "Fwd Pkt Len Mean", "Fwd IAT Tot"),
    *("Flow IAT Max", "Bwd Pkts/s", "Fwd Pkt Len Max"),
)
_GROUP_1 = (
    *_GROUP_2,
    *("Flow IAT Mean", "TotLen Fwd Pkts", "Flow Byts/s", "Fwd IAT Max"),
    *("Flow IAT Std", "Fwd Seg Size Min", "Flow Pkts/s"),
)
_GROUP_3 = (
    *("Fwd Pkts/s", "Fwd Header Len", "Flow IAT Max", "Bwd Pkts/s"),
    "Fwd Pkt Len Max",
)


def _only(*chosen: str) -> Callable[[Columns], Columns]:
    return lambda columns: chosen


def _all_but(*others: str) -> Callable[[Columns], Columns]:
    return lambda columns: tuple(c for c in columns if c not in others)


GROUPS = {
    "group1": _only("Dst Port", *_GROUP_1),
    "group2": _only("Dst Port", *_GROUP_2),
    "group3": _only("Dst Port", *_GROUP_3),
    "group4": _only("Dst Port", "Flow IAT Max"),
    "group5": _all_but("Flow Duration"),
    "group1A": _only(*_GROUP_1),
    "group2A": _only(*_GROUP_2),
    "group3A": _only(*_GROUP_3),
    "group4A": _only("Flow IAT Max"),
    "group5A": _all_but("Flow Duration", "Dst Port"),
}

LAYOUTS = (
    Layout(
        name="cic_ids2017",
        title="CIC-IDS2017",
        aliases=("ids2017",),
        source="https://www.unb.ca/cic/datasets/ids-2017.html (after a form; "
        "MachineLearningCSV.zip, to be unpacked)",
        files="MachineLearningCVE/",
        label="Label",
        normal="benign",
        required=("Flow Bytes/s", "Flow Packets/s", "Flow IAT Mean"),
        drop=ENDPOINTS
        | {"Destination Port": PORT}
        | reasons(("Init_Win_bytes_forward", "Init_Win_bytes_backward"), NO_WINDOW)
        | reasons(("Flow IAT Min", "Fwd IAT Min"), FIRST_GAP),
        zero=("Flow Bytes/s", "Flow Packets/s"),
        never_negative=True,
        family=family,
    ),
    Layout(
        name="cse_cic_ids2018",
        title="CSE-CIC-IDS2018",
        aliases=("ids2018", "cic_ids2018"),
        source="https://www.unb.ca/cic/datasets/ids-2018.html (10 csv files, 6.4 GB, "
        "from the bucket named there)",
        files="'Processed Traffic Data for ML Algorithms/'",
        label="Label",
        normal="benign",
        required=("Flow Byts/s", "Flow Pkts/s", "Flow IAT Mean"),
        drop=ENDPOINTS
        | {"Dst Port": PORT}
        | reasons(("Init Fwd Win Byts", "Init Bwd Win Byts"), NO_WINDOW),
        zero=("Flow Byts/s", "Flow Pkts/s"),
        never_negative=True,
        groups=GROUPS,
        revived=("Dst Port",),
        family=family,
    ),
    Layout(
        name="usb_ids_1",
        title="USB-IDS-1",
        aliases=("usb_ids",),
        source="http://idsdata.ding.unisannio.it/ (csv.gz files)",
        files="USB-IDS-1/",
        label="Label",
        normal="benign",
        anomaly="normal",
        required=("Flow IAT Mean", "Bwd Packet Length Std"),
        drop=ENDPOINTS | {"Flow Duration": "left out in the published preparations"},
        never_negative=True,
        family=before_dash,
    ),
)
