"""What this machine computes with: device, the MLX thread, BLAS, patched imports."""
