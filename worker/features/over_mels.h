// What is made of a power spectrum by way of mel filters.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "worker/features/features.h"
#include "worker/features/mel.h"
#include "worker/features/power_spectrum.h"

namespace consort {

// Features(manifest, filters, spectrum), whose spectrum is computed in Real and as long as the
// filters of `bank` take it.
template <typename Features, typename Real>
Result<std::unique_ptr<FeatureExtractor>> MakeOverMels(const Manifest& manifest,
                                                       const std::vector<float>& bank) {
  const FeatureSpec& spec = manifest.features;
  MelFilters filters(bank, spec.n_mels);
  CONSORT_TRY(auto spectrum,
              PowerSpectrum<Real>::Make(spec.n_fft, spec.power, filters.padded_bins()));
  return std::unique_ptr<FeatureExtractor>(
      std::make_unique<Features>(manifest, std::move(filters), std::move(spectrum)));
}

}  // namespace consort
