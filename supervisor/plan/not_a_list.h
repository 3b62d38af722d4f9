// What is named like a list and is something that consort wrote: a slip of the finger, by which
// each of its lines would become a file that is not found.
#pragma once

#include <string>
#include <string_view>

#include "shared/base/result.h"

namespace consort {

// By its first line, or what is known of it: results, or a format that they were exported to.
// `shown` begins the sentence.
Status CheckIsList(std::string_view first_line, const std::string& shown);

// The same of the file at `path`, and whether it is one of those in a job's folder. What is no
// regular file is not looked at, nor what cannot be read: reading the list will tell.
Status CheckFileIsList(const std::string& path);

}  // namespace consort
