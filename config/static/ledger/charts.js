// Draws the charts of the dashboard with Unfold's Chart.js, from the JSON beside each canvas, in the colours of the theme.
// Each chart has a table with the same figures: everything can be read without this script.
"use strict";

(() => {
    const language = document.documentElement.lang || "en";
    const compact = new Intl.NumberFormat(language, { notation: "compact", maximumFractionDigits: 1 });
    const whole = new Intl.NumberFormat(language, { maximumFractionDigits: 6 });
    const money = new Intl.NumberFormat(language, { style: "currency", currency: "USD", maximumFractionDigits: 6 });
    const shortMoney = new Intl.NumberFormat(language, { style: "currency", currency: "USD", notation: "compact" });
    const SHORT = { count: (v) => compact.format(v), money: (v) => shortMoney.format(v), seconds: (v) => `${compact.format(v)} s` };
    const LONG = { count: (v) => whole.format(v), money: (v) => money.format(v), seconds: (v) => `${whole.format(v)} s` };

    const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const canvases = [...document.querySelectorAll("canvas[data-chart]")];

    const dataset = (data, series, index) => {
        const own = colour(`--ledger-series-${(index % 7) + 1}`);
        return {
            label: series.name,
            data: series.amounts,
            backgroundColor: own,
            borderColor: own,
            borderWidth: data.shape === "lines" ? 2 : 0,
            pointRadius: data.labels.length > 31 ? 0 : 2.5,
            maxBarThickness: 40,
            spanGaps: true,
            // Never past the points: a smooth line would show figures that nobody measured.
            cubicInterpolationMode: "monotone",
        };
    };

    const draw = (canvas) => {
        const data = JSON.parse(document.getElementById(canvas.dataset.chart).textContent);
        const quiet = colour("--ledger-quiet"), line = colour("--ledger-grid");
        const stacked = data.shape === "stacks", lying = data.shape === "bars";
        const amounts = {
            beginAtZero: true,
            stacked,
            border: { display: false },
            grid: { color: line },
            ticks: { callback: SHORT[data.unit], color: quiet, maxTicksLimit: 6, precision: data.unit === "count" ? 0 : undefined },
        };
        const steps = { stacked, border: { display: false }, grid: { display: false }, ticks: { autoSkip: !lying, color: quiet, maxRotation: 0 } };
        return new Chart(canvas, {
            type: data.shape === "lines" ? "line" : "bar",
            data: { labels: data.labels, datasets: data.series.map((series, index) => dataset(data, series, index)) },
            options: {
                animation: false,
                indexAxis: lying ? "y" : "x",
                interaction: { intersect: false, mode: "index", axis: lying ? "y" : "x" },
                locale: language,
                maintainAspectRatio: false,
                plugins: {
                    legend: { display: data.series.length > 1, align: "start", position: "bottom", labels: { boxHeight: 8, boxWidth: 8, color: quiet, usePointStyle: true } },
                    tooltip: {
                        filter: (item) => item.raw !== 0 && item.raw !== null,
                        callbacks: { label: (item) => `${item.dataset.label}: ${LONG[data.unit](item.raw)}` },
                    },
                },
                scales: lying ? { x: amounts, y: steps } : { x: steps, y: amounts },
            },
        });
    };

    let drawn = [];
    const drawAll = () => {
        drawn.forEach((chart) => chart.destroy());
        drawn = canvases.map(draw);
    };
    Chart.defaults.font.family = "Inter, sans-serif";
    drawAll();

    // The switch of themes changes a class of the root; the canvases have to follow.
    let dark = document.documentElement.classList.contains("dark");
    new MutationObserver(() => {
        const now = document.documentElement.classList.contains("dark");
        if (now !== dark) {
            dark = now;
            drawAll();
        }
    }).observe(document.documentElement, { attributeFilter: ["class"] });
})();
