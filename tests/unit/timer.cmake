unit_test(timer PkgConfig::EVENT)
