"""What went wrong, in one factual clause, and what to do about it."""


class PrepareError(Exception):
    def __init__(self, what, hint=""):
        super().__init__(what)
        self.what = what
        self.hint = hint

    def sentence(self):
        line = f"{self.what}; {self.hint}" if self.hint else self.what
        return " ".join(line.split())  # one line, whatever a library put into its message
