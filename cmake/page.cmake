# The status page's files stand inside the program.
file(GLOB page_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/gateway/links/page/*.html
    ${CMAKE_SOURCE_DIR}/gateway/links/page/*.css ${CMAKE_SOURCE_DIR}/gateway/links/page/*.js
    ${CMAKE_SOURCE_DIR}/gateway/links/page/*.svg)
list(JOIN page_files "," page_list)
add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/page_files.c
    COMMAND ${CMAKE_COMMAND} -DOUT=${CMAKE_BINARY_DIR}/page_files.c -DFILES=${page_list}
        -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${page_files} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake VERBATIM)
target_sources(jobgate_links PRIVATE ${CMAKE_BINARY_DIR}/page_files.c)
