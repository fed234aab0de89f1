"""Private question answering over one's own PDFs, wholly on one's own machine."""

import os

# Idle threads of OpenBLAS (NumPy's and the one behind MLX) spin for 2^26 cycles before they sleep.
# An answer is thousands of small products with other work between them: on sixteen cores two thirds
# of its CPU time went there (benchmarks/LOG.md). Read when OpenBLAS is loaded: before NumPy is.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "8")
