#include "supervisor/tune/surface.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace consort {
namespace {

// Strengths are standard deviations of logarithms: 0.1 is about 10 %.
constexpr double kLevel = 3;    // the factor common to all: nothing is known
constexpr double kOwn = 0.008;  // what is each split's own
constexpr double kSmooth[] = {0.03, 0.1, 0.3};
constexpr double kNoise[] = {0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16};
constexpr double kDrift[] = {0.002, 0.015, 0.06, 0.2};
// What is likely before anything was measured, and how far that may be off (factor e).
constexpr double kLikelySmooth = 0.1;
constexpr double kLikelyNoise = 0.012;
constexpr double kLikelyDrift = 0.015;
// Over how much of log2 a smooth factor changes.
constexpr double kTotalScale = 0.8;
constexpr double kThreadsScale = 1.6;
constexpr double kIntraScale = 1.0;
constexpr double kDriftSeconds = 120;

double Square(double x) { return x * x; }

double Bell(double distance, double scale) { return std::exp(-0.5 * Square(distance / scale)); }

using Matrix = std::vector<std::vector<double>>;

// In place: a symmetric positive matrix's lower triangle becomes L, L·Lᵀ being the matrix. What
// rounding makes negative counts as next to nothing.
void Cholesky(Matrix& a) {
  for (size_t i = 0; i < a.size(); ++i) {
    for (size_t j = 0; j <= i; ++j) {
      double sum = a[i][j];
      for (size_t k = 0; k < j; ++k) sum -= a[i][k] * a[j][k];
      a[i][j] = i == j ? std::sqrt(std::max(sum, 1e-12)) : sum / a[j][j];
    }
  }
}

// In place: b becomes L⁻¹·b.
void SolveLower(const Matrix& root, std::vector<double>& b) {
  for (size_t i = 0; i < b.size(); ++i) {
    for (size_t k = 0; k < i; ++k) b[i] -= root[i][k] * b[k];
    b[i] /= root[i][i];
  }
}

double Dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

Surface::Surface(std::vector<Point> points, Drift drift)
    : points_(std::move(points)), drift_(drift) {}

void Surface::Add(size_t point, double value, double error, double at_s) {
  measured_.push_back({point, value, error, at_s});
}

double Surface::Between(size_t a, size_t b, const Strengths& strengths) const {
  const Point& one = points_[a];
  const Point& other = points_[b];
  const double by_total = Bell(one.total - other.total, kTotalScale);
  const double by_threads = Bell(one.threads - other.threads, kThreadsScale);
  const double by_intra = Bell(one.intra - other.intra, kIntraScale);
  // Mostly a sum of two effects: what one row tells about threads holds for the other rows, too.
  const double smooth =
      by_intra * (0.5 * by_total + 0.35 * by_threads + 0.15 * by_total * by_threads);
  return Square(kLevel) + Square(strengths.smooth) * smooth + (a == b ? Square(kOwn) : 0);
}

Surface::Matrix Surface::Root(const Strengths& strengths) const {
  Matrix covariance(measured_.size());
  for (size_t i = 0; i < measured_.size(); ++i) {
    const Measured& one = measured_[i];
    covariance[i].resize(i + 1);
    for (size_t j = 0; j <= i; ++j) {
      const Measured& other = measured_[j];
      double& value = covariance[i][j] = Between(one.point, other.point, strengths);
      if (drift_ == Drift::kYes) {
        value +=
            Square(strengths.drift) * std::exp(-std::fabs(one.at_s - other.at_s) / kDriftSeconds);
      }
    }
    covariance[i][i] += Square(strengths.noise) + Square(one.error);
  }
  Cholesky(covariance);
  return covariance;
}

std::vector<double> Surface::BeyondGuesses(const Matrix& root) const {
  std::vector<double> rest(measured_.size());
  for (size_t i = 0; i < measured_.size(); ++i) {
    rest[i] = measured_[i].value - points_[measured_[i].point].guess;
  }
  SolveLower(root, rest);
  return rest;
}

double Surface::LogLikelihood(const Strengths& strengths) const {
  const Matrix root = Root(strengths);
  const std::vector<double> rest = BeyondGuesses(root);
  double log_determinant = 0;
  for (size_t i = 0; i < root.size(); ++i) log_determinant += std::log(root[i][i]);
  return -0.5 * Dot(rest, rest) - log_determinant -
         0.5 * Square(std::log(strengths.noise / kLikelyNoise)) -
         0.5 * Square(std::log(strengths.smooth / kLikelySmooth)) -
         0.5 * Square(std::log(strengths.drift / kLikelyDrift));
}

void Surface::Fit() {
  Strengths best{kLikelySmooth, kLikelyNoise, kLikelyDrift};
  double most = -std::numeric_limits<double>::infinity();
  for (const double smooth : kSmooth) {
    for (const double noise : kNoise) {
      for (const double drift : kDrift) {
        const Strengths tried{smooth, noise, drift};
        const double likely = LogLikelihood(tried);
        if (likely > most) {
          most = likely;
          best = tried;
        }
        if (drift_ == Drift::kNo) break;
      }
    }
  }
  const Matrix root = Root(best);
  const std::vector<double> rest = BeyondGuesses(root);
  // L⁻¹ · covariance of the measurements with each point.
  Matrix seen(points_.size());
  mean_.resize(points_.size());
  for (size_t point = 0; point < points_.size(); ++point) {
    seen[point].resize(measured_.size());
    for (size_t i = 0; i < measured_.size(); ++i) {
      seen[point][i] = Between(point, measured_[i].point, best);
    }
    SolveLower(root, seen[point]);
    mean_[point] = points_[point].guess + Dot(seen[point], rest);
  }
  root_.assign(points_.size(), {});
  for (size_t a = 0; a < points_.size(); ++a) {
    root_[a].resize(a + 1);
    for (size_t b = 0; b <= a; ++b) {
      root_[a][b] = Between(a, b, best) - Dot(seen[a], seen[b]);
    }
  }
  Cholesky(root_);
}

std::vector<double> Surface::Draw(std::mt19937_64& random) const {
  std::normal_distribution<double> normal;
  std::vector<double> independent(points_.size());
  for (double& it : independent) it = normal(random);
  std::vector<double> drawn = mean_;
  for (size_t i = 0; i < drawn.size(); ++i) {
    for (size_t k = 0; k <= i; ++k) drawn[i] += root_[i][k] * independent[k];
  }
  return drawn;
}

}  // namespace consort
