if(EXISTS ${CMAKE_SOURCE_DIR}/gateway/site/site.c) # plans look names up in the site's tables
    fuzz_target(plan jobgate_lines m)
endif()
