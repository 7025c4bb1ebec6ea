// What a page of another application does with the component.
const board = document.querySelector("apron-insights");
const events = document.getElementById("events");
const theme = document.getElementById("theme");
let customer = sessionStorage.getItem("customer") ?? "golden";
let widgets = [];

function note(name, detail) {
  const line = document.createElement("li");
  const head = document.createElement("b");
  head.textContent = name;
  line.append(head, ` ${JSON.stringify(detail)}`.slice(0, 240));
  events.prepend(line);
}

function show(chosen) {
  document.documentElement.dataset.theme = chosen;
  // The component takes the variables over when this attribute changes.
  board?.setAttribute("theme", chosen);
}

theme.value = sessionStorage.getItem("theme") ?? "auto";
theme.addEventListener("change", () => {
  sessionStorage.setItem("theme", theme.value);
  show(theme.value);
});
show(theme.value);

if (board) {
  // The component asks for a token whenever it needs one.
  board.token = async () => {
    const answer = await fetch(`/token/${customer}`, { method: "POST" });
    if (!answer.ok) throw new Error(`No token: ${answer.status}`);
    return answer.json();
  };
  for (const name of ["ready", "filter", "click", "error"]) board.addEventListener(name, ({ detail }) => note(name, detail));
  board.addEventListener("ready", ({ detail }) => (widgets = detail.widgets));
}

for (const input of document.querySelectorAll("[name=customer]")) {
  input.checked = input.value === customer;
  input.addEventListener("change", () => {
    customer = input.value;
    sessionStorage.setItem("customer", customer);
    void board?.reload();
  });
}

const acts = {
  filter: () => board.setFilter("destination", ["ATL"]),
  clear: () => board.setFilter("destination"),
  refresh: () => board.refresh(),
  export: async () => {
    const file = await board.export(widgets[0]?.id);
    note("exported", { name: file.name, bytes: file.size });
  },
};
document.addEventListener("click", ({ target }) => {
  const act = acts[target.closest("[data-do]")?.dataset.do];
  if (act) act().catch((error) => note("failed", { message: error.message }));
});
