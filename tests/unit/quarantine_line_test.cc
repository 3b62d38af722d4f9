#include <gtest/gtest.h>

#include "supervisor/output/quarantine_line.h"

namespace consort {
namespace {

TEST(QuarantineLine, TellsAllThatIsKnownInAFixedOrder) {
  QuarantineEntry entry;
  entry.file = "a\\u0001.wav";  // escaped before
  entry.place = {.segment = 3, .start_ms = 9000, .sample = 432000};
  entry.stage = "forward";
  entry.signal = "SIGSEGV";
  entry.deaths = 3;
  entry.message = "the worker was ended";
  entry.log = {"one", "say \"two\"\t"};
  entry.time = "2026-11-26T11:48:05Z";
  EXPECT_EQ(QuarantineLine(entry),
            "{\"file\":\"a\\u0001.wav\",\"segment\":3,\"start\":9.000,\"sample\":432000,"
            "\"stage\":\"forward\",\"signal\":\"SIGSEGV\",\"deaths\":3,"
            "\"message\":\"the worker was ended\",\"log\":[\"one\",\"say \\\"two\\\"\\t\"],"
            "\"time\":\"2026-11-26T11:48:05Z\"}\n");
}

TEST(QuarantineLine, SaysWhichChannelBehindTheFile) {
  QuarantineEntry entry;
  entry.file = "a.wav";
  entry.place = {.channel = 2, .segment = 3, .start_ms = 9000, .sample = 432000};
  EXPECT_TRUE(QuarantineLine(entry).starts_with(
      "{\"file\":\"a.wav\",\"channel\":2,\"segment\":3,\"start\":9.000,"));
}

TEST(QuarantineLine, LeavesOutThePlaceInAFileThatCouldNotBeOpened) {
  QuarantineEntry entry;
  entry.file = "a.wav";
  entry.exit_code = 7;
  EXPECT_EQ(QuarantineLine(entry),
            "{\"file\":\"a.wav\",\"stage\":\"\",\"exit\":7,\"deaths\":0,\"message\":\"\","
            "\"log\":[],\"time\":\"\"}\n");
}

TEST(QuarantineLine, IsUtf8WhateverTheWorkerWrote) {
  QuarantineEntry entry;
  entry.log = {
      "\xff\x80"
      "ä\xe2\x82"};
  EXPECT_NE(QuarantineLine(entry).find("[\"\uFFFD\uFFFDä\uFFFD\uFFFD\"]"), std::string::npos);
}

}  // namespace
}  // namespace consort
