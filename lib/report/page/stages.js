/*
 * stages.js - charts of the stages of inference: S1 of a model's signatures and boundaries, the others of its streams.
 *
 * kit: what charts.js has for every chart.  A chart takes (element, model or stream) where it is of one, and returns null where there is nothing.
 */
"use strict";
const stageCharts = kit => {
    const { color, field, legend, depth, depthAxis, narrow, overDepth, picker } = kit;
    const { stages, models, share, count, interval } = nf;
    const Z = 1.959963984540054, of = kind => stages.filter(s => s.kind === kind);
    const effects = of("effects"), lenses = of("lens"), stats = of("stats");
    const stream = (model, kind) => model.of[kind] === null ? null : stages[model.of[kind]];

    /* ---- means over depth, with 1.96 standard errors ---- */

    /* A thing's measure as a row, null where it has none; means: over all its rows, or some. */
    function row(run, t, measure, more, means = t.all) {
        const m = means && means[measure];
        if (!m || m.mean === null || m.n === 0)
            return null;
        const half = m.se === null ? null : Z * m.se;
        return { run: run.name, y: m.mean, lo: half === null ? null : m.mean - half, hi: half === null ? null : m.mean + half, n: count(m.n),
                 docs: count(m.docs ?? means.docs), name: t.name, ...more };
    }
    const detail = [field("name", "at"), field("lo", "95 % from", ".3~g"), field("hi", "to", ".3~g"), field("n", "n"), field("docs", "documents")];
    const measured = (runs, rows, options) =>
        rows.length ? overDepth(rows, { of: runs, format: ".3~g", axis: { format: ".4~g" }, detail: options.dash ? [...detail, field("series", "of")] : detail, ...options }) : null;
    const byThing = (runs, things, measure) => runs.flatMap(run => run.things.flatMap(t => things(run, t).map(more => row(run, t, measure, more)).filter(Boolean)));

    const lesions = { drop: "block left out", swap: "exchanged" };
    const byBlock = (run, t) => lesions[t.kind] ? [{ layer: t.layer, x: depth(run, t.layer), series: lesions[t.kind] }] : [];
    const block = (measure, y, title, options) => measured(effects, byThing(effects, byBlock, measure), { y, title, dash: true, ...options });

    /* Blocks a .. b-1 stand at their middle; the model itself is a line over the whole depth. */
    const repeated = effects.filter(run => run.things.some(t => t.kind === "repeat"));
    const repeatRows = (run, t) => t.kind === "repeat" ? [{ layer: `${t.layer} to ${t.to - 1}`, x: depth(run, (t.layer + t.to - 1) / 2), series: "run twice" }]
        : t.kind === "none" ? [0, 1].map(x => ({ layer: "-", x, series: "unmodified" })) : [];
    const lens = (measure, y) => measured(lenses, byThing(lenses, (run, t) => [{ layer: t.layer, x: t.depth }], measure), { y, title: y, L: lenses[0].L + 1 });

    /* Measures of layers as dashed and solid curves: {measure: name}. */
    const byLayer = (runs, measures) => Object.entries(measures).flatMap(([measure, series]) =>
        byThing(runs, (run, t) => [{ layer: t.layer, x: depth(run, t.layer), series }], measure));
    const layers = (measures, y, options) => measured(stats, byLayer(stats, measures), { y, title: y, dash: Object.keys(measures).length > 1, ...options });

    /* ---- S1: signatures and boundaries ---- */
    const names = ["detokenization", "feature engineering", "prediction ensembling", "residual calibration"];

    /* [{from, to, name}] over relative depth, between the boundaries that there are; a boundary is half a block above the block it stands before. */
    function bands(model) {
        if (!model.ordered || model.L < 2)
            return [];
        const out = [];
        let from = 0, first = 0;
        [...model.ends, model.L].forEach((end, i) => {
            if (end === null || end === 0)
                return;
            const to = i === names.length - 1 ? 1 : (end - 0.5) / (model.L - 1);
            if (to > from)
                out.push({ from, to, name: names.slice(first, i + 1).join(", "), number: names.slice(first, i + 1).map((_, k) => first + k + 1).join(", ") });
            from = to;
            first = i + 1;
        });
        return out;
    }

    /* The curves of the paper's figure 1, each over its own maximum; v: its value. */
    function signatures(model) {
        const [lesion, neurons, heads] = ["effects", "neurons", "stats"].map(kind => stream(model, kind));
        const curve = (series, run, things, value) => {
            const rows = run ? run.things.filter(things).map(t => ({ series, layer: t.layer, x: depth(run, t.layer), v: value(t) })).filter(r => typeof r.v === "number") : [];
            const most = Math.max(...rows.map(r => r.v));
            return most > 0 ? rows.map(r => ({ ...r, y: r.v / most, most })) : [];
        };
        return [...curve("KL, block left out", lesion, t => t.kind === "drop", t => t.all?.kl?.mean),
                ...curve("attention, 5 before", heads, () => true, t => t.all["local 5"]?.mean),
                ...curve("prediction neurons", neurons, () => true, t => t.vocab.prediction),
                ...curve("suppression neurons", neurons, () => true, t => t.vocab.suppression)];
    }

    function boundaries(element, model) {
        const rows = signatures(model), series = ["KL, block left out", "attention, 5 before", "prediction neurons", "suppression neurons"];
        const marks = model.ends.map((end, i) => ({ end, i })).filter(b => b.end > 0).map(({ end, i }) =>
            ({ x: model.L > 1 ? (end - 0.5) / (model.L - 1) : 0, block: end, name: names[i] }));
        const parts = bands(model).map((b, i) => ({ ...b, middle: (b.from + b.to) / 2, shade: i % 2, text: narrow(element) || (b.to - b.from) * element.clientWidth < 7 * b.name.length ? b.number : b.name }));
        const colors = ["own", "positional", "promoted", "suppressed"], shown = series.filter(s => rows.some(r => r.series === s));
        if (!rows.length)
            return null;
        const x = depthAxis(model.L, true);
        return { height: 200, layer: [
            { data: { values: parts }, mark: { type: "rect", opacity: 1, tooltip: true },
              encoding: { x: { ...x, field: "from" }, x2: { field: "to" }, fill: { field: "shade", type: "nominal", scale: { range: [color("soft"), color("grid")] }, legend: null },
                          tooltip: [field("name", "stage")] } },
            { data: { values: parts }, mark: { type: "text", baseline: "top", dy: 3, fontSize: 11.5 }, encoding: { x: { ...x, field: "middle" }, y: { value: 0 }, text: { field: "text" }, tooltip: [field("name", "stage")] } },
            { data: { values: marks }, mark: { type: "rule", strokeWidth: 1.2 }, encoding: { x, tooltip: [field("name", "end of"), field("block", "before block")] } },
            { data: { values: rows }, encoding: { x, y: { field: "y", type: "quantitative", axis: { title: "share of the curve's maximum", format: "%", values: [0, 0.25, 0.5, 0.75, 1] }, scale: { domain: [0, 1.15] } },
                color: legend({ domain: shown, range: shown.map(s => color(colors[series.indexOf(s)])) }, { field: "series", type: "nominal" }),
                tooltip: [field("series", "curve"), field("layer", "block"), field("v", "value", ".3~g"), field("most", "its maximum", ".3~g")] },
              layer: [{ mark: { type: "line", strokeWidth: 1.8 } }, { mark: { type: "point", filled: true, size: 38, opacity: 1 } }] },
        ] };
    }

    /* ---- S6: densities, and the lens beside them ---- */
    function vocabulary(element, model) {
        const neurons = stream(model, "neurons"), lens = stream(model, "lens"), classes = ["prediction", "suppression"];
        const rows = neurons.things.flatMap(l => classes.filter(c => typeof l.vocab[c] === "number").map(c => {
            const s = share(l.vocab[c], l.neurons);
            return { series: `${c} neurons`, layer: l.layer, x: depth(neurons, l.layer), y: s.p, lo: s.lo, hi: s.hi, of: `${count(s.k)} of ${count(s.n)}`, interval: interval(s) };
        }));
        if (!rows.length)
            return null;
        const x = depthAxis(model.L, false);
        const kl = lens ? lens.things.map(t => row(lens, t, "kl", { layer: t.layer, x: t.depth })).filter(Boolean) : [];
        const density = { data: { values: rows }, encoding: { x, y: { field: "y", type: "quantitative", axis: { title: "share of the layer's neurons", format: ".1~%" } },
            color: legend({ domain: classes.map(c => `${c} neurons`), range: ["promoted", "suppressed"].map(color) }, { field: "series", type: "nominal" }),
            tooltip: [field("series", "class"), field("layer", "block"), field("y", "share", ".2%"), field("interval", "95 % interval"), field("of", "neurons")] },
            layer: [{ mark: { type: "line", strokeWidth: 1.8 } }, { transform: [{ filter: "datum.y > 0" }], mark: { type: "rule", opacity: 0.65 }, encoding: { y: { field: "lo", type: "quantitative" }, y2: { field: "hi" } } },
                    { mark: { type: "point", filled: true, size: 38, opacity: 1 } }] };
        const beside = { data: { values: kl }, mark: { type: "line", strokeDash: [4, 3], strokeWidth: 1.5, color: color("reference"), point: { size: 20, filled: true, color: color("reference") } },
            encoding: { x, y: { field: "y", type: "quantitative", axis: { title: "KL(output || lens), nats", orient: "right", grid: false, format: ".4~g" } },
                        tooltip: [field("name", "point"), field("y", "KL, nats", ".3~g"), field("n", "n")] } };
        return { height: 220, title: models.length > 1 ? model.name : undefined, layer: kl.length ? [density, beside] : [density], resolve: { scale: { y: "independent" } } };
    }

    /* ---- S7: local attention ---- */
    const windows = [1, 2, 4, 8, 16];
    function locality(element, run) {
        const label = w => `${w} before`;
        const rows = windows.flatMap(w => [["local", "heads"], ["uniform local", "uniform attention"]].flatMap(([measure, kind]) =>
            run.things.map(t => row(run, t, `${measure} ${w}`, { layer: t.layer, x: depth(run, t.layer), series: label(w), kind })).filter(Boolean)));
        if (!rows.length)
            return null;
        const x = depthAxis(run.L, true);
        const c = legend({ domain: windows.map(label), range: windows.map((_, i) => color(`ramp${i}`)) }, { field: "series", type: "nominal", sort: windows.map(label) });
        return { height: 240, data: { values: rows }, title: stats.length > 1 ? run.name : undefined, encoding: { x, color: c,
            y: { field: "y", type: "quantitative", axis: { title: "attention on the positions before", format: "%" }, scale: { zero: true } },
            tooltip: [field("layer", "block"), field("series", "positions"), field("kind", "of"), field("y", "attention", ".1%"), field("n", "queries"), field("docs", "documents")] }, layer: [
            { transform: [{ filter: "datum.kind === 'heads'" }], mark: { type: "line", strokeWidth: 1.8, point: { size: 34, filled: true } } },
            { transform: [{ filter: "datum.kind !== 'heads'" }], mark: { type: "line", strokeWidth: 1.3, strokeDash: [2, 3] } },
        ] };
    }

    /* ---- S8: one head by positions back ---- */
    const merging = (element, run) => picker(element, run, run.heads, h => `${h.layer}.${h.head}: ${nf.real(h.score, 3)}`, "Head ", head => {
        const classes = { multi: "word of four tokens", single: "word of one token" };
        const rows = Object.entries(classes).flatMap(([key, series]) => head[key].mean.map((y, back) => y === null ? null
            : { series, back, y, lo: y - Z * (head[key].se[back] ?? 0), hi: y + Z * (head[key].se[back] ?? 0), n: count(head[key].n) }).filter(Boolean));
        return { height: 180, title: stats.length > 1 ? run.name : undefined, data: { values: rows }, encoding: {
            x: { field: "back", type: "ordinal", title: "positions back (0: the last token itself)", sort: "descending", axis: { labelAngle: 0 } },
            y: { field: "y", type: "quantitative", title: "attention", axis: { format: "%" } },
            color: legend({ domain: Object.values(classes), range: ["own", "reference"].map(color) }, { field: "series", type: "nominal" }),
            tooltip: [field("series", "from"), field("back", "positions back"), field("y", "attention", ".1%"), field("lo", "95 % from", ".1%"), field("hi", "to", ".1%"), field("n", "positions")] },
            layer: [{ mark: { type: "line", strokeWidth: 1.8, point: { size: 34, filled: true } } }, { mark: { type: "rule", opacity: 0.65 }, encoding: { y: { field: "lo", type: "quantitative" }, y2: { field: "hi" } } }] };
    });

    /* ---- S10: pairs of points ---- */
    const readings = { cka: { last: "CKA, last positions of windows", all: "CKA, positions of a window" }, angle: { last: "angle, last positions of windows", all: "angle, all positions" } };
    const known = p => p.value.some(v => v !== null);
    const similarity = (element, run) => picker(element, run, run.pairs.filter(known), p => readings[p.what][p.rows], "Of ", p => {
        const stride = Math.ceil(p.P / 72), points = Array.from({ length: Math.ceil(p.P / stride) }, (_, i) => i * stride), angle = p.what === "angle";
        const rows = points.flatMap(i => points.map(j => ({ i, j, v: p.value[i * p.P + j], se: p.se[i * p.P + j] })));
        const size = Math.max(3, Math.min(30, Math.floor((Math.min(element.clientWidth, 560) - 130) / points.length)));
        const axis = { labelAngle: 0, labelOverlap: true, grid: false };
        return { autosize: "pad", width: { step: size }, height: { step: size }, title: stats.length > 1 ? run.name : undefined, data: { values: rows }, mark: "rect", encoding: {
            x: { field: "j", type: "ordinal", title: "point", axis, scale: { padding: 0 } }, y: { field: "i", type: "ordinal", title: "point", axis, scale: { padding: 0 } },
            fill: { field: "v", type: "quantitative", title: angle ? "angle, of pi" : "CKA", scale: { scheme: "viridis", reverse: angle, domain: angle ? { unionWith: [0] } : { unionWith: [1] } },
                    legend: { orient: "right", gradientLength: Math.min(160, Math.max(60, size * points.length)) } },
            tooltip: [field("i", "point"), field("j", "and point"), field("v", angle ? "angle, of pi" : "CKA", ".4f"), field("se", "standard error", ".2~g")],
        } };
    });

    /* ---- S11: by domain ---- */
    const views = run => run.kind === "lens" ? [{ label: "entropy of the lens, bits", measure: "entropy" }, { label: "KL(output || lens), nats", measure: "kl" }]
        : ["drop", "swap"].filter(kind => run.things.some(t => t.kind === kind)).flatMap(kind =>
            [["kl", "KL, nats"], ["agree", "relative accuracy"], ["entropy_change", "entropy change, bits"]].map(([measure, label]) => ({ label: `${lesions[kind]}: ${label}`, measure, kind })));
    const domains = (element, run) => picker(element, run, views(run), v => v.label, "Show ", view => {
        const rows = run.things.filter(t => (t.kind ?? "") === (view.kind ?? "")).flatMap(t => (t.domains ?? []).map(d =>
            row(run, t, view.measure, { layer: t.layer, x: t.depth ?? depth(run, t.layer), series: d.domain }, d)).filter(Boolean));
        const names = [...new Set(rows.map(r => r.series))], color8 = (_, i) => color(`run${i % 8}`);
        const x = depthAxis(run.kind === "lens" ? run.L + 1 : run.L, true);
        return rows.length ? { height: 240, title: stages.filter(s => s.kind === run.kind).length > 1 ? run.name : undefined, data: { values: rows }, encoding: { x,
            y: { field: "y", type: "quantitative", axis: { title: view.label, format: view.measure === "agree" ? "%" : ".4~g" } },
            color: legend({ domain: names, range: names.map(color8) }, { field: "series", type: "nominal" }),
            tooltip: [field("series", "domain"), field("y", view.label, ".3~g"), ...detail] }, layer: [
            { mark: { type: "line", strokeWidth: 1.6 } }, { mark: { type: "point", filled: true, size: 34, opacity: 1 } },
            { transform: [{ filter: "isValid(datum.lo)" }], mark: { type: "rule", opacity: 0.5 }, encoding: { y: { field: "lo", type: "quantitative" }, y2: { field: "hi" } } },
        ] } : null;
    });

    return {
        "S1": boundaries,
        "S2": () => block("kl", "KL(original || intervened), nats", "KL, nats"),
        "S3a": () => block("agree", "relative accuracy", "same token", { format: "%", axis: undefined }),
        "S3b": () => block("entropy_change", "entropy change, bits", "change, bits"),
        "S4": () => measured(repeated, byThing(repeated, repeatRows, "entropy"), { y: "entropy, bits", title: "entropy, bits", dash: true }),
        "S5a": () => lens("entropy", "entropy of the lens, bits"), "S5b": () => lens("kl", "KL(output || lens), nats"),
        "S6": vocabulary, "S7a": locality, "S7b": () => stats.some(run => run.things.some(t => t.all.sinks?.mean > 0)) ? layers({ sinks: "sinks" }, "heads that are sinks", { format: "%", axis: undefined }) : null, "S8": merging,
        "S9a": () => layers({ "ffn.out": "FFN", "attn.out": "attention" }, "length of the output"),
        "S9b": () => layers({ "ffn.out/resid.pre": "FFN", "attn.out/resid.pre": "attention" }, "length, of the stream's", { scale: { type: "log" } }),
        "S9c": () => layers({ influence: "block influence", "cos block resid.pre": "cos(block, stream)" }, "influence, cosine"),
        "S10": similarity, "S11": domains,
    };
};
