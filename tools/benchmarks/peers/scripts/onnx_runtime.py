"""ONNX Runtime: one session a core, in a pool of processes or (--threads) of threads."""

import pool


def load(args):
    import onnxruntime
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    settings.inter_op_num_threads = 1
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    settings.add_session_config_entry("session.set_denormal_as_zero", "1")
    session = onnxruntime.InferenceSession(args.model, settings, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda features: session.run(None, {name: features.numpy()})[0]


if __name__ == "__main__":
    parser = pool.options(__doc__)
    parser.add_argument("--threads", action="store_true")
    pool.run(parser.parse_args(), load)
