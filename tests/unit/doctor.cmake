consort_test(doctor_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/doctor_test.cc DEPENDS consort_doctor)
