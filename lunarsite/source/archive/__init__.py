"""Images of the sky from public archives, read page by page, and cut-outs of surveys of the same sky.

The only network here is `crawl`: polite, cached and bounded. What a page or an image says is decided by pure functions
of bytes. Addresses and hosts come from the table of products alone.
"""
