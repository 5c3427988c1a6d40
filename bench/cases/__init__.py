"""The cases, in files by idea; importing this registers them all."""

from bench.cases import arrays, kernels, learning, order, scalar, science  # noqa: F401
