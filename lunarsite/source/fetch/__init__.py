"""Downloads of published products: the only place, beside the archives of images, that opens a connection."""
