"""Small generated files of the exact layouts in which products are published."""
