#include "worker/main/worker_main.h"

#include <signal.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "shared/base/unique_fd.h"
#include "shared/bundle/check_bundle.h"
#include "shared/bundle/tag_choice.h"
#include "shared/channel/dump_request.h"
#include "worker/check/check_pipeline.h"
#include "worker/template/last_resort.h"
#include "worker/template/template.h"

namespace consort {

int WorkerMain(int argc, char** argv, MakeFactory make_factory) {
  // Before the first other thread, whoever starts it.
  const sigset_t requests = DumpRequestSet();
  sigprocmask(SIG_BLOCK, &requests, nullptr);
  // What a model prints is there when it crashes a moment later.
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  WorkerOptions options;
  bool as_template = false;
  CLI::App app("consort-worker: started by consort, not by hand (docs/architecture.md)");
  app.add_flag("--template", as_template, "Load the model, then fork workers on request")
      ->required();
  auto* check = app.add_option("--check", options.check_rate,
                               "No model: open files, for one that hears at this rate in Hz");
  app.add_option("--bundle", options.bundle, "Model bundle");
  app.add_option("--bundle-sha256", options.bundle_sha256, "What the bundle must be");
  app.add_option("--control-fd", options.control_fd, "Socket to the supervisor")->required();
  app.add_option("--arena-fd", options.arena_fd, "Sealed memory with the weights");
  app.add_option("--tags-fd", options.tags_fd, "What of the scores becomes tags");
  app.add_option("--supervisor-pid", options.supervisor, "Our parent")->required();
  app.add_option("--intra", options.intra, "LibTorch threads an engine");
  app.add_option("--engines", options.engines, "Engines of a worker");
  app.add_flag("--null", options.null, "No model: made-up tags, for tests and benchmarks");
  app.add_flag("--become", options.become, "Become the first worker instead of forking");
  CLI11_PARSE(app, argc, argv);

  if (!TieToParent(options.supervisor, "consort-tmpl")) return 1;
  RaiseOomScore(kTemplateOomScore);
  LeaveNoCore();
  // The arena holds the weights of the bundle that the job began with.
  Result<Bundle> bundle = check->empty() ? LoadBundleAgain(options.bundle, options.bundle_sha256)
                                         : CheckBundle(options.check_rate);
  if (!bundle) FailAsTemplate(options.control_fd, bundle.error());
  if (options.tags_fd >= 0) {
    const UniqueFd tags(options.tags_fd);
    const Status chosen =
        ReadTagChoice(tags.get(), bundle.value().labels.size(), bundle.value().manifest.output);
    if (!chosen) FailAsTemplate(options.control_fd, chosen.error());
  }
  Result<std::unique_ptr<PipelineFactory>> factory =
      check->empty() ? make_factory(bundle.value(), options)
                     : std::make_unique<CheckPipelineFactory>(bundle.value());
  if (!factory) FailAsTemplate(options.control_fd, factory.error());
  TemplateLife life;
  life.control = UniqueFd(options.control_fd);
  life.supervisor = options.supervisor;
  life.intra = options.intra;
  life.become = options.become;
  life.factory = factory.value().get();
  LiveAsTemplate(std::move(life));
}

}  // namespace consort
