/*
 * tables.js - the two tables that sort and filter: tokens and neurons.  Rows are drawn a page at a time, so tens of thousands stay quick.
 */
"use strict";
(() => {
    const { runs, classes, count, percent, real, share, gram, token, el } = nf;
    if (!runs.length)
        return;
    const PAGE = 50, single = runs.length === 1;

    /*
     * A table.  columns: {title, value(row) for sorting, show(row) text or node, right, first: -1 sorts downwards on the first click};
     * text(row): what the filter looks in; choices: [{title, options, test(row, option)}]; detail(row): node shown below an opened row.
     */
    function finder(root, { rows, columns, text, choices = [], detail, label, empty }) {
        let shown = PAGE, sort = { column: null, direction: 1 }, current = rows;
        const input = el("input", { type: "search", placeholder: label, "aria-label": label, autocomplete: "off", spellcheck: "false" });
        const selects = choices.map(c => el("select", { "aria-label": c.title }, ...c.options.map(([value, name]) => el("option", { value }, name))));
        const status = el("p", { class: "status", role: "status" }), body = el("tbody"), more = el("button", { type: "button", class: "more" }, "Show more");
        const heads = columns.map(c => {
            const button = el("button", { type: "button" }, c.title), th = el("th", { scope: "col", class: c.right ? "r" : null }, button);
            button.addEventListener("click", () => {
                sort = { column: c, direction: sort.column === c ? -sort.direction : c.first ?? 1 };
                heads.forEach(h => h.removeAttribute("aria-sort"));
                th.setAttribute("aria-sort", sort.direction > 0 ? "ascending" : "descending");
                update();
            });
            return th;
        });

        function compare(a, b) {
            const x = sort.column.value(a), y = sort.column.value(b);
            if (x === null || x === undefined || y === null || y === undefined)
                return (x === null || x === undefined) - (y === null || y === undefined);
            return (x < y ? -1 : x > y ? 1 : 0) * sort.direction;
        }

        function row(r) {
            const tr = el("tr", {}, ...columns.map(c => el("td", { class: c.right ? "r" : null }, c.show(r) ?? "-")));
            if (!detail)
                return [tr];
            const open = el("button", { type: "button", class: "open", "aria-expanded": "false", "aria-label": "Evidence" }, "+");
            let below = null;
            open.addEventListener("click", () => {
                const opened = below === null;
                if (opened) {
                    const cell = el("td", { colspan: columns.length });
                    below = el("tr", { class: "detail" }, cell);
                    tr.after(below);
                    detail(r, cell);
                } else {
                    below.remove();
                    below = null;
                }
                open.textContent = opened ? "\u2212" : "+";
                open.setAttribute("aria-expanded", String(opened));
            });
            tr.firstChild.prepend(open);
            return [tr];
        }

        const page = (from, to) => current.slice(from, to).flatMap(row);
        function count_rows() {
            more.hidden = shown >= current.length;
            status.textContent = current.length ? `${count(Math.min(shown, current.length))} of ${count(current.length)}${current.length < rows.length ? ` (${count(rows.length)} without the filter)` : ""}` : empty;
        }
        function update() {
            const needle = input.value.trim().toLowerCase().replaceAll(" ", "\u2423");
            current = rows.filter(r => selects.every((s, i) => choices[i].test(r, s.value)) && (!needle || text(r).toLowerCase().includes(needle)));
            if (sort.column)
                current = [...current].sort(compare);
            shown = PAGE;
            body.replaceChildren(...page(0, shown));
            count_rows();
        }
        let timer;
        input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(update, 120); });
        selects.forEach(s => s.addEventListener("change", update));
        more.addEventListener("click", () => { body.append(...page(shown, shown + PAGE)); shown += PAGE; count_rows(); });
        root.append(el("div", { class: "controls" }, input, ...selects), status,
                    el("div", { class: "scroll" }, el("table", {}, el("thead", {}, el("tr", {}, ...heads)), body)), more);
        update();
        return { search(value) { selects.forEach(s => { s.selectedIndex = 0; }); input.value = value; update(); const b = body.querySelector("button.open"); if (b) b.click(); } };
    }

    const chip = s => el("code", { class: "token" }, s);
    const chips = list => { const e = el("span", { class: "chips" }); list.forEach((s, i) => e.append(i ? " " : "", s)); return e; };
    const neuronLink = (run, key) => el("a", { href: `#neuron=${runs.indexOf(run)}:${key}` }, key);
    const modelColumn = single ? [] : [{ title: "Model", value: r => r.run.name, show: r => r.run.name }];

    /* ---- neurons ---- */

    /* Detectors and positional neurons first, the dead last. */
    const rank = c => (c + classes.length - 1) % classes.length;
    const neuronRows = runs.flatMap(run => {
        const n = run.neurons, tokensSeen = run.run.tokens ?? 0;
        return n.layer.map((layer, i) => {
            const e = nf.evidence(run, layer, n.neuron[i]);
            return { run, layer, neuron: n.neuron[i], key: `${layer}.${n.neuron[i]}`, class: classes[n.class[i]], fires: n.fires[i], freq: tokensSeen ? n.fires[i] / tokensSeen : null,
                     mi: n.mi[i], cover: n.cover[i], undecided: n.undecided[i], top: n.top[i], e };
        });
    }).sort((a, b) => rank(classes.indexOf(a.class)) - rank(classes.indexOf(b.class)));

    function grams(r) {
        if (r.e && r.e.token) return r.e.token.covered;
        if (r.e && r.e.bigram) return r.e.bigram.covered;
        if (r.e && r.e.trigram) return r.e.trigram.covered;
        const ids = [];
        for (let k = 0; k < r.top.length; k += 3)
            ids.push(r.top[k]);
        return ids;
    }
    const gramText = r => grams(r).slice(0, 4).map(g => gram(r.run, g));

    function evidenceTable(r, name, ev) {
        const rows = (ev.covered || []).map((g, i) => el("tr", {}, el("td", {}, chip(gram(r.run, g))), el("td", { class: "r" }, count(ev.c[i])), el("td", { class: "r" }, count(ev.n[i])),
            el("td", { class: "r" }, percent(ev.c[i] / ev.n[i])), el("td", { class: "r" }, nf.interval(share(ev.c[i], ev.n[i])))));
        return el("div", { class: "evidence" }, el("p", {}, `${name}: ${count(ev.covered_total ?? rows.length)} covered, which make up ${percent(ev.share ? ev.share.p : null)} of its firings (95 % interval ${ev.share ? nf.interval(ev.share) : "-"}); ${count(ev.m)} are enough for 95 %.`),
            el("table", {}, el("thead", {}, el("tr", {}, ...[name, "Fires", "Occurs", "Share", "95 % interval"].map((h, i) => el("th", { class: i ? "r" : null }, h)))), el("tbody", {}, ...rows)));
    }

    function neuronDetail(r, cell) {
        const s = share(r.fires, r.run.run.tokens ?? 0), e = r.e;
        cell.append(el("p", {}, `Neuron ${r.key} fires at ${nf.count(r.fires)} of ${count(s.n)} tokens (${percent(s.p)}, 95 % interval ${nf.interval(s)}).` +
            (r.cover === null || r.cover === undefined || !r.fires ? "" : ` ${count(r.cover)} tokens cover 95 % of its firings.`) +
            (r.undecided ? " Some rules are undecided: counts were dropped, or no full window was seen." : "")));
        if (e && e.domain_freq && r.run.run.domains)
            cell.append(el("p", {}, "By domain: " + r.run.run.domains.map((d, i) => `${d} ${percent(e.domain_freq[i])}`).join(", ") + "."));
        for (const [field, name] of [["token", "Token"], ["bigram", "Bigram"], ["trigram", "Trigram"]])
            if (e && e[field] && e[field].covered)
                cell.append(evidenceTable(r, name, e[field]));
        if (e && e.suppress && e.token) {
            const chart = el("div", { class: "chart small" }), spec = charts.detector(r.run, e);
            cell.append(el("p", {}, "Mean projection on its tokens: " + ["raw", "centred", "ln", "cosine"].filter(p => e.suppress[p]).map(p => `${p} ${real(e.suppress[p].mean, 4)}`).join(", ") + "."), chart);
            if (spec)
                charts.draw(chart, spec);
        }
        if (e && e.position && e.position.curve) {
            const p = e.position, chart = el("div", { class: "chart small" });
            cell.append(el("p", {}, `Mutual information with the position ${real(p.mi, 4)} nats (${real(p.mi_raw, 4)} before the correction), from ${count(p.full)} full windows; ` +
                `${p.type}, ${p.strength}; fires in ${p.ranges.length ? p.ranges.slice(0, 12).map(([a, b]) => `${a}\u2013${b - 1}`).join(", ") : "no range"}.`), chart);
            charts.draw(chart, charts.curve(e));
        } else if (!e && r.top.length) {
            const items = [];
            for (let k = 0; k < r.top.length; k += 3)
                items.push(chip(token(r.run, r.top[k])), `${count(r.top[k + 1])} of ${count(r.top[k + 2])}`);
            cell.append(el("p", {}, "Most frequent triggers (fires of occurrences): ", chips(items)));
        }
    }

    const neuronsRoot = document.querySelector("[data-table=neurons]");
    const neurons = finder(neuronsRoot, {
        rows: neuronRows, label: "layer.neuron, class or token", empty: "No neuron matches.",
        text: r => `${r.key} ${r.class} ${gramText(r).join(" ")} ${r.run.name}`,
        columns: [
            { title: "Neuron", value: r => r.layer * r.run.F + r.neuron, show: r => r.key },
            ...modelColumn,
            { title: "Class", value: r => classes.indexOf(r.class), show: r => el("span", { class: `class ${r.class}` }, r.class + (r.undecided ? " ?" : "")) },
            { title: "Fires", right: true, first: -1, value: r => r.fires, show: r => count(r.fires) },
            { title: "Of tokens", right: true, first: -1, value: r => r.freq, show: r => percent(r.freq) },
            { title: "Covering tokens", right: true, value: r => r.fires ? r.cover : null, show: r => r.fires ? count(r.cover) : "-" },
            { title: "MI, nats", right: true, first: -1, value: r => r.mi, show: r => real(r.mi, 3) },
            { title: "Triggers", value: r => gramText(r)[0] ?? null, show: r => chips(gramText(r).map(chip)) },
        ],
        choices: [{ title: "Class", options: [["", "all classes"], ...classes.map(c => [c, c])], test: (r, v) => !v || r.class === v },
                  ...(single ? [] : [{ title: "Model", options: [["", "all models"], ...runs.map((r, i) => [String(i), r.name])], test: (r, v) => v === "" || runs.indexOf(r.run) === Number(v) }])],
        detail: neuronDetail,
    });

    /* ---- tokens ---- */

    const tokenRows = runs.flatMap(run => {
        const byId = new Map(), of = id => byId.get(id) ?? byId.set(id, { run, id, text: token(run, id), detects: [], promoted: [], suppressed: [], triggers: [] }).get(id);
        for (const e of nf.detectors(run)) {
            const key = `${e.layer}.${e.neuron}`;
            (e.token.covered || []).forEach((id, i) => of(id).detects.push({ key, v: e.token.c[i] / e.token.n[i] }));
            (e.suppress && e.suppress.promoted || []).forEach(([id, v]) => of(id).promoted.push({ key, v }));
            (e.suppress && e.suppress.suppressed || []).forEach(([id, v]) => of(id).suppressed.push({ key, v }));
        }
        run.neurons.top.forEach((top, i) => {
            for (let k = 0; k < top.length; k += 3)
                of(top[k]).triggers.push({ key: `${run.neurons.layer[i]}.${run.neurons.neuron[i]}`, v: top[k + 1] });
        });
        return [...byId.values()].sort((a, b) => b.detects.length - a.detects.length || b.triggers.length - a.triggers.length || a.id - b.id);
    });
    const LIST = 6;
    const neuronList = (r, list) => {
        const best = [...list].sort((a, b) => Math.abs(b.v) - Math.abs(a.v));
        return chips([...best.slice(0, LIST).map(n => neuronLink(r.run, n.key)), ...(best.length > LIST ? [`+${best.length - LIST}`] : [])]);
    };
    const listColumn = (title, key) => ({ title, first: -1, value: r => r[key].length, show: r => neuronList(r, r[key]) });
    const tokensRoot = document.querySelector("[data-table=tokens]");
    finder(tokensRoot, {
        rows: tokenRows, label: "part of a token, or its id", empty: "No token matches.",
        text: r => `${r.text} ${r.id}`,
        columns: [{ title: "Token", value: r => r.text, show: r => chip(r.text) }, { title: "Id", right: true, value: r => r.id, show: r => String(r.id) }, ...modelColumn,
                  listColumn("Detected by", "detects"), listColumn("Suppressed by detectors", "suppressed"), listColumn("Promoted by detectors", "promoted"), listColumn("Frequent trigger of", "triggers")],
    });

    /* ---- #neuron=RUN:LAYER.NEURON opens that neuron ---- */
    function follow() {
        const m = /^#neuron=(\d+):(\d+\.\d+)$/.exec(location.hash);
        if (!m)
            return;
        neurons.search(m[2]);
        document.getElementById("neurons").scrollIntoView();
    }
    addEventListener("hashchange", follow);
    follow();
})();
