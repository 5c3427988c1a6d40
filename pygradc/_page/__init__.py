"""The interactive page of an explanation: what it shows, what it evaluates."""

from pygradc._page.page import page

__all__ = ["page"]
