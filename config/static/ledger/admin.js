// Everything can be read without this script.
"use strict";

// Keys on the conversation page: j and k walk through the entries, o folds and unfolds the one in focus.
document.addEventListener("keydown", (event) => {
    const entries = [...document.querySelectorAll("#entries > .ledger-entry")];
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    if (!entries.length || typing || event.ctrlKey || event.metaKey || event.altKey) {
        return;
    }
    const current = document.activeElement.closest(".ledger-entry");
    if (event.key === "j" || event.key === "k") {
        const step = event.key === "j" ? 1 : -1;
        const start = step === 1 ? -1 : entries.length;
        const index = (current ? entries.indexOf(current) : start) + step;
        const next = entries[Math.max(0, Math.min(entries.length - 1, index))];
        next.focus();
        next.scrollIntoView({ block: "nearest" });
    } else if (event.key === "o" && current) {
        const folds = current.querySelectorAll(":scope > details, :scope > article > details");
        folds.forEach((fold) => { fold.open = !fold.open; });
    }
});

// What is at work is looked at again, unless somebody has begun to fill in a form or to choose rows.
const atWork = document.querySelector("[data-refresh-seconds]");
if (atWork) {
    let touched = false;
    document.addEventListener("input", () => { touched = true; });
    setInterval(() => { if (!touched && !document.hidden) { window.location.reload(); } }, atWork.dataset.refreshSeconds * 1000);
}
