// What `--help` prints. Written by hand to be read; a test holds it to the options that exist.
#pragma once

namespace consort {

extern const char kMainHelp[];
extern const char kRunHelp[];
extern const char kCheckHelp[];
extern const char kTuneHelp[];
extern const char kStatusHelp[];
extern const char kExportHelp[];
extern const char kDoctorHelp[];

}  // namespace consort
