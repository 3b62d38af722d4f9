"""consort models: models to begin with, listed (catalog.py) and made (by tools/models/make)."""
