/** Shows a sentence at the corner of the page for a while. */
export function toast(text: string, tone: "" | "neg" = "", ms = 8000): void {
  const region = document.getElementById("toasts");
  if (!region) return;
  for (const shown of region.children) {
    if (shown.textContent === text) return;
  }
  const box = document.createElement("div");
  box.className = tone ? `toast toast-${tone}` : "toast";
  const words = document.createElement("p");
  words.textContent = text;
  box.append(words);
  region.append(box);
  setTimeout(() => box.remove(), ms);
}
