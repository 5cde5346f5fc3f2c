render-report -h
