"""KDD Cup 1999 (10 % file), its reversed variant, and NSL-KDD.

The files have no header. In KDD10 four of five rows are attacks, so publications since
DAGMM take the attacks as the normal class and look for normal traffic: the label is
REVERSED. KDDRev puts that right by keeping fewer attacks, a quarter of the normal rows.
"""

from __future__ import annotations

from dataclasses import replace

from whitecrow.data.prepare.layout import Layout

__all__ = ["LAYOUTS"]

# fmt: off
FEATURES = (
    "duration", "protocol_type", "service", "flag", "src_bytes", "dst_bytes", "land",
    "wrong_fragment", "urgent", "hot", "num_failed_logins", "logged_in",
    "num_compromised", "root_shell", "su_attempted", "num_root", "num_file_creations",
    "num_shells", "num_access_files", "num_outbound_cmds", "is_host_login",
    "is_guest_login", "count", "srv_count", "serror_rate", "srv_serror_rate",
    "rerror_rate", "srv_rerror_rate", "same_srv_rate", "diff_srv_rate",
    "srv_diff_host_rate", "dst_host_count", "dst_host_srv_count",
    "dst_host_same_srv_rate", "dst_host_diff_srv_rate", "dst_host_same_src_port_rate",
    "dst_host_srv_diff_host_rate", "dst_host_serror_rate", "dst_host_srv_serror_rate",
    "dst_host_rerror_rate", "dst_host_srv_rerror_rate",
)
# fmt: on
FAMILIES = {
    "dos": "apache2 back land mailbomb neptune pod processtable smurf teardrop "
    "udpstorm",
    "probe": "ipsweep mscan nmap portsweep saint satan",
    "r2l": "ftp_write guess_passwd httptunnel imap multihop named phf sendmail "
    "snmpgetattack snmpguess spy warezclient warezmaster worm xlock xsnoop",
    "u2r": "buffer_overflow loadmodule perl ps rootkit sqlattack xterm",
}
_FAMILY_OF = {
    name: family for family, all_ in FAMILIES.items() for name in all_.split()
}


def attack(text: str) -> str:
    """Return the name of an attack, without the dot that ends the original labels."""
    return text.rstrip(".").lower()


def family(name: str) -> str:
    """Return one of the four families of attacks; an unknown name is its own family."""
    return _FAMILY_OF.get(name, name)


KDD10 = Layout(
    name="kdd10",
    title="KDD Cup 1999, 10 % file",
    aliases=("kddcup99",),
    source="https://kdd.ics.uci.edu/databases/kddcup99/kddcup99.html "
    "(kddcup.data_10_percent.gz)",
    files="kddcup.data_10_percent.gz",
    here=("kddcup99_10percent",),
    label="label",
    normal="normal",
    anomaly="normal",
    names=(*FEATURES, "label"),
    required=FEATURES,
    symbolic=(
        *("protocol_type", "service", "flag", "land", "logged_in"),
        *("is_host_login", "is_guest_login"),
    ),
    attack=attack,
    family=family,
)

LAYOUTS = (
    KDD10,
    replace(
        KDD10,
        name="kddrev",
        title="KDDRev: KDD Cup 1999, 10 % file, attacks thinned out",
        aliases=(),
        anomaly="attack",
        attacks_per_normal=0.25,
    ),
    replace(
        KDD10,
        name="nsl_kdd",
        title="NSL-KDD",
        aliases=(),
        source="https://www.unb.ca/cic/datasets/nsl.html (after a form; KDDTrain+.txt "
        "and KDDTest+.txt)",
        files="KDDTrain+.txt KDDTest+.txt",
        here=("nsl_kdd_train_binary", "nsl_kdd_test"),
        anomaly="attack",
        names=(*FEATURES, "label", "difficulty"),
        drop={"difficulty": "how many classifiers got the row right is no feature"},
        splits=True,
    ),
)
