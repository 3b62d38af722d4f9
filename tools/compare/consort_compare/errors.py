"""What went wrong, in one factual clause, and what to do about it."""


class CompareError(Exception):
    """Ends the comparison: exit status 1."""

    def __init__(self, what, hint=""):
        super().__init__(what)
        self.what = what
        self.hint = hint

    def sentence(self):
        line = f"{self.what}; {self.hint}" if self.hint else self.what
        return " ".join(line.split())


class PointFailed(Exception):
    """One point could not be measured; the others go on. The text is a clause for the report."""


class Interrupted(Exception):
    """A signal asked us to stop."""

    def __init__(self, number):
        super().__init__(f"signal {number}")
        self.number = number
