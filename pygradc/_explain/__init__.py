"""`explain`: a derivative in four steps, from the graph that is executed."""

from pygradc._explain.build import explain
from pygradc._explain.model import Explanation

__all__ = ["Explanation", "explain"]
