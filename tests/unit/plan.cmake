if(EXISTS ${CMAKE_SOURCE_DIR}/gateway/site/site.c) # plans look names up in the site's tables
    unit_test(plan jobgate_lines m)
    unit_test(plan_method jobgate_lines m)
endif()
