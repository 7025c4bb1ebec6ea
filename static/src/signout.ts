// Changes of dashboards that were not sent yet lie in this browser
// (editor/store.ts). They belong to the person, and go when the person does.

document.addEventListener("submit", ({ target }) => {
  if (!(target instanceof HTMLFormElement) || new URL(target.action, location.href).pathname !== "/signout") return;
  try {
    for (const key of Object.keys(localStorage)) if (key.startsWith("df-edit:")) localStorage.removeItem(key);
  } catch {
    // A browser without storage kept nothing.
  }
  document.dispatchEvent(new Event("df:signout"));
});
