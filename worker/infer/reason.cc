#include "worker/infer/reason.h"

#include <c10/util/Exception.h>

#include <new>
#include <string_view>

namespace consort {

std::string Reason(const std::exception& trouble) {
  const auto* torch_error = dynamic_cast<const c10::Error*>(&trouble);
  std::string text = torch_error ? torch_error->what_without_backtrace() : trouble.what();
  if (text.starts_with("The following operation failed in the TorchScript interpreter")) {
    // Last is "RuntimeError: …" of LibTorch, which may have more lines, or the one line
    // "builtins.ValueError: …" of a `raise` in the model.
    const auto marked = text.rfind("\nRuntimeError: ");
    text.erase(text.find_last_not_of(" \n") + 1);
    text.erase(0, marked != std::string::npos ? marked : text.rfind('\n') + 1);
  }
  text.erase(0, text.find_first_not_of(" \n"));
  return text.substr(0, text.find('\n'));
}

bool IsOutOfMemory(const std::exception& trouble) {
  if (dynamic_cast<const std::bad_alloc*>(&trouble) != nullptr) return true;
  // LibTorch and compiled code pass it on as an error of their own: its words are what is left.
  const std::string_view words = trouble.what();
  // The last: where not even the words of an error could be put together.
  for (const char* sign :
       {"DefaultCPUAllocator: ", "std::bad_alloc", "<Error computing Error::what()>"}) {
    if (words.find(sign) != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace consort
