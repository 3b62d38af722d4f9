"""OpenVINO: one stream of one thread a core, in a pool of processes or (--threads) of threads."""

import pool


def settings(args, streams):
    return {"INFERENCE_PRECISION_HINT": args.precision, "NUM_STREAMS": str(streams),
            "INFERENCE_NUM_THREADS": str(streams), "PERFORMANCE_HINT": "THROUGHPUT" if streams > 1 else "LATENCY"}


_compiled = []  # one model a process


def load(args):
    # In threads: one compiled model with a stream a thread, and a request of its own for each.
    streams = args.workers if args.threads else 1
    if not _compiled:
        import openvino
        _compiled.append(openvino.Core().compile_model(args.model, "CPU", settings(args, streams)))
    request = _compiled[0].create_infer_request()

    def forward(features):
        request.infer([features.numpy()], share_inputs=True)
        return request.get_output_tensor(0).data.copy()

    return forward


if __name__ == "__main__":
    parser = pool.options(__doc__)
    parser.add_argument("--threads", action="store_true")
    parser.add_argument("--precision", choices=("f32", "bf16"), default="f32")
    pool.run(parser.parse_args(), load)
