fuzz_target(site jobgate_site)
fuzz_target(profile jobgate_site)
fuzz_target(csv jobgate_site)
