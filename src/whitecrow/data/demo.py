"""The data of `whitecrow demo`: real, shipped with scikit-learn, written as a CSV file.

Breast Cancer Wisconsin (Diagnostic): cell nuclei of benign and malignant tumours. 37 %
are malignant in the original; here every eleventh of these is kept, which leaves a
share (5 %) at which one would look for anomalies.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["ANOMALY", "LABEL_COLUMN", "write"]

LABEL_COLUMN, ANOMALY = "diagnosis", "malignant"

_KEEP_EVERY = 11


def write(path: str | Path) -> None:
    """Write the table with a header row; one row a tumour, `diagnosis` last.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write(Path(folder, "tumours.csv"))
    ...     len(Path(folder, "tumours.csv").read_text().splitlines())
    378
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer()
    malignant = bunch.target == 0
    nth = np.cumsum(malignant) % _KEEP_EVERY
    keep = ~malignant | (nth == 1)
    columns = {
        str(name).replace(" ", "_"): values
        for name, values in zip(bunch.feature_names, bunch.data[keep].T, strict=True)
    }
    columns[LABEL_COLUMN] = np.where(malignant[keep], ANOMALY, "benign")
    pa.csv.write_csv(pa.table(columns), str(path))
