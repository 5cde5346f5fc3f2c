render-report --format markdown tests/data/neurons-fixture.nf
