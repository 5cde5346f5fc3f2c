# The page without its data, scripts and styles: headings, sentences, places of charts.
render-report tests/data/neurons-fixture.nf | sed -e '/^<style>/,/^<\/style>/d' -e '/^<script/,$d' -e '/^<tr>/d' | grep -E '^<(html|meta|title|h[123]|section|article|p class="say|p class="note|div class="chart|dl|div class="tile|noscript|div class="finder)'
