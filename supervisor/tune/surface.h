// One quantity of every split (segments a second, p95, memory), as it is believed to be after some
// noisy measurements: a normal distribution of logarithms, so that ratios count.
//
// What is believed before: the guess, times a factor common to all splits (nothing is known of it),
// times a factor that changes smoothly with the total of threads and with threads a process, times
// a little that is each split's own. A measurement is that, times a drift of the machine that all
// splits share and that changes with time, times noise. So a repeat weighs with the others by its
// standard error, neighbours tell about each other, and whoever is measured later is not favoured
// by a machine that grows slower or faster. (This is a Gaussian process with a kernel for each
// factor.) How strong factors, drift and noise are is found by maximum likelihood among a few
// strengths.
#pragma once

#include <cstddef>
#include <random>
#include <vector>

namespace consort {

class Surface {
 public:
  // A split's place: logarithms to base 2.
  struct Point {
    double total = 0;    // threads at work in all
    double threads = 0;  // engines a process
    double intra = 0;    // LibTorch threads an engine
    double guess = 0;    // natural logarithm
  };
  enum class Drift { kNo, kYes };  // memory does not drift

  Surface(std::vector<Point> points, Drift drift);

  // `value`: natural logarithm. `error`: its relative standard error within the trial; what varies
  // from trial to trial is found here. `at_s`: when, by any clock.
  void Add(size_t point, double value, double error, double at_s);

  // Finds what is believed now. Again after further measurements.
  void Fit();
  // After Fit. Logarithms; differences between splits are what is sure, the common factor is of the
  // measurements' mean time.
  const std::vector<double>& mean() const { return mean_; }
  // One of the surfaces that may be true.
  std::vector<double> Draw(std::mt19937_64& random) const;

 private:
  struct Strengths {
    double smooth, noise, drift;
  };
  struct Measured {
    size_t point;
    double value, error, at_s;
  };
  using Matrix = std::vector<std::vector<double>>;  // lower triangles

  double Between(size_t a, size_t b, const Strengths& strengths) const;
  // The root of the measurements' covariance.
  Matrix Root(const Strengths& strengths) const;
  // L⁻¹ · (what was measured − what was guessed).
  std::vector<double> BeyondGuesses(const Matrix& root) const;
  double LogLikelihood(const Strengths& strengths) const;

  std::vector<Point> points_;
  Drift drift_;
  std::vector<Measured> measured_;
  std::vector<double> mean_;
  Matrix root_;  // of the covariance of what is believed
};

}  // namespace consort
