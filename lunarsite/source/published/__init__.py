"""Published products, read as they are published: what a file says of itself is read from it, never written down."""
