"""A multiprocessing pool: soundfile, soxr, torch.stft, TorchScript; one process a core."""

import pool
import torchscript

if __name__ == "__main__":
    parser = pool.options(__doc__)
    torchscript.add_options(parser)
    pool.run(parser.parse_args(), torchscript.load)
