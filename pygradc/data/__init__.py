"""Tables shipped with pygradc; each has its origin and licence beside it."""
