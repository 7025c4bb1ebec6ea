// <df-zone>: a choice of time zones that begins with the browser's, where it is
// among them. Without JavaScript it begins with the server's.

class Zone extends HTMLElement {
  connectedCallback(): void {
    const select = this.querySelector("select");
    const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (select && [...select.options].some((o) => o.value === own)) select.value = own;
  }
}

customElements.define("df-zone", Zone);
export {};
