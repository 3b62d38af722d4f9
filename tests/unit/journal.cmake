consort_test(journal_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/journal_test.cc DEPENDS consort_journal)
consort_test(journal_folder_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/journal_folder_test.cc DEPENDS consort_journal)
consort_test(dispatch_resume_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/dispatch_resume_test.cc
             DEPENDS consort_dispatch consort_gather)
