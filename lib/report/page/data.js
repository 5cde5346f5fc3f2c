/*
 * data.js - the page's data, and what charts and tables compute from it.
 *
 * #data holds {classes, runs, stages?, models?}; stages: {name, kind ("effects", "lens", "stats", "neurons"), L, things, pairs, heads}, as
 * lib/report/stage_input.h says; models: {name, L, of: {kind: index of stages or null}, ordered, ends: [block or null]}, as lib/report/models.h says; a run is {name, L, F, T, all, model, run, layers, suppression, teams, neurons, evidence, tokens}: the records of
 * FORMAT.md section 4.5 under their own names; `neurons` is columns, `evidence` the cut records of classified neurons.  Nothing in it is markup:
 * text reaches the page through textContent only.
 */
"use strict";
const nf = (() => {
    const parse = id => JSON.parse(document.getElementById(id).textContent);
    const { classes, runs, stages = [], models = [] } = parse("data"), published = parse("published");
    const Z = 1.959963984540054;

    /* Wilson 95 % interval of k of n (Wilson 1927). */
    function share(k, n) {
        if (!n)
            return { k, n, p: null, lo: null, hi: null };
        const p = k / n, z2 = Z * Z, mid = p + z2 / (2 * n), half = Z * Math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)), den = 1 + z2 / n;
        return { k, n, p, lo: k === 0 ? 0 : (mid - half) / den, hi: k === n ? 1 : (mid + half) / den };
    }

    const count = v => v === null || v === undefined ? "-" : Math.round(v).toLocaleString("en-US");
    function percent(p) {
        if (p === null || p === undefined || Number.isNaN(p))
            return "-";
        const v = 100 * p;
        return (v === 0 ? "0" : v < 0.05 ? v.toPrecision(2) : v < 9.95 ? v.toFixed(1) : v.toFixed(0)) + " %";
    }
    const interval = s => s.n ? `${percent(s.lo).slice(0, -2)}\u2013${percent(s.hi)}` : "-";
    const real = (v, digits) => typeof v === "number" ? v.toFixed(digits) : "-";

    const tokens = new Map(runs.map(r => [r, new Map(Object.entries(r.tokens))]));
    const token = (run, id) => (tokens.get(run).get(String(id)) ?? `<${id}>`).replaceAll(" ", "\u2423");
    const gram = (run, g) => Array.isArray(g) ? g.map(id => token(run, id)).join(" ") : token(run, g);

    const byKey = new Map(runs.map(r => [r, new Map(r.evidence.map(e => [`${e.layer}.${e.neuron}`, e]))]));
    const evidence = (run, layer, neuron) => byKey.get(run).get(`${layer}.${neuron}`);
    const positional = run => run.evidence.filter(e => e.class === "positional" && e.position && e.position.curve);
    const detectors = run => run.evidence.filter(e => e.class === "token-detector" && e.token);

    /* A curve as points {x: first position of the bin, p, lo, hi}. */
    function curve(position) {
        const { curve: counts, bin, full, T } = position;
        return counts.map((k, i) => {
            const x = i * bin, wide = Math.min(bin, T - x), s = share(k, full * wide);
            return { x, p: s.p, lo: s.lo, hi: s.hi, k, n: s.n };
        });
    }

    /* An element with attributes and children; strings become text. */
    function el(name, attributes = {}, ...children) {
        const e = document.createElement(name);
        for (const [k, v] of Object.entries(attributes))
            if (k.startsWith("on"))
                e.addEventListener(k.slice(2), v);
            else if (v !== null && v !== undefined)
                e.setAttribute(k, v);
        e.append(...children);
        return e;
    }

    return { classes, runs, stages, models, published, share, count, percent, interval, real, token, gram, evidence, positional, detectors, curve, el };
})();
