"""Exceptions: every misuse raises a `GradcError` that is also the builtin to expect.

::

  GradcError
      ShapeError (ValueError)      shapes or axes do not fit
      DTypeError (TypeError)       an element type that is not taken
      IndexRangeError (IndexError) an axis or index out of range
      ArgumentError (ValueError)   any other wrong argument
      ExpressionError (ValueError) text that is no expression
      GraphError (ValueError)      expressions of another or an ended trace
      ConcretizationError (TypeError)
                                   a traced value was asked for its number
      UnsupportedError (NotImplementedError)
                                   something pygradc does not differentiate
      OutOfMemoryError (MemoryError)
"""


class GradcError(Exception):
    """Base class of all errors of pygradc."""


class ShapeError(GradcError, ValueError):
    """Shapes or axes do not fit together."""


class DTypeError(GradcError, TypeError):
    """An operation does not take this element type."""


class IndexRangeError(GradcError, IndexError):
    """An axis or index is out of range."""


class ArgumentError(GradcError, ValueError):
    """An argument has a value that makes no sense."""


class ExpressionError(GradcError, ValueError):
    """A text is no expression that pygradc reads, or its operands do not fit."""


class GraphError(GradcError, ValueError):
    """An expression is used outside of the graph or trace it belongs to."""


class ConcretizationError(GradcError, TypeError):
    """A traced value was asked for a number it does not have or must not give."""


class UnsupportedError(GradcError, NotImplementedError):
    """pygradc cannot differentiate this."""


class OutOfMemoryError(GradcError, MemoryError):
    """The C library could not allocate memory."""
