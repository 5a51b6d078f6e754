"""Small files in the layouts of the original ones, quirks of their headers included."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

_IDS2017 = (
    " Destination Port, Flow Duration, Total Fwd Packets, Total Backward Packets,"
    "Total Length of Fwd Packets, Total Length of Bwd Packets, Fwd Packet Length Max,"
    " Fwd Packet Length Min, Fwd Packet Length Mean, Fwd Packet Length Std,"
    "Bwd Packet Length Max, Bwd Packet Length Min, Bwd Packet Length Mean,"
    " Bwd Packet Length Std,Flow Bytes/s, Flow Packets/s, Flow IAT Mean,"
    " Flow IAT Std, Flow IAT Max, Flow IAT Min,Fwd IAT Total, Fwd IAT Mean,"
    " Fwd IAT Std, Fwd IAT Max, Fwd IAT Min,Bwd IAT Total, Bwd IAT Mean, Bwd IAT Std,"
    " Bwd IAT Max, Bwd IAT Min,Fwd PSH Flags, Bwd PSH Flags, Fwd URG Flags,"
    " Bwd URG Flags, Fwd Header Length, Bwd Header Length,Fwd Packets/s,"
    " Bwd Packets/s, Min Packet Length, Max Packet Length, Packet Length Mean,"
    " Packet Length Std, Packet Length Variance,FIN Flag Count, SYN Flag Count,"
    " RST Flag Count, PSH Flag Count, ACK Flag Count, URG Flag Count, CWE Flag Count,"
    " ECE Flag Count, Down/Up Ratio, Average Packet Size, Avg Fwd Segment Size,"
    " Avg Bwd Segment Size, Fwd Header Length,Fwd Avg Bytes/Bulk,"
    " Fwd Avg Packets/Bulk, Fwd Avg Bulk Rate, Bwd Avg Bytes/Bulk,"
    " Bwd Avg Packets/Bulk,Bwd Avg Bulk Rate,Subflow Fwd Packets, Subflow Fwd Bytes,"
    " Subflow Bwd Packets, Subflow Bwd Bytes,Init_Win_bytes_forward,"
    " Init_Win_bytes_backward, act_data_pkt_fwd, min_seg_size_forward,Active Mean,"
    " Active Std, Active Max, Active Min,Idle Mean, Idle Std, Idle Max, Idle Min,"
    " Label"
)
_IDS2018 = (
    "Dst Port,Protocol,Timestamp,Flow Duration,Tot Fwd Pkts,Tot Bwd Pkts,"
    "TotLen Fwd Pkts,TotLen Bwd Pkts,Fwd Pkt Len Max,Fwd Pkt Len Min,"
    "Fwd Pkt Len Mean,Fwd Pkt Len Std,Bwd Pkt Len Max,Bwd Pkt Len Min,"
    "Bwd Pkt Len Mean,Bwd Pkt Len Std,Flow Byts/s,Flow Pkts/s,Flow IAT Mean,"
    "Flow IAT Std,Flow IAT Max,Flow IAT Min,Fwd IAT Tot,Fwd IAT Mean,Fwd IAT Std,"
    "Fwd IAT Max,Fwd IAT Min,Bwd IAT Tot,Bwd IAT Mean,Bwd IAT Std,Bwd IAT Max,"
    "Bwd IAT Min,Fwd PSH Flags,Bwd PSH Flags,Fwd URG Flags,Bwd URG Flags,"
    "Fwd Header Len,Bwd Header Len,Fwd Pkts/s,Bwd Pkts/s,Pkt Len Min,Pkt Len Max,"
    "Pkt Len Mean,Pkt Len Std,Pkt Len Var,FIN Flag Cnt,SYN Flag Cnt,RST Flag Cnt,"
    "PSH Flag Cnt,ACK Flag Cnt,URG Flag Cnt,CWE Flag Count,ECE Flag Cnt,"
    "Down/Up Ratio,Pkt Size Avg,Fwd Seg Size Avg,Bwd Seg Size Avg,Fwd Byts/b Avg,"
    "Fwd Pkts/b Avg,Fwd Blk Rate Avg,Bwd Byts/b Avg,Bwd Pkts/b Avg,Bwd Blk Rate Avg,"
    "Subflow Fwd Pkts,Subflow Fwd Byts,Subflow Bwd Pkts,Subflow Bwd Byts,"
    "Init Fwd Win Byts,Init Bwd Win Byts,Fwd Act Data Pkts,Fwd Seg Size Min,"
    "Active Mean,Active Std,Active Max,Active Min,Idle Mean,Idle Std,Idle Max,"
    "Idle Min,Label"
)
_MALMEM = (
    "Category,pslist.nproc,pslist.nppid,pslist.avg_threads,pslist.nprocs64bit,"
    "pslist.avg_handlers,dlllist.ndlls,dlllist.avg_dlls_per_proc,handles.nhandles,"
    "handles.avg_handles_per_proc,handles.nport,handles.nfile,handles.nevent,"
    "handles.ndesktop,handles.nkey,handles.nthread,handles.ndirectory,"
    "handles.nsemaphore,handles.ntimer,handles.nsection,handles.nmutant,"
    "ldrmodules.not_in_load,ldrmodules.not_in_init,ldrmodules.not_in_mem,"
    "ldrmodules.not_in_load_avg,ldrmodules.not_in_init_avg,ldrmodules.not_in_mem_avg,"
    "malfind.ninjections,malfind.commitCharge,malfind.protection,"
    "malfind.uniqueInjections,psxview.not_in_pslist,psxview.not_in_eprocess_pool,"
    "psxview.not_in_ethread_pool,psxview.not_in_pspcid_list,"
    "psxview.not_in_csrss_handles,psxview.not_in_session,psxview.not_in_deskthrd,"
    "psxview.not_in_pslist_false_avg,psxview.not_in_eprocess_pool_false_avg,"
    "psxview.not_in_ethread_pool_false_avg,psxview.not_in_pspcid_list_false_avg,"
    "psxview.not_in_csrss_handles_false_avg,psxview.not_in_session_false_avg,"
    "psxview.not_in_deskthrd_false_avg,modules.nmodules,svcscan.nservices,"
    "svcscan.kernel_drivers,svcscan.fs_drivers,svcscan.process_services,"
    "svcscan.shared_process_services,svcscan.interactive_process_services,"
    "svcscan.nactive,callbacks.ncallbacks,callbacks.nanonymous,callbacks.ngeneric,"
    "Class"
)
IDS2017 = _IDS2017.split(",")
IDS2018 = _IDS2018.split(",")
MALMEM = _MALMEM.split(",")

CONSTANT = {
    *("Bwd PSH Flags", "Bwd URG Flags", "Fwd Avg Bytes/Bulk", "Fwd Avg Packets/Bulk"),
    *("Fwd Avg Bulk Rate", "Bwd Avg Bytes/Bulk", "Bwd Avg Packets/Bulk"),
    *("Bwd Avg Bulk Rate", "Fwd Byts/b Avg", "Fwd Pkts/b Avg", "Fwd Blk Rate Avg"),
    *("Bwd Byts/b Avg", "Bwd Pkts/b Avg", "Bwd Blk Rate Avg", "pslist.nprocs64bit"),
    *("handles.nport", "svcscan.interactive_process_services"),
}
WINDOWS = ("Init_Win_bytes_forward", "Init_Win_bytes_backward")
WINDOWS += ("Init Fwd Win Byts", "Init Bwd Win Byts")
TEXTS = {
    "Timestamp": "16/02/2018 08:31:01",
    "Flow ID": "172.31.69.25-94.231.103.172-22-45498-6",
    "Src IP": "94.231.103.172",
    "Dst IP": "172.31.69.25",
}


class Flows:
    """A table of text cells that a test can spoil before it is written."""

    def __init__(self, header: list[str], labels: list[str], seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.header = header
        self.names = [name.strip() for name in header]
        self.rows = [self._row(rng, label) for label in labels]

    def _row(self, rng: np.random.Generator, label: str) -> list[str]:
        malware = "Benign" if label == "Benign" else "Malware"
        fixed = {"Label": label, "Category": label, "Class": malware} | TEXTS
        fixed |= dict.fromkeys(CONSTANT, "0")
        fixed |= {name: str(rng.choice([-1, 8192])) for name in WINDOWS}
        return [fixed.get(name, f"{rng.gamma(2, 500):.6g}") for name in self.names]

    def put(self, row: int, name: str, value: str) -> None:
        self.rows[row][self.names.index(name)] = value

    def text(self, *, repeat_header_before: tuple[int, ...] = ()) -> str:
        lines = [",".join(self.header)]
        for number, row in enumerate(self.rows):
            if number in repeat_header_before:
                lines.append(",".join(self.header))
            lines.append(",".join(row))
        return "\n".join(lines) + "\n"


def kdd_lines(labels: list[str], *, seed: int = 0, difficulty: bool = False) -> str:
    """Rows of KDD Cup 1999 or NSL-KDD: no header."""
    rng = np.random.default_rng(seed)
    lines = []
    for label in labels:
        numbers = [str(n) for n in rng.integers(0, 50, 18)]
        numbers[15], numbers[16] = "0", "0"  # num_outbound_cmds, is_host_login
        numbers[2], numbers[7] = str(rng.integers(0, 2)), str(rng.integers(0, 2))
        numbers[17] = str(rng.integers(0, 2))
        rates = [f"{rate:.2f}" for rate in rng.random(19)]
        symbols = [
            rng.choice(["tcp", "udp"]),
            rng.choice(["http", "smtp", "private"]),
            rng.choice(["SF", "S0"]),
        ]
        row = [str(rng.integers(0, 9)), *symbols, *numbers, *rates, label]
        lines.append(",".join([*row, "21"] if difficulty else row))
    return "\n".join(lines) + "\n"


def gz(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()))
    return path
