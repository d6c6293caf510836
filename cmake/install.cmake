# What `cmake --install` puts where. DESTDIR= stages it, as the package does.
include(GNUInstallDirs)
set(SYSTEM_DIR /lib CACHE PATH "where systemd and udev look on Debian 12")

if(TARGET jobgate)
    install(TARGETS jobgate RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

install(FILES conf/start.conf DESTINATION ${CMAKE_INSTALL_FULL_SYSCONFDIR}/jobgate
    RENAME jobgate.conf)
install(DIRECTORY DESTINATION ${CMAKE_INSTALL_FULL_SYSCONFDIR}/jobgate/profiles.d)
install(DIRECTORY conf/profiles/ DESTINATION ${CMAKE_INSTALL_DATADIR}/jobgate/profiles
    FILES_MATCHING PATTERN "*.conf")

install(FILES systemd/jobgate.service systemd/jobgate.socket DESTINATION ${SYSTEM_DIR}/systemd/system)
install(FILES systemd/60-jobgate.rules DESTINATION ${SYSTEM_DIR}/udev/rules.d)
install(FILES systemd/jobgate.sysusers DESTINATION ${CMAKE_INSTALL_PREFIX}/lib/sysusers.d
    RENAME jobgate.conf)
install(FILES systemd/jobgate.tmpfiles DESTINATION ${CMAKE_INSTALL_PREFIX}/lib/tmpfiles.d
    RENAME jobgate.conf)

install(FILES docs/man/jobgate.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES docs/man/jobgate.conf.5 docs/man/jobgate-profile.5
    DESTINATION ${CMAKE_INSTALL_MANDIR}/man5)
install(FILES conf/jobgate.bash-completion
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME jobgate)
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.md"
    PATTERN "*.png" PATTERN man EXCLUDE)
install(FILES conf/jobgate.conf DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
