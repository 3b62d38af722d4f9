"""Ray actors, one a core: soundfile, soxr, torch.stft, TorchScript."""

import os
import tempfile

# What Ray says of itself belongs to nobody's results.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import ray  # noqa: E402
from ray.util import ActorPool  # noqa: E402

import pool  # noqa: E402
import torchscript  # noqa: E402


@ray.remote(num_cpus=1)
class Actor:
    def __init__(self, args):
        self.worker = pool.make_worker(torchscript.load, args)
        self.worker.warm_up()

    def ready(self):
        return True

    def work(self, paths):
        return self.worker(paths)


def main():
    parser = pool.options(__doc__)
    torchscript.add_options(parser)
    args = parser.parse_args()
    here = os.path.dirname(os.path.abspath(__file__))
    with tempfile.TemporaryDirectory(prefix="bench-ray-", ignore_cleanup_errors=True) as folder:
        ray.init(num_cpus=args.workers, include_dashboard=False, logging_level="error", log_to_driver=False,
                 object_store_memory=100 << 20, _temp_dir=folder,
                 runtime_env={"env_vars": {"PYTHONPATH": here, "OMP_NUM_THREADS": "1"}})
        actors = [Actor.remote(args) for _ in range(args.workers)]
        ray.get([it.ready.remote() for it in actors])
        pool.tell("ready")
        pool.write(args, feed(actors, pool.chunks(args)))
        ray.shutdown()


def feed(actors, chunks):
    """Two chunks ahead of each actor, so that none waits for the driver."""
    return ActorPool(actors * 2).map(lambda actor, paths: actor.work.remote(paths), chunks)


if __name__ == "__main__":
    main()
