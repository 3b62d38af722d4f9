#include "worker/interpret/activation.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace consort {
namespace {

double Sigmoid(double x) {
  if (x >= 0) return 1 / (1 + std::exp(-x));
  const double e = std::exp(x);  // exp(-x) would overflow
  return e / (1 + e);
}

}  // namespace

Status CheckFinite(std::span<const float> raw) {
  const auto odd =
      std::find_if_not(raw.begin(), raw.end(), [](float x) { return std::isfinite(x); });
  if (odd == raw.end()) return Ok();
  return Error{"the model's score " + std::to_string(odd - raw.begin()) + " is " +
               (std::isnan(*odd) ? "not a number" : "infinite")};
}

void Activate(OutputSpec::Activation activation, std::span<const float> raw,
              std::span<float> scores) {
  using Activation = OutputSpec::Activation;
  if (activation == Activation::kNone) {
    std::copy(raw.begin(), raw.end(), scores.begin());
    return;
  }
  if (activation == Activation::kSigmoid) {
    std::transform(raw.begin(), raw.end(), scores.begin(),
                   [](float x) { return static_cast<float>(Sigmoid(x)); });
    return;
  }
  const double most = raw.empty() ? 0 : *std::max_element(raw.begin(), raw.end());
  double sum = 0;
  for (const float x : raw) sum += std::exp(x - most);
  const double log_sum = std::log(sum);
  std::transform(raw.begin(), raw.end(), scores.begin(), [&](float x) {
    const double log_score = x - most - log_sum;
    return static_cast<float>(activation == Activation::kSoftmax ? std::exp(log_score) : log_score);
  });
}

}  // namespace consort
