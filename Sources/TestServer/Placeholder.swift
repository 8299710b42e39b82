enum TestServerPlaceholder {}
