// What the benchmark adds to each page: when things were drawn, on the page's
// own clock. A widget is drawn when its chart says df:drawn, or when its HTML is
// there.
window.probe = (() => {
  const calm = 600; // ms without a change after which a page is done
  let last = 0;
  let armed = 0;
  let frames = [];
  let counting = false;
  const note = () => (last = performance.now());
  document.addEventListener("df:drawn", note);
  document.addEventListener("DOMContentLoaded", () => {
    note();
    new MutationObserver(note).observe(document.body, { childList: true, subtree: true });
  });
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const pending = "#dash > .wait, df-chart:not(:has(canvas, svg)), .w-first";
  const waiting = () => document.querySelector(pending) !== null;

  const patience = 30000; // ms after which a page will not be done any more

  // When the last change was, once nothing is waited for; says what it waits for
  // where that never comes.
  async function quiet() {
    const end = performance.now() + patience;
    while (waiting() || performance.now() - last < calm) {
      if (performance.now() > end) throw new Error("still waiting for " + document.querySelector(pending)?.outerHTML.slice(0, 300));
      await pause(40);
    }
    return last;
  }

  async function choose(name, value) {
    const button = document.createElement("button");
    Object.assign(button.dataset, { set: name, value });
    document.querySelector("df-dashboard").append(button);
    await pause(20);
    performance.clearResourceTimings();
    const swapped = new Promise((resolve) => document.addEventListener("htmx:after:swap", resolve, { once: true }));
    const start = performance.now();
    button.click();
    await swapped;
    note();
    const end = await quiet();
    button.remove();
    const request = performance.getEntriesByType("resource").find((each) => each.startTime >= start - 1 && each.name.includes("/dashboards/"));
    return { drawn: end - start, server: request ? request.responseEnd - start : 0 };
  }

  return {
    quiet,
    choose,
    async opened() {
      return { drawn: await quiet(), server: 0 };
    },
    watchDrop() {
      armed = 0;
      document.addEventListener("drop", () => (armed = performance.now()), { once: true, capture: true });
      document.addEventListener("pointerup", () => (armed ||= performance.now()), { once: true, capture: true });
    },
    async dropped() {
      while (!document.querySelector("df-grid df-chart canvas")) await pause(5);
      const end = await quiet();
      return { drawn: armed ? end - armed : 0, server: 0 };
    },
    frames() {
      frames = [];
      counting = true;
      const tick = (time) => {
        frames.push(time);
        if (counting) requestAnimationFrame(tick);
      };
      requestAnimationFrame(tick);
    },
    framesSeen() {
      counting = false;
      const gaps = frames.slice(1).map((time, i) => time - frames[i]).sort((a, b) => a - b);
      return { rate: 1000 / (gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length), p95: gaps[Math.floor(gaps.length * 0.95)] };
    },
  };
})();
