render-report --format markdown --name with,without tests/data/neurons-fixture.nf tests/data/neurons-fixture-nopos.nf | sed -n "1,/^### Figure 2/p; /^### Figure 10/,/^### Figure 16/p"
