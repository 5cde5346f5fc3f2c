render-report --format markdown tests/data/stages-effects.nf tests/data/stages-lens.nf tests/data/stages-stats.nf
