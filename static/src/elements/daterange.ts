// <df-daterange>: ui.DateRange. A preset or two dates; closes and fires
// df:daterange (bubbling) with {preset} or {from, to} before its form is sent.
// The two dates are kept in order.

class DateRange extends HTMLElement {
  #ended: AbortController | undefined;

  connectedCallback(): void {
    this.#ended = new AbortController();
    const { signal } = this.#ended;
    const pop = this.querySelector<HTMLElement>("[popover]");
    const from = this.querySelector<HTMLInputElement>("[data-from]");
    const to = this.querySelector<HTMLInputElement>("[data-to]");
    if (!pop || !from || !to) return;
    const order = (): void => {
      to.setCustomValidity("");
      if (from.value && to.value && from.value > to.value) [from.value, to.value] = [to.value, from.value];
    };
    from.addEventListener("change", order, { signal });
    to.addEventListener("change", order, { signal });
    pop.addEventListener("click", (event) => {
      const button = event.target instanceof Element ? event.target.closest<HTMLButtonElement>("button") : null;
      if (!button) return;
      const preset = button.dataset["preset"];
      if (preset === undefined && !(from.reportValidity() && to.reportValidity())) return;
      const detail = preset === undefined ? { from: from.value, to: to.value } : { preset };
      pop.hidePopover();
      this.dispatchEvent(new CustomEvent("df:daterange", { bubbles: true, detail }));
    }, { signal });
  }

  disconnectedCallback(): void {
    this.#ended?.abort();
  }
}

customElements.define("df-daterange", DateRange);
