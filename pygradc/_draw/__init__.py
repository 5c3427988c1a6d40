"""`draw`: the data flow of a function as a picture, from its `Explanation`."""

from pygradc._draw.picture import Picture, draw

__all__ = ["Picture", "draw"]
