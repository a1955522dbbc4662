"""What the design claims about speed and search, measured: ``python -m benchmarks.evaluator`` and ``.refinement``.

One thread of BLAS, so that processor time is comparable from method to method.
"""

import os

for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")
