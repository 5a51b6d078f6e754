"""Public names for type checkers and editors; at run time `__init__.py` is lazy.

One line a name, beside its line in `__init__.py`: a test compares the two.
"""

from whitecrow import active as active
from whitecrow import data as data
from whitecrow import errors as errors
from whitecrow import labels as labels
from whitecrow import metrics as metrics
from whitecrow import supervision as supervision
from whitecrow.data.kinds.table import TableEncoder as TableEncoder
from whitecrow.detectors.alad import ALAD as ALAD
from whitecrow.detectors.autoencoder import AutoEncoder as AutoEncoder
from whitecrow.detectors.bce import BCE as BCE
from whitecrow.detectors.dagmm import DAGMM as DAGMM
from whitecrow.detectors.deep_sad import DeepSAD as DeepSAD
from whitecrow.detectors.deep_sad_oe import DeepSADOE as DeepSADOE
from whitecrow.detectors.deep_svdd import DeepSVDD as DeepSVDD
from whitecrow.detectors.drocc import DROCC as DROCC
from whitecrow.detectors.dsebm import DSEBM as DSEBM
from whitecrow.detectors.duad import DUAD as DUAD
from whitecrow.detectors.ecod import ECOD as ECOD
from whitecrow.detectors.focal import Focal as Focal
from whitecrow.detectors.gmm import GMM as GMM
from whitecrow.detectors.goad import GOAD as GOAD
from whitecrow.detectors.hbos import HBOS as HBOS
from whitecrow.detectors.hsc import HSC as HSC
from whitecrow.detectors.isolation_forest import IsolationForest as IsolationForest
from whitecrow.detectors.kde import KDE as KDE
from whitecrow.detectors.knn import KNN as KNN
from whitecrow.detectors.lof import LOF as LOF
from whitecrow.detectors.mem_ae import MemAE as MemAE
from whitecrow.detectors.mhrot import MHRot as MHRot
from whitecrow.detectors.neutral_ad import NeuTraLAD as NeuTraLAD
from whitecrow.detectors.ocsvm import OCSVM as OCSVM
from whitecrow.detectors.padim import PaDiM as PaDiM
from whitecrow.detectors.pca import PCA as PCA
from whitecrow.detectors.rec_forest import RecForest as RecForest
from whitecrow.detectors.robust_autoencoder import (
    RobustAutoEncoder as RobustAutoEncoder,
)
from whitecrow.detectors.som_dagmm import SOMDAGMM as SOMDAGMM
from whitecrow.registry import methods as methods
from whitecrow.registry import register as register
from whitecrow.result import Result as Result
from whitecrow.result import detect as detect
from whitecrow.saving import load as load
from whitecrow.wrappers.consensus import Consensus as Consensus
from whitecrow.wrappers.exposure import Exposure as Exposure
from whitecrow.wrappers.loe import LOE as LOE
from whitecrow.wrappers.normals_only import NormalsOnly as NormalsOnly
from whitecrow.wrappers.soel import SOEL as SOEL
from whitecrow.wrappers.supervised import Supervised as Supervised
from whitecrow.wrappers.wrapped import wrap as wrap

__version__: str
