/*
 * charts.js - one function a chart: the Vega-Lite specification, drawn where the page has an element with data-chart of that name.
 *
 * Colours are CSS variables of report.css (--c-...), so a change of the colour scheme or to print needs no redrawing.
 */
"use strict";
const charts = (() => {
    const { runs, published, share, percent, count } = nf;
    const color = name => `var(--c-${name})`;
    const runColor = (_, i) => color("run" + (i % 8));
    const types = ["oscillatory", "both", "one", "other"];
    const typeNames = { oscillatory: "oscillatory", both: "both extremes", one: "one extreme", other: "other" };
    const typeColor = t => color("kind-" + t);
    const typeScale = { domain: types.map(t => typeNames[t]), range: types.map(typeColor) };
    const single = runs.length === 1;

    const config = {
        background: "transparent", font: "system-ui, -apple-system, \"Segoe UI\", \"Noto Sans\", \"Helvetica Neue\", Arial, sans-serif",
        axis: { labelColor: color("ink2"), titleColor: color("ink2"), gridColor: color("grid"), domainColor: color("line"), tickColor: color("line"),
                titleFontWeight: "normal", titleFontSize: 12, labelFontSize: 11, titlePadding: 8, tickCount: 5 },
        legend: { labelColor: color("ink2"), titleColor: color("ink2"), titleFontWeight: "normal", orient: "top", labelFontSize: 11.5, titleFontSize: 11.5,
                  symbolSize: 80, labelLimit: 260, titleLimit: 420, columnPadding: 14, offset: 6, columns: 8 },
        header: { labelColor: color("ink"), titleColor: color("ink2"), labelFontSize: 11.5, labelFontWeight: "normal" },
        title: { color: color("ink2"), fontSize: 12, fontWeight: "normal", anchor: "start" },
        view: { stroke: null }, mark: { tooltip: true }, rule: { color: color("ink2") }, text: { color: color("ink2") },
        rect: { color: color("fill") }, bar: { color: color("fill") }, line: { color: color("fill") }, point: { color: color("fill") },
    };

    const narrow = element => element.clientWidth < 480;
    const field = (name, title, format) => Object.assign({ field: name, title }, format ? { format, type: "quantitative" } : {});
    const legend = (scale, extra) => Object.assign({ scale, legend: { title: null } }, extra);

    /* The encoding of x: relative depth with several inputs or reference curves; layer numbers with one input. */
    function depthAxis(L, one) {
        const x = { field: "x", type: "quantitative", scale: { domain: [0, 1], nice: false, padding: 8 } };
        if (!one || L < 2)
            return { ...x, axis: { title: "relative depth (0: first layer, 1: last)", tickCount: 5 } };
        const step = Math.ceil((L - 1) / 12), values = [];
        for (let l = 0; l < L; l += step)
            values.push(l / (L - 1));
        return { ...x, axis: { title: "layer", values, tickCount: values.length, labelOverlap: false, labelExpr: `round(datum.value * ${L - 1})` } };
    }
    const depth = (run, layer) => run.L > 1 ? layer / (run.L - 1) : 0;

    /* Curves over depth with error bars, reference curves dashed and grey.  rows: {run, layer, x, y, lo, hi, what, n}.
       of: the inputs; L: layers of the first; axis, scale: of y, where it is neither shares nor counts. */
    function overDepth(rows, { y, format = "%", reference, title, detail = [], dash, preset = "OPT-125m", of = runs, L = of[0].L, axis, scale = { zero: true } }) {
        const names = of.map(r => r.name), runColors = of.map(runColor), one = of.length === 1;
        const x = depthAxis(L, one);
        const tooltip = [field("run", "model"), field("layer", "layer"), field("y", title, format), ...detail];
        const series = one ? { value: runColors[0] } : legend({ domain: names, range: runColors }, { field: "run", type: "nominal" });
        const layers = [], known = Object.keys(reference ?? {}), params = [];
        if (known.length) {
            params.push({ name: "reference", value: known.includes(preset) ? preset : "none",
                          bind: { input: "select", name: "Reference from the paper ", options: ["none", ...known] } });
            layers.push({
                data: { values: Object.entries(reference).flatMap(([run, v]) => v.map(([layer, x, y]) => ({ run, layer, x, y }))) },
                transform: [{ filter: "datum.run === reference" }],
                mark: { type: "line", strokeDash: [4, 3], strokeWidth: 1.3, color: color("reference"), point: { size: 14, filled: true, color: color("reference") } },
                encoding: { x, y: { field: "y", type: "quantitative" },
                            tooltip: [field("run", "paper, digitised"), field("layer", "layer"), field("y", title, format)] },
            });
        }
        const encoding = { x, y: { field: "y", type: "quantitative", axis: Object.assign({ title: y }, axis ? axis : format === "%" ? { format } : { format: ",d", tickMinStep: 1 }), scale }, color: series, tooltip };
        if (dash)
            encoding.strokeDash = { field: "series", type: "nominal", legend: { title: null }, scale: { range: [[1, 0], [2, 2], [6, 3]] } };
        layers.push({ data: { values: rows }, encoding, layer: [
            { mark: { type: "line", strokeWidth: 1.8 } },
            { mark: { type: "rule", strokeWidth: 1.4, opacity: 0.65 }, encoding: { y: { field: "lo", type: "quantitative" }, y2: { field: "hi" }, strokeDash: { value: [1, 0] } },
              transform: [{ filter: "isValid(datum.lo)" }] },
            { mark: { type: "point", filled: true, size: 38, opacity: 1 }, encoding: { strokeDash: { value: [1, 0] } } },
        ] });
        return { params, height: 240, layer: layers, resolve: { scale: { color: "shared" } } };
    }

    /* Few layers: bars of a readable width instead of the whole line. */
    const barWidth = rows => { const n = new Set(rows.map(r => r.layer)).size; return n < 6 ? { layers: n } : "container"; };
    const perLayer = f => runs.flatMap(run => run.layers.map(l => f(run, l)).filter(Boolean).flat());
    const intervalField = [{ field: "interval", title: "95 % interval" }, { field: "of", title: "counts" }];
    const shareRow = (run, layer, s, more) => Object.assign({ run: run.name, layer: layer.layer, x: depth(run, layer.layer), y: s.p, lo: s.lo, hi: s.hi,
        interval: nf.interval(s), of: `${count(s.k)} of ${count(s.n)}` }, more);

    /* ---- overview: classes by layer ---- */
    function classes(run) {
        const names = nf.classes.filter(c => c), table = run.layers.map(() => names.map(() => 0)), n = run.neurons;
        if (run.all) {
            n.layer.forEach((l, i) => { table[run.layers.findIndex(r => r.layer === l)][n.class[i]]++; });
        } else {
            run.layers.forEach((l, i) => { table[i][0] = l.dead.k; });
            n.layer.forEach((l, i) => { if (n.class[i]) table[run.layers.findIndex(r => r.layer === l)][n.class[i]]++; });
            run.layers.forEach((l, i) => { table[i][names.indexOf("other")] = l.neurons - table[i].reduce((a, b) => a + b, 0); });
        }
        const values = run.layers.flatMap((l, i) => names.map((name, c) => {
            const s = share(table[i][c], l.neurons);
            return { layer: l.layer, name, c, k: s.k, p: s.p, interval: nf.interval(s), n: l.neurons };
        }));
        const shown = names.filter(name => values.some(v => v.name === name && v.k > 0));
        return { height: { step: Math.max(12, Math.min(26, 360 / run.layers.length)) }, data: { values: values.filter(v => v.k > 0) }, mark: { type: "bar", stroke: color("paper"), strokeWidth: 0.5 }, encoding: {
            y: { field: "layer", type: "ordinal", title: "layer", sort: "descending", scale: { paddingInner: 0.18, domain: run.layers.map(l => l.layer).reverse() } },
            x: { field: "p", type: "quantitative", stack: "zero", title: "share of the layer's neurons", axis: { format: "%" }, scale: { domain: [0, 1] } },
            color: legend({ domain: shown, range: shown.map(color) }, { field: "name", type: "nominal" }), order: { field: "c" },
            tooltip: [field("layer", "layer"), field("name", "class"), field("k", "neurons"), field("n", "of"), field("p", "share", ".2%"), { field: "interval", title: "95 % interval" }],
        } };
    }

    /* ---- 1 ---- */
    const dead = () => overDepth(perLayer((run, l) => shareRow(run, l, share(l.dead.k, l.dead.n))),
        { y: "dead neurons", title: "dead", reference: published["1a"], detail: intervalField });
    const frequency = () => overDepth(perLayer((run, l) => {
        if (l.mean_freq === null || l.mean_freq === undefined)
            return null;
        const half = 1.959963984540054 * (l.mean_freq_sd ?? 0) / Math.sqrt(l.alive || 1);
        return { run: run.name, layer: l.layer, x: depth(run, l.layer), y: l.mean_freq, lo: Math.max(0, l.mean_freq - half), hi: l.mean_freq + half,
                 interval: `${percent(Math.max(0, l.mean_freq - half))} to ${percent(l.mean_freq + half)}`, of: `mean of ${count(l.alive)} neurons` };
    }), { y: "mean firing frequency", title: "frequency", reference: published["1b"], detail: intervalField });

    /* ---- 2, 12, 13: layers as stacked bars of coverage bins ---- */
    function cover(run, key, what) {
        const rows = [], used = run.layers.filter(l => l[key]);
        if (!used.length)
            return null;
        const bins = Object.keys(used[0][key]);
        for (const l of used) {
            const n = Object.values(l[key]).reduce((a, b) => a + b, 0);
            bins.forEach((bin, i) => {
                const s = share(l[key][bin] ?? 0, n);
                rows.push({ layer: l.layer, bin, i, p: s.p ?? 0, k: s.k, n, interval: nf.interval(s) });
            });
        }
        const real = bins.filter(b => b !== "undecided"), steps = real.map((_, i) => color(`ramp${Math.round(i * 8 / Math.max(1, real.length - 1))}`));
        return { width: barWidth(rows), height: 240, data: { values: rows.filter(r => r.k > 0) }, mark: { type: "bar", stroke: color("paper"), strokeWidth: 0.5 }, encoding: {
            x: { field: "layer", type: "ordinal", title: "layer", axis: { labelAngle: 0, labelOverlap: true } },
            y: { field: "p", type: "quantitative", title: "share of firing neurons", axis: { format: "%" }, scale: { domain: [0, 1] }, stack: "zero" },
            color: legend({ domain: bins, range: [...steps, color("undecided")] }, { field: "bin", type: "nominal", sort: bins,
                legend: { title: `${what} that cover 95 % of the firings` } }),
            order: { field: "i" },
            tooltip: [field("layer", "layer"), field("bin", what), field("k", "neurons"), field("n", "of"), field("p", "share", ".1%"), { field: "interval", title: "95 % interval" }],
        } };
    }

    /* ---- 3, 14: detectors and covered n-grams ---- */
    const detectorsChart = (order, reference) => overDepth(perLayer((run, l) => {
        const k = l.detectors && l.detectors[order];
        if (typeof k !== "number")
            return null;
        const s = share(k, l.neurons);
        return shareRow(run, l, s, { y: k, lo: s.lo * s.n, hi: s.hi * s.n });
    }), { y: `${order} detectors`, title: "detectors", format: "", reference, detail: intervalField, preset: "OPT-1.3b" });

    function ngramDetectors() {
        const rows = ["bigram", "trigram"].flatMap(series => perLayer((run, l) => {
            const k = l.detectors && l.detectors[series];
            if (typeof k !== "number")
                return null;
            const s = share(k, l.neurons);
            return shareRow(run, l, s, { y: k, lo: s.lo * s.n, hi: s.hi * s.n, series });
        }));
        return overDepth(rows, { y: "detectors", title: "detectors", format: "", detail: [field("series", "of"), ...intervalField], dash: true });
    }

    function coveredChart(order, reference) {
        const rows = perLayer((run, l) => {
            const c = l.covered && l.covered[order];
            return c ? [["total", "in this layer"], ["cumulative", "in this or a lower layer"]].map(([key, series]) =>
                ({ run: run.name, layer: l.layer, x: depth(run, l.layer), y: c[key], series })) : null;
        });
        return overDepth(rows, { y: `${order}s with a detector`, title: `${order}s`, format: "", reference, detail: [field("series", "counted")], dash: true });
    }

    function newChart(run, order) {
        const parts = [["new", "in no lower layer"], ["lower", "in a lower layer, not the previous"], ["previous", "in the previous layer"]];
        const rows = run.layers.flatMap(l => {
            const c = l.covered && l.covered[order];
            if (!c)
                return [];
            const v = [c.new_overall, c.in_lower - c.in_previous, c.in_previous];
            return parts.map(([, part], i) => ({ layer: l.layer, part, i, n: v[i], total: c.total }));
        });
        return rows.length ? { width: barWidth(rows), height: 220, data: { values: rows.filter(r => r.n > 0) }, mark: { type: "bar", stroke: color("paper"), strokeWidth: 0.5 }, encoding: {
            x: { field: "layer", type: "ordinal", title: "layer", axis: { labelAngle: 0, labelOverlap: true } },
            y: { field: "n", type: "quantitative", title: `${order}s with a detector`, axis: { tickMinStep: 1, format: ",d" } },
            color: legend({ domain: parts.map(p => p[1]), range: ["new", "lower", "previous"].map(color) }, { field: "part", type: "nominal" }), order: { field: "i" },
            tooltip: [field("layer", "layer"), field("part", `${order}s`), field("n", "number"), field("total", "of")],
        } } : null;
    }

    /* ---- 5: one detector ---- */
    function detector(run, e) {
        const own = (e.token.covered || []).map((id, i) => ({ token: nf.token(run, id), v: e.suppress && e.suppress.raw ? e.suppress.raw.values[i] : null, part: "its own tokens",
                                                              note: `fires on ${count(e.token.c[i])} of ${count(e.token.n[i])}` }));
        const side = (list, part) => (list || []).map(([id, v]) => ({ token: nf.token(run, id), v, part, note: "" }));
        const parts = ["its own tokens", "most promoted", "most suppressed"];
        const rows = [...own, ...side(e.suppress && e.suppress.promoted, parts[1]), ...side(e.suppress && e.suppress.suppressed, parts[2])].filter(r => typeof r.v === "number");
        rows.forEach((r, i) => { r.i = i; r.key = `${i}|${r.token}`; });
        if (!rows.length)
            return null;
        return { data: { values: rows }, height: { step: 17 }, mark: { type: "bar", cornerRadius: 1 }, encoding: {
            y: { field: "key", type: "nominal", sort: { field: "i" }, title: null, axis: { labelExpr: "slice(datum.value, indexof(datum.value, '|') + 1)", labelLimit: 150, labelColor: color("ink"), ticks: false, domain: false } },
            x: { field: "v", type: "quantitative", title: "projection on the vocabulary (raw)" },
            color: legend({ domain: parts, range: ["own", "promoted", "suppressed"].map(color) }, { field: "part", type: "nominal" }),
            tooltip: [field("token", "token"), field("part", "which"), field("v", "projection", "+.4f"), field("note", "evidence")],
        } };
    }

    /* ---- 6 ---- */
    function suppression() {
        const series = [["suppressing", "token detectors"], ["null", "null: random tokens"], ["null_alive", "null: other neurons"]];
        const names = { raw: "raw", centred: "centred", ln: "final LN", cosine: "cosine" };
        const rows = runs.flatMap(run => run.suppression.filter(s => s.scope === "all").flatMap(s => series.filter(([k]) => s[k] && s[k].n).map(([k, what], i) =>
            Object.assign({ run: run.name, projection: names[s.projection] ?? s.projection, what, i, of: `${count(s[k].k)} of ${count(s[k].n)}`, interval: nf.interval(s[k]) }, s[k]))));
        if (!rows.length)
            return null;
        const encoding = { y: { field: "projection", type: "nominal", title: null, sort: Object.values(names) }, yOffset: { field: "what", sort: series.map(s => s[1]) },
            color: legend({ domain: series.map(s => s[1]), range: ["own", "reference", "line"].map(color) }, { field: "what", type: "nominal" }),
            tooltip: [field("run", "model"), field("projection", "projection"), field("what", "of"), field("p", "share negative", ".1%"), { field: "interval", title: "95 % interval" }, field("of", "counts")] };
        const x = { type: "quantitative", title: "share whose output row is negative on their tokens", axis: { format: "%" }, scale: { domain: [0, 1] } };
        const body = { height: { step: 16 }, layer: [
            { data: { values: [{ p: 0.8 }] }, mark: { type: "rule", strokeDash: [4, 3], color: color("reference"), tooltip: null }, encoding: { x: { field: "p", type: "quantitative" } } },
            { mark: { type: "rule", strokeWidth: 1.6 }, encoding: { ...encoding, x: { ...x, field: "lo" }, x2: { field: "hi" } } },
            { mark: { type: "point", filled: true, size: 60, opacity: 1 }, encoding: { ...encoding, x: { ...x, field: "p" } } },
        ] };
        return single ? { data: { values: rows }, ...body } : { data: { values: rows }, facet: { row: { field: "run", title: null, sort: runs.map(r => r.name), header: { labelAngle: 0, labelAlign: "left", labelOrient: "top", labelAnchor: "start" } } },
            spec: { ...body, width: "facet" } };
    }

    /* ---- 7: gallery; also the curve of one neuron ---- */
    function curveLayers(c) {
        return [
            { mark: { type: "area", opacity: 0.22, tooltip: null }, encoding: { y: { field: "lo", type: "quantitative", title: "firing frequency" }, y2: { field: "hi" }, color: c } },
            { mark: { type: "line", strokeWidth: 1, tooltip: null }, encoding: { y: { field: "p", type: "quantitative" }, color: c } },
            { mark: { type: "point", opacity: 0, size: 60 }, encoding: { y: { field: "p", type: "quantitative" },
                tooltip: [field("id", "neuron"), field("x", "position"), field("p", "frequency", ".1%"), field("lo", "95 % from", ".1%"), field("hi", "to", ".1%"), field("n", "windows")] } },
        ];
    }
    function gallery(run, width) {
        const each = [], columns = width < 480 ? 1 : width < 700 ? 2 : 4;
        for (const strength of ["strong", "weak"])
            for (const type of types) {
                const best = nf.positional(run).filter(e => e.position.type === type && e.position.strength === strength).sort((a, b) => b.position.mi - a.position.mi)[0];
                if (best)
                    each.push({ type, strength, e: best });
            }
        if (!each.length)
            return null;
        const w = Math.max(120, Math.floor((width - 52 * columns) / columns));
        return { autosize: "pad", columns, spacing: { row: 18, column: 14 }, concat: each.map(({ type, strength, e }) => ({
            title: { text: `${typeNames[type]}, ${strength}`, subtitle: `neuron ${e.layer}.${e.neuron}, MI ${nf.real(e.position.mi, 3)} nats`, fontSize: 11.5, subtitleFontSize: 10.5, subtitleColor: color("ink2") },
            width: w, height: 84, data: { values: nf.curve(e.position).map(p => Object.assign(p, { id: `${e.layer}.${e.neuron}` })) },
            encoding: { x: { field: "x", type: "quantitative", title: "position", scale: { nice: false }, axis: { tickCount: 3, grid: false } },
                        y: { field: "p", type: "quantitative", scale: { domain: [0, 1] }, axis: { title: null, values: [0, 0.5, 1], format: "%" } } },
            layer: curveLayers({ value: typeColor(type) }) })) };
    }
    function curve(e) {
        return { height: 130, data: { values: nf.curve(e.position).map(p => Object.assign(p, { id: `${e.layer}.${e.neuron}` })) },
            encoding: { x: { field: "x", type: "quantitative", title: "position in the window", scale: { nice: false } },
                        y: { field: "p", type: "quantitative", scale: { domain: [0, 1] }, axis: { format: "%", title: "firing frequency" } } },
            layer: curveLayers({ value: typeColor(e.position.type || "other") }) };
    }

    /* ---- 8, 16: circles ---- */
    function circles(run, width) {
        const order = e => types.indexOf(e.position.type) * 2 + (e.position.strength === "weak");
        const rows = [];
        let most = 1;
        for (const l of run.layers) {
            const here = nf.positional(run).filter(e => e.layer === l.layer).sort((a, b) => order(a) - order(b) || b.position.mi - a.position.mi);
            most = Math.max(most, here.length);
            here.forEach((e, i) => rows.push({ layer: e.layer, i, type: typeNames[e.position.type], strength: e.position.strength, id: `${e.layer}.${e.neuron}`, mi: e.position.mi,
                                               run: runs.indexOf(run), stable: e.position.stable === null || e.position.stable === undefined ? "unknown" : e.position.stable ? "yes" : "no" }));
        }
        if (!rows.length)
            return null;
        const step = Math.max(14, Math.min(22, 420 / run.layers.length)), size = Math.max(12, Math.min(110, ((width - 90) / most) ** 2 * 0.6, step * step * 0.55));
        return { height: { step }, data: { values: rows }, mark: { type: "circle", size, strokeWidth: 1.4, opacity: 1, cursor: "pointer" }, encoding: {
            y: { field: "layer", type: "ordinal", sort: "descending", title: "layer", scale: { domain: run.layers.map(l => l.layer).reverse() }, axis: { grid: true } },
            x: { field: "i", type: "quantitative", title: "positional neurons of the layer", scale: { domain: [-0.5, Math.max(most, 10)], nice: false }, axis: { grid: false, tickMinStep: 1 } },
            stroke: legend(typeScale, { field: "type", type: "nominal" }), fill: legend(typeScale, { field: "type", type: "nominal" }),
            fillOpacity: { condition: { test: "datum.strength === 'weak'", value: 0.12 }, value: 1 },
            tooltip: [field("id", "neuron"), field("type", "kind"), field("strength", "strength"), field("mi", "mutual information (nats)", ".3f"), field("stable", "same in all domains")],
        } };
    }

    /* ---- 9 ---- */
    function team(run, t) {
        const rows = [], order = t.ranges ? Object.keys(t.ranges) : t.neurons;
        const ranges = id => { const e = nf.evidence(run, t.layer, id); return t.ranges ? t.ranges[id] : e && e.position && e.position.ranges || []; };
        for (const id of order)
            for (const [from, to] of ranges(id))
                rows.push({ id: String(id), from, to, n: to - from });
        const first = id => Math.min(...rows.filter(r => r.id === String(id)).map(r => r.from));
        const ids = order.filter(id => rows.some(r => r.id === String(id))).sort((a, b) => first(b) - first(a)).map(String);
        return rows.length ? { height: { step: 14 }, data: { values: rows }, mark: { type: "bar", height: 9, cornerRadius: 2, color: typeColor(t.type) }, encoding: {
            y: { field: "id", type: "nominal", sort: ids, title: `neuron of layer ${t.layer}` },
            x: { field: "from", type: "quantitative", title: "position in the window", scale: { domain: [0, t.context], nice: false } }, x2: { field: "to" },
            tooltip: [field("id", "neuron"), field("from", "from"), field("to", "to, exclusive"), field("n", "positions")],
        } } : null;
    }

    /* ---- 10, 11 ---- */
    const positionRows = (name, positions, layer, counts) => types.flatMap(type => ["strong", "weak"].map(strength =>
        ({ name, positions, layer, type: typeNames[type], strength, n: counts[`${type}/${strength}`] ?? 0 })));
    function paperRows(name) {
        const counts = new Map((published.positional[name] || []).map(([layer, ...v]) => [layer, Object.fromEntries(v.map((n, i) => [published.types[i].replace("_", "/"), n]))]));
        return Array.from({ length: 12 }, (_, layer) => positionRows(`${name} (paper)`, "", layer, counts.get(layer) ?? {})).flat();
    }
    function withPositions(element) {
        const own = runs.flatMap(run => run.layers.flatMap(l => positionRows(run.name, run.model.positions, l.layer, l.positional ?? {})));
        const values = [...own, ...paperRows("125m, OpenWebText"), ...paperRows("125m, OpenWebText, no positions")];
        const columns = narrow(element) ? 1 : 2, names = [...new Set(values.map(v => v.name))];
        return { autosize: "pad", data: { values }, facet: { field: "name", title: null, sort: names }, columns, resolve: { axis: { x: "independent" }, scale: { x: "independent" } },
            spec: { width: Math.max(160, Math.floor((element.clientWidth - 70 * columns) / columns)), height: 140, mark: { type: "bar", stroke: color("paper"), strokeWidth: 0.5 }, encoding: {
                x: { field: "layer", type: "ordinal", title: "layer", axis: { labelAngle: 0, labelOverlap: true } }, y: { field: "n", aggregate: "sum", title: "positional neurons" },
                color: legend(typeScale, { field: "type", type: "nominal" }),
                tooltip: [field("name", "model"), field("layer", "layer"), field("type", "kind"), { field: "n", aggregate: "sum", title: "neurons" }] } } };
    }
    function checkpoints() {
        if (single)
            return null;
        const values = runs.flatMap(run => types.map(type => {
            const n = run.layers.reduce((a, l) => a + l.neurons, 0), k = run.layers.reduce((a, l) => a + ((l.positional ?? {})[`${type}/strong`] ?? 0) + ((l.positional ?? {})[`${type}/weak`] ?? 0), 0);
            const s = share(k, n);
            return { run: run.name, type: typeNames[type], y: s.p, lo: s.lo, hi: s.hi, of: `${count(k)} of ${count(n)}`, interval: nf.interval(s) };
        }));
        const encoding = { x: { field: "run", type: "nominal", sort: runs.map(r => r.name), title: null, axis: { labelAngle: 0 } }, color: legend(typeScale, { field: "type", type: "nominal" }),
            xOffset: { field: "type", sort: typeScale.domain }, tooltip: [field("run", "model"), field("type", "kind"), field("y", "share", ".2%"), { field: "interval", title: "95 % interval" }, field("of", "counts")] };
        return { height: 200, data: { values }, encoding, layer: [
            { mark: { type: "rule", strokeWidth: 1.6 }, encoding: { y: { field: "lo", type: "quantitative", title: "share of all neurons", axis: { format: ".1%" } }, y2: { field: "hi" } } },
            { mark: { type: "point", filled: true, size: 70, opacity: 1 }, encoding: { y: { field: "y", type: "quantitative" } } } ] };
    }

    /* ---- drawing ---- */
    const ofStages = { S1: nf.models, S6: nf.models, S7a: nf.stages, S8: nf.stages, S10: nf.stages, S11: nf.stages };   // what data-run counts, other than runs
    const table = {
        classes: (e, run) => classes(run), "1a": dead, "1b": frequency,
        "2": (e, run) => cover(run, "cover1", "tokens"), "12": (e, run) => cover(run, "cover2", "bigrams"), "13": (e, run) => cover(run, "cover3", "trigrams"),
        "3a": () => detectorsChart("token", published["3a"]), "3b": () => coveredChart("token", published["3b"]), "4": (e, run) => newChart(run, "token"),
        "14a": ngramDetectors, "14b": () => coveredChart("trigram"), "15": (e, run) => newChart(run, "trigram"),
        "5": (e, run) => picker(e, run, nf.detectors(run).sort((a, b) => b.fires - a.fires), d => `${d.layer}.${d.neuron}  ${nf.gram(run, d.token.covered[0])}`, "Detector ", d => detector(run, d)),
        "6": suppression, "7": (e, run) => gallery(run, e.clientWidth), "8": (e, run) => circles(run, e.clientWidth),
        "9": (e, run) => picker(e, run, [...run.teams].sort((a, b) => b.covered - a.covered).concat({ paper: true }), t => t.paper ? "paper: OPT-125m, layer 1, strong oscillatory: 10 neurons (digitised)" : `layer ${t.layer}, ${t.type}${t.strength ? ", " + t.strength : ""}: ${t.neurons.length} neurons`, "Team ", t => t.paper ? team(run, { layer: 1, type: "oscillatory", context: 2048, ranges: published["9"] }) : team(run, t)),
        "10": withPositions, "11": checkpoints, "16": (e, run) => circles(run, e.clientWidth),
        ...stageCharts({ color, field, legend, depth, depthAxis, narrow, overDepth, picker }),
    };

    async function draw(element, spec) {
        const full = Object.assign({ $schema: "https://vega.github.io/schema/vega-lite/v6.json", width: "container", autosize: { type: "fit-x", contains: "padding" } }, spec);
        if (full.width && full.width.layers)
            Object.assign(full, { autosize: "pad", width: Math.min(full.width.layers * 110, element.clientWidth - 70) });
        if (full.facet || full.concat)
            delete full.width;
        if (full.spec && full.spec.width === "facet")
            Object.assign(full, { autosize: "pad" }).spec.width = Math.max(160, element.clientWidth - 90);
        full.config = config;
        if (narrow(element))
            full.config = { ...config, legend: { ...config.legend, columns: element.dataset.chart === "5" ? 1 : 2, labelLimit: 130, columnPadding: 8 } };
        const old = element.view;
        const result = await vegaEmbed(element, full, { mode: "vega-lite", renderer: "svg", actions: false, ast: true, logLevel: vega.Error, tooltip: { theme: "custom", disableDefaultStyle: true } });
        if (old)
            old.finalize();
        element.view = result.view;
        return result.view;
    }

    /* A chart of one of many things, chosen from a list. */
    function picker(element, run, items, label, name, spec) {
        if (!items.length)
            return null;
        if (!element.list) {
            element.list = nf.el("select", {}, ...items.slice(0, 2000).map((item, i) => nf.el("option", { value: i }, label(item))));
            element.list.addEventListener("change", () => redraw(element));
            element.before(nf.el("label", { class: "pick" }, name, element.list));
        }
        return spec(items[element.list.value]);
    }

    async function redraw(element) {
        const { chart, run } = element.dataset;
        const spec = table[chart](element, run === undefined ? undefined : (ofStages[chart] ?? runs)[run]);
        if (!spec) {
            element.hidden = true;
            return;
        }
        const view = await draw(element, spec);
        if (element.dataset.chart === "8" || element.dataset.chart === "16")
            view.addEventListener("click", (event, item) => {
                if (item && item.datum && item.datum.id) {
                    document.getElementById("vg-tooltip-element")?.classList.remove("visible");
                    location.hash = `neuron=${item.datum.run}:${item.datum.id}`;
                }
            });
    }

    async function all() {
        document.documentElement.classList.add("scripted");
        for (const element of document.querySelectorAll(".chart")) {
            await redraw(element).catch(error => { element.textContent = `This chart could not be drawn: ${error.message}`; console.error(element.dataset.chart, error); });
            element.width = element.clientWidth;
        }
        document.documentElement.dataset.drawn = "yes";
    }

    /* Charts that lay out panels by hand follow the width too. */
    let timer;
    addEventListener("resize", () => {
        clearTimeout(timer);
        timer = setTimeout(() => {
            for (const element of document.querySelectorAll(".chart"))
                if (!element.hidden && Math.abs(element.clientWidth - element.width) > 8) {
                    element.width = element.clientWidth;
                    redraw(element);
                }
        }, 200);
    });
    addEventListener("beforeprint", () => document.querySelectorAll("details").forEach(d => { d.open = true; }));

    return { all, draw, curve, detector };
})();
charts.all();
