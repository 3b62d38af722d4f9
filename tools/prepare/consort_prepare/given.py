"""What a bundle is made from, where that is more than one model. No LibTorch here: see bundle.py."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class WithPost:
    """Stands where a model's name stands: `post` takes what `model` gives. Both: a file, or MODULE:FUNCTION."""
    model: str
    post: str
