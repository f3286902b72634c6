"""Where roots and templates live."""
